use crate::support::shapes::shape;
use crate::support::{Numbers, numbers, operator_suite, seven, sorted};
use futures::StreamExt;
use futures::channel::mpsc;
use gen_stage::Flow;
use proptest::prelude::*;

operator_suite!(
    |flow: Numbers| flow.lanes(1).map(|n| n / 2).dedup(),
    |items| {
        let mut halves: Vec<u64> = items.into_iter().map(|n| n / 2).collect();
        halves.dedup();
        halves
    },
    |flow: Numbers| flow
        .map(|n| {
            seven(n);
            n
        })
        .dedup(),
);

mod by_key {
    use super::*;

    operator_suite!(
        |flow: Numbers| flow.lanes(1).dedup_by(|n| n / 3),
        |items| {
            let mut items: Vec<u64> = items;
            items.dedup_by_key(|n| *n / 3);
            items
        },
        |flow: Numbers| flow.dedup_by(|n| {
            seven(*n);
            *n
        }),
    );
}

#[tokio::test]
async fn an_item_passes_at_once_and_again_after_another() {
    let (sender, receiver) = mpsc::unbounded();
    let mut flow = numbers(receiver).lanes(1).dedup();
    for n in [4, 4, 5, 4] {
        sender.unbounded_send(n).unwrap();
    }
    assert_eq!([flow.next().await, flow.next().await, flow.next().await], [4, 5, 4].map(Some));
}

#[tokio::test]
async fn each_lane_compares_its_own_items_only() {
    let lanes = Flow::from_iters([[1, 1], [1, 2]]).lanes(2);
    assert_eq!(sorted(lanes.dedup().collect::<Vec<_>>().await), [1, 1, 2]);
}

#[tokio::test]
async fn keys_need_be_neither_cloned_nor_hashed_and_what_does_not_equal_itself_passes() {
    #[derive(PartialEq)]
    struct Key(f64);
    let flow = Flow::from_iter([1.0, 1.0, f64::NAN, f64::NAN, 2.0]).lanes(1);
    assert_eq!(flow.dedup_by(|x| Key(*x)).count().await, 4);
}

#[test]
fn at_least_the_first_item_passes() {
    let flow = Flow::from_iter(0..9);
    assert_eq!(futures::Stream::size_hint(&flow.dedup()), (1, Some(9)));
    assert_eq!(futures::Stream::size_hint(&Flow::from_iter(0..0).dedup_by(|n| *n)), (0, Some(0)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_lane_drops_what_a_vector_drops(shape in shape(), modulus in 1_u16..5) {
        let mut by_key = shape.items.clone();
        by_key.dedup_by_key(|n| *n % modulus);
        let mut whole: Vec<u16> = shape.items.iter().map(|n| n % modulus).collect();
        whole.dedup();
        let flow = shape.one_lane().dedup_by(move |n| n % modulus);
        prop_assert_eq!(shape.run(flow.collect::<Vec<_>>()), by_key);
        let flow = shape.one_lane().map(move |n| n % modulus).dedup();
        prop_assert_eq!(shape.run(flow.collect::<Vec<_>>()), whole);
    }

    #[test]
    fn each_lane_of_a_partition_drops_what_equals_its_last(shape in shape(), modulus in 1_u16..9) {
        // One lane in front keeps the order of each key.
        let lanes = shape.lanes;
        let flow = shape
            .one_lane()
            .partition_with(lanes, move |n: &u16| Some(usize::from(n % modulus) % lanes))
            .dedup_by(move |n| n % modulus);
        let mut expected = Vec::new();
        for lane in 0..lanes {
            let mut of_lane: Vec<u16> =
                shape.items.iter().copied().filter(|n| usize::from(n % modulus) % lanes == lane).collect();
            of_lane.dedup_by_key(|n| *n % modulus);
            expected.extend(of_lane);
        }
        prop_assert_eq!(sorted(shape.run(flow.collect::<Vec<_>>())), sorted(expected));
    }
}
