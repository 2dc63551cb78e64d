use crate::support::shapes::shape;
use crate::support::{Numbers, Watched, counting, numbers, operator_suite, settle, seven, sorted};
use futures::{FutureExt, Stream, StreamExt, stream};
use gen_stage::Flow;
use proptest::prelude::*;
use tokio::task::yield_now;

operator_suite!(
    |flow: Numbers| flow.zip(numbers(stream::iter(0..))).demand(10, 5).map(|(n, other)| n * other),
    |items| items.into_iter().map(|n| n * n).collect(),
    |flow: Numbers| flow.zip(numbers(stream::iter(0..))).map(|(n, _)| {
        seven(n);
        n
    }),
);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn items_with_equal_places_are_paired(left in shape(), right in shape(), lanes in 1_usize..5, n in 1_usize..8) {
        let (odd, doubled) = (|n: &u16| n % 2 == 1, |n: u16| [n, n]);
        let kept = left.items.iter().copied().filter(odd);
        let expected: Vec<_> = kept.zip(right.items.iter().copied().flat_map(doubled)).collect();
        let flow = || {
            let other = right.flow().flat_map(doubled);
            let left = left.flow().filter(odd).map_async(n, async |n| {
                for _ in 0..n % 3 {
                    yield_now().await;
                }
                n
            });
            left.zip(other)
        };
        prop_assert_eq!(left.run(flow().collect::<Vec<_>>()), expected.clone(), "with no lanes set");
        prop_assert_eq!(left.run(flow().lanes(lanes).map(|pair| pair).ordered().collect::<Vec<_>>()), expected.clone());
        let numbered = sorted(left.run(flow().enumerate().lanes(lanes).map(|pair| pair).collect::<Vec<_>>()));
        prop_assert_eq!(numbered, expected.into_iter().enumerate().collect::<Vec<_>>());
    }

    #[test]
    fn what_has_no_partner_is_counted(left in shape(), right in shape()) {
        let mut flow = left.flow().map(|n| n).zip(right.flow().map(|n| n));
        let monitor = flow.monitor();
        let pairs = left.run(flow.collect::<Vec<_>>()).len();
        prop_assert_eq!(pairs, left.items.len().min(right.items.len()));
        let more = left.items.len().max(right.items.len()) - pairs;
        prop_assert!(monitor.discarded() <= more as u64, "{} of {}", monitor.discarded(), more);
        let stats = monitor.stats();
        let lanes = || stats.layers.iter().flat_map(|layer| &layer.lanes);
        let arrived = lanes().map(|lane| lane.taken + lane.discarded).sum::<u64>() + stats.read;
        prop_assert_eq!(lanes().map(|lane| lane.sent).sum::<u64>(), arrived);
    }
}

#[test]
fn its_size_is_that_of_the_shorter() {
    let hint = |flow: &dyn Stream<Item = (u64, u64)>| flow.size_hint();
    assert_eq!(hint(&counting(9).zip(counting(4))), (4, Some(4)));
    assert_eq!(hint(&counting(9).zip(numbers(stream::repeat(1)))), (9, Some(9)));
}

#[tokio::test]
async fn the_longer_source_is_stopped_though_it_never_ends() {
    for lanes in [1, 3] {
        let (one, other) = (Watched::new(), Watched::new());
        let endless = || numbers(one.endless()).lanes(lanes).demand(4, 2);
        let pairs = endless().map(|n| n).zip(counting(10).lanes(lanes)).collect::<Vec<_>>().await;
        assert!(pairs.into_iter().eq((0..10).zip(0..10)));
        assert!(!one.is_alive());
        let silent = numbers(other.endless().take(10).chain(stream::pending())).lanes(lanes);
        assert_eq!(
            counting(10).lanes(lanes).zip(silent).collect::<Vec<_>>().await.len(),
            10,
            "the end is seen at once"
        );
        assert!(!other.is_alive());
    }
}

#[tokio::test]
async fn one_that_waits_for_the_other_is_bounded() {
    let (one, other) = (Watched::new(), Watched::new());
    let waits = numbers(one.endless()).lanes(2).demand(10, 5);
    let silent = numbers(other.endless().take(0).chain(stream::pending())).lanes(2);
    let mut flow = waits.zip(silent).demand(10, 5);
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    // In two lanes, between them and the source, and in hand.
    assert!(one.taken() <= 2 * 10 * 2 + 5, "{} were taken", one.taken());
    drop(flow);
    assert!(!one.is_alive() && !other.is_alive());
}

#[tokio::test]
async fn a_flow_that_has_nothing_gives_nothing() {
    let pairs = Flow::from_iter(0..0_u64).zip(numbers(stream::pending())).collect::<Vec<_>>().await;
    assert_eq!(pairs, []);
}

#[tokio::test]
async fn items_without_partners_are_counted_when_the_lane_after_it_ends() {
    let (one, other) = (Watched::new(), Watched::new());
    let left = numbers(one.endless().take(8).chain(stream::pending())).lanes(1).demand(8, 0);
    let right = numbers(other.endless().take(5).chain(stream::pending())).lanes(1).demand(8, 0);
    let mut flow = left.zip(right).lanes(1).demand(16, 0).take(3);
    assert_eq!(StreamExt::count(flow.by_ref()).await, 3);
    let taken = (one.taken() + other.taken()) as u64;
    assert_eq!(flow.discarded(), taken - 2 * 3);
}
