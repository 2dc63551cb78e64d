//! Flow operations: scenarios 209 to 299, those that `reduce` and what comes before it cover.
//!
//! Sources: S2 is [1, 2, 3] and [4, 5, 6] on 2 lanes, S4 the same on 4, P4 three sources of 1 to 10 partitioned into
//! 4 by the table R4.

use crate::support::{numbers, r4, sorted};
use futures::FutureExt;
use gen_stage::Flow;
use gen_stage::flow::Readable;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// S2 and S4, and what `$build` makes of each, sorted.
macro_rules! on_s2_and_s4 {
    ($build:expr) => {{
        let on = |lanes| ($build)(Flow::from_iters([1..=3u64, 4..=6]).lanes(lanes)).collect::<Vec<_>>();
        let (s2, s4) = (sorted(on(2).await), sorted(on(4).await));
        assert_eq!(s2, s4);
        s2
    }};
}

macro_rules! p4 {
    () => {
        Flow::from_iters([1..=3u64, 4..=6, 7..=10]).partition_with(4, r4)
    };
}

async fn states(flow: Flow<impl Readable<Item = Vec<u64>>>) -> Vec<Vec<u64>> {
    sorted(flow.collect::<Vec<_>>().await.into_iter().map(sorted))
}

#[tokio::test]
async fn scenario_209_sources_without_operations() {
    assert_eq!(on_s2_and_s4!(|flow: Flow<_>| flow), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn scenario_211_filter_map_doubles_the_even() {
    let doubled = |n: u64| (n % 2 == 0).then_some(n * 2);
    assert_eq!(on_s2_and_s4!(|flow: Flow<_>| flow.filter_map(doubled)), [4, 8, 12]);
    assert_eq!(sorted(p4!().filter_map(doubled).collect::<Vec<_>>().await), [4, 8, 12, 16, 20]);
}

#[tokio::test]
async fn scenario_212_flat_map_twice_each() {
    let twice = on_s2_and_s4!(|flow: Flow<_>| flow.flat_map(|n| [n, n]));
    assert_eq!(twice, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
}

#[tokio::test]
async fn scenario_214_reject_the_even() {
    assert_eq!(on_s2_and_s4!(|flow: Flow<_>| flow.reject(|n| n % 2 == 0)), [1, 3, 5]);
}

#[tokio::test]
async fn scenario_215_filter_map_map() {
    let got = on_s2_and_s4!(|flow: Flow<_>| flow.filter(|n| n % 2 == 0).map(|n| n + 1).map(|n| n * 2));
    assert_eq!(got, [6, 10, 14]);
}

#[tokio::test]
async fn scenario_217_a_partition_without_operations() {
    assert_eq!(sorted(p4!().collect::<Vec<_>>().await), (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn scenario_218_the_states_of_the_partitions() {
    let lists = p4!().reduce(Vec::new, std::vec::Vec::push).emit_state();
    assert_eq!(states(lists).await, [vec![1, 5, 7, 9], vec![2, 6, 8], vec![3, 4], vec![10]]);
}

#[tokio::test]
async fn scenario_220_sums_of_the_partitions() {
    let sums = p4!().reduce(|| 0, |sum, n| *sum += n).emit_state();
    assert_eq!(sorted(sums.collect::<Vec<u64>>().await), [7, 10, 16, 22]);
}

#[tokio::test]
async fn scenario_221_sums_of_the_odd() {
    let sums = p4!().reject(|n| n % 2 == 0).reduce(|| 0, |sum, n| *sum += n).emit_state();
    assert_eq!(sorted(sums.collect::<Vec<u64>>().await), [0, 0, 3, 22]);
}

#[tokio::test]
async fn scenario_226_the_first_five_of_an_endless_flow() {
    let flow = Flow::from_iter(0u64..).lanes(1).filter(|n| n % 2 == 0).map(|n| n + 1).map(|n| n * 2);
    assert_eq!(flow.take(5).collect::<Vec<_>>().await, [2, 6, 10, 14, 18]);
}

#[tokio::test]
async fn scenario_227_the_first_five_of_filter_map() {
    let flow = Flow::from_iter(0u64..).lanes(1).filter_map(|n| (n % 2 == 0).then_some(n * 2));
    assert_eq!(flow.take(5).collect::<Vec<_>>().await, [0, 4, 8, 12, 16]);
}

#[tokio::test]
async fn scenario_229_partitioned_by_the_first_of_a_pair() {
    let pairs = [[(1, 1), (2, 2), (3, 3)], [(1, 4), (2, 5), (3, 6)]];
    let seconds = Flow::from_iters(pairs)
        .partition_with(2, |(key, _)| Some(usize::from(*key == 3)))
        .reduce(Vec::new, |list, (_, second)| list.push(second))
        .emit_state();
    assert_eq!(states(seconds).await, [vec![1, 2, 4, 5], vec![3, 6]]);
}

#[tokio::test]
async fn scenario_230_partitioned_by_a_field_also_after_shuffle() {
    #[derive(Clone)]
    struct Row {
        key: &'static str,
        value: u64,
    }
    let rows = || {
        let row = |key, value| Row { key, value };
        Flow::from_iters([
            vec![row("a", 1), row("b", 2), row("c", 3)],
            vec![row("a", 4), row("b", 5), row("c", 6)],
        ])
    };
    // The keys' own lanes: who shares one is up to the hash, that equal keys do is not.
    let by_key =
        |flow: BTreeMap<_, Vec<u64>>| flow.into_iter().map(|(k, v)| (k, sorted(v))).collect::<Vec<_>>();
    let expected = [("a", vec![1, 4]), ("b", vec![2, 5]), ("c", vec![3, 6])];
    let collect =
        |states: &mut BTreeMap<_, Vec<u64>>, row: Row| states.entry(row.key).or_default().push(row.value);

    let plain = rows().partition_by(|row| row.key).lanes(2).reduce(BTreeMap::new, collect);
    assert_eq!(by_key(plain.collect().await), expected);
    let borrowed = rows().partition_by_ref(|row| row.key).lanes(2).reduce(BTreeMap::new, collect);
    assert_eq!(by_key(borrowed.collect().await), expected);
    let shuffled =
        rows().shuffle().lanes(2).partition_by(|row| row.key).lanes(2).reduce(BTreeMap::new, collect);
    assert_eq!(by_key(shuffled.collect().await), expected);
}

#[tokio::test]
async fn scenario_232_distinct_characters_of_the_partitions() {
    let sizes = Flow::from_iter("the quick brown fox".chars())
        .partition()
        .lanes(2)
        .reduce(HashSet::new, |seen, c| _ = seen.insert(c))
        .emit_state();
    let sizes: Vec<usize> = sizes.collect::<Vec<_>>().await.iter().map(HashSet::len).collect();
    assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (2, 16));
}

#[tokio::test]
async fn scenario_235_an_empty_source_has_states() {
    let sums = Flow::from_iter(Vec::<u64>::new()).lanes(2).reduce(|| 0, |sum, n| *sum += n).emit_state();
    assert_eq!(sums.collect::<Vec<_>>().await, [0, 0]);
}

#[tokio::test]
async fn scenario_236_run_does_the_side_effects() {
    let sum = Arc::new(AtomicU64::new(0));
    let add = |sum: &Arc<AtomicU64>| {
        let sum = sum.clone();
        move |n: &u64| _ = sum.fetch_add(*n, Ordering::SeqCst)
    };
    let () = Flow::from_iters([1..=3, 4..=6]).inspect(add(&sum)).run().await;
    assert_eq!(sum.load(Ordering::SeqCst), 21);
    let () =
        Flow::from_iters([1..=3, 4..=6]).inspect(add(&sum)).reduce(Vec::new, std::vec::Vec::push).run().await;
    assert_eq!(sum.load(Ordering::SeqCst), 42);
}

#[tokio::test]
async fn scenario_238_map_batch_sums_what_arrives_together() {
    let sums = p4!().map_batch(|batch| [batch.into_iter().sum::<u64>()]);
    assert_eq!(sorted(sums.collect::<Vec<_>>().await), [1, 2, 3, 4, 5, 6, 8, 10, 16]);
}

#[tokio::test]
async fn scenario_239_map_batch_of_an_endless_source() {
    let sums = Flow::from_iter(0u64..).lanes(1).map_batch(|batch| [batch.into_iter().sum::<u64>()]);
    assert_eq!(sums.take(5).collect::<Vec<_>>().await, [124_750, 374_750, 624_750, 874_750, 1_124_750]);
}

#[tokio::test]
async fn scenario_259_two_mapped_flows_partitioned_together() {
    let doubled = |parity| Flow::from_iter((1..=100u64).filter(move |n| n % 2 == parity)).map(|n| n * 2);
    let both = Flow::from_streams([doubled(1), doubled(0)]);
    let sums = both.partition().lanes(4).reduce(|| 0, |sum, n| *sum += n).emit_state();
    let sums: Vec<u64> = sums.collect().await;
    assert_eq!((sums.len(), sums.iter().sum::<u64>()), (4, 10_100));

    let both = Flow::from_streams([doubled(1), doubled(0)]);
    let sums = both.partition_with(4, |_| Some(0)).reduce(|| 0, |sum, n| *sum += n).emit_state();
    assert_eq!(sorted(sums.collect::<Vec<u64>>().await), [0, 0, 0, 10_100]);
}

#[tokio::test]
async fn scenario_260_two_mapped_flows_through_one_shuffle() {
    let doubled = |parity| Flow::from_iter((1..=100u64).filter(move |n| n % 2 == parity)).map(|n| n * 2);
    let both = Flow::from_streams([doubled(1), doubled(0)]).shuffle().lanes(1);
    let sum = both.reduce(|| 0, |sum, n| *sum += n).emit_state();
    assert_eq!(sum.collect::<Vec<u64>>().await, [10_100]);
}

#[tokio::test]
async fn scenario_268_a_source_that_fails_fails_the_flow() {
    let failing = || numbers(futures::stream::poll_fn(|_| panic!("no such source")));
    let caught = AssertUnwindSafe(failing().run()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"no such source"));
    let caught = AssertUnwindSafe(failing().collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"no such source"));
}

#[tokio::test]
async fn scenario_269_an_empty_source_ends_cleanly() {
    Flow::from_iter(Vec::<u64>::new()).run().await;
    assert!(Flow::from_iter(Vec::<u64>::new()).collect::<Vec<_>>().await.is_empty());
}

#[tokio::test]
async fn scenario_271_a_reader_that_is_killed_takes_its_lanes_along() {
    let watched = crate::support::Watched::new();
    let flow = numbers(watched.endless());
    let reader = tokio::spawn(async move { flow.run().await });
    crate::support::settle().await;
    assert!(watched.is_alive() && watched.taken() > 0);
    reader.abort();
    assert!(reader.await.unwrap_err().is_cancelled());
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn scenario_272_nothing_is_left_after_a_flow_was_read() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    assert_eq!(Flow::from_iter(0..100).lanes(4).collect::<Vec<_>>().await.len(), 100);
    assert_eq!(tasks(), before);
}

#[tokio::test]
async fn scenario_283_a_router_may_drop_items_also_with_one_lane() {
    for lanes in [2, 1] {
        let flow = Flow::from_iter(1..=6u64)
            .partition_with(lanes, move |n| (n % 3 != 0).then_some(*n as usize % lanes));
        assert_eq!(sorted(flow.collect::<Vec<_>>().await), [1, 2, 4, 5], "{lanes} lanes");
    }
}

#[tokio::test]
async fn scenario_284_replacing_items_is_a_map_before_the_partition() {
    let flow = Flow::from_iter(1..=6u64).map(|n| n * 10).partition().lanes(2);
    assert_eq!(sorted(flow.collect::<Vec<_>>().await), [10, 20, 30, 40, 50, 60]);
}

#[tokio::test]
async fn scenario_286_a_list_in_the_order_the_state_has() {
    let lists = || Flow::from_iter(1..=4u64).lanes(1).reduce(Vec::new, |list, n| list.insert(0, n));
    assert_eq!(lists().collect::<Vec<_>>().await, [4, 3, 2, 1]);
    // What comes after the reduce keeps the order, where Flow 0.4 turned it around.
    let tens = lists().shuffle().lanes(1).map(|n| n * 10);
    assert_eq!(tens.collect::<Vec<_>>().await, [40, 30, 20, 10]);
}

#[test]
#[should_panic(expected = "from_iters needs at least 1 iterator, given 0")]
fn scenario_295_a_flow_over_no_sources_is_refused() {
    let _ = Flow::from_iters(Vec::<BTreeSet<u64>>::new());
}

#[tokio::test]
async fn scenario_299_layers_have_the_lanes_they_were_given() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let lanes = |flow: Flow<_>| flow;
    let layers = lanes(Flow::from_iter(0..1u64))
        .reduce(|| 1, |_, _| ())
        .emit_state()
        .partition()
        .lanes(10)
        .reduce(|| 0, |above, one| *above += one)
        .emit_state()
        .partition()
        .map(|above| above)
        .reduce(Vec::new, std::vec::Vec::push)
        .emit_state();
    let layers: Vec<Vec<usize>> = layers.collect().await;
    assert_eq!(layers.len(), cores, "lanes of the last layer");
    let tens: Vec<usize> = layers.into_iter().flatten().collect();
    assert_eq!(tens.len(), 10, "lanes of the second");
    assert_eq!(tens.iter().sum::<usize>(), cores, "lanes of the first");
}
