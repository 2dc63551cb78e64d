//! Stages as streams and sinks, with and without tasks, and what their handles hold.

use crate::common::{Alive, Watched, settle};
use crate::probes::{Collect, Log, Origin, Repeat, adds_up, queue, status, until};
use futures::channel::mpsc;
use futures::stream::{self, BoxStream, FusedStream};
use futures::{FutureExt, Sink, SinkExt, StreamExt};
use gen_stage::dispatch::Broadcast;
use gen_stage::prelude::*;
use gen_stage::stage::{
    CastError, Control, IntoSink, Output, Reason, Reply, StageError, Upstream, from_iter, from_sink,
    from_stream,
};
use std::panic::{AssertUnwindSafe, panic_any};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
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
            numbers.through(Repeat::new(1)).demand(max, min).boxed()
        }
        "stages" => {
            let numbers = from_stream(source).stage().spawn();
            let same = Repeat::new(1).stage().subscribe_to(numbers.subscribe().demand(max, min)).spawn();
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
    assert_eq!(writer.wait().await.to_string(), "panicked: seven");
    let items: Vec<u64> = record.items.all();
    assert_eq!(items, (0..items.len() as u64).collect::<Vec<_>>());
    assert_eq!(record.closed.load(Ordering::SeqCst), 0);
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
            items.iter().for_each(|n| crate::common::seven(*n));
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
    let through = from_iter(0..5).into_stream().demand(6, 3).through(Repeat::new(1)).demand(6, 3);
    tells_its_size_and_its_end(through, "through").await;
}

#[tokio::test]
async fn fallible_streams_stay_ended() {
    let numbers = from_iter(0..2).stage().spawn();
    let mut read = numbers.subscribe().await.unwrap().fallible();
    assert!(matches!(read.next_batch().await, Some(Ok(batch)) if batch == [0, 1]));
    assert!(read.next_batch().await.is_none() && read.next().await.is_none());
    let failing = from_iter((0..).inspect(|n| crate::common::seven(*n)));
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
    let producer = Origin::silent().stage().spawn();
    let mut read = producer.subscribe().demand(10, 5).await.unwrap();
    assert_eq!(read.next().now_or_never(), None);
    settle().await;
    queue(&producer, [1, 2, 3]).await;
    producer.shutdown().await;
    assert_eq!(read.by_ref().collect::<Vec<_>>().await, [1, 2, 3]);
    assert!(matches!(read.end(), Some(Reason::Shutdown)));
    adds_up(producer.counts(), "the producer");
    // Through a stage.
    let producer = Origin::silent().stage().spawn();
    let same = Repeat::new(1).stage().subscribe_to(producer.subscribe().demand(10, 5)).spawn();
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

// Sinks.

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
    let origin = Origin::counting();
    let producer = origin.clone().stage().spawn();
    let writer = from_sink(sink).stage().subscribe_to(producer.subscribe().demand(2, 0)).spawn();
    assert_eq!(writer.wait().await.to_string(), "failed: full");
    assert_eq!(record.items.all(), [0, 1, 2]);
    assert_eq!(record.closed.load(Ordering::SeqCst), 0, "it is not closed as if all were well");
    assert_eq!(record.alive.load(Ordering::SeqCst), 0);
    settle().await;
    assert_eq!(origin.ends.all(), [(true, "failed: full".to_owned())]);
    assert!(status(&producer).await.consumers.is_empty());
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

/// A consumer for sinks: keeps what it gets, and ends as it is told to.
#[derive(Clone, Default)]
struct Basket {
    got: Log<Vec<u64>>,
    terminated: Log<String>,
    alive: Arc<AtomicUsize>,
    /// Never returns from its first batch.
    stuck: bool,
}

struct Carrier {
    basket: Basket,
    _alive: Alive,
}

impl Basket {
    fn carrier(&self) -> Carrier {
        Carrier { basket: self.clone(), _alive: Alive::new(&self.alive) }
    }

    fn items(&self) -> Vec<u64> {
        self.got.all().concat()
    }

    fn sink(&self, max: usize, min: usize) -> IntoSink<u64> {
        self.carrier().into_sink().demand(max, min)
    }
}

/// Fails it.
const BAD: u64 = 1_000_001;
/// Makes it panic.
const PANIC: u64 = 1_000_002;
/// Stops it cleanly.
const ENOUGH: u64 = 1_000_003;
/// Makes it cancel its subscription.
const CANCEL: u64 = 1_000_004;

impl Consumer for Carrier {
    type Input = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        from: &Upstream,
        stage: &mut Control,
    ) -> Result<(), StageError> {
        self.basket.got.push(items.clone());
        if self.basket.stuck {
            std::future::pending::<()>().await;
        }
        for item in items {
            match item {
                BAD => return Err("bad".into()),
                PANIC => panic_any("panic"),
                ENOUGH => stage.stop(Reason::shutdown_for("enough")),
                CANCEL => from.cancel(Reason::shutdown_for("not you")),
                _ => {}
            }
        }
        Ok(())
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.basket.terminated.push(reason.to_string());
    }
}

