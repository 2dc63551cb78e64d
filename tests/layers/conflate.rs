use crate::support::shapes::{paused, shape};
use crate::support::{Numbers, Watched, counting, numbers, operator_suite, settle, seven, sorted};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Flow;
use gen_stage::flow::adapters::{Conflating, Holding};
use gen_stage::flow::{Boxed, Flowing};
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);

/// The items in the pieces in which they come out.
fn pieces<P: Flowing<Item = u64>>(flow: Flow<P>) -> Flow<impl Flowing<Item = Vec<u64>>> {
    flow.map(|n| vec![n]).conflate(Extend::extend)
}

operator_suite!(|flow: Numbers| pieces(flow).flat_map(|piece| piece), |items| items, |flow: Numbers| flow
    .conflate(|_, _| seven(7)),);

/// One item each 10 ms.
fn slow(items: u64) -> Numbers {
    numbers(stream::iter(0..items).then(async |n| {
        sleep(MS * 10).await;
        n
    }))
}

#[tokio::test(start_paused = true)]
async fn a_quick_reader_gets_the_items_as_they_are() {
    let pieces: Vec<Vec<u64>> = pieces(slow(20)).collect().await;
    assert!(pieces.into_iter().eq((0..20).map(|n| vec![n])));
}

#[tokio::test(start_paused = true)]
async fn the_source_does_not_wait_for_a_slow_reader() {
    let start = Instant::now();
    let mut flow = pieces(slow(100));
    let mut ended = flow.next().await.unwrap();
    sleep(MS * 2000).await;
    while let Some(piece) = flow.next().await {
        ended.extend(piece);
    }
    // All have come while the reader slept.
    assert!(start.elapsed() < MS * 2020);
    assert!(ended.into_iter().eq(0..100));
}

#[tokio::test]
async fn what_is_on_its_way_is_as_many_items_as_the_demand_says_and_the_rest_is_one() {
    for (demand, pieces_expected) in [(1, 3), (4, 9)] {
        let one_by_one = stream::iter(0..100).then(async |n| {
            tokio::task::yield_now().await;
            n
        });
        let mut flow = pieces(numbers(one_by_one)).demand(demand, 0);
        assert!(flow.next().now_or_never().is_none());
        settle().await;
        let pieces: Vec<Vec<u64>> = flow.collect().await;
        // To the lane of the layer, to the reader, and what was folded.
        assert_eq!(pieces.len(), pieces_expected, "{pieces:?}");
        assert!(pieces.concat().into_iter().eq(0..100));
    }
}

#[tokio::test]
async fn it_can_begin_with_a_table_by_key() {
    let mut flow = Flow::from_iter((0..1000_u64).map(|n| (n % 3, n)))
        .map(|pair| std::collections::BTreeMap::from([pair]))
        .conflate(Extend::extend);
    let mut newest = flow.next().await.unwrap();
    while let Some(more) = flow.next().await {
        newest.extend(more);
    }
    assert_eq!(newest.into_iter().collect::<Vec<_>>(), [(0, 999), (1, 997), (2, 998)]);
}

#[tokio::test]
async fn the_layer_has_one_lane_and_asks_for_one_item_unless_told_otherwise() {
    let described = |flow: &Flow<Holding<Boxed<u64>, Conflating<u64, fn(&mut u64, u64)>>>| {
        let topology = flow.describe();
        let layer = topology.layers.last().unwrap().clone();
        (layer.opened_by.name, layer.lanes, layer.demand.max(), layer.demand.min())
    };
    let add: fn(&mut u64, u64) = |sum, n| *sum += n;
    let flow = counting(1000).boxed().conflate(add);
    assert_eq!(described(&flow), ("conflate", Some(1), 1, 0));
    let mut flow = flow.lanes(3).demand(5, 2);
    assert_eq!(described(&flow), ("conflate", Some(3), 5, 2));
    let monitor = flow.monitor();
    let sum: u64 = flow.map(|n| n).sum().await;
    assert_eq!(sum, 999 * 1000 / 2);
    let stats = monitor.stats();
    let layer = stats.layers.last().unwrap();
    assert_eq!(layer.lanes.len(), 3);
    assert_eq!(
        layer.lanes.iter().map(|lane| lane.taken).sum::<u64>(),
        stats.layers[stats.layers.len() - 2].lanes[0].sent
    );
    assert_eq!((stats.replaced, stats.discarded), (0, 0));
}

#[tokio::test]
async fn when_all_that_read_it_are_gone_the_source_is_dropped_and_what_was_held_is_counted() {
    let watched = Watched::new();
    let flow = numbers(watched.endless()).lanes(1).conflate(|sum, n| *sum += n);
    let mut two = flow.per_lane(|lane| lane.take(2));
    assert_eq!(two.by_ref().count().await, 2);
    assert!(!watched.is_alive());
    assert!(two.discarded() >= 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_item_is_in_one_piece_and_those_of_one_lane_in_order(shape in shape(), lanes in 1_usize..4, reads in 0_u64..5) {
        let number = |n: u16| u64::from(n);
        let read = |flow: Flow<Boxed<Vec<u64>>>| {
            flow.into_stream().then(move |piece| async move {
                // So slow that pieces grow.
                sleep(MS * (reads as u32)).await;
                piece
            })
            .collect::<Vec<_>>()
        };
        let all: Vec<u64> = shape.items.iter().copied().map(number).collect();
        let several = pieces(shape.flow().map(number)).lanes(lanes).boxed();
        prop_assert_eq!(sorted(paused(read(several)).concat()), sorted(all.clone()));
        let one = pieces(shape.one_lane().map(number)).boxed();
        prop_assert_eq!(paused(read(one)).concat(), all);
    }
}
