//! Consumers as sinks.

use crate::support::Alive;
use crate::support::stages::{Log, why};
use futures::{Sink, SinkExt, StreamExt, stream};
use gen_stage::prelude::*;
use gen_stage::stage::{Control, IntoSink, Reason, StageError, Upstream, from_iter, from_stream};
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use tokio_test::task::spawn;

/// A consumer for sinks: keeps what it gets, and ends as it is told to.
#[derive(Clone, Default)]
pub(super) struct Basket {
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

    pub(super) fn items(&self) -> Vec<u64> {
        self.got.all().concat()
    }

    pub(super) fn sink(&self, max: usize, min: usize) -> IntoSink<u64> {
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
        self.basket.terminated.push(why(reason));
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
        assert_eq!(why(&error), expected);
        assert_eq!(why(&sink.send(1).await.unwrap_err()), expected);
        assert_eq!(why(&sink.flush().await.unwrap_err()), expected);
        assert_eq!(why(&sink.close().await.unwrap_err()), expected);
        assert_eq!(basket.items(), [item]);
        assert_eq!(basket.terminated.all(), [expected]);
        assert_eq!(basket.alive.load(Ordering::SeqCst), 0, "it is dropped as soon as it has ended");
        // Forwarding stops there.
        let basket = Basket::default();
        let items = [1, 2, item, 3, 4, 5, 6, 7, 8, 9];
        let forwarded = stream::iter(items).map(Ok).forward(basket.sink(1, 0)).await;
        assert_eq!(why(&forwarded.unwrap_err()), expected);
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

impl<I: Iterator<Item = u64> + Send + 'static> ChainForEver for gen_stage::stage::adapters::FromIter<I> {
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
