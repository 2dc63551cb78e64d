mod properties;

use crate::support::{
    Live, Lives, Numbers, Watched, counting, numbers, operator_suite, rows, settle, seven, sorted,
};
use futures::channel::mpsc::unbounded;
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use gen_stage::dispatch::hash_lane;
use gen_stage::flow::{FullOuter, Inner, LeftOuter, RightOuter};
use std::panic::AssertUnwindSafe;

operator_suite!(
    |flow: Numbers| flow.bounded_join(Inner, counting(1), |_| (), |_| ()).demand(10, 5).map(|(n, _)| n),
    |items| items,
    |flow: Numbers| flow
        .bounded_join(
            Inner,
            counting(1),
            |n| {
                seven(*n);
                *n
            },
            |n| *n
        )
        .map(|(n, _)| n),
);

mod between_other_operators {
    use super::*;
    operator_suite!(
        |flow: Numbers| flow
            .map(|n| n * 2)
            .bounded_join(LeftOuter, counting(1), |_| (), |_| ())
            .demand(10, 5)
            .filter(|(n, _)| n % 4 == 0)
            .flat_map(|(n, met): (u64, Option<u64>)| met.map(|_| n)),
        |items| items.into_iter().map(|n| n * 2).filter(|n| n % 4 == 0).collect(),
        |flow: Numbers| flow
            .bounded_join(FullOuter, counting(1), |n| *n, |n| *n)
            .filter_map(|(n, _)| n)
            .inspect(|n| seven(*n)),
    );
}

/// Keys 1 (twice on either side), 2 (left only) and 3 (right only).
const LEFT: [(u8, char); 3] = [(1, 'a'), (1, 'b'), (2, 'c')];
const RIGHT: [(u8, u32); 3] = [(1, 10), (1, 20), (3, 30)];

macro_rules! joined {
    ($mode:expr, $left:expr, $right:expr) => {
        rows!(
            Flow::from_iter($left)
                .bounded_join($mode, Flow::from_iter($right), |left: &(u8, char)| left.0, |right: &(u8, u32)| right.0);
            (u8, char), (u8, u32)
        )
        .into_iter()
        .map(|(left, right)| (left.map(|left| left.1), right.map(|right| right.1)))
        .collect::<Vec<_>>()
    };
}

#[tokio::test]
async fn every_mode_makes_its_rows() {
    let both = [(Some('a'), Some(10)), (Some('a'), Some(20)), (Some('b'), Some(10)), (Some('b'), Some(20))];
    assert_eq!(joined!(Inner, LEFT, RIGHT), both);
    let left = [&both[..], &[(Some('c'), None)]].concat();
    assert_eq!(joined!(LeftOuter, LEFT, RIGHT), left);
    let right = [&[(None, Some(30))], &both[..]].concat();
    assert_eq!(joined!(RightOuter, LEFT, RIGHT), right);
    let full = [&right[..], &[(Some('c'), None)]].concat();
    assert_eq!(joined!(FullOuter, LEFT, RIGHT), full);
}

#[tokio::test]
async fn an_empty_side_leaves_the_other_to_the_outer_modes() {
    let lefts = [(Some('a'), None), (Some('b'), None), (Some('c'), None)];
    assert_eq!(joined!(Inner, LEFT, []), []);
    assert_eq!(joined!(LeftOuter, LEFT, []), lefts);
    assert_eq!(joined!(RightOuter, LEFT, []), []);
    assert_eq!(joined!(FullOuter, LEFT, []), lefts);
    let rights = [(None, Some(10)), (None, Some(20)), (None, Some(30))];
    assert_eq!(joined!(Inner, [], RIGHT), []);
    assert_eq!(joined!(LeftOuter, [], RIGHT), []);
    assert_eq!(joined!(RightOuter, [], RIGHT), rights);
    assert_eq!(joined!(FullOuter, [], RIGHT), rights);
    assert_eq!(joined!(FullOuter, [], []), []);
}

#[tokio::test]
async fn a_row_comes_out_as_soon_as_its_second_item_has_come() {
    let (left, lefts) = unbounded();
    let (right, rights) = unbounded();
    let mut flow = numbers(lefts).bounded_join(FullOuter, numbers(rights), |n| n % 10, |n| n % 10);
    left.unbounded_send(1).unwrap();
    right.unbounded_send(2).unwrap();
    assert_eq!(flow.next().now_or_never(), None);
    settle().await;
    assert_eq!(flow.next().now_or_never(), None, "nobody has met");
    right.unbounded_send(11).unwrap();
    assert_eq!(flow.next().await, Some((Some(1), Some(11))));
    // The end of one side changes nothing for the other.
    drop(right);
    left.unbounded_send(21).unwrap();
    assert_eq!(flow.next().await, Some((Some(21), Some(11))));
    left.unbounded_send(12).unwrap();
    assert_eq!(flow.next().await, Some((Some(12), Some(2))));
    left.unbounded_send(3).unwrap();
    settle().await;
    assert_eq!(flow.next().now_or_never(), None, "a partner of 3 may still be on its way");
    drop(left);
    assert_eq!(flow.next().await, Some((Some(3), None)));
    assert_eq!(flow.next().await, None);
}

