use crate::support::{
    Live, Lives, Numbers, Watched, counting, numbers, operator_suite, rows, settle, seven, sorted,
};
use futures::channel::mpsc::unbounded;
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use gen_stage::flow::{FullOuter, Inner, LeftOuter, RightOuter, Side};
use gen_stage::window::adapters::Fixed;
use gen_stage::window::{Trigger, Window};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Windows of numbers that are their own times.
fn fixed(size: u64) -> Window<Fixed<impl FnMut(&Side<u64, u64>) -> u64 + Clone>> {
    Window::fixed(ms(size), Side::by(|left: &u64| *left, |right: &u64| *right))
}

operator_suite!(
    |flow: Numbers| flow
        .window_join(LeftOuter, counting(0), fixed(3), |n| *n, |n| *n)
        .lanes(1)
        .demand(10, 5)
        .map(|(n, _)| n),
    |items| items,
    |flow: Numbers| flow
        .window_join(
            Inner,
            counting(0),
            fixed(3),
            |n| {
                seven(*n);
                *n
            },
            |n| *n
        )
        .map(|(n, _)| n),
);

/// Keys and times.
type Item = (char, i64);

const LEFT: [Item; 4] = [('a', 0), ('b', 500), ('a', 1100), ('c', 1200)];
const RIGHT: [Item; 4] = [('a', 900), ('a', 950), ('b', 1000), ('c', 1999)];

macro_rules! joined {
    ($mode:expr, $left:expr, $right:expr) => {{
        let second = Window::fixed(ms(1000), Side::by(|left: &Item| left.1, |right: &Item| right.1));
        let left: Vec<Item> = $left.into();
        let flow = Flow::from_iter(left);
        rows!(
            flow.window_join($mode, Flow::from_iter($right), second, |left| left.0, |right| right.0);
            Item, Item
        )
        .into_iter()
        .map(|(left, right)| (left.map(|left| left.1), right.map(|right| right.1)))
        .collect::<Vec<_>>()
    }};
}

#[tokio::test]
async fn every_mode_makes_its_rows_window_by_window() {
    let both = [(Some(0), Some(900)), (Some(0), Some(950)), (Some(1200), Some(1999))];
    assert_eq!(joined!(Inner, LEFT, RIGHT), both);
    // `a` at 1100 and `b` meet nobody, for their partners are in another window.
    let left = sorted([&both[..], &[(Some(500), None), (Some(1100), None)]].concat());
    assert_eq!(sorted(joined!(LeftOuter, LEFT, RIGHT)), left);
    let right = sorted([&both[..], &[(None, Some(1000))]].concat());
    assert_eq!(sorted(joined!(RightOuter, LEFT, RIGHT)), right);
    let full = sorted([&left[..], &[(None, Some(1000))]].concat());
    assert_eq!(sorted(joined!(FullOuter, LEFT, RIGHT)), full);
}

#[tokio::test]
async fn an_empty_side_leaves_the_other_to_the_outer_modes() {
    let lefts: Vec<_> = LEFT.iter().map(|left| (Some(left.1), None)).collect();
    assert_eq!(sorted(joined!(FullOuter, LEFT, [])), lefts);
    assert_eq!(sorted(joined!(LeftOuter, LEFT, [])), lefts);
    assert_eq!(joined!(Inner, LEFT, []), []);
    assert_eq!(joined!(RightOuter, LEFT, []), []);
    let rights: Vec<_> = RIGHT.iter().map(|right| (None, Some(right.1))).collect();
    assert_eq!(sorted(joined!(FullOuter, [], RIGHT)), rights);
    assert_eq!(joined!(FullOuter, [], []), []);
}

#[tokio::test]
async fn times_before_0_round_down() {
    assert_eq!(joined!(Inner, [('a', -1)], [('a', 1)]), []);
    assert_eq!(joined!(Inner, [('a', -1000)], [('a', -1)]), [(Some(-1000), Some(-1))]);
}

