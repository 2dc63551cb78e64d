//! Joins: scenarios 379 to 395.
//!
//! L is 0 to 3 and R is 4 to 8, with the keys x and y - 3 where they match, x and y where they do not. What Flow gives a
//! join function, here are rows, and the function is `map`.

use crate::support::{Numbers, counting, numbers, rows, sorted};
use gen_stage::Flow;
use gen_stage::dispatch::hash_lane;
use gen_stage::flow::{FullOuter, Inner, LeftOuter, RightOuter, Side};
use gen_stage::window::{Trigger, Window};
use std::time::Duration;

fn left() -> Numbers {
    counting(4)
}

fn right() -> Numbers {
    numbers(futures::stream::iter(4..9))
}

/// The rows of L and R in a mode: with the keys that match, or those that do not.
macro_rules! joined {
    ($mode:expr, $offset:expr) => {
        rows!(left().bounded_join($mode, right(), |x| *x, |y| y - $offset); u64, u64)
    };
}

fn both(rows: &[(u64, u64)]) -> Vec<(Option<u64>, Option<u64>)> {
    rows.iter().map(|(x, y)| (Some(*x), Some(*y))).collect()
}

#[tokio::test]
async fn scenario_379_inner_with_keys_that_match() {
    assert_eq!(joined!(Inner, 3), both(&[(1, 4), (2, 5), (3, 6)]));
}

#[tokio::test]
async fn scenario_380_inner_with_keys_that_do_not_match() {
    assert_eq!(joined!(Inner, 0), []);
}

#[tokio::test]
async fn scenario_382_sums_in_two_lanes() {
    // The table R2: 1 and 2 in one lane, 0 and 3 in the other. A join goes by the hash of its keys and takes no router,
    // so the keys are such that their hashes say the same.
    let key = |n: u64| {
        let lane = usize::from(!matches!(n, 1 | 2 | 5..));
        (0u64..).map(|salt| (n, salt)).find(|key| hash_lane(key, 2) == lane).unwrap()
    };
    let sums = left()
        .bounded_join(Inner, right(), move |x| key(*x), move |y| key(y - 3))
        .lanes(2)
        .reduce(|| 0, |sum, (x, y)| *sum += x + y)
        .emit_state();
    assert_eq!(sorted(sums.collect::<Vec<u64>>().await), [9, 12]);
}

#[tokio::test]
async fn scenario_383_sums_of_every_five_rows() {
    // In 0.4 the trigger of a join counted rows. A window in front of a join counts what goes into it, as in the newest
    // Flow; one behind it counts rows.
    let sums = counting(10)
        .lanes(1)
        .bounded_join(Inner, counting(10).map(|n| n + 10).lanes(1), |x| *x, |y| y - 10)
        .lanes(1)
        .window(Window::global().every(5))
        .reduce(|| 0, |sum, (x, y)| *sum += x + y)
        .on_trigger(|sum, _| [std::mem::take(sum)]);
    assert_eq!(sums.collect::<Vec<u64>>().await, [70, 120, 0]);
}

#[tokio::test]
async fn scenario_385_left_outer() {
    let rows = [&[(Some(0), None)], &both(&[(1, 4), (2, 5), (3, 6)])[..]].concat();
    assert_eq!(joined!(LeftOuter, 3), rows);
    assert_eq!(joined!(LeftOuter, 0), (0..4).map(|x| (Some(x), None)).collect::<Vec<_>>());
}

#[tokio::test]
async fn scenario_386_right_outer() {
    let rows = [&[(None, Some(7)), (None, Some(8))], &both(&[(1, 4), (2, 5), (3, 6)])[..]].concat();
    assert_eq!(joined!(RightOuter, 3), rows);
    assert_eq!(joined!(RightOuter, 0), (4..9).map(|y| (None, Some(y))).collect::<Vec<_>>());
}