#[tokio::test]
async fn an_endless_side_is_joined_while_it_goes_on() {
    let watched = Watched::new();
    let flow = numbers(watched.endless()).demand(10, 5).bounded_join(Inner, counting(1), |_| (), |_| ());
    let first: Vec<u64> = flow.demand(10, 5).map(|(n, _)| n).into_stream().take(100).collect().await;
    assert_eq!(first.len(), 100);
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn left_rows_without_partner_come_before_right_ones() {
    let flow = counting(5).lanes(1).bounded_join(FullOuter, counting(5).lanes(1), |n| *n, |n| n + 5).lanes(1);
    let rows: Vec<(Option<u64>, Option<u64>)> = flow.collect().await;
    let lefts = (0..5).map(|n| (Some(n), None));
    let expected: Vec<_> = lefts.chain((0..5).map(|n| (None, Some(n)))).collect();
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_missing_key_is_a_key_like_any_other() {
    let key = |n: &u64| (*n > 0).then_some(*n);
    let flow = counting(2).bounded_join(Inner, counting(2), key, key);
    assert_eq!(rows!(flow; u64, u64), [(Some(0), Some(0)), (Some(1), Some(1))]);
}

#[tokio::test]
async fn items_need_nothing_but_clone_and_keys_may_be_borrowed_from_nobody() {
    #[derive(Clone)]
    struct Person(&'static str, f64);
    let people = [Person("anna", 1.5), Person("bert", 2.5)];
    let rows: Vec<f64> = Flow::from_iter(people)
        .bounded_join(
            Inner,
            Flow::from_iter(["BERT", "CARL"]),
            |person| person.0.to_string(),
            |name| name.to_lowercase(),
        )
        .map(|(person, _)| person.1)
        .collect()
        .await;
    assert_eq!(rows, [2.5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_for_everything_makes_the_product_of_both_sides() {
    for (lanes, demand) in [(1, (1, 0)), (3, (1, 0)), (2, (7, 3)), (8, (1000, 500))] {
        let flow = counting(60)
            .lanes(2)
            .bounded_join(Inner, counting(70).lanes(3), |_| 0, |_| 0)
            .lanes(lanes)
            .demand(demand.0, demand.1);
        let expected: Vec<_> = (0..60).flat_map(|l| (0..70).map(move |r| (l, r))).collect();
        assert_eq!(sorted(flow.collect::<Vec<_>>().await), expected, "{lanes} lanes, {demand:?}");
    }
}

#[tokio::test]
async fn a_product_is_made_only_as_it_is_read() {
    // 4 million rows of one key.
    let lives = Lives::new();
    let side = |lives: &std::sync::Arc<Lives>| {
        let lives = lives.clone();
        counting(2000).map(move |n| Live::new(n, &lives))
    };
    let mut flow = side(&lives)
        .bounded_join(Inner, side(&lives), |_| 0, |_| 0)
        .lanes(1)
        .demand(1, 0)
        .map(|(left, right)| (left.n, right.n));
    for read in 1..20 {
        assert!(flow.next().await.is_some());
        settle().await;
        // Two clones for a row, and one row is on its way.
        assert!(lives.clones() <= 2 * (read + 1), "{} clones for {read} rows", lives.clones());
    }
    assert!(lives.peak() <= 4000 + 2 * 2, "{} were alive", lives.peak());
    drop(flow);
    assert_eq!(lives.now(), 0);
}

#[tokio::test]
async fn dropping_it_drops_what_is_kept() {
    let lives = Lives::new();
    let (left, lefts) = unbounded();
    let of_lives = lives.clone();
    let mut flow = numbers(lefts).map(move |n| Live::new(n, &of_lives)).bounded_join(
        LeftOuter,
        counting(0),
        |left| left.n,
        |n| *n,
    );
    for n in 0..100 {
        left.unbounded_send(n).unwrap();
    }
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    assert_eq!(lives.now(), 100, "all are kept for partners that may come");
    drop(flow);
    assert_eq!(lives.now(), 0);
}

#[tokio::test]
async fn items_that_met_nobody_go_one_by_one() {
    let lives = Lives::new();
    let of_lives = lives.clone();
    let mut flow = counting(1000)
        .map(move |n| Live::new(n, &of_lives))
        .bounded_join(LeftOuter, counting(0), |left| left.n, |n| *n)
        .lanes(1)
        .demand(1, 0)
        .map(|(left, _)| left.n);
    for left in (900..1000).rev() {
        assert!(flow.next().await.is_some());
        settle().await;
        assert!((left - 1..=left).contains(&lives.now()), "{} are alive, {left} unread", lives.now());
    }
    assert_eq!(lives.clones(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_either_key_or_in_clone_reaches_the_reader() {
    #[derive(Debug)]
    struct Fragile(u64);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            seven(self.0);
            Self(self.0)
        }
    }
    let key_of = |panics: bool| {
        move |n: &u64| {
            if panics {
                seven(*n);
            }
            n % 3
        }
    };
    for (left, right) in [(true, false), (false, true)] {
        let watched = Watched::new();
        let endless = numbers(watched.endless());
        let flow = endless.bounded_join(Inner, counting(100), key_of(left), key_of(right)).lanes(3);
        let caught = AssertUnwindSafe(flow.run()).catch_unwind().await;
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
        assert!(!watched.is_alive());
    }
    let watched = Watched::new();
    let fragile = numbers(watched.endless()).map(Fragile);
    let flow = fragile.bounded_join(FullOuter, counting(10), |left| left.0, |n| *n);
    let caught = AssertUnwindSafe(flow.collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn lanes_behind_it_are_those_that_join_and_equal_keys_meet_in_theirs() {
    let mut lane = 0;
    let seen: Vec<(usize, u64)> = counting(500)
        .lanes(2)
        .bounded_join(RightOuter, counting(700).lanes(1), |n| n % 9, |n| n % 9)
        .lanes(4)
        .demand(3, 1)
        .per_lane(move |rows| {
            let at = lane;
            lane += 1;
            rows.map(move |(_, right)| (at, right))
        })
        .collect()
        .await;
    assert_eq!(seen.len(), (0..9).map(|key| (500 + 8 - key) / 9 * ((700 + 8 - key) / 9)).sum::<usize>());
    for (lane, right) in seen {
        assert_eq!(lane, hash_lane(&(right % 9), 4));
    }
}

#[tokio::test]
async fn rows_go_on_into_a_reduce_a_partition_and_another_join() {
    let sums = counting(10)
        .bounded_join(LeftOuter, counting(5), |n| *n, |n| *n)
        .lanes(3)
        .reduce(
            || (0, 0),
            |(all, met), (n, other)| {
                *all += n;
                *met += u64::from(other.is_some());
            },
        )
        .emit_state();
    let states: Vec<(u64, u64)> = sums.collect().await;
    assert_eq!(states.len(), 3);
    assert_eq!(states.iter().fold((0, 0), |sum, state| (sum.0 + state.0, sum.1 + state.1)), (45, 5));

    let three = counting(6)
        .bounded_join(Inner, counting(6).map(|n| n * 2), |n| *n, |n| *n)
        .map(|(n, _)| n)
        .bounded_join(Inner, counting(6).map(|n| n * 4), |n| *n, |n| *n)
        .partition_by(|(n, _)| *n)
        .lanes(2)
        .map(|(n, _)| n);
    assert_eq!(sorted(three.collect::<Vec<u64>>().await), [0, 4]);
}

#[test]
fn it_runs_where_either_flow_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let on = |flow: Numbers| flow.on(runtime.handle().clone());
    for named in [0, 1] {
        let (left, right) = (counting(3), counting(3));
        let (left, right) = if named == 0 { (on(left), right) } else { (left, on(right)) };
        let rows = left.bounded_join(Inner, right, |n| *n, |n| *n).map(|(n, _)| n).collect::<Vec<_>>();
        assert_eq!(sorted(futures::executor::block_on(rows)), [0, 1, 2]);
    }
}

#[tokio::test]
#[should_panic(expected = "a flow that is already being read cannot be merged")]
async fn a_right_flow_that_is_being_read_is_refused() {
    let mut right = counting(3);
    right.next().await;
    let _ = counting(3).bounded_join(Inner, right, |n| *n, |n| *n);
}

#[tokio::test]
#[should_panic(expected = "a flow that is already being read cannot be extended")]
async fn a_left_flow_that_is_being_read_is_refused() {
    let mut left = counting(3);
    left.next().await;
    let _ = left.bounded_join(Inner, counting(3), |n| *n, |n| *n);
}
