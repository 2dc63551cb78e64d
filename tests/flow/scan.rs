use crate::support::shapes::shape;
use crate::support::{Numbers, Watched, counting, numbers, operator_suite, seven, sorted};
use futures::{StreamExt, stream};
use gen_stage::Flow;
use proptest::prelude::*;

operator_suite!(
    |flow: Numbers| flow.scan(
        || 0_u64,
        |count, n| {
            *count += 1;
            Some(n + (*count).min(1))
        }
    ),
    |items| items.into_iter().map(|n| n + 1).collect(),
    |flow: Numbers| flow.scan(
        || 0_u64,
        |_, n| {
            seven(n);
            Some(n)
        }
    ),
);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_lane_does_as_one_loop(shape in shape()) {
        let sums = |sum: &mut u32, n: u16| {
            *sum += u32::from(n);
            (n % 64 != 0).then_some(*sum)
        };
        let expected: Vec<u32> = shape.items.iter().copied().scan(0, sums).collect();
        prop_assert_eq!(shape.run(shape.one_lane().scan(|| 0, sums).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn each_lane_has_a_state_of_its_own(shape in shape()) {
        let count = |count: &mut usize, n: u16| {
            *count += 1;
            Some((*count, n))
        };
        let counted = shape.run(shape.flow().scan(|| 0, count).collect::<Vec<_>>());
        prop_assert_eq!(sorted(counted.iter().map(|(_, n)| *n)), sorted(shape.items.clone()));
        let firsts = counted.iter().filter(|(count, _)| *count == 1).count();
        prop_assert!(firsts <= shape.lanes);
    }
}

#[tokio::test]
async fn a_lane_that_ends_leaves_its_share_to_the_others() {
    // Only one lane gets the number 3.
    let mut flow = counting(1000).lanes(2).demand(1, 0).scan(|| (), |(), n| (n != 3).then_some(n));
    let got = StreamExt::count(flow.by_ref()).await as u64;
    let lost = flow.discarded();
    assert_eq!(got + lost, 999, "what is not read is counted");
    assert!(lost <= 1, "at most what was on its way to the lane that ended: {lost}");
}

#[tokio::test]
async fn a_partition_counts_what_it_sends_to_a_lane_that_ended() {
    let mut flow = counting(100).lanes(1).partition_with(2, |n| Some((n % 2) as usize)).scan(
        || 0,
        |sum, n| {
            *sum += n;
            (n % 2 == 1 || *sum < 20).then_some(n)
        },
    );
    let got = sorted(flow.by_ref().collect::<Vec<_>>().await);
    assert_eq!(got.iter().copied().filter(|n| n % 2 == 0).collect::<Vec<_>>(), [0, 2, 4, 6]);
    assert_eq!(got.len(), 4 + 50);
    assert_eq!(flow.discarded(), 45, "all even numbers after 8, which ended the lane");
}

#[tokio::test]
async fn the_source_is_dropped_when_all_lanes_have_ended_though_it_is_silent() {
    for lanes in [1, 2] {
        let watched = Watched::new();
        let source = watched.endless().take(10).chain(stream::pending());
        let flow = numbers(source).lanes(lanes).demand(1, 0).scan(
            || 0,
            |count, n| {
                *count += 1;
                (*count < 3).then_some(n)
            },
        );
        assert_eq!(flow.collect::<Vec<_>>().await.len(), 2 * lanes);
        assert!(!watched.is_alive());
    }
}

#[tokio::test]
async fn lanes_that_are_left_come_in_order() {
    for demand in [1, 2, 1000] {
        let numbers = Flow::from_iter(0..1000_u64).lanes(3).demand(demand, demand / 2);
        // Two lanes end, with some of what was sent to them.
        let some = numbers.scan(|| (), |(), n| (n != 10 && n != 11).then_some(n)).ordered();
        let some: Vec<u64> = some.collect().await;
        assert!(some.is_sorted() && some.iter().all(|n| *n != 10 && *n != 11), "{some:?}");
    }
}
