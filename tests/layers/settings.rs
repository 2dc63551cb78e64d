//! `lanes`, `demand` and `on`.

use crate::support::{Watched, counting, numbers, settle, sorted};
use futures::{FutureExt, StreamExt};
use gen_stage::testing::test_source;
use gen_stage::{Demand, Flow};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

#[tokio::test]
async fn each_layer_has_its_own_number_of_lanes() {
    let states = counting(10)
        .lanes(3)
        .reduce(|| 1, |_, _| ())
        .emit_state()
        .partition()
        .lanes(5)
        .reduce(|| 0, |n, one| *n += one)
        .emit_state();
    let states: Vec<i32> = states.collect().await;
    assert_eq!((states.len(), states.iter().sum()), (5, 3));
}

#[tokio::test]
async fn by_default_there_are_as_many_lanes_as_cores() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let states: Vec<()> = counting(0).reduce(|| (), |(), _| ()).emit_state().collect().await;
    assert_eq!(states.len(), cores);
}

#[tokio::test]
async fn no_edge_ever_holds_more_than_its_max_demand() {
    for max in [1, 2, 10, 1000] {
        let watched = Watched::new();
        let mut flow = numbers(watched.endless())
            .lanes(1)
            .with_demand(Demand::up_to(max).unwrap())
            .shuffle()
            .lanes(1)
            .with_demand(Demand::up_to(max).unwrap());
        assert!(flow.next().now_or_never().is_none());
        settle().await;
        // One edge into the second layer, one to the reader.
        let taken = watched.taken();
        assert!(taken <= 2 * max, "{taken} items for two edges of {max}");
        assert!(taken >= max, "{taken} items for two edges of {max}");
    }
}

#[tokio::test]
async fn an_item_alone_does_not_wait_for_a_batch() {
    let (source, input) = test_source();
    let mut flow = numbers(source).lanes(2).partition().lanes(2).shuffle().lanes(2);
    for n in 0..20 {
        input.send(n);
        assert_eq!(flow.next().await, Some(n));
    }
}

#[test]
fn lanes_run_on_the_runtime_that_was_named() {
    let lanes = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let threads: Arc<Mutex<HashSet<ThreadId>>> = Arc::default();
    let seen = threads.clone();
    let flow = counting(1000).map(move |n| {
        seen.lock().unwrap().insert(std::thread::current().id());
        n
    });
    // Read outside of any runtime.
    let read: Vec<_> = futures::executor::block_on(flow.on(lanes.handle().clone()).collect());
    assert_eq!(read.len(), 1000);
    assert!(!threads.lock().unwrap().contains(&std::thread::current().id()));
}

#[test]
fn a_current_thread_runtime_is_enough() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let read: Vec<_> = runtime.block_on(counting(5000).lanes(4).partition().collect());
    assert_eq!(sorted(read), (0..5000).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "was polled outside of one")]
fn outside_of_a_runtime_the_panic_says_what_to_do() {
    let _ = Flow::from_iter(0..3).next().now_or_never();
}

#[test]
#[should_panic(expected = "lanes must be at least 1, given 0")]
fn a_layer_of_no_lanes_is_refused() {
    let _ = Flow::from_iter(0..3).lanes(0);
}

#[test]
#[should_panic(expected = "min_demand must be at most 9, one less than max_demand, given 10")]
fn a_demand_out_of_bounds_is_refused() {
    let _ = Flow::from_iter(0..3).demand(10, 10);
}

#[tokio::test]
#[should_panic(expected = "a flow that is already being read cannot get other lanes")]
async fn a_flow_that_is_being_read_is_not_set_up_anew() {
    let mut flow = counting(10);
    flow.next().await;
    let _ = flow.lanes(3);
}

#[tokio::test]
async fn any_demand_works_and_room_is_made_for_what_comes() {
    for (max, min) in
        [(usize::MAX, 0), (usize::MAX, usize::MAX - 1), (1_000_000_000_000, 0), (1_000_000_000, 999_999_000)]
    {
        for lanes in [1, 2] {
            let flow = Flow::from_iter(0..5000_u64).lanes(lanes).demand(max, min).map(|n| n);
            assert_eq!(flow.partition().lanes(2).demand(max, min).count().await, 5000, "{max}, {min}");
            let batches =
                Flow::from_iter(0..5000_u64).lanes(lanes).demand(max, min).map_batch(|batch| [batch.len()]);
            assert_eq!(batches.sum::<usize>().await, 5000, "{max}, {min}");
        }
    }
}

#[tokio::test]
async fn long_batches_cross_whole() {
    let source = Flow::from_iter(0..30_000_u64).lanes(1).demand(10_000, 0);
    let batches = source.shuffle().lanes(1).demand(10_000, 0);
    assert_eq!(batches.map_batch(|batch| [batch.len()]).collect::<Vec<_>>().await, [10_000; 3]);
}

#[test]
#[should_panic(expected = "lanes must be at most 131072, each a task, given")]
fn more_lanes_than_anybody_can_want_are_refused() {
    let _ = Flow::from_iter(0..9).lanes(usize::MAX);
}
