use super::ms;
use crate::support::{Live, Lives, Numbers, counting, numbers, operator_suite, settle, seven, sorted};
use futures::channel::mpsc::unbounded;
use futures::{FutureExt, StreamExt};
use gen_stage::Flow;
use gen_stage::flow::{Flowing, FullOuter, Inner, LeftOuter, Side};
use gen_stage::window::Window;
use gen_stage::window::adapters::Fixed;

/// A key to borrow, and a time.
type Timed = (String, u64);

/// The same, which is counted as long as it is alive.
type Keyed = (String, Live);

/// Numbers that are their own times, with keys of one digit.
fn timed(flow: Numbers) -> Flow<impl Flowing<Item = Timed>> {
    flow.map(|n| ((n % 10).to_string(), n))
}

fn fixed(size: u64) -> Window<Fixed<impl FnMut(&Side<Timed, Timed>) -> u64 + Clone>> {
    Window::fixed(ms(size), Side::by(|left: &Timed| left.1, |right: &Timed| right.1))
}

operator_suite!(
    |flow: Numbers| timed(flow)
        .window_join_ref(LeftOuter, timed(counting(0)), fixed(3), |left| &left.0, |right| &right.0)
        .lanes(1)
        .demand(10, 5)
        .map(|(left, _)| left.1),
    |items| items,
    |flow: Numbers| timed(flow)
        .window_join_ref(
            Inner,
            timed(counting(0)),
            fixed(3),
            |(text, n)| {
                seven(*n);
                text.as_str()
            },
            |right| &right.0
        )
        .map(|(left, _)| left.1),
);

#[tokio::test]
async fn items_meet_within_their_windows_and_late_ones_are_counted() {
    let (left, lefts) = unbounded();
    let (right, rights) = unbounded();
    let mut flow = timed(numbers(lefts).lanes(1))
        .window_join_ref(
            FullOuter,
            timed(numbers(rights).lanes(1)),
            fixed(1000),
            |left| left.0.as_str(),
            |right| right.0.as_str(),
        )
        .lanes(1)
        .map(|(left, right): (Option<Timed>, Option<Timed>)| (left.map(|l| l.1), right.map(|r| r.1)));
    for n in [1, 2] {
        left.unbounded_send(n).unwrap();
    }
    right.unbounded_send(11).unwrap();
    assert_eq!(flow.next().await, Some((Some(1), Some(11))), "at once");
    left.unbounded_send(1002).unwrap();
    right.unbounded_send(1012).unwrap();
    assert_eq!(flow.next().await, Some((Some(1002), Some(1012))));
    assert_eq!(flow.next().await, Some((Some(2), None)), "items with its key are in the next window");
    right.unbounded_send(12).unwrap();
    settle().await;
    assert_eq!(flow.next().now_or_never(), None);
    assert_eq!(flow.late(), 1);
    drop((left, right));
    assert_eq!(flow.next().await, None);
}

#[tokio::test]
async fn what_is_kept_for_a_window_is_dropped_with_it() {
    const ITEMS: u64 = 20_000;
    let lives = Lives::new();
    let side = || {
        let lives = lives.clone();
        counting(ITEMS).lanes(1).demand(10, 5).map(move |n| ((n % 5).to_string(), Live::new(n, &lives)))
    };
    let window = Window::fixed(ms(10), Side::by(|left: &Keyed| left.1.n, |right: &Keyed| right.1.n));
    let mut flow = side()
        .window_join_ref(FullOuter, side(), window, |left| &left.0, |right| &right.0)
        .lanes(2)
        .demand(10, 5)
        .map(|(left, right)| left.is_some() && right.is_some());
    let mut read = 0;
    while let Some(both) = flow.next().await {
        assert!(both);
        read += 1;
    }
    // Two items of a side with each key in every window.
    assert_eq!(read, 2 * 2 * 5 * ITEMS / 10);
    assert!(lives.peak() <= 400, "{} items were alive", lives.peak());
    assert_eq!(lives.now(), 0);
}

#[tokio::test]
async fn in_sliding_windows_two_items_meet_once_in_each() {
    let window = Window::sliding(ms(20), ms(10), Side::by(|left: &Timed| left.1, |right: &Timed| right.1));
    let side = || timed(counting(100).lanes(1));
    let flow = side().window_join_ref(Inner, side(), window, |left| &left.0, |right| &right.0).lanes(2);
    let rows: Vec<(u64, u64)> = flow.map(|(left, right)| (left.1, right.1)).collect().await;
    let starts = (-10i64..100).step_by(10);
    let expected = starts.flat_map(|start| {
        let within = move || (start.max(0)..(start + 20).min(100)).map(i64::unsigned_abs);
        within().flat_map(move |l| within().filter(move |r| l % 10 == r % 10).map(move |r| (l, r)))
    });
    assert_eq!(sorted(rows), sorted(expected));
}