#[tokio::test]
async fn the_slower_side_holds_the_windows_open() {
    let (left, lefts) = unbounded();
    let (right, rights) = unbounded();
    let mut flow = numbers(lefts)
        .lanes(1)
        .window_join(FullOuter, numbers(rights).lanes(1), fixed(1000), |n| n % 10, |n| n % 10)
        .lanes(1);
    for n in [1, 1001, 9001] {
        left.unbounded_send(n).unwrap();
    }
    assert_eq!(flow.next().now_or_never(), None);
    settle().await;
    assert_eq!(flow.next().now_or_never(), None, "nothing is known of the right side's time");
    right.unbounded_send(2).unwrap();
    settle().await;
    assert_eq!(flow.next().now_or_never(), None, "the right side is in the first window");
    right.unbounded_send(11).unwrap();
    assert_eq!(flow.next().await, Some((Some(1), Some(11))));
    right.unbounded_send(1002).unwrap();
    assert_eq!(flow.next().await, Some((None, Some(2))), "the first window is done");
    settle().await;
    assert_eq!(flow.next().now_or_never(), None);
    // A side that has ended holds nothing up; the other one still does.
    drop(right);
    assert_eq!(flow.next().await, Some((Some(1001), None)));
    assert_eq!(flow.next().await, Some((None, Some(1002))));
    settle().await;
    assert_eq!(flow.next().now_or_never(), None);
    drop(left);
    assert_eq!(flow.next().await, Some((Some(9001), None)));
    assert_eq!(flow.next().await, None);
    assert_eq!(flow.late(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_side_does_not_hold_them_for_ever() {
    let lefts = numbers(futures::stream::iter([1, 1001]).chain(futures::stream::pending())).lanes(1);
    let silent = numbers(futures::stream::pending()).lanes(1);
    let window = fixed(1000).idle_after(Duration::from_secs(5));
    let mut flow = lefts.window_join(LeftOuter, silent, window, |n| *n, |n| *n).lanes(1);
    assert_eq!(flow.next().await, Some((1, None)));
    assert_eq!(flow.next().await, Some((1001, None)), "all upstreams are idle");
}

/// Numbers by lives, at ten items to a window of 10.
fn lives_side(
    lives: &Arc<Lives>,
    items: u64,
) -> Flow<impl gen_stage::flow::adapters::OpenLayer<Item = Live, Lane: Send + 'static> + use<>> {
    let lives = lives.clone();
    counting(items).lanes(1).demand(10, 5).map(move |n| Live::new(n, &lives))
}

#[tokio::test]
async fn what_is_kept_for_a_window_is_dropped_with_it() {
    const ITEMS: u64 = 20_000;
    let lives = Lives::new();
    let window = Window::fixed(ms(10), Side::by(|left: &Live| left.n, |right: &Live| right.n));
    let mut rows = lives_side(&lives, ITEMS)
        .window_join(FullOuter, lives_side(&lives, ITEMS), window, |left| left.n % 5, |right| right.n % 5)
        .lanes(2)
        .demand(10, 5)
        .map(|(left, right)| left.is_some() && right.is_some());
    let mut read = 0;
    while let Some(both) = rows.next().await {
        assert!(both);
        read += 1;
    }
    // Two items of a side with each key in every window.
    assert_eq!(read, 2 * 2 * 5 * ITEMS / 10);
    // A few windows on either side, four edges of 10 and what is on its way: not 40 000.
    assert!(lives.peak() <= 400, "{} items were alive", lives.peak());
    assert_eq!(lives.now(), 0);
}

#[tokio::test]
async fn sliding_windows_are_dropped_too() {
    let lives = Lives::new();
    let time = Side::by(|left: &Live| left.n, |right: &Live| right.n);
    let window = Window::sliding(ms(20), ms(10), time);
    let rows = lives_side(&lives, 5000)
        .window_join(Inner, lives_side(&lives, 5000), window, |left| left.n, |right| right.n)
        .lanes(2)
        .demand(10, 5)
        .map(|(left, right)| (left.n, right.n));
    let rows: Vec<(u64, u64)> = rows.collect().await;
    assert_eq!(sorted(rows), (0..5000).flat_map(|n| [(n, n), (n, n)]).collect::<Vec<_>>());
    assert!(lives.peak() <= 600, "{} items were alive", lives.peak());
}

#[tokio::test]
async fn a_side_that_is_far_ahead_stops_nobody() {
    let (right, rights) = unbounded();
    let taken = Arc::new(AtomicUsize::new(0));
    let counts = taken.clone();
    let lefts =
        counting(5000).lanes(1).demand(2, 1).inspect(move |_| _ = counts.fetch_add(1, Ordering::SeqCst));
    let mut flow = lefts
        .window_join(Inner, numbers(rights).lanes(1).demand(2, 1), fixed(100), |n| n % 7, |n| n % 7)
        .lanes(3)
        .demand(2, 1);
    assert!(flow.next().now_or_never().is_none());
    while taken.load(Ordering::SeqCst) < 5000 {
        tokio::task::yield_now().await;
    }
    for n in (0..5000).step_by(50) {
        right.unbounded_send(n).unwrap();
    }
    drop(right);
    let expected = (0..5000)
        .step_by(50)
        .flat_map(|r| (0..5000).filter(move |l| l / 100 == r / 100 && l % 7 == r % 7).map(move |l| (l, r)));
    assert_eq!(sorted(flow.collect::<Vec<_>>().await), sorted(expected));
}

#[tokio::test]
async fn late_items_meet_nobody_and_are_counted() {
    let (left, lefts) = unbounded();
    let (right, rights) = unbounded();
    let mut flow = numbers(lefts)
        .lanes(1)
        .window_join(FullOuter, numbers(rights).lanes(1), fixed(1000), |_| (), |_| ())
        .lanes(1);
    left.unbounded_send(1000).unwrap();
    right.unbounded_send(2000).unwrap();
    assert_eq!(flow.next().now_or_never(), None);
    settle().await;
    // Both sides have got to 1000: the second before it is over, the first window of the right side too.
    for late in [0, 999] {
        right.unbounded_send(late).unwrap();
    }
    left.unbounded_send(1).unwrap();
    settle().await;
    assert_eq!(flow.late(), 3);
    right.unbounded_send(1999).unwrap();
    assert_eq!(
        flow.next().await,
        Some((Some(1000), Some(1999))),
        "late for its own side, not for its window"
    );
    drop((left, right));
    assert_eq!(flow.by_ref().collect::<Vec<_>>().await, [(None, Some(2000))]);
    assert_eq!(flow.late(), 3);
}

#[tokio::test]
async fn late_items_go_to_an_output_of_their_own_with_their_side() {
    let (window, late) = fixed(1000).late_output(1);
    let (left, lefts) = unbounded();
    let mut flow =
        numbers(lefts).lanes(1).window_join(LeftOuter, counting(0), window, |n| *n, |n| *n).lanes(1);
    assert_eq!(flow.next().now_or_never(), None);
    // Now the right side has ended, and the left one alone tells the time.
    settle().await;
    for n in [0, 1000, 5, 2000, 6] {
        left.unbounded_send(n).unwrap();
    }
    drop(left);
    let (rows, late) = futures::join!(flow.collect::<Vec<_>>(), late.collect::<Vec<_>>());
    assert_eq!(rows, [(0, None), (1000, None), (2000, None)]);
    assert_eq!(late, [Side::Left(5), Side::Left(6)]);
}

#[tokio::test]
async fn with_lateness_late_items_meet_what_is_kept() {
    let window = fixed(1000).allowed_lateness(ms(500));
    let (right, rights) = unbounded();
    let mut flow = Flow::from_iter([7, 1400])
        .lanes(1)
        .window_join(FullOuter, numbers(rights).lanes(1), window, |n| n % 10, |n| n % 10)
        .lanes(1)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|rows, info| [(info.window.start, info.trigger, rows.clone())]);
    assert_eq!(flow.next().now_or_never(), None);
    settle().await;
    right.unbounded_send(1400).unwrap();
    assert_eq!(flow.next().await, Some((0, Trigger::Watermark, vec![])));
    right.unbounded_send(17).unwrap();
    right.unbounded_send(1500).unwrap();
    assert_eq!(flow.next().await, Some((0, Trigger::Done, vec![(Some(7), Some(17))])));
    drop(right);
    let rest = vec![(Some(1400), Some(1400)), (Some(1400), Some(1500))];
    assert_eq!(flow.next().await, Some((1000, Trigger::Done, rest)));
    assert_eq!(flow.next().await, None);
    assert_eq!(flow.late(), 0);
}

#[tokio::test]
async fn triggers_before_the_end_clear_nothing() {
    let flow = counting(4)
        .lanes(1)
        .window_join(FullOuter, counting(6).lanes(1), Window::global().every(2), |n| *n, |n| *n)
        .lanes(1)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|rows, info| [(info.is_done(), rows.clone())]);
    let emitted: Vec<(bool, Vec<(Option<u64>, Option<u64>)>)> = flow.collect().await;
    assert_eq!(emitted.len(), 10 / 2 + 1, "at every second item of both sides, and at the end");
    let (is_done, rows) = emitted.last().unwrap();
    assert!(is_done);
    let met = (0..4).map(|n| (Some(n), Some(n)));
    let expected: Vec<_> = [(None, Some(4)), (None, Some(5))].into_iter().chain(met).collect();
    assert_eq!(sorted(rows.clone()), expected, "whoever came before a trigger met those who came behind it");
    assert!(emitted[..5].iter().all(|(is_done, rows)| !is_done && rows.iter().all(|(l, r)| l == r)));
}

