use crate::support::shapes::shape;
use crate::support::{Numbers, Watched, counting, numbers, operator_suite, seven, sorted};
use futures::{StreamExt, stream};
use gen_stage::Flow;
use proptest::prelude::*;

mod at_a_source {
    use super::*;
    operator_suite!(|flow: Numbers| flow.take_while(|_| true), |items| items, |flow: Numbers| flow
        .take_while(|n| {
            seven(*n);
            true
        }),);
}

mod after_an_operator {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow.map(|n| n + 1).take_while(|_| true),
        |items| items.into_iter().map(|n| n + 1).collect(),
        |flow: Numbers| flow.map(|n| n).take_while(|n| {
            seven(*n);
            true
        }),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_is_exact_at_a_source_and_in_one_lane(shape in shape()) {
        let holds = |n: &u16| n % 64 != 0;
        let expected: Vec<_> = shape.items.iter().copied().take_while(holds).collect();
        prop_assert_eq!(sorted(shape.run(shape.flow().take_while(holds).map(|n| n).collect::<Vec<_>>())), sorted(expected.clone()));
        prop_assert_eq!(shape.run(shape.one_lane().map(|n| n).take_while(holds).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn no_lane_passes_on_an_item_that_does_not_hold_or_one_after_it(shape in shape()) {
        let places = Flow::from_iter(shape.items.clone().into_iter().enumerate());
        let flow = places.lanes(shape.lanes).demand(shape.demand, shape.demand / 2).on_init(|_, _| ());
        // The lane is told by its own clone of the closure.
        let mut ended = false;
        let holds = move |(_, n): &(usize, u16)| {
            assert!(!ended, "a lane goes on after its end");
            ended = n % 64 == 0;
            !ended
        };
        let taken = shape.run(flow.take_while(holds).collect::<Vec<_>>());
        prop_assert!(taken.iter().all(|(at, n)| n % 64 != 0 && shape.items[*at] == *n));
        if shape.items.iter().all(|n| n % 64 != 0) {
            prop_assert_eq!(taken.len(), shape.items.len());
        }
    }
}

#[tokio::test]
async fn all_lanes_end_though_the_source_is_silent() {
    for lanes in [1, 2, 5] {
        let watched = Watched::new();
        let source = watched.endless().take(10).chain(stream::pending());
        let flow = numbers(source).lanes(lanes).demand(2, 1).map(|n| n).take_while(|n| *n != 9);
        assert!(flow.collect::<Vec<_>>().await.iter().all(|n| *n != 9), "{lanes} lanes");
        assert!(!watched.is_alive());
    }
}

#[tokio::test]
async fn it_ends_in_order_though_the_source_is_silent() {
    for lanes in [1, 2, 5] {
        let watched = Watched::new();
        let source = watched.endless().take(10).chain(stream::pending());
        let flow = numbers(source).lanes(lanes).demand(2, 1).map(|n| n).take_while(|n| *n != 9).ordered();
        assert!(flow.collect::<Vec<_>>().await.into_iter().eq(0..9), "{lanes} lanes");
        assert!(!watched.is_alive());
    }
}

#[tokio::test]
async fn what_was_on_its_way_is_counted() {
    let mut flow = counting(100).lanes(1).shuffle().lanes(1).demand(10, 0).take_while(|n| *n < 4);
    assert_eq!(StreamExt::count(flow.by_ref()).await, 4);
    assert_eq!(flow.discarded(), 5, "the item that ended it is not one of them");
}

#[tokio::test]
async fn two_of_them_in_one_flow_end_each_by_itself() {
    let low = counting(100).lanes(2).map(|n| n).take_while(|n| *n != 50);
    let high = counting(100).lanes(2).map(|n| n + 100).take_while(|_| true);
    let merged: Vec<u64> = low.merge(high).collect().await;
    assert_eq!(merged.iter().filter(|n| **n >= 100).count(), 100);
}
