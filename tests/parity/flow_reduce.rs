//! Flow operations: those of scenarios 209 to 299 that take what comes out of a `reduce` into their hands.
//!
//! S2 is [1, 2, 3] and [4, 5, 6] on 2 lanes, P4 three sources of 1 to 10 partitioned into 4 by the table R4.

use crate::support::{r4, sorted};
use gen_stage::Flow;
use gen_stage::window::Window;
use std::collections::{HashMap, HashSet};

macro_rules! s2 {
    () => {
        Flow::from_iters([1..=3u64, 4..=6]).lanes(2)
    };
}

macro_rules! p4 {
    () => {
        Flow::from_iters([1..=3u64, 4..=6, 7..=10]).partition_with(4, r4)
    };
}

/// Emits each item, and the sum of all in the end.
macro_rules! items_and_sum {
    ($flow:expr) => {{
        let both = $flow.emit_and_reduce(
            || 0,
            |sum, n| {
                *sum += n;
                [n]
            },
        );
        both.on_trigger(|sum, _| [*sum]).collect::<Vec<u64>>().await.into_iter().sum::<u64>()
    }};
}

#[tokio::test]
async fn scenario_224_what_becomes_of_the_states_with_their_lanes() {
    let flow = p4!()
        .filter(|n| n % 2 == 0)
        .map(|n| (n + 1) * 2)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|state, info| [(info.lane, info.lanes, sorted(state.drain(..)))]);
    let states = sorted(flow.collect::<Vec<(usize, usize, Vec<u64>)>>().await);
    assert_eq!(states, [(0, 4, vec![6, 14, 18]), (1, 4, vec![22]), (2, 4, vec![]), (3, 4, vec![10]),]);
}

#[tokio::test]
async fn scenario_233_the_sizes_of_the_states() {
    let rg = |c: &char| Some(usize::from(!"th uox".contains(*c)));
    let flow = Flow::from_iter("the quick brown fox".chars())
        .partition_with(2, rg)
        .reduce(HashSet::new, |seen, c| _ = seen.insert(c))
        .on_trigger(|seen, info| [(info.lane, seen.len())]);
    assert_eq!(sorted(flow.collect::<Vec<_>>().await), [(0, 6), (1, 10)]);
}

#[tokio::test]
async fn scenario_241_items_at_once_and_the_state_in_the_end() {
    assert_eq!(items_and_sum!(s2!()), 42);
    assert_eq!(items_and_sum!(s2!().flat_map(|n| [n, n])), 84);
    assert_eq!(items_and_sum!(p4!()), 110);
}

#[tokio::test]
async fn scenario_242_the_last_three_each_time_and_their_items_in_the_end() {
    let lasts = Flow::from_iter(1..=5u64)
        .lanes(1)
        .emit_and_reduce(Vec::new, |last, n| {
            last.push(n);
            if last.len() > 3 {
                last.remove(0);
            }
            [last.clone()]
        })
        .on_trigger(|last, _| last.iter().rev().map(|n| vec![*n]).collect::<Vec<_>>());
    assert_eq!(
        lasts.collect::<Vec<_>>().await,
        [vec![1], vec![1, 2], vec![1, 2, 3], vec![2, 3, 4], vec![3, 4, 5], vec![5], vec![4], vec![3],]
    );
}

#[tokio::test]
async fn scenario_247_first_ones_within_windows_of_two() {
    let first = one_partition!([1u64, 1, 1, 1, 2])
        .window(Window::count(2))
        .emit_and_reduce(HashSet::new, |seen, n| seen.insert(n).then_some(n))
        .emit_nothing();
    assert_eq!(first.collect::<Vec<_>>().await, [1, 1, 2]);
}

#[tokio::test]
async fn scenario_248_words_by_length() {
    let words = ["the", "quick", "brown", "fox"];
    let groups: HashMap<usize, Vec<&str>> =
        Flow::from_iter(words).lanes(1).group_by(|word| word.len()).collect().await;
    // The oldest first, where the original prepends.
    assert_eq!(groups, HashMap::from([(3, vec!["the", "fox"]), (5, vec!["quick", "brown"])]));
}

#[tokio::test]
async fn scenario_286_the_items_of_a_state_on_their_way_out() {
    // A mapper behind the reduce of Flow 0.4 is `on_trigger`, and the order stays that of the state: 0.4 reverses it.
    let tens = Flow::from_iter(1..=4u64)
        .lanes(1)
        .reduce(Vec::new, |list, n| list.insert(0, n))
        .on_trigger(|list, _| list.drain(..).map(|n| n * 10).collect::<Vec<_>>());
    assert_eq!(tens.collect::<Vec<_>>().await, [40, 30, 20, 10]);
}
