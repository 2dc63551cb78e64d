use crate::support::slate::{Broken, slate};
use crate::support::{Watched, counting, finisher_suite, numbers, settle, seven, sorted};
use futures::channel::mpsc;
use futures::{FutureExt, Sink, SinkExt, StreamExt, sink};
use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A sink that panics at 7.
pub(crate) fn panicking() -> impl Sink<u64, Error = Infallible> + Send + 'static {
    sink::drain().with(|n| {
        seven(n);
        ready(Ok(n))
    })
}

finisher_suite!(
    u64,
    |flow, _| async {
        let (sink, view) = slate();
        let done = flow.forward(sink).await;
        assert!(view.seen().closed);
        done.map(|()| sorted(view.seen().items.clone()))
    },
    Ok,
    of_a_flow_that_was_begun_it_takes_the_rest,
    a_panic_in_its_closure_reaches_whoever_awaits(|flow| flow.forward(panicking())),
);

#[tokio::test]
async fn a_sink_with_little_room_gets_everything() {
    for items in [0, 1, 1700] {
        let (sink, received) = mpsc::channel(4);
        let forwarding = counting(items).lanes(2).forward(sink);
        let (done, received) = futures::join!(forwarding, received.collect::<Vec<_>>());
        assert_eq!(done, Ok(()));
        assert_eq!(sorted(received), (0..items).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_first_error_of_the_sink_ends_the_flow() {
    let watched = Watched::new();
    let sink = sink::unfold((), |(), n: u64| async move { if n < 3 { Ok(()) } else { Err(n) } });
    let failed = numbers(watched.endless()).lanes(1).forward(sink).await;
    assert_eq!(failed, Err(3));
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn a_sink_that_is_not_ready_stops_the_source() {
    let watched = Watched::new();
    let (sink, received) = mpsc::channel(0);
    let mut forwarding =
        tokio_test::task::spawn(numbers(watched.endless()).lanes(1).demand(10, 5).forward(sink));
    for _ in 0..5 {
        assert!(forwarding.poll().is_pending());
        settle().await;
    }
    let taken = watched.taken();
    assert!(taken <= 2 + 10 + 1, "{taken} items were taken");
    drop(received);
    assert!(forwarding.poll().is_ready(), "a sink that is gone is an error");
    drop(forwarding);
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn the_sink_is_flushed_when_the_flow_has_nothing_ready() {
    let (sender, receiver) = mpsc::unbounded();
    let (sink, mut received) = mpsc::channel(0);
    let buffered = sink.buffer(100);
    let mut forwarding = tokio_test::task::spawn(numbers(receiver).forward(buffered));
    sender.unbounded_send(1).unwrap();
    for _ in 0..3 {
        assert!(forwarding.poll().is_pending());
        settle().await;
    }
    assert_eq!(received.next().now_or_never(), Some(Some(1)), "not held back in the buffer of the sink");
}

#[tokio::test]
async fn those_who_look_see_that_the_sink_failed_and_where_it_was() {
    let (sink, view) = slate();
    view.fail_after(2);
    let mut flow = counting(100).lanes(2).label("doubled").map(|n| n * 2).named("numbers");
    let monitor = flow.monitor();
    assert_eq!(flow.forward(sink).await, Err(Broken));
    let failure = monitor.stats().failure.unwrap();
    assert!(failure.starts_with("the sink of the layer `doubled` ("), "{failure}");
    assert!(
        failure.ends_with(") of the flow `numbers` failed, and its error went to the caller"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_sink_that_fails_before_the_flow_has_started_is_seen_too() {
    let (sink, received) = mpsc::channel(0);
    drop(received);
    let mut flow = counting(3);
    let monitor = flow.monitor();
    assert!(flow.forward(sink).await.unwrap_err().is_disconnected());
    let stats = monitor.stats();
    assert!(stats.layers.is_empty(), "it never ran: {stats}");
    assert!(stats.failure.unwrap().starts_with("the sink of the layer at "));
}

#[tokio::test]
async fn a_sink_that_fails_when_it_is_closed_is_seen_too_and_one_that_does_not_fail_is_not() {
    let mut flow = counting(3);
    let monitor = flow.monitor();
    assert_eq!(flow.forward(sink::drain()).await, Ok(()));
    assert_eq!(monitor.stats().failure, None);

    let mut flow = counting(3);
    let monitor = flow.monitor();
    assert_eq!(flow.forward(FailsAtClose).await, Err(Broken));
    assert!(monitor.stats().failure.is_some());
}

/// Takes everything, and cannot be closed.
struct FailsAtClose;

impl Sink<u64> for FailsAtClose {
    type Error = Broken;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, _: u64) -> Result<(), Broken> {
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Err(Broken))
    }
}
