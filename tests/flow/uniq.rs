use crate::support::shapes::shape;
use crate::support::{Numbers, counting, numbers, operator_suite, settle, seven, sorted};
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use gen_stage::testing::test_source;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};

operator_suite!(
    |flow: Numbers| flow.lanes(1).map(|n| n / 2).uniq(),
    |items| items.into_iter().map(|n| n / 2).collect::<BTreeSet<_>>().into_iter().collect(),
    |flow: Numbers| flow
        .map(|n| {
            seven(n);
            n
        })
        .uniq(),
);

mod by_key {
    use super::*;

    operator_suite!(|flow: Numbers| flow.uniq_by(|n| *n), |items| items, |flow: Numbers| flow.uniq_by(|n| {
        seven(*n);
        *n
    }),);
}

/// The table R4x100: where each of 1 to 100 goes.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "a router is given a reference")]
fn r4x100(n: &u64) -> Option<usize> {
    let table: [&[u64]; 4] = [
        &[2, 6, 8, 36, 39, 40, 42, 53, 58, 59, 64, 67, 72, 76, 79, 80, 82, 87, 88],
        &[
            10, 12, 14, 18, 22, 23, 24, 29, 41, 43, 46, 47, 48, 51, 52, 55, 60, 61, 62, 63, 69, 70, 71, 73,
            74, 83, 85, 94, 95, 100,
        ],
        &[
            1, 5, 7, 9, 11, 13, 16, 17, 19, 25, 27, 30, 31, 32, 34, 35, 49, 57, 66, 68, 75, 78, 84, 89, 91,
            92, 96, 99,
        ],
        &[3, 4, 15, 20, 21, 26, 28, 33, 37, 38, 44, 45, 50, 54, 56, 65, 77, 81, 86, 90, 93, 97, 98],
    ];
    table.iter().position(|lane| lane.contains(n))
}

#[tokio::test]
async fn scenario_244_the_first_of_each_parity_in_each_partition() {
    let one = Flow::from_iter(1..=100_u64).lanes(1).uniq_by(|n| n % 2);
    assert_eq!(one.collect::<Vec<_>>().await, [1, 2]);
    let four = Flow::from_iter(1..=100_u64).lanes(1).partition_with(4, r4x100).uniq_by(|n| n % 2);
    assert_eq!(sorted(four.collect::<Vec<_>>().await), [1, 2, 3, 4, 10, 16, 23, 39]);
    let by_parity = Flow::from_iter(1..=100_u64)
        .lanes(1)
        .partition_with(2, |n| Some((n % 2) as usize))
        .uniq_by(|n| n % 2);
    assert_eq!(sorted(by_parity.collect::<Vec<_>>().await), [1, 2]);
}

#[tokio::test]
async fn scenario_245_the_first_of_equal_items_in_the_order_they_come() {
    // The original emits 2, 1, 3, and only at the end.
    assert_eq!(Flow::from_iter([3, 1, 3, 2, 1]).lanes(1).uniq().collect::<Vec<_>>().await, [3, 1, 2]);
}

#[tokio::test]
async fn the_first_of_equal_items_passes_at_once() {
    let (source, input) = test_source();
    let mut flow = numbers(source).lanes(1).uniq();
    for n in [4, 4, 5] {
        input.send(n);
    }
    assert_eq!([flow.next().await, flow.next().await], [Some(4), Some(5)]);
    input.send(4);
    assert_eq!(flow.next().now_or_never(), None);
    settle().await;
    assert_eq!(flow.next().now_or_never(), None, "it was seen before");
    input.send(6);
    assert_eq!(flow.next().await, Some(6));
}

#[tokio::test]
async fn each_lane_knows_its_own_items_only() {
    let lanes = Flow::from_iters([[1, 1], [1, 2]]).lanes(2);
    assert_eq!(sorted(lanes.uniq().collect::<Vec<_>>().await), [1, 1, 2]);
}

#[tokio::test]
async fn keys_need_not_be_cloned() {
    #[derive(PartialEq, Eq, Hash)]
    struct Key(u64);
    assert_eq!(counting(100).lanes(1).uniq_by(|n| Key(n % 7)).count().await, 7);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn behind_a_partition_each_item_comes_once_and_in_one_lane_it_is_the_first(shape in shape()) {
        let small = |n: &u16| n % 100;
        let mut seen = HashSet::new();
        let firsts: Vec<u16> = shape.items.iter().copied().filter(|n| seen.insert(small(n))).collect();
        prop_assert_eq!(&shape.run(shape.one_lane().uniq_by(small).collect::<Vec<_>>()), &firsts);

        let keys = sorted(firsts.iter().map(small));
        let lanes = shape.lanes;
        let by_key = shape.flow().partition_by(small).lanes(lanes).uniq_by(small);
        prop_assert_eq!(sorted(shape.run(by_key.collect::<Vec<_>>()).iter().map(small)), &keys[..]);
        let whole = shape.flow().map(move |n| small(&n)).partition().lanes(lanes).uniq();
        prop_assert_eq!(sorted(shape.run(whole.collect::<Vec<_>>())), keys);
    }
}
