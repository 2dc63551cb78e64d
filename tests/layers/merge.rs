use crate::support::{Numbers, Watched, counting, numbers, operator_suite, settle, seven, sorted};
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use gen_stage::flow::{LayerPart, LayerStats, Readable};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

operator_suite!(|flow: Numbers| flow.merge(counting(0)).demand(10, 5), |items| items, |flow: Numbers| flow
    .inspect(|n| seven(*n))
    .merge(counting(0)),);

mod as_the_other {
    use super::*;
    operator_suite!(
        |flow: Numbers| counting(0).map(|n| n).merge(flow.map(|n| n + 1)).demand(10, 5),
        |items| items.into_iter().map(|n| n + 1).collect(),
        |flow: Numbers| counting(0).merge(flow.inspect(|n| seven(*n))),
    );
}

mod with_lanes_of_its_own {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.merge(counting(0)).lanes(3).demand(10, 5),
        |items| items,
        |flow: Numbers| flow.merge(counting(0)).lanes(1).inspect(|n| seven(*n)),
    );
}

/// How many lanes the layer has, and what comes out of them.
async fn lanes_of<P>(flow: Flow<P>) -> (usize, Vec<u64>)
where
    P: gen_stage::flow::adapters::OpenLayer<Item = u64, Lane: Send + 'static>,
{
    let lanes = Arc::new(AtomicUsize::new(0));
    let counts = lanes.clone();
    let items = flow
        .per_lane(move |lane| {
            counts.fetch_add(1, Ordering::SeqCst);
            lane
        })
        .collect::<Vec<_>>()
        .await;
    (lanes.load(Ordering::SeqCst), sorted(items))
}

#[tokio::test]
async fn lanes_are_side_by_side_unless_another_number_is_asked_for() {
    let both = || counting(10).lanes(2).merge(counting(5).map(|n| n + 10).lanes(3));
    let all: Vec<u64> = (0..15).collect();
    assert_eq!(lanes_of(both()).await, (5, all.clone()));
    for lanes in [1, 4, 5, 8] {
        assert_eq!(lanes_of(both().lanes(lanes)).await, (lanes, all.clone()), "{lanes} lanes");
    }
}

#[tokio::test]
async fn a_lane_keeps_its_order() {
    let flow = Flow::from_iter((0..3000).map(|n| n * 2))
        .lanes(1)
        .merge(Flow::from_iter((0..3000).map(|n| n * 2 + 1)).lanes(1));
    let items: Vec<u64> = flow.collect().await;
    assert_eq!(items.len(), 6000);
    for parity in [0, 1] {
        assert!(items.iter().filter(|n| **n % 2 == parity).is_sorted());
    }
}

#[tokio::test]
async fn nothing_crosses_without_need() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut flow =
        numbers(futures::stream::pending()).lanes(1).merge(numbers(futures::stream::pending()).lanes(1));
    assert!(flow.next().now_or_never().is_none());
    let side_by_side = tasks() - before;
    drop(flow);
    settle().await;
    let mut flow = numbers(futures::stream::pending())
        .lanes(1)
        .merge(numbers(futures::stream::pending()).lanes(1))
        .lanes(3);
    assert!(flow.next().now_or_never().is_none());
    assert_eq!(tasks() - before, side_by_side + 3, "the two lanes above, and three more");
}

#[tokio::test]
async fn a_partition_behind_it_has_the_items_of_both() {
    let sums = counting(100).merge(counting(50)).partition_by(|n| n % 10).lanes(3).count_by(|n| n % 10);
    let expected: Vec<(u64, u64)> = (0..10).map(|key| (key, 15)).collect();
    assert_eq!(sorted(sums.collect::<Vec<_>>().await), expected);
}

#[tokio::test]
async fn closed_layers_are_merged() {
    let sum = |flow: Numbers| flow.lanes(2).reduce(|| 0, |sum, n| *sum += n).emit_state();
    let flow = sum(counting(10)).merge(
        counting(4)
            .group_by(|_| ())
            .on_trigger(|groups, _| std::mem::take(groups).into_values().map(|group| group.len() as u64)),
    );
    let both: u64 = flow.map(|n| n * 10).collect::<Vec<u64>>().await.into_iter().sum();
    assert_eq!(both, (45 + 4) * 10);
}