#[tokio::test]
async fn a_consumer_as_a_sink_gets_everything_and_ends_when_it_is_closed() {
    for (max, min) in [(1, 0), (2, 1), (10, 5), (10, 0), (1000, 500)] {
        for items in [0, 1, 2, 9, 10, 11, 3000] {
            let basket = Basket::default();
            stream::iter(0..items).map(Ok).forward(basket.sink(max, min)).await.unwrap();
            assert_eq!(basket.items(), (0..items).collect::<Vec<_>>(), "{max}/{min}");
            assert!(basket.got.all().iter().all(|batch| batch.len() <= max - min), "{max}/{min}");
            assert_eq!(basket.terminated.all(), ["normal"], "{max}/{min}, {items}");
            assert_eq!(basket.alive.load(Ordering::SeqCst), 0);
        }
    }
}

#[tokio::test]
async fn a_sink_is_ready_while_its_consumer_wants_items_and_no_longer() {
    let basket = Basket { stuck: true, ..Basket::default() };
    let mut sink = spawn(basket.sink(4, 2));
    let mut sent = 0;
    while let Poll::Ready(ready) = sink.enter(|cx, sink| sink.poll_ready(cx)) {
        ready.unwrap();
        sink.start_send_unpin(sent).unwrap();
        sent += 1;
        assert!(sent <= 4, "no more than was asked for");
    }
    assert_eq!(sent, 4);
    assert_eq!(basket.items(), [0, 1], "it is stuck in its first batch");
    assert!(sink.enter(|cx, sink| sink.poll_flush(cx)).is_pending());
    assert!(sink.enter(|cx, sink| sink.poll_close(cx)).is_pending());
    assert_eq!(basket.alive.load(Ordering::SeqCst), 1);
    drop(sink);
    assert_eq!(basket.alive.load(Ordering::SeqCst), 0);
    assert!(basket.terminated.is_empty(), "it is dropped as it is");
}

#[tokio::test]
async fn flushing_a_sink_hands_everything_over() {
    let basket = Basket::default();
    let mut sink = basket.sink(100, 50);
    for n in 0..3 {
        sink.feed(n).await.unwrap();
    }
    assert!(basket.got.is_empty(), "a batch is not full yet");
    sink.flush().await.unwrap();
    assert_eq!(basket.got.all(), [[0, 1, 2]]);
    sink.send(3).await.unwrap();
    assert_eq!(basket.items(), [0, 1, 2, 3]);
    sink.flush().await.unwrap();
    sink.close().await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(basket.terminated.all(), ["normal"]);
    assert!(matches!(sink.send(4).await, Err(Reason::Normal)), "it has been closed");
}

#[tokio::test]
async fn a_sink_that_was_never_used_can_be_flushed_closed_and_dropped() {
    let basket = Basket::default();
    drop(basket.sink(2, 0));
    assert_eq!(basket.alive.load(Ordering::SeqCst), 0);
    assert!(basket.terminated.is_empty());
    let mut sink = basket.sink(2, 0);
    sink.flush().await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(basket.terminated.all(), ["normal"]);
    basket.sink(2, 0).close().await.unwrap();
    assert_eq!(basket.terminated.len(), 2);
    assert!(basket.got.is_empty());
}

#[tokio::test]
async fn a_sink_fails_with_the_reason_its_consumer_ended_with_and_stays_so() {
    for (item, expected) in [(BAD, "failed: bad"), (PANIC, "panicked: panic"), (ENOUGH, "shutdown: enough")] {
        let basket = Basket::default();
        let mut sink = basket.sink(2, 0);
        let error = sink.send(item).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(sink.send(1).await.unwrap_err().to_string(), expected);
        assert_eq!(sink.flush().await.unwrap_err().to_string(), expected);
        assert_eq!(sink.close().await.unwrap_err().to_string(), expected);
        assert_eq!(basket.items(), [item]);
        assert_eq!(basket.terminated.all(), [expected]);
        assert_eq!(basket.alive.load(Ordering::SeqCst), 0, "it is dropped as soon as it has ended");
        // Forwarding stops there.
        let basket = Basket::default();
        let items = [1, 2, item, 3, 4, 5, 6, 7, 8, 9];
        let forwarded = stream::iter(items).map(Ok).forward(basket.sink(1, 0)).await;
        assert_eq!(forwarded.unwrap_err().to_string(), expected);
        assert_eq!(basket.items(), [1, 2, item]);
    }
}

