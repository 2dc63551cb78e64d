//! Stages that record what happens to them.

use gen_stage::dispatch::Subscriber;
use gen_stage::prelude::*;
use gen_stage::stage::{
    Cancellation, Control, Output, ProducerHandle, Reason, Reply, StageError, Status, Upstream,
};
use std::fmt::Debug;
use std::future::pending;
use std::sync::{Arc, Mutex};

/// What was recorded, in order.
#[derive(Debug)]
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Log<T> {
    pub(crate) fn push(&self, entry: T) {
        self.0.lock().unwrap().push(entry);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Clone> Log<T> {
    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// The end of a subscription: whether the other side has ended, and why.
pub(crate) type Ending = (bool, String);

fn ending(end: &Cancellation) -> Ending {
    (end.is_down(), end.reason().to_string())
}

/// Tells an [`Origin`] to emit these, wanted or not.
pub(crate) struct Queue(Vec<u64>, Reply<()>);

pub(crate) fn queue_of(items: impl IntoIterator<Item = u64>, reply: Reply<()>) -> Queue {
    Queue(items.into_iter().collect(), reply)
}

/// A producer that counts from a number on, or that makes nothing of demand.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    next: Option<u64>,
    pub(crate) demands: Log<usize>,
    pub(crate) ends: Log<Ending>,
    pub(crate) terminated: Log<String>,
}

impl Origin {
    pub(crate) fn silent() -> Self {
        Self::default()
    }

    pub(crate) fn counting() -> Self {
        Self { next: Some(0), ..Self::default() }
    }
}

impl Producer<Queue> for Origin {
    type Item = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Output<u64, Queue>) -> Result<(), StageError> {
        self.demands.push(demand);
        if let Some(next) = &mut self.next {
            let from = *next;
            *next += demand as u64;
            out.extend(from..*next);
        }
        Ok(())
    }

    async fn handle_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<u64, Queue>,
    ) -> Result<(), StageError> {
        self.ends.push(ending(end));
        Ok(())
    }

    async fn handle_message(
        &mut self,
        Queue(items, reply): Queue,
        out: &mut Output<u64, Queue>,
    ) -> Result<(), StageError> {
        out.emit(items);
        out.reply(reply, ());
        Ok(())
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.terminated.push(reason.to_string());
    }
}

/// Makes an [`Origin`] emit these, and waits until it has.
pub(crate) async fn queue<O: Send + 'static>(
    origin: &ProducerHandle<u64, O, Queue>,
    items: impl IntoIterator<Item = u64>,
) {
    origin.call(|reply| queue_of(items, reply)).await.expect("it is alive");
}

/// The status of a producer that is alive.
pub(crate) async fn status<O: Send + 'static>(origin: &ProducerHandle<u64, O, Queue>) -> Status {
    origin.status().await.expect("it is alive")
}

/// A consumer that keeps what it gets; one that `blocks` never returns from its first batch.
#[derive(Clone, Default)]
pub(crate) struct Collect {
    pub(crate) batches: Log<Vec<u64>>,
    pub(crate) ends: Log<Ending>,
    pub(crate) terminated: Log<String>,
    pub(crate) blocks: bool,
}

impl Collect {
    pub(crate) fn blocking() -> Self {
        Self { blocks: true, ..Self::default() }
    }

    pub(crate) fn items(&self) -> Vec<u64> {
        self.batches.all().concat()
    }
}

impl Consumer for Collect {
    type Input = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        _: &mut Control,
    ) -> Result<(), StageError> {
        self.batches.push(items);
        if self.blocks {
            pending::<()>().await;
        }
        Ok(())
    }

    async fn handle_cancel(&mut self, end: &Cancellation, _: &mut Control) -> Result<(), StageError> {
        self.ends.push(ending(end));
        Ok(())
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.terminated.push(reason.to_string());
    }
}

/// A producer-consumer that says everything so many times.
#[derive(Clone)]
pub(crate) struct Repeat {
    pub(crate) times: usize,
    pub(crate) batches: Log<Vec<u64>>,
    pub(crate) consumers: Log<Subscriber>,
}

impl Repeat {
    pub(crate) fn new(times: usize) -> Self {
        Self { times, batches: Log::default(), consumers: Log::default() }
    }
}

impl ProducerConsumer for Repeat {
    type Input = u64;
    type Item = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        out: &mut Output<u64>,
    ) -> Result<(), StageError> {
        out.extend(items.iter().flat_map(|item| std::iter::repeat_n(*item, self.times)));
        self.batches.push(items);
        Ok(())
    }

    async fn handle_consumer(&mut self, consumer: Subscriber, _: &mut Output<u64>) -> Result<(), StageError> {
        self.consumers.push(consumer);
        Ok(())
    }
}

/// Waits until something is so, which it must become.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
        // It may be the turn of another runtime.
        std::thread::yield_now();
    }
    panic!("never: {what}");
}

/// Checks that every item is accounted for, of a stage that has ended with all who read from it.
#[track_caller]
pub(crate) fn adds_up(counts: gen_stage::stage::Counts, of: &str) {
    assert_eq!(counts.emitted, counts.sent + counts.discarded, "{of}: {counts:?}");
    assert_eq!(counts.sent, counts.taken + counts.undelivered, "{of}: {counts:?}");
}
