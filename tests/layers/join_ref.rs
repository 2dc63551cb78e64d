use crate::support::{Numbers, Watched, counting, numbers, operator_suite, rows, seven, sorted};
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use gen_stage::dispatch::hash_lane;
use gen_stage::flow::{Flowing, FullOuter, Inner, LeftOuter, RightOuter};
use std::hash::{Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Numbers with texts, from which keys are borrowed.
fn texts(flow: Numbers, keys: u64) -> Flow<impl Flowing<Item = (String, u64)>> {
    flow.map(move |n| ((n % keys).to_string(), n))
}

operator_suite!(
    |flow: Numbers| texts(flow, 7)
        .bounded_join_ref(LeftOuter, counting(0), |(text, _)| text.as_str(), |_| "")
        .demand(10, 5)
        .map(|((_, n), _)| n),
    |items| items,
    |flow: Numbers| texts(flow, 7)
        .bounded_join_ref(
            Inner,
            counting(1),
            |(text, n)| {
                seven(*n);
                text.as_str()
            },
            |_| "0"
        )
        .map(|((_, n), _)| n),
);

mod between_other_operators {
    use super::*;
    operator_suite!(
        |flow: Numbers| texts(flow, 7)
            .bounded_join_ref(LeftOuter, texts(counting(7), 7), |left| &left.0, |right| &right.0)
            .demand(10, 5)
            .filter(|(left, _)| left.1 % 2 == 0)
            .flat_map(|(left, met)| met.map(|met| left.1 * 10 + met.1)),
        |items| items.into_iter().filter(|n| n % 2 == 0).map(|n| n * 10 + n % 7).collect(),
        |flow: Numbers| texts(flow, 1000)
            .bounded_join_ref(FullOuter, counting(1), |left| left.0.as_str(), |_| "")
            .filter_map(|(left, _)| left)
            .map(|(_, n)| n)
            .inspect(|n| seven(*n)),
    );
}

#[tokio::test]
async fn every_mode_makes_its_rows() {
    macro_rules! joined {
        ($mode:expr) => {{
            let left = Flow::from_iter([("a", 1), ("a", 2), ("b", 3)].map(|(key, n)| (key.to_string(), n)));
            let right = Flow::from_iter([("a", 'x'), ("a", 'y'), ("c", 'z')]);
            let flow = left.bounded_join_ref($mode, right, |left| left.0.as_str(), |right| right.0);
            let rows = rows!(flow; (String, i32), (&str, char));
            let rows = rows.into_iter().map(|(left, right)| (left.map(|l| l.1), right.map(|r| r.1)));
            rows.collect::<Vec<_>>()
        }};
    }
    let both = [(Some(1), Some('x')), (Some(1), Some('y')), (Some(2), Some('x')), (Some(2), Some('y'))];
    assert_eq!(joined!(Inner), both);
    let left = [&both[..], &[(Some(3), None)]].concat();
    assert_eq!(joined!(LeftOuter), left);
    assert_eq!(joined!(RightOuter), [&[(None, Some('z'))], &both[..]].concat());
    assert_eq!(joined!(FullOuter), [&[(None, Some('z'))], &left[..]].concat());
}

/// A key that cannot be cloned, and says how often it was hashed.
struct Key(u64);

static HASHES: AtomicUsize = AtomicUsize::new(0);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        HASHES.fetch_add(1, Ordering::SeqCst);
        self.0.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

#[tokio::test]
async fn a_key_is_hashed_once_for_its_lane_and_once_for_the_table_and_never_as_the_table_grows() {
    let side = || counting(5000).map(|n| Arc::new(Key(n)));
    let flow = side().bounded_join_ref(Inner, side(), |key| &**key, |key| &**key).lanes(3);
    let met: Vec<u64> = flow.map(|(left, right)| left.0 + right.0).collect().await;
    assert_eq!(sorted(met), (0..5000).map(|n| 2 * n).collect::<Vec<_>>());
    assert_eq!(HASHES.load(Ordering::SeqCst), 2 * 2 * 5000);
}

/// Keys that all have one hash.
#[derive(Clone, PartialEq, Eq)]
struct Alike(u64);

impl Hash for Alike {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[tokio::test]
async fn keys_with_one_hash_are_told_apart_on_either_side() {
    let side = |to: u64| Flow::from_iter((0..to).map(|n| (Alike(n % 10), n)));
    // Keys that only the left, both, or only the right side has: the items of either are looked at.
    let right = side(10).map(|(key, n)| (Alike(key.0 + 5), n));
    let rows = side(20).bounded_join_ref(FullOuter, right, |left| &left.0, |right| &right.0).lanes(2);
    let rows: Vec<(Option<u64>, Option<u64>)> =
        rows.map(|(left, right)| (left.map(|left| left.1), right.map(|right| right.1))).collect().await;
    let lefts = (0..20u64).map(|n| (Some(n), (n % 10).checked_sub(5)));
    let expected: Vec<_> = lefts.chain((5..10).map(|n| (None, Some(n)))).collect();
    assert_eq!(sorted(rows), sorted(expected));
}

#[tokio::test]
async fn keys_are_unsized_parts_of_items_of_two_types() {
    let left = Flow::from_iter([(vec![1, 2, 3], "a"), (vec![4], "b")]);
    let right = Flow::from_iter([[1, 2, 9], [4, 5, 9]]);
    let rows: Vec<(&str, [u8; 3])> = left
        .bounded_join_ref(Inner, right, |left| &left.0[..left.0.len() - 1], |right| &right[..2])
        .map(|(left, right)| (left.1, right))
        .collect()
        .await;
    assert_eq!(rows, [("a", [1, 2, 9])]);
}

#[tokio::test]
async fn lanes_after_it_are_those_that_join_and_equal_keys_meet_in_theirs() {
    let mut lane = 0;
    let flow = texts(counting(500).lanes(2), 9)
        .bounded_join_ref(RightOuter, texts(counting(700).lanes(1), 9), |left| &left.0, |right| &right.0)
        .lanes(4)
        .demand(3, 1);
    let seen: Vec<(usize, String)> = flow
        .per_lane(move |rows| {
            let at = lane;
            lane += 1;
            rows.map(move |(_, right)| (at, right.0))
        })
        .collect()
        .await;
    assert_eq!(seen.len(), (0..9).map(|key| (500 + 8 - key) / 9 * ((700 + 8 - key) / 9)).sum::<usize>());
    for (lane, right) in seen {
        assert_eq!(lane, hash_lane(right.as_str(), 4));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_for_everything_makes_the_product_of_both_sides() {
    for (lanes, demand) in [(1, (1, 0)), (3, (7, 3)), (8, (1000, 500))] {
        let flow = counting(60)
            .lanes(2)
            .bounded_join_ref(Inner, counting(70).lanes(3), |_| "all", |_| "all")
            .lanes(lanes)
            .demand(demand.0, demand.1);
        let expected: Vec<_> = (0..60).flat_map(|l| (0..70).map(move |r| (l, r))).collect();
        assert_eq!(sorted(flow.collect::<Vec<_>>().await), expected, "{lanes} lanes, {demand:?}");
    }
}

/// A key that panics where it is compared.
#[derive(Clone)]
struct Touchy;

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl PartialEq for Touchy {
    fn eq(&self, _: &Self) -> bool {
        seven(7);
        true
    }
}

impl Eq for Touchy {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_either_key_or_where_keys_are_compared_reaches_the_reader() {
    let key_of = |panics: bool| {
        move |n: &(String, u64)| {
            if panics {
                seven(n.1);
            }
        }
    };
    for (left, right) in [(true, false), (false, true)] {
        let watched = Watched::new();
        let (left, right) = (key_of(left), key_of(right));
        let endless = texts(numbers(watched.endless()), 3);
        let flow = endless.bounded_join_ref(
            Inner,
            texts(counting(100), 3),
            move |item| {
                left(item);
                &item.0
            },
            move |item| {
                right(item);
                &item.0
            },
        );
        let caught = AssertUnwindSafe(flow.lanes(3).run()).catch_unwind().await;
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
        assert!(!watched.is_alive());
    }
    let watched = Watched::new();
    let touchy = numbers(watched.endless()).map(|_| Touchy);
    let flow = touchy.bounded_join_ref(FullOuter, Flow::from_iter([Touchy]), |key| key, |key| key);
    let caught = AssertUnwindSafe(flow.run()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
    assert!(!watched.is_alive());
}

#[tokio::test]
#[should_panic(expected = "a flow that is already being read cannot be merged")]
async fn a_right_flow_that_is_being_read_is_refused() {
    let mut right = counting(3);
    right.next().await;
    let _ = counting(3).bounded_join_ref(Inner, right, |n| n, |n| n);
}