#[tokio::test]
async fn a_consumer_that_cancels_its_sink_ends_as_one_that_cancels_its_producer() {
    // With a producer: it ends, by its cancel mode, for that reason.
    let basket = Basket::default();
    let numbers = from_iter([CANCEL]).chain_for_ever();
    let consumer = basket.carrier().stage().subscribe_to(numbers.subscribe().demand(1, 0)).spawn();
    assert_eq!(consumer.wait().await.to_string(), "shutdown: not you");
    assert_eq!(basket.terminated.all(), ["shutdown: not you"]);
    // With a sink in front of it.
    let basket = Basket::default();
    let mut sink = basket.sink(2, 0);
    let error = sink.send(CANCEL).await.unwrap_err();
    assert_eq!(error.to_string(), "shutdown: not you");
    assert_eq!(basket.terminated.all(), ["shutdown: not you"]);
}

/// A producer that goes on after its items.
trait ChainForEver {
    fn chain_for_ever(self) -> gen_stage::stage::ProducerHandle<u64>;
}

impl<I: Iterator<Item = u64> + Send + 'static> ChainForEver for gen_stage::stage::FromIter<I> {
    fn chain_for_ever(self) -> gen_stage::stage::ProducerHandle<u64> {
        from_stream(self.into_stream().chain(stream::pending())).stage().spawn()
    }
}

#[tokio::test]
#[should_panic(expected = "start_send on a sink that has not said that it is ready")]
async fn a_sink_that_is_not_ready_takes_nothing() {
    let _ = Pin::new(&mut Basket::default().sink(1, 0)).start_send(1);
}

#[tokio::test]
#[should_panic(expected = "the demand of a sink must be said before it is used")]
async fn the_demand_of_a_sink_is_said_before_it_is_used() {
    let mut sink = Basket::default().sink(1, 0);
    sink.flush().await.unwrap();
    let _ = sink.demand(2, 0);
}

#[tokio::test]
#[should_panic(expected = "its demand must be said before the stream is read from")]
async fn the_demand_of_a_stage_read_alone_is_said_before_it_is_read() {
    let mut numbers = from_iter(0..3).into_stream();
    numbers.next().await;
    let _ = numbers.demand(2, 0);
}

#[test]
#[should_panic(expected = "a stage needs a tokio runtime")]
fn a_stage_is_not_spawned_outside_of_a_runtime() {
    from_iter(0..3).stage().spawn();
}

#[test]
fn a_stage_can_be_spawned_from_outside_on_a_named_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let numbers = from_iter(0..3).stage().on(runtime.handle().clone()).spawn();
    let read = runtime.block_on(async { numbers.subscribe().await.unwrap().collect::<Vec<_>>().await });
    assert_eq!(read, [0, 1, 2]);
}

#[test]
fn what_has_no_task_needs_no_runtime() {
    futures::executor::block_on(async {
        let basket = Basket::default();
        let doubled = Repeat::new(2).through(stream::iter(0..100));
        doubled.map(Ok).forward(basket.sink(7, 3)).await.unwrap();
        assert_eq!(basket.items(), (0..100).flat_map(|n| [n, n]).collect::<Vec<_>>());
    });
}

#[tokio::test]
async fn a_stage_run_by_hand_beside_its_readers() {
    let (numbers, driver) = from_stream(stream::iter(0..100)).stage().into_parts();
    let (same, between) = Repeat::new(1).stage().subscribe_to(numbers.subscribe().demand(7, 3)).into_parts();
    let collect = Collect::default();
    let (consumer, last) = collect.clone().stage().subscribe_to(same.subscribe().demand(10, 0)).into_parts();
    let waiting = async {
        assert!(matches!(consumer.wait().await, Reason::Normal));
    };
    futures::join!(driver, between, last, waiting);
    assert_eq!(collect.items(), (0..100).collect::<Vec<_>>());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test]
