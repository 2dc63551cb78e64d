use crate::support::{Live, Lives, Watched, counting, finisher_suite, numbers, seven, sorted};
use futures::FutureExt;
use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc;
use tokio::task::yield_now;

finisher_suite!(
    u64,
    |flow, _| async {
        let (sender, seen) = mpsc::channel();
        let running = flow.for_each_async(3, move |n| {
            let sender = sender.clone();
            async move {
                yield_now().await;
                sender.send(n).unwrap();
            }
        });
        running.await;
        sorted(seen.try_iter())
    },
    |items| items,
    a_flow_that_was_begun_is_refused("be extended"),
    a_panic_in_its_closure_reaches_whoever_awaits(|flow| flow.for_each_async(5, |n| {
        seven(n);
        ready(())
    })),
);

#[tokio::test]
async fn a_panic_in_a_future_reaches_whoever_awaits() {
    let watched = Watched::new();
    let running = numbers(watched.endless()).for_each_async(5, |n| async move {
        yield_now().await;
        seven(n);
    });
    let caught = AssertUnwindSafe(running).catch_unwind().await;
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seven"));
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn no_more_futures_than_there_is_room_for_are_in_flight() {
    let lives = Lives::new();
    let of_lives = lives.clone();
    let running = counting(1000).lanes(3).for_each_async(5, move |n| {
        let live = Live::new(n, &of_lives);
        async move {
            if live.n % 2 == 0 {
                yield_now().await;
            }
        }
    });
    running.await;
    assert_eq!(lives.now(), 0);
    assert!((1..=5).contains(&lives.peak()), "{} futures were in flight", lives.peak());
}

#[test]
#[should_panic(expected = "for_each_async needs room for at least 1 future in flight, given 0")]
fn for_each_async_without_room_is_refused() {
    drop(counting(1).for_each_async(0, |_| ready(())));
}
