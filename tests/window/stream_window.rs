//! Windows over a plain `Stream`.

use super::{ms, sent};
use crate::support::Watched;
use futures::FutureExt;
use futures::stream::{self, FusedStream, StreamExt};
use gen_stage::window::{StreamWindow, Triggers, Window};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

#[tokio::test]
async fn nothing_one_and_many_items_come_through() {
    for items in [0u64, 1, 2, 3, 10_000] {
        let lists =
            stream::iter(0..items).window(Window::fixed(ms(2), |n: &u64| *n)).reduce(Vec::new, Vec::push);
        let got: Vec<u64> = lists.into_stream().collect().await;
        assert!(got.into_iter().eq(0..items), "{items} items");
    }
}

#[test]
fn without_a_clock_it_needs_no_runtime_and_no_send() {
    let items = std::rc::Rc::new(3u64);
    let sums = stream::iter([items.clone(), items])
        .window(Window::session(ms(5), |n: &std::rc::Rc<u64>| **n, |n| **n))
        .reduce(|| 0, |sum, n| *sum += *n)
        .merge_states(|sum, other| *sum += other)
        .on_trigger(|sum, info| [(info.window.key, *sum, info.lane, info.lanes)])
        .into_stream();
    assert_eq!(futures::executor::block_on(sums.collect::<Vec<_>>()), [(3, 6, 0, 1)]);
}

#[test]
fn it_waits_for_a_pending_stream_is_woken_by_it_and_stays_ended() {
    let (sender, source) = sent();
    let sums =
        source.window(Window::count(2)).reduce(|| 0, |sum, n: u64| *sum += n).emit_state().into_stream();
    let mut sums = tokio_test::task::spawn(sums);
    assert!(sums.poll_next().is_pending());
    sender.unbounded_send(1).unwrap();
    assert!(sums.is_woken());
    assert!(sums.poll_next().is_pending());
    sender.unbounded_send(2).unwrap();
    assert!(sums.is_woken());
    assert_eq!(sums.poll_next(), Poll::Ready(Some(3)));
    assert!(sums.poll_next().is_pending());
    assert!(!sums.is_terminated());
    drop(sender);
    assert!(sums.is_woken());
    assert_eq!(sums.poll_next(), Poll::Ready(Some(0)));
    assert_eq!(sums.poll_next(), Poll::Ready(None));
    assert!(sums.is_terminated());
    assert_eq!(sums.poll_next(), Poll::Ready(None));
}

#[test]
fn a_stream_that_is_always_ready_gives_way() {
    let taken = Watched::new();
    let sums = taken.endless().window(Window::global()).reduce(|| 0, |sum, n| *sum += n).emit_state();
    let mut sums = tokio_test::task::spawn(sums.into_stream());
    for _ in 0..3 {
        let before = taken.taken();
        assert!(sums.poll_next().is_pending());
        assert!(sums.is_woken(), "it goes on by itself");
        assert!(taken.taken() > before && taken.taken() - before <= 1000);
    }
    drop(sums);
    assert!(!taken.is_alive(), "dropping it drops the source");
}

#[tokio::test]
async fn it_takes_from_the_source_only_what_it_is_read_for() {
    let watched = Watched::new();
    let mut lists =
        watched.endless().window(Window::count(5)).reduce(Vec::new, Vec::push).emit_state().into_stream();
    assert_eq!(lists.next().await, Some(vec![0, 1, 2, 3, 4]));
    assert_eq!(watched.taken(), 5);
    assert_eq!(lists.next().await, Some(vec![5, 6, 7, 8, 9]));
    assert_eq!(watched.taken(), 10);
}

#[tokio::test]
async fn late_items_are_counted_or_come_out_at_the_side() {
    let late = Arc::new(AtomicU64::new(0));
    let second = || Window::fixed(ms(1000), |n: &u64| *n);
    let lists =
        stream::iter([0u64, 1000, 999, 2000]).window(second().count_late(&late)).reduce(Vec::new, Vec::push);
    assert_eq!(lists.into_stream().collect::<Vec<_>>().await, [0, 1000, 2000]);
    assert_eq!(late.load(Ordering::Relaxed), 1);

    let (window, late) = second().late_output(1);
    let lists = stream::iter([0u64, 1000, 999, 2000, 1001]).window(window).reduce(Vec::new, Vec::push);
    let (lists, late) = futures::join!(lists.into_stream().collect::<Vec<_>>(), late.collect::<Vec<_>>());
    assert_eq!((lists, late), (vec![0, 1000, 2000], vec![999, 1001]));
}

#[tokio::test(start_paused = true)]
async fn timers_messages_and_idleness_work_as_in_a_flow() {
    let triggers = Triggers::new();
    let (sender, source) = sent();
    let window = Window::fixed(ms(1000), |n: &u64| *n)
        .periodically(ms(4000))
        .idle_after(ms(10_000))
        .triggered_by(&triggers);
    let mut told = source
        .window(window)
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(info.trigger.to_string(), list.clone())])
        .into_stream();
    sender.unbounded_send(5).unwrap();
    assert!(told.next().now_or_never().is_none());
    assert_eq!(triggers.fire("message"), 1);
    let named = |name: &str| (name.to_string(), vec![5]);
    assert_eq!(told.next().await, Some(named("message")));
    assert_eq!(told.next().await, Some(named("every 4s")));
    assert_eq!(told.next().await, Some(named("every 4s")));
    assert_eq!(told.next().await, Some(named("done")), "idle");
    drop(sender);
    assert_eq!(told.next().await, None);
}

#[tokio::test]
async fn a_panic_in_a_closure_is_raised_where_it_is_polled() {
    let sums = stream::iter(0u64..10)
        .window(Window::count(100))
        .reduce(|| (), |(), n| crate::support::seven(n))
        .emit_state()
        .into_stream();
    let caught = AssertUnwindSafe(sums.collect::<Vec<()>>()).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"seven"));
}

#[test]
fn debug_tells_what_it_is() {
    let stream = || stream::iter(0u64..10).window(Window::count(2)).reduce(|| 0u64, |sum, n| *sum += n);
    assert!(format!("{:?}", stream()).starts_with("WindowedStream"));
    assert!(format!("{:?}", stream().emit_state().into_stream()).starts_with("ReduceLane"));
}
