//! Streams of numbers read through stages, in all forms.

use crate::support::stages::identity;
use crate::support::{Watched, settle};
use futures::channel::mpsc;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use gen_stage::prelude::*;
use gen_stage::stage::{Output, Reason, StageError, Upstream, from_sink, from_stream};
use std::panic::{AssertUnwindSafe, panic_any};
use std::task::Poll;
use tokio_test::task::spawn;

type Numbers = BoxStream<'static, u64>;

/// The ways to read a stream of numbers through stages.
const FORMS: [&str; 5] = ["subscription", "alone", "through", "stages", "into a sink"];

async fn through_form(form: &str, source: Numbers, max: usize, min: usize) -> Numbers {
    match form {
        "subscription" => {
            from_stream(source).stage().spawn().subscribe().demand(max, min).await.unwrap().boxed()
        }
        "alone" => from_stream(source).into_stream().demand(max, min).boxed(),
        "through" => {
            let numbers = from_stream(source).into_stream().demand(max, min);
            numbers.through(identity()).demand(max, min).boxed()
        }
        "stages" => {
            let numbers = from_stream(source).stage().spawn();
            let same = identity().stage().subscribe_to(numbers.subscribe().demand(max, min)).spawn();
            same.subscribe().demand(max, min).await.unwrap().boxed()
        }
        "into a sink" => {
            let numbers = from_stream(source).stage().spawn();
            let (sender, receiver) = mpsc::channel(0);
            let writer = from_sink(sender).stage().subscribe_to(numbers.subscribe().demand(max, min)).spawn();
            // The writer lives as long as its reader.
            receiver
                .chain(stream::poll_fn(move |_| {
                    let _ = &writer;
                    Poll::Ready(None)
                }))
                .boxed()
        }
        other => unreachable!("{other}"),
    }
}

#[tokio::test]
async fn all_items_come_in_order() {
    for form in FORMS {
        for (max, min) in [(1, 0), (2, 1), (10, 5), (10, 0), (1000, 500)] {
            for items in [0, 1, 2, 9, 10, 11, 3000] {
                let read = through_form(form, stream::iter(0..items).boxed(), max, min).await;
                let read: Vec<u64> = read.collect().await;
                assert_eq!(read, (0..items).collect::<Vec<_>>(), "{form}, {max}/{min}");
            }
        }
    }
}

#[tokio::test]
async fn a_source_that_waits_wakes_the_reader() {
    for form in FORMS {
        let (sender, receiver) = mpsc::unbounded();
        let mut read = spawn(through_form(form, receiver.boxed(), 10, 5).await);
        assert!(read.poll_next().is_pending());
        settle().await;
        assert!(read.poll_next().is_pending(), "{form}");
        settle().await;
        for n in 0..3 {
            sender.unbounded_send(n).unwrap();
            settle().await;
            assert!(read.is_woken(), "{form}: there is an item");
            // Without a task, a poll may be what moves it from stage to stage.
            let mut polled = read.poll_next();
            while polled.is_pending() && read.is_woken() {
                polled = read.poll_next();
            }
            assert_eq!(polled, Poll::Ready(Some(n)), "{form}: one is enough");
            while read.poll_next().is_pending() && read.is_woken() {}
            settle().await;
        }
        drop(sender);
        settle().await;
        assert!(read.is_woken(), "{form}: it has ended");
        let mut polled = read.poll_next();
        while polled.is_pending() && read.is_woken() {
            polled = read.poll_next();
        }
        assert_eq!(polled, Poll::Ready(None), "{form}");
    }
}

#[tokio::test]
async fn dropping_a_reader_in_the_middle_drops_the_source() {
    for form in FORMS {
        for read_first in [0, 1, 7, 100] {
            let watched = Watched::new();
            let mut read = through_form(form, watched.endless().boxed(), 10, 5).await;
            for n in 0..read_first {
                assert_eq!(read.next().await, Some(n));
            }
            assert!(watched.is_alive(), "{form}");
            drop(read);
            settle().await;
            assert!(!watched.is_alive(), "{form}, after {read_first}");
        }
    }
}

#[tokio::test]
async fn dropping_what_has_no_task_drops_the_source_at_once() {
    for form in ["alone", "through"] {
        let watched = Watched::new();
        let mut read = through_form(form, watched.endless().boxed(), 10, 5).await;
        assert_eq!(read.next().await, Some(0));
        drop(read);
        assert!(!watched.is_alive(), "{form}");
    }
}

#[tokio::test]
async fn what_is_not_read_is_not_run() {
    for form in ["subscription", "alone", "through"] {
        let watched = Watched::new();
        let read = through_form(form, watched.endless().boxed(), 10, 5).await;
        settle().await;
        assert_eq!(watched.taken(), 0, "{form}");
        drop(read);
    }
}

#[tokio::test]
async fn no_more_is_in_flight_than_was_asked_for() {
    for form in FORMS {
        for (max, min) in [(1, 0), (4, 2), (10, 0), (10, 9), (100, 50)] {
            let watched = Watched::new();
            let mut read = through_form(form, watched.endless().boxed(), max, min).await;
            let mut peak = 0;
            for n in 0..500 {
                assert_eq!(read.next().await, Some(n));
                settle_a_little().await;
                peak = peak.max(watched.taken() - n as usize);
            }
            let bound = match form {
                // In front of the stage between, in its buffer, and behind it.
                "through" | "stages" => 3 * max,
                // Two in the channel.
                "into a sink" => max + 2,
                _ => max,
            };
            assert!((max..=bound).contains(&peak), "{form}, {max}/{min}: {peak} items in flight");
        }
    }
}

async fn settle_a_little() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_panic_of_the_source_is_raised_in_the_reader() {
    for form in ["subscription", "alone", "through", "stages"] {
        let watched = Watched::new();
        let source = watched.endless().inspect(|n| {
            if *n == 7 {
                panic_any("seven")
            }
        });
        let mut read = through_form(form, source.boxed(), 4, 2).await;
        let mut got = Vec::new();
        let reading = async {
            while let Some(n) = read.next().await {
                got.push(n);
            }
        };
        let payload = AssertUnwindSafe(reading).catch_unwind().await.unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"seven"), "{form}");
        assert_eq!(got, (0..got.len() as u64).collect::<Vec<_>>(), "{form}");
        assert_eq!(read.next().await, None, "{form}: it stays ended");
        drop(read);
        settle().await;
        assert!(!watched.is_alive(), "{form}");
    }
}

#[tokio::test]
async fn a_panic_in_the_middle_stage_is_raised_in_the_reader() {
    struct Seven;
    impl ProducerConsumer for Seven {
        type Input = u64;
        type Item = u64;
        async fn handle_items(
            &mut self,
            items: Vec<u64>,
            _: &Upstream,
            out: &mut Output<u64>,
        ) -> Result<(), StageError> {
            items.iter().for_each(|n| crate::support::seven(*n));
            out.emit(items);
            Ok(())
        }
    }
    let watched = Watched::new();
    let read = from_stream(watched.endless()).into_stream().demand(2, 0).through(Seven).demand(2, 0);
    let payload = AssertUnwindSafe(read.collect::<Vec<_>>()).catch_unwind().await.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"seven"));
    assert!(!watched.is_alive());
    // As an item.
    let mut read = Seven.through(stream::iter(0..10)).fallible();
    let Some(Err(Reason::Panicked(panic))) = read.next().await else { panic!("it panics") };
    assert_eq!(panic.message(), "seven");
    assert!(read.next().await.is_none());
}
