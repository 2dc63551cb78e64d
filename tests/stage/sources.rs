//! What stages take from iterators and streams, and how the streams that they are end.

use crate::support::settle;
use crate::support::stages::{adds_up, identity, queue, silent};
use futures::stream::FusedStream;
use futures::{FutureExt, StreamExt, stream};
use gen_stage::prelude::*;
use gen_stage::stage::{Reason, from_iter, from_stream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// Checks a stream of 0 to 4, in batches of 3 and 2.
async fn tells_its_size_and_its_end(mut read: impl FusedStream<Item = u64> + Unpin, form: &str) {
    assert!(!read.is_terminated(), "{form}");
    assert_eq!(read.size_hint(), (0, None), "{form}");
    assert_eq!(read.next().await, Some(0), "{form}");
    let (least, most) = read.size_hint();
    assert!((2..=4).contains(&least) && most.is_none_or(|most| most >= 4), "{form}: {least}, {most:?}");
    assert!(!read.is_terminated(), "{form}");
    for n in 1..5 {
        assert_eq!(read.next().await, Some(n), "{form}");
    }
    assert_eq!(read.size_hint().0, 0, "{form}");
    assert_eq!(read.next().await, None, "{form}");
    assert!(read.is_terminated(), "{form}");
    assert_eq!(read.size_hint(), (0, Some(0)), "{form}");
    for _ in 0..3 {
        assert_eq!(read.next().now_or_never(), Some(None), "{form}: it stays ended");
    }
}

#[tokio::test]
async fn streams_tell_their_size_and_stay_ended() {
    let numbers = from_iter(0..5).stage().spawn();
    tells_its_size_and_its_end(numbers.subscribe().demand(6, 3).await.unwrap(), "from_iter").await;
    let numbers = from_stream(stream::iter(0..5)).stage().spawn();
    tells_its_size_and_its_end(numbers.subscribe().demand(6, 3).await.unwrap(), "from_stream").await;
    tells_its_size_and_its_end(from_iter(0..5).into_stream().demand(6, 3), "alone").await;
    let through = from_iter(0..5).into_stream().demand(6, 3).through(identity()).demand(6, 3);
    tells_its_size_and_its_end(through, "through").await;
}

#[tokio::test]
async fn fallible_streams_stay_ended() {
    let numbers = from_iter(0..2).stage().spawn();
    let mut read = numbers.subscribe().await.unwrap().fallible();
    assert!(matches!(read.next_batch().await, Some(Ok(batch)) if batch == [0, 1]));
    assert!(read.next_batch().await.is_none() && read.next().await.is_none());
    let failing = from_iter((0..).inspect(|n| crate::support::seven(*n)));
    let mut alone = failing.into_stream().demand(7, 0).fallible();
    for n in 0..7 {
        assert!(matches!(alone.next().await, Some(Ok(got)) if got == n));
    }
    assert!(matches!(alone.next().await, Some(Err(Reason::Panicked(_)))));
    for _ in 0..3 {
        assert!(alone.next().await.is_none());
    }
}

#[tokio::test]
async fn what_a_source_had_sent_before_its_early_end_is_read() {
    // Cleanly: as the end of the stream.
    let producer = silent().stage().spawn();
    let mut read = producer.subscribe().demand(10, 5).await.unwrap();
    assert_eq!(read.next().now_or_never(), None);
    settle().await;
    queue(&producer, [1, 2, 3]).await;
    producer.shutdown().await;
    assert_eq!(read.by_ref().collect::<Vec<_>>().await, [1, 2, 3]);
    assert!(matches!(read.end(), Some(Reason::Shutdown)));
    adds_up(producer.counts(), "the producer");
    // Through a stage.
    let producer = silent().stage().spawn();
    let same = identity().stage().subscribe_to(producer.subscribe().demand(10, 5)).spawn();
    settle().await;
    queue(&producer, [1, 2, 3, 4, 5, 6]).await;
    producer.shutdown().await;
    settle().await;
    assert!(same.status().await.is_ok(), "it has items yet to hand out");
    let read: Vec<u64> = same.subscribe().demand(2, 0).await.unwrap().collect().await;
    assert_eq!(read, [1, 2, 3, 4, 5, 6]);
    assert!(matches!(same.wait().await, Reason::Shutdown));
    adds_up(same.counts(), "the one between");
}

#[tokio::test]
async fn iterators_are_taken_from_as_asked_and_never_behind_their_end() {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    let mut left = 5_u64;
    let mut over = false;
    let items = std::iter::from_fn(move || {
        assert!(!over, "an iterator that has ended is left alone");
        counted.fetch_add(1, Ordering::SeqCst);
        over = left == 0;
        (left > 0).then(|| {
            left -= 1;
            left
        })
    });
    let mut read = from_iter(items).into_stream().demand(2, 0);
    assert_eq!(taken.load(Ordering::SeqCst), 0);
    assert_eq!(read.next().await, Some(4));
    assert_eq!(taken.load(Ordering::SeqCst), 2);
    assert_eq!(read.by_ref().collect::<Vec<_>>().await, [3, 2, 1, 0]);
    assert_eq!(taken.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn a_stream_is_not_polled_behind_its_end_nor_without_demand() {
    let mut left = 3_u64;
    let mut over = false;
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = polls.clone();
    let items = stream::poll_fn(move |_| {
        assert!(!over, "a stream that has ended is left alone");
        counted.fetch_add(1, Ordering::SeqCst);
        over = left == 0;
        left = left.saturating_sub(1);
        Poll::Ready((!over).then_some(left))
    });
    let numbers = from_stream(items).stage().spawn();
    settle().await;
    assert_eq!(polls.load(Ordering::SeqCst), 0);
    let one = numbers.subscribe().demand(1, 0).await.unwrap();
    assert_eq!(one.collect::<Vec<_>>().await, [2, 1, 0]);
    assert_eq!(polls.load(Ordering::SeqCst), 4);
    // The stage drops it with itself.
    assert!(matches!(numbers.wait().await, Reason::Normal));
}

#[tokio::test]
#[should_panic(expected = "its demand must be said before the stream is read from")]
async fn the_demand_of_a_stage_read_alone_is_said_before_it_is_read() {
    let mut numbers = from_iter(0..3).into_stream();
    numbers.next().await;
    let _ = numbers.demand(2, 0);
}
