//! Sinks as consumers.

use crate::support::stages::{Log, count, why};
use crate::support::{Alive, Watched, settle};
use futures::channel::mpsc;
use futures::{Sink, StreamExt, stream};
use gen_stage::prelude::*;
use gen_stage::stage::{Reason, StageError, from_iter, from_sink, from_stream};
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

#[tokio::test]
async fn a_panic_of_the_source_ends_the_writer_into_a_sink_and_does_not_close_it() {
    let numbers = from_stream(stream::iter(0..).inspect(|n| {
        if *n == 7 {
            panic_any("seven")
        }
    }))
    .stage()
    .spawn();
    let (sink, record) = recording(usize::MAX);
    let writer = from_sink(sink).stage().subscribe_to(numbers.subscribe().demand(2, 0)).spawn();
    assert_eq!(why(&writer.wait().await), "panicked: seven");
    let items: Vec<u64> = record.items.all();
    assert_eq!(items, (0..items.len() as u64).collect::<Vec<_>>());
    assert_eq!(record.closed.load(Ordering::SeqCst), 0);
}

/// What has come to a sink.
#[derive(Clone, Default)]
struct Record {
    items: Log<u64>,
    flushed: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
}

/// A sink that fails when it is given more than so many items.
struct Recording {
    record: Record,
    room: usize,
    _alive: Alive,
}

fn recording(room: usize) -> (Recording, Record) {
    let record = Record::default();
    (Recording { _alive: Alive::new(&record.alive), record: record.clone(), room }, record)
}

impl Sink<u64> for Recording {
    type Error = StageError;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), StageError>> {
        Poll::Ready(if self.record.items.len() < self.room { Ok(()) } else { Err("full".into()) })
    }

    fn start_send(self: Pin<&mut Self>, item: u64) -> Result<(), StageError> {
        self.record.items.push(item);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), StageError>> {
        self.record.flushed.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), StageError>> {
        self.record.closed.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn from_sink_flushes_each_batch_and_closes_at_a_clean_end() {
    for items in [0, 1, 2, 5] {
        let (sink, record) = recording(usize::MAX);
        let numbers = from_iter(0..items).stage().spawn();
        let writer = from_sink(sink).stage().subscribe_to(numbers.subscribe().demand(2, 0)).spawn();
        assert!(matches!(writer.wait().await, Reason::Normal));
        assert_eq!(record.items.all(), (0..items).collect::<Vec<_>>());
        assert_eq!(record.flushed.load(Ordering::SeqCst) as u64, items.div_ceil(2));
        assert_eq!(record.closed.load(Ordering::SeqCst), 1);
        assert_eq!(record.alive.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn from_sink_ends_with_the_error_of_its_sink_and_its_producer_lives_on() {
    let (sink, record) = recording(3);
    let source = count(0);
    let log = source.log();
    let producer = source.stage().spawn();
    let writer = from_sink(sink).stage().subscribe_to(producer.subscribe().demand(2, 0)).spawn();
    assert_eq!(why(&writer.wait().await), "failed: full");
    assert_eq!(record.items.all(), [0, 1, 2]);
    assert_eq!(record.closed.load(Ordering::SeqCst), 0, "it is not closed as if all were well");
    assert_eq!(record.alive.load(Ordering::SeqCst), 0);
    settle().await;
    assert_eq!(log.left(), ["down failed: full"]);
    assert!(producer.status().await.unwrap().consumers.is_empty());
}

#[tokio::test]
async fn from_sink_waits_for_a_slow_sink_and_takes_no_more_meanwhile() {
    let watched = Watched::new();
    let numbers = from_stream(watched.endless()).stage().spawn();
    let (sender, mut receiver) = mpsc::channel(0);
    let writer = from_sink(sender).stage().subscribe_to(numbers.subscribe().demand(4, 2)).spawn();
    settle().await;
    let taken = watched.taken();
    settle().await;
    assert_eq!((taken, watched.taken()), (4, 4));
    assert_eq!(receiver.next().await, Some(0));
    drop(receiver);
    // The sink is gone, and the writer fails.
    assert!(matches!(writer.wait().await, Reason::Failed(_)));
}