async fn dropping_a_driver_that_was_never_polled_ends_its_stage() {
    let (numbers, driver) = Origin::counting().stage().into_parts();
    let mut subscribing = Box::pin(numbers.subscribe().into_future());
    assert!(subscribing.as_mut().now_or_never().is_none());
    drop(driver);
    assert!(subscribing.await.is_err());
    assert!(matches!(numbers.wait().await, Reason::Aborted));
    assert!(numbers.status().await.is_err());
}

// Messages.

/// A stage that waits to be let on.
struct Slow(Log<u8>, Arc<tokio::sync::Semaphore>);

impl Producer<u8> for Slow {
    type Item = u64;

    async fn handle_demand(&mut self, _: usize, _: &mut Output<u64, u8>) -> Result<(), StageError> {
        Ok(())
    }

    async fn handle_message(&mut self, message: u8, _: &mut Output<u64, u8>) -> Result<(), StageError> {
        self.1.acquire().await?.forget();
        self.0.push(message);
        Ok(())
    }
}

#[tokio::test]
async fn a_mailbox_takes_so_many_messages_and_no_more() {
    let (got, gate) = (Log::default(), Arc::new(tokio::sync::Semaphore::new(0)));
    let slow = Slow(got.clone(), gate.clone()).stage().mailbox_size(2).spawn();
    // One is being handled, two are waiting.
    slow.cast(0).await.unwrap();
    settle().await;
    slow.cast(1).await.unwrap();
    slow.try_cast(2).unwrap();
    let Err(CastError::Full(3)) = slow.try_cast(3) else { panic!("it is full") };
    let mut third = spawn(slow.cast(3));
    let mut fourth = spawn(slow.info(4));
    assert!(third.poll().is_pending() && fourth.poll().is_pending());
    // Other letters are not messages.
    assert!(slow.subscribe().into_future().now_or_never().is_none());
    gate.add_permits(1);
    settle().await;
    assert_eq!(got.all(), [0]);
    assert!(third.is_woken() && !fourth.is_woken(), "a place for one");
    assert!(matches!(third.poll(), Poll::Ready(Ok(()))));
    drop(fourth);
    gate.add_permits(10);
    settle().await;
    assert_eq!(got.all(), [0, 1, 2, 3]);
    for n in 4..10 {
        slow.cast(n).await.unwrap();
        settle().await;
    }
    assert_eq!(got.len(), 10);
}

#[tokio::test]
async fn casts_that_wait_for_a_place_get_their_message_back_when_the_stage_ends() {
    let slow = Slow(Log::default(), Arc::new(tokio::sync::Semaphore::new(0))).stage().mailbox_size(1).spawn();
    slow.cast(0).await.unwrap();
    settle().await;
    slow.cast(1).await.unwrap();
    let mut waiting: Vec<_> = (2..5).map(|n| spawn(slow.cast(n))).collect();
    assert!(waiting.iter_mut().all(|cast| cast.poll().is_pending()));
    slow.abort();
    settle().await;
    for (cast, n) in waiting.iter_mut().zip(2..) {
        // One after the other gets a place in a mailbox that nobody reads any more.
        let Poll::Ready(Err(CastError::Ended(message))) = cast.poll() else { panic!("it has ended") };
        assert_eq!(message, n);
    }
}

// Consumers that come and go, and what holds a stage.

#[tokio::test]
async fn consumers_come_and_go_while_a_stage_runs() {
    let origin = Origin::counting();
    let producer = origin.clone().stage().spawn();
    let mut seen = Vec::new();
    for round in 0..20 {
        let collects = [Collect::default(), Collect::default(), Collect::default()];
        let handles = collects
            .each_ref()
            .map(|c| c.clone().stage().subscribe_to(producer.subscribe().demand(8, 4)).spawn());
        until("all have some", || collects.iter().all(|each| each.batches.len() > round % 3)).await;
        for handle in handles {
            if round % 2 == 0 { drop(handle) } else { drop(handle.shutdown().await) }
        }
        settle().await;
        assert!(status(&producer).await.consumers.is_empty(), "round {round}");
        seen.extend(collects.iter().flat_map(Collect::items));
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count, "nothing came twice");
    assert_eq!(origin.ends.len(), 60);
    producer.shutdown().await;
    let counts = producer.counts();
    assert_eq!(counts.taken, count as u64);
    adds_up(counts, "the producer");
}