#[tokio::test]
async fn merges_can_be_merged() {
    let one = || counting(100).lanes(2);
    let flow = one().merge(one()).merge(one().merge(one())).lanes(2);
    let expected: Vec<u64> = (0..100).flat_map(|n| [n; 4]).collect();
    assert_eq!(sorted(flow.collect::<Vec<_>>().await), expected);
}

#[tokio::test]
async fn a_side_that_waits_does_not_hold_the_other() {
    for lanes in [None, Some(1), Some(3)] {
        let silent = numbers(futures::stream::pending());
        let flow = silent.lanes(1).merge(counting(2000).lanes(1));
        let flow = match lanes {
            None => flow.left_stream(),
            Some(lanes) => flow.lanes(lanes).right_stream(),
        };
        assert_eq!(sorted(flow.take(2000).collect::<Vec<u64>>().await), (0..2000).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_size_of_a_merge_is_that_of_both() {
    use futures::Stream;
    let flow = Flow::from_iter(0..10).merge(Flow::from_iter(0..5)).map(|n| n + 1);
    assert_eq!(flow.size_hint(), (15, Some(15)));
    let endless = Flow::from_iter(0..10).merge(Flow::from_iter(0..));
    assert_eq!(endless.size_hint().1, None);
}

/// On which threads the items were made.
async fn names(flow: Flow<impl Readable<Item = String>>) -> Vec<String> {
    let mut names = flow.collect::<Vec<_>>().await;
    names.sort();
    names.dedup();
    names
}

#[test]
fn it_runs_where_the_first_flow_says_or_else_the_other() {
    let runtime = |name: &str| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name(name).build().unwrap()
    };
    let (one, two) = (runtime("one"), runtime("two"));
    let thread = |_| std::thread::current().name().unwrap().to_string();
    let threads = |flow: Flow<_>| futures::executor::block_on(names(flow));
    let both = |left: Numbers, right: Numbers| left.merge(right).map(thread);
    let (on_one, on_two) = (|| counting(3).on(one.handle().clone()), || counting(3).on(two.handle().clone()));
    assert_eq!(threads(both(on_one(), on_two())), ["one"]);
    assert_eq!(threads(both(counting(3), on_two())), ["two"]);
    assert_eq!(threads(both(on_one(), counting(3))), ["one"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_either_side_stops_both() {
    for at in 0..2 {
        let watched = [Watched::new(), Watched::new()];
        let side = |side: usize| {
            numbers(watched[side].endless()).inspect(move |n| {
                if side == at {
                    seven(*n);
                }
            })
        };
        let flow = side(0).merge(side(1));
        let caught = AssertUnwindSafe(flow.run()).catch_unwind().await;
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"), "side {at}");
        assert!(watched.iter().all(|watched| !watched.is_alive()));
    }
}

#[tokio::test]
#[should_panic(expected = "a flow that is already being read cannot be merged")]
async fn a_flow_that_is_being_read_is_refused() {
    let mut right = counting(3);
    right.next().await;
    let _ = counting(3).merge(right);
}

/// The operators of each layer of a flow that has run, with the number of its lanes.
async fn operators<P: Readable<Item = u64>>(mut flow: Flow<P>) -> Vec<(usize, Vec<&'static str>)> {
    let monitor = flow.monitor();
    flow.run().await;
    let layers = monitor.stats().layers.into_iter();
    let names = |layer: &LayerStats| layer.operators.iter().map(|operator| operator.name).collect();
    layers
        .filter(|layer| layer.part == LayerPart::Lane)
        .map(|layer| (layer.lanes.len(), names(&layer)))
        .collect()
}

#[tokio::test]
async fn the_numbers_of_a_layer_have_the_operators_of_the_lanes_that_were_merged() {
    let left = || counting(9).lanes(1).map(|n| n + 1);
    let right = || counting(9).lanes(2).filter(|n| n % 2 == 0);

    let as_they_are = operators(left().merge(right()).inspect(|_| ())).await;
    assert_eq!(as_they_are, [(3, vec!["map", "filter", "inspect"])]);

    let with_lanes = operators(left().merge(right()).lanes(5).inspect(|_| ())).await;
    assert_eq!(with_lanes, [(3, vec!["map", "filter"]), (5, vec!["inspect"])]);

    let three =
        operators(left().merge(right()).inspect(|_| ()).merge(left().reject(|_| false)).map(|n| n)).await;
    assert_eq!(three, [(4, vec!["map", "filter", "inspect", "map", "reject", "map"])]);
}
