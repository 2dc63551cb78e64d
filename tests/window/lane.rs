//! Lanes with windows: when they give way, when their timers go off, and when they are done.

use futures::{FutureExt, Stream, StreamExt, stream};
use gen_stage::Flow;
use gen_stage::window::{StreamWindow, Trigger, Window};
use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

#[test]
fn a_lane_whose_windows_emit_nothing_lets_other_tasks_run() {
    let taken = Cell::new(0);
    let numbers = stream::iter(0..1_000_000).inspect(|_| taken.set(taken.get() + 1));
    let nothing =
        numbers.window(Window::count(1)).reduce(|| (), |(), _: i32| ()).on_trigger(|(), _| None::<u8>);
    let mut nothing = pin!(nothing.into_stream());
    assert!(nothing.as_mut().poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(taken.get() < 1_000_000, "it gave way after {} items", taken.get());
}

#[test]
fn a_lane_of_late_items_lets_other_tasks_run() {
    let taken = Cell::new(0);
    let times = stream::iter(0..1_000_000_i64)
        .inspect(|_| taken.set(taken.get() + 1))
        .map(|at| 1_000_000 - 1000 * at.min(1));
    let second = Window::fixed(Duration::from_secs(1), |at: &i64| *at);
    let mut counts = pin!(times.window(second).reduce(|| 0, |n, _| *n += 1).emit_state().into_stream());
    assert!(counts.as_mut().poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(taken.get() < 1_000_000, "it gave way after {} items", taken.get());
}

#[tokio::test(start_paused = true)]
async fn when_the_last_upstream_that_is_not_idle_ends_what_is_open_is_done() {
    let quiet = stream::iter([0_i64]).chain(stream::pending()).boxed();
    let ends = stream::iter([5000_i64, 5001, 5002]).then(|at| async move {
        tokio::time::sleep(Duration::from_secs(6)).await;
        at
    });
    let second = Window::fixed(Duration::from_secs(1), |at: &i64| *at).idle_after(Duration::from_secs(10));
    let counts = Flow::from_streams([quiet, ends.boxed()])
        .lanes(1)
        .window(second)
        .reduce(|| 0, |n, _| *n += 1)
        .on_trigger(|n, info| [(info.window.start, *n)]);
    let first = counts.take(2).collect::<Vec<(i64, u32)>>();
    let first = tokio::time::timeout(Duration::from_secs(3600), first).await;
    assert_eq!(first.unwrap(), [(0, 1), (5000, 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_timer_of_a_lane_that_never_waits_goes_off() {
    let each = Window::global().every(1).periodically(Duration::from_secs(60));
    let fired =
        stream::iter(0..).window(each).reduce(|| (), |(), _: u32| ()).on_trigger(|(), info| [info.trigger]);
    let mut fired = pin!(fired.into_stream());
    for _ in 0..1000 {
        if fired.next().await.unwrap() == Trigger::Periodically(Duration::from_secs(60)) {
            return;
        }
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    panic!("a thousand periods have passed");
}

#[test]
fn late_items_end_with_the_stream_that_has_windows() {
    let second = Window::fixed(Duration::from_secs(1), |at: &i64| *at);
    let (second, late) = second.late_output(10);
    let counts = stream::iter([0, 1000, 999]).window(second).reduce(|| 0, |n, _| *n += 1).emit_state();
    let mut counts = pin!(counts.into_stream());
    let read = counts.by_ref().collect::<Vec<u32>>().now_or_never().unwrap();
    assert_eq!(read, [1, 1]);
    assert_eq!(late.collect::<Vec<i64>>().now_or_never().unwrap(), [999]);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_is_not_idle_while_nobody_reads_the_lane() {
    let times = || (0..50).map(|n| n * 1000_i64).collect::<Vec<_>>();
    let second = Window::fixed(Duration::from_secs(1), |at: &i64| *at).idle_after(Duration::from_secs(10));
    let mut counts = Flow::from_iters([times(), times()])
        .lanes(2)
        .map(|at| at)
        .partition_by(|_| 0)
        .lanes(1)
        .demand(2, 1)
        .map_batch(|batch| batch)
        .window(second)
        .reduce(|| 0, |n, _| *n += 1)
        .on_trigger(|n, info| [(info.window.start, *n)]);
    let mut got = Vec::new();
    while let Some(count) = counts.next().await {
        tokio::time::sleep(Duration::from_secs(60)).await;
        got.push(count);
    }
    assert_eq!(counts.late(), 0);
    assert_eq!(got, (0..50).map(|n| (n * 1000, 2_u32)).collect::<Vec<_>>());
}