#[tokio::test]
async fn scenario_388_full_outer_in_windows_with_a_trigger() {
    // 9 and 12 have one key and are in two windows. Sides tell their own times, so that a side is never late for the
    // other (design: the watermark is that of the slowest).
    let time = Side::by(|x: &u64| *x, |y: &u64| *y);
    let window = Window::fixed(Duration::from_millis(10), time).every(2);
    let lefts = Flow::from_iter([0, 1, 2, 3, 9, 10, 11]).lanes(1);
    let rights = Flow::from_iter([4, 5, 6, 7, 8, 12, 13]).lanes(1);
    let rows = rows!(lefts.window_join(FullOuter, rights, window, |x| *x, |y| y - 3); u64, u64);
    let expected = [
        (None, Some(7)),
        (None, Some(8)),
        (None, Some(12)),
        (Some(0), None),
        (Some(1), Some(4)),
        (Some(2), Some(5)),
        (Some(3), Some(6)),
        (Some(9), None),
        (Some(10), Some(13)),
        (Some(11), None),
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn scenario_389_posts_and_comments() {
    let posts = Flow::from_iter([1, 2]);
    let comments = Flow::from_iter([(1, 'e'), (1, 'o'), (2, 'g'), (3, 'u')]);
    let rows = posts.bounded_join(Inner, comments, |post| *post, |comment| comment.0);
    let rows: Vec<(i32, char)> = rows.map(|(post, comment)| (post, comment.1)).collect().await;
    assert_eq!(sorted(rows), [(1, 'e'), (1, 'o'), (2, 'g')]);
}

#[tokio::test]
async fn scenario_391_several_items_of_one_key() {
    let sides = || {
        let left = Flow::from_iter([('k', 1), ('k', 2), ('l', 3)]);
        (left, Flow::from_iter([('k', 4), ('k', 5), ('r', 6)]))
    };
    macro_rules! values {
        ($mode:expr) => {{
            let (left, right) = sides();
            let rows = left.bounded_join($mode, right, |item| item.0, |item| item.0);
            let rows = rows!(rows; (char, i32), (char, i32)).into_iter();
            sorted(rows.map(|(left, right)| (left.map(|item| item.1), right.map(|item| item.1))))
        }};
    }
    let four = [(Some(1), Some(4)), (Some(1), Some(5)), (Some(2), Some(4)), (Some(2), Some(5))];
    let (lonely_left, lonely_right) = ((Some(3), None), (None, Some(6)));
    assert_eq!(values!(Inner), four);
    assert_eq!(values!(LeftOuter), [&four[..], &[lonely_left]].concat());
    assert_eq!(values!(RightOuter), [&[lonely_right], &four[..]].concat());
    assert_eq!(values!(FullOuter), [&[lonely_right], &four[..], &[lonely_left]].concat());
}

#[tokio::test]
async fn scenario_392_two_left_items_of_one_key_fail_nothing() {
    let rows = Flow::from_iter(["a", "b"]).bounded_join(Inner, Flow::from_iter(["c"]), |_| 1, |_| 1);
    assert_eq!(sorted(rows.collect::<Vec<_>>().await), [("a", "c"), ("b", "c")]);
}

#[tokio::test]
async fn scenario_394_one_side_is_empty() {
    let rows = rows!(left().bounded_join(FullOuter, counting(0), |x| *x, |y| *y); u64, u64);
    assert_eq!(rows, (0..4).map(|x| (Some(x), None)).collect::<Vec<_>>());
    let rows = rows!(counting(0).bounded_join(FullOuter, left(), |x| *x, |y| *y); u64, u64);
    assert_eq!(rows, (0..4).map(|y| (None, Some(y))).collect::<Vec<_>>());
}

#[tokio::test]
async fn scenario_395_a_reduce_sees_the_unmatched_before_it_is_done() {
    let states = Flow::from_iter([1, 2, 3])
        .bounded_join(LeftOuter, Flow::from_iter([2]), |x| *x, |y| *y)
        .lanes(1)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|rows, info| [(info.trigger, sorted(std::mem::take(rows)))]);
    let states: Vec<(Trigger, Vec<(i32, Option<i32>)>)> = states.collect().await;
    assert_eq!(states, [(Trigger::Done, vec![(1, None), (2, Some(2)), (3, None)])]);
}