#[tokio::test]
async fn a_reduce_behind_it_is_in_the_same_windows() {
    let counts: Vec<(i64, usize)> = counting(30)
        .lanes(2)
        .window_join(LeftOuter, counting(25).lanes(1), fixed(10), |n| n % 5, |n| n % 5)
        .lanes(1)
        .demand(3, 1)
        .filter(|(left, _)| left % 10 != 9)
        .reduce(|| 0, |n, _| *n += 1)
        .on_trigger(|n, info| info.is_done().then_some((info.window.start, *n)))
        .collect()
        .await;
    // Nine left items in each window; in the last, one right item for each.
    assert_eq!(counts, [(0, 18), (10, 18), (20, 9)]);
}

#[tokio::test]
async fn reduced_windows_of_all_lanes_can_be_brought_together() {
    let counts: Vec<(i64, u64)> = counting(40)
        .lanes(1)
        .window_join(Inner, counting(40).lanes(1), fixed(10), |n| *n, |n| *n)
        .lanes(4)
        .reduce(|| 0, |n, _| *n += 1)
        .emit_state()
        .departition(|| 0, |all, n: u64| *all += n, |all, window| (window.start, all))
        .collect()
        .await;
    assert_eq!(counts, [(0, 10), (10, 10), (20, 10), (30, 10)]);
}

