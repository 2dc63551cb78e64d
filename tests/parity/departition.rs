//! What brings lanes and flows together: scenarios 250 to 260.

use crate::support::{Numbers, counting, r4, sorted};
use gen_stage::Flow;
use gen_stage::flow::Readable;
use gen_stage::window::{Global, Window};

/// 1 to 10 over 4 lanes by the table R4, summed up.
macro_rules! sums {
    () => {
        Flow::from_iter(1..=10u64).partition_with(4, r4).reduce(|| 0, |sum, n| *sum += n).emit_state()
    };
}

/// 1 to 10, all of them to the second of two lanes, by threes.
macro_rules! threes {
    () => {
        Flow::from_iter(1..=10u64)
            .lanes(1)
            .partition_with(2, |_| Some(1))
            .window(Window::count(3))
            .reduce(|| 0, |sum, n| *sum += n)
    };
}

/// Four lists of 1000 numbers each, in no order.
fn lists() -> [Vec<u64>; 4] {
    let mut state = 42u64;
    let mut next = || {
        // Knuth's MMIX generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    std::array::from_fn(|_| (0..1000).map(|_| next()).collect())
}

#[tokio::test]
async fn scenario_250_the_first_hundred_of_all() {
    let all = sorted(lists().concat());
    let listed = || Flow::from_iters(lists()).partition().lanes(4).reduce(Vec::new, Vec::push);
    assert_eq!(listed().take_sort(100).collect::<Vec<_>>().await, [&all[..100]]);
    let descending = listed().take_sort_by(100, |a: &u64, b| b.cmp(a)).collect::<Vec<_>>().await;
    assert_eq!(descending, [all.iter().rev().take(100).copied().collect::<Vec<_>>()]);
}

#[tokio::test]
async fn scenario_251_the_most_frequent_word() {
    let top = Flow::from_iter(["foo", "bar", "foo", "foo", "baz"])
        .partition()
        .count_by(|word| *word)
        .take_sort_by(1, |a, b| b.1.cmp(&a.1));
    assert_eq!(top.collect::<Vec<_>>().await, [[("foo", 3)]]);
}

#[tokio::test]
async fn scenario_253_the_sums_of_all_lanes_in_one_list() {
    let list = sums!().departition(Vec::new, Vec::push, |sums: Vec<u64>, _| sorted(sums));
    assert_eq!(list.collect::<Vec<_>>().await, [[7, 10, 16, 22]]);
    let named = sums!().departition(Vec::new, Vec::push, |sums: Vec<u64>, window| (window, sorted(sums)));
    assert_eq!(named.collect::<Vec<_>>().await, [(Global, vec![7, 10, 16, 22])]);
}

#[tokio::test]
async fn scenario_254_windows_that_only_one_lane_has() {
    // The lane without items has its first window, with its first state, at the end of input.
    let lists = threes!().emit_state().departition(Vec::new, Vec::push, |sums: Vec<u64>, _| sorted(sums));
    assert_eq!(lists.collect::<Vec<_>>().await, [vec![0, 6], vec![15], vec![24], vec![10]]);
}

#[tokio::test]
async fn scenario_256_a_reduce_over_the_lists() {
    let sum = threes!()
        .on_trigger(|sum, _| [std::mem::take(sum)])
        .departition(Vec::new, Vec::push, |sums: Vec<u64>, _| sums)
        .reduce(|| 0, |all, sums| *all += sums.iter().sum::<u64>())
        .emit_state();
    assert_eq!(sum.collect::<Vec<u64>>().await, [55]);
}

#[tokio::test]
async fn scenario_257_a_map_over_the_list() {
    let list = sums!().departition(Vec::new, Vec::push, |sums: Vec<u64>, _| sums).map(sorted);
    assert_eq!(list.collect::<Vec<_>>().await, [[7, 10, 16, 22]]);
}

/// The odd of 1 to 100 and the even, doubled, as two flows.
fn doubled(parity: u64) -> Flow<impl Readable<Item = u64>> {
    let numbers: Numbers = counting(101);
    numbers.filter(move |n| n % 2 == parity).map(|n| n * 2)
}

#[tokio::test]
async fn scenario_259_two_mapped_flows_merged_and_partitioned() {
    let sums = doubled(1).merge(doubled(0)).partition().lanes(4).reduce(|| 0, |sum, n| *sum += n);
    let sums: Vec<u64> = sums.emit_state().collect().await;
    assert_eq!((sums.len(), sums.iter().sum::<u64>()), (4, 10_100));

    let to_one = doubled(1).merge(doubled(0)).partition_with(4, |_| Some(0));
    let sums = to_one.reduce(|| 0, |sum, n| *sum += n).emit_state();
    assert_eq!(sorted(sums.collect::<Vec<u64>>().await), [0, 0, 0, 10_100]);
}

#[tokio::test]
async fn scenario_260_two_mapped_flows_merged_into_one_lane() {
    // By a shuffle of one lane, and by the lanes of the merge itself, which need none.
    let shuffled = doubled(1).merge(doubled(0)).shuffle().lanes(1).reduce(|| 0, |sum, n| *sum += n);
    assert_eq!(shuffled.emit_state().collect::<Vec<u64>>().await, [10_100]);
    let merged = doubled(1).merge(doubled(0)).lanes(1).reduce(|| 0, |sum, n| *sum += n);
    assert_eq!(merged.emit_state().collect::<Vec<u64>>().await, [10_100]);
}