#[tokio::test]
async fn a_consumer_changes_its_producers_while_it_runs() {
    let collect = Collect::default();
    let consumer = collect.clone().stage().spawn();
    for from in [0, 100, 200] {
        let numbers = from_iter(from..from + 10).stage().spawn();
        consumer.subscribe_to(numbers.subscribe().demand(4, 2).transient()).await.unwrap();
        numbers.wait().await;
    }
    settle().await;
    assert_eq!(collect.items(), (0..10).chain(100..110).chain(200..210).collect::<Vec<_>>());
    assert!(consumer.status().await.unwrap().producers.is_empty());
    assert_eq!(collect.ends.len(), 3);
    // A stage that has ended subscribes to nothing.
    consumer.shutdown().await;
    let numbers = from_iter(0..).stage().spawn();
    let refused = consumer.subscribe_to(numbers.subscribe()).await;
    assert!(matches!(refused, Err(gen_stage::stage::SubscribeError::ConsumerGone)));
    settle().await;
    assert!(numbers.status().await.unwrap().consumers.is_empty());
}

#[tokio::test]
async fn holding_the_last_stage_holds_all_and_dropping_it_drops_all() {
    let watched = Watched::new();
    let numbers = from_stream(watched.endless()).stage().spawn();
    let same = Repeat::new(1).stage().subscribe_to(numbers.subscribe().demand(4, 2)).spawn();
    let collect = Collect::default();
    let consumer = collect.clone().stage().subscribe_to(same.subscribe().demand(4, 2)).spawn();
    let clone = consumer.clone();
    drop((numbers, same, consumer));
    until("it runs", || collect.items().len() >= 100).await;
    assert!(watched.is_alive());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 3);
    drop(clone);
    settle().await;
    assert!(!watched.is_alive());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test]
async fn a_pipeline_whose_subscription_is_not_yet_made_is_held_by_it() {
    let watched = Watched::new();
    let numbers = from_stream(watched.endless()).stage().spawn();
    let planned = numbers.subscribe();
    drop(numbers);
    settle().await;
    assert!(watched.is_alive(), "somebody is about to subscribe");
    drop(planned);
    settle().await;
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn an_address_holds_nothing() {
    let origin = Origin::silent();
    let producer = origin.clone().stage().spawn();
    let address = producer.address();
    settle().await;
    drop(producer);
    settle().await;
    let late = address.call(|reply: Reply<()>| crate::probes::queue_of([1], reply)).await;
    assert!(late.is_err());
    assert!(origin.terminated.is_empty(), "it was aborted");
}

#[tokio::test]
async fn a_detached_stage_lives_until_it_ends_by_itself() {
    let (sender, mut receiver) = mpsc::unbounded();
    let (sink_alive, watched) = (Arc::new(AtomicUsize::new(0)), Watched::new());
    let counted = Alive::new(&sink_alive);
    let sink = sender.with(move |n: u64| {
        let _ = &counted;
        futures::future::ready(Ok::<_, mpsc::SendError>(n))
    });
    let numbers = from_stream(watched.endless()).stage().spawn();
    from_sink(sink).stage().subscribe_to(numbers.subscribe().demand(2, 0)).spawn().detach();
    let clone = numbers.clone();
    numbers.detach();
    drop(clone);
    for n in 0..100 {
        assert_eq!(receiver.next().await, Some(n));
    }
    assert!(watched.is_alive());
    // The writer fails; the producer, detached as well, waits for another for ever.
    drop(receiver);
    until("the writer has ended", || sink_alive.load(Ordering::SeqCst) == 0).await;
    settle().await;
    assert!(watched.is_alive());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 1);
}

#[tokio::test]
async fn several_readers_of_one_broadcast_come_and_go() {
    let watched = Watched::new();
    let numbers = from_stream(watched.endless()).spawn(Broadcast::new());
    let mut first = numbers.subscribe().demand(5, 0).await.unwrap();
    assert_eq!(first.next_batch().await, Some(vec![0, 1, 2, 3, 4]));
    let mut second = numbers.subscribe().demand(3, 0).await.unwrap();
    let (one, two) = futures::join!(first.next_batch(), second.next_batch());
    assert_eq!((one, two), (Some(vec![5, 6, 7]), Some(vec![5, 6, 7])));
    drop(first);
    let mut third = numbers.subscribe().demand(2, 0).await.unwrap();
    let (two, three) = futures::join!(second.next_batch(), third.next_batch());
    let (two, three) = (two.unwrap(), three.unwrap());
    assert_eq!(two[..2], three[..2], "both get the same from where both were there");
    drop((second, third));
    settle().await;
    assert!(watched.is_alive(), "the handle holds it");
    drop(numbers);
    settle().await;
    assert!(!watched.is_alive());
}
