use crate::support::{Watched, counting, numbers, settle, seven, sorted};
use futures::channel::mpsc;
use futures::{FutureExt, SinkExt, StreamExt, sink};
use std::panic::AssertUnwindSafe;

#[tokio::test]
async fn everything_goes_into_the_sink_which_is_then_closed() {
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
async fn a_panic_in_a_lane_reaches_whoever_awaits() {
    let forwarding = counting(10).inspect(|n| seven(*n)).forward(sink::drain());
    let caught = AssertUnwindSafe(forwarding).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
}