#[tokio::test]
async fn in_sliding_windows_two_items_meet_once_in_each() {
    let window = Window::sliding(ms(1000), ms(500), Side::by(|left: &u64| *left, |right: &u64| *right));
    let flow = Flow::from_iter([600, 700])
        .lanes(1)
        .window_join(FullOuter, Flow::from_iter([600, 1100]).lanes(1), window, |_| (), |_| ())
        .lanes(1)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|rows, info| [(info.window.start, sorted(std::mem::take(rows)))]);
    let windows: Vec<_> = flow.collect().await;
    assert_eq!(
        windows,
        [
            (0, vec![(Some(600), Some(600)), (Some(700), Some(600))]),
            (
                500,
                vec![
                    (Some(600), Some(600)),
                    (Some(600), Some(1100)),
                    (Some(700), Some(600)),
                    (Some(700), Some(1100)),
                ]
            ),
            (1000, vec![(None, Some(1100))]),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_in_every_window_survives_a_demand_of_1() {
    for lanes in [1, 3] {
        let flow = counting(40)
            .lanes(1)
            .window_join(Inner, counting(40).lanes(1), fixed(20), |_| (), |_| ())
            .lanes(lanes)
            .demand(1, 0);
        let expected: Vec<_> =
            (0..40).flat_map(|l| (0..40).filter(move |r| l / 20 == r / 20).map(move |r| (l, r))).collect();
        assert_eq!(sorted(flow.collect::<Vec<_>>().await), expected);
    }
}

#[tokio::test]
async fn lanes_behind_it_are_those_that_join() {
    let states: Vec<u64> = counting(10)
        .window_join(Inner, counting(10), Window::global(), |n| *n, |n| *n)
        .lanes(3)
        .reduce(|| 0, |n, _| *n += 1)
        .emit_state()
        .collect()
        .await;
    assert_eq!((states.len(), states.iter().sum::<u64>()), (3, 10));
}

#[tokio::test]
async fn dropping_it_drops_what_is_kept() {
    let lives = Lives::new();
    let (left, lefts) = unbounded();
    let of_lives = lives.clone();
    let window = Window::sliding(ms(20), ms(10), Side::by(|left: &Live| left.n, |right: &u64| *right));
    let mut flow = numbers(lefts).map(move |n| Live::new(n, &of_lives)).window_join(
        LeftOuter,
        counting(0),
        window,
        |left| left.n,
        |n| *n,
    );
    for n in 100..110 {
        left.unbounded_send(n).unwrap();
    }
    assert!(flow.next().now_or_never().is_none());
    settle().await;
    assert_eq!(lives.now(), 20, "each is kept for its two windows");
    drop(flow);
    assert_eq!(lives.now(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_key_or_a_time_reaches_the_reader() {
    let check = |at: usize, closure: usize| {
        move |n: &u64| {
            if at == closure {
                seven(*n);
            }
            n % 4
        }
    };
    for at in 0..4 {
        let watched = Watched::new();
        let time = Side::by(check(at, 2), check(at, 3));
        let flow = numbers(watched.endless())
            .window_join(RightOuter, counting(100), Window::fixed(ms(10), time), check(at, 0), check(at, 1))
            .lanes(2);
        let caught = AssertUnwindSafe(flow.run()).catch_unwind().await;
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"), "closure {at}");
        assert!(!watched.is_alive());
    }
}
