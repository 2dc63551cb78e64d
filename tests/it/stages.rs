//! Stages for tests. Each writes down in a [`Log`] what happens to it, and does what it is [told](Say).
//!
//! Producers: [`count`], [`silent`], [`echo_demand`]. Producer-consumers: [`identity`], [`double`], [`evens`],
//! [`dropping`], [`later`]. Consumers: [`collect`], [`block`]. A protocol spoken by hand is a
//! [`Subscription`] in manual mode, looked at with [`now`].
#![allow(dead_code, reason = "not every module of tests needs everything")]

use crate::common::settle;
use futures::FutureExt;
use gen_stage::dispatch::{Subscriber, SubscriptionId};
use gen_stage::prelude::*;
use gen_stage::stage::{
    Cancellation, Control, Mode, Output, Reason, Reply, StageError, Subscription, Upstream,
};
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex};

/// What a stage has seen, in the order it saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// `handle_demand` was called.
    Demand(usize),
    /// `handle_items` was called.
    Batch(Vec<u64>),
    /// This stage has subscribed.
    Subscribed(SubscriptionId),
    /// A subscription of this stage has ended: "cancel <reason>" or "down <reason>".
    Cancelled(SubscriptionId, String),
    /// A consumer has subscribed to this stage.
    Joined(SubscriptionId),
    /// A consumer's subscription has ended: "cancel <reason>" or "down <reason>".
    Left(SubscriptionId, String),
    /// The message [`Say::Note`].
    Note(char),
    /// The buffer has thrown away so many items.
    Discarded(usize),
    /// `terminate` was called.
    Ended(String),
}

/// What one stage, or several that share it, have seen. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    pub(crate) fn push(&self, seen: Seen) {
        self.0.lock().unwrap().push(seen);
    }

    /// Everything so far.
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }

    /// Everything so far, and forgets it.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn each<T>(&self, pick: impl Fn(Seen) -> Option<T>) -> Vec<T> {
        self.all().into_iter().filter_map(pick).collect()
    }

    /// The batches handled.
    pub(crate) fn batches(&self) -> Vec<Vec<u64>> {
        self.each(|seen| if let Seen::Batch(items) = seen { Some(items) } else { None })
    }

    /// The items of all batches.
    pub(crate) fn items(&self) -> Vec<u64> {
        self.batches().concat()
    }

    /// The lengths of the batches handled.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        self.batches().iter().map(Vec::len).collect()
    }

    /// The demands of `handle_demand`.
    pub(crate) fn demands(&self) -> Vec<usize> {
        self.each(|seen| if let Seen::Demand(demand) = seen { Some(demand) } else { None })
    }

    /// The subscriptions this stage has made.
    pub(crate) fn subscribed(&self) -> Vec<SubscriptionId> {
        self.each(|seen| if let Seen::Subscribed(id) = seen { Some(id) } else { None })
    }

    /// How subscriptions of this stage have ended.
    pub(crate) fn cancelled(&self) -> Vec<String> {
        self.each(|seen| if let Seen::Cancelled(_, how) = seen { Some(how) } else { None })
    }

    /// The consumers that have subscribed.
    pub(crate) fn joined(&self) -> Vec<SubscriptionId> {
        self.each(|seen| if let Seen::Joined(id) = seen { Some(id) } else { None })
    }

    /// How consumers have left.
    pub(crate) fn left(&self) -> Vec<String> {
        self.each(|seen| if let Seen::Left(_, how) = seen { Some(how) } else { None })
    }

    /// The notes.
    pub(crate) fn notes(&self) -> String {
        self.each(|seen| if let Seen::Note(note) = seen { Some(note) } else { None }).into_iter().collect()
    }

    /// How many items were thrown away, each time.
    pub(crate) fn discarded(&self) -> Vec<usize> {
        self.each(|seen| if let Seen::Discarded(items) = seen { Some(items) } else { None })
    }

    /// The reason this stage has ended with, if it has.
    pub(crate) fn end(&self) -> Option<String> {
        self.each(|seen| if let Seen::Ended(reason) = seen { Some(reason) } else { None }).pop()
    }
}

/// What every stage here can be told.
pub(crate) enum Say {
    /// Emit these, wanted or not.
    Queue(Vec<u64>),
    /// Emit these, and answer when they have gone out or are buffered: what a [`count`] would emit next.
    Call(Vec<u64>, Reply<u64>),
    /// Answer at once, and then emit these.
    CallFirst(Vec<u64>, Reply<u64>),
    /// Write this down.
    Note(char),
    /// Emit these, and send yourself the note behind everything that is buffered.
    QueueAndNote(Vec<u64>, char),
    /// Ask for so many items of the subscription.
    Ask(SubscriptionId, usize),
    /// Cancel the subscription.
    Cancel(SubscriptionId, Reason),
    /// Emit these, and end at once.
    Stop(Vec<u64>, Reason),
    /// Answer, and end at once.
    CallStop(Reason, Reply<u64>),
    /// Emit these, and end when everything has gone out.
    Finish(Vec<u64>),
    /// Return this error.
    Fail(&'static str),
    /// Panic.
    Panic(&'static str),
    /// Never come back.
    Hang,
    /// What [`later`] sends to itself.
    Later(Vec<u64>),
}

impl fmt::Debug for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Say(..)")
    }
}

fn how(end: &Cancellation) -> String {
    format!("{} {}", if end.is_down() { "down" } else { "cancel" }, end.reason())
}

/// Does what all kinds of stages are told alike, and returns what to emit.
async fn obey(
    say: Say,
    log: &Log,
    next: u64,
    upstreams: &[Upstream],
    stage: &mut Control<Say>,
) -> Result<Vec<u64>, StageError> {
    let upstream = |id| upstreams.iter().find(|each| each.id() == id).expect("a subscription of this stage");
    match say {
        Say::Queue(items) => return Ok(items),
        Say::Call(items, reply) => {
            stage.reply(reply, next);
            return Ok(items);
        }
        Say::CallFirst(items, reply) => {
            reply.send(next);
            // Whoever waits for the answer gets it before this callback is over.
            settle().await;
            return Ok(items);
        }
        Say::Note(note) => log.push(Seen::Note(note)),
        Say::QueueAndNote(items, note) => {
            stage.info(Say::Note(note));
            return Ok(items);
        }
        Say::Ask(id, items) => upstream(id).ask(items),
        Say::Cancel(id, reason) => upstream(id).cancel(reason),
        Say::Stop(items, reason) => {
            stage.stop(reason);
            return Ok(items);
        }
        Say::CallStop(reason, reply) => {
            stage.reply(reply, next);
            stage.stop(reason);
        }
        Say::Finish(items) => {
            stage.finish();
            return Ok(items);
        }
        Say::Fail(error) => return Err(error.into()),
        Say::Panic(text) => std::panic::panic_any(text),
        Say::Hang => pending().await,
        Say::Later(items) => {
            log.push(Seen::Batch(items.clone()));
            return Ok(items);
        }
    }
    Ok(Vec::new())
}

/// A producer of numbers.
#[derive(Debug)]
pub(crate) struct Source {
    log: Log,
    next: u64,
    answer: Answer,
    log_discarded: bool,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Count,
    Silence,
    Echo,
}

/// COUNT: fills all demand, counting up from `from`.
pub(crate) fn count(from: u64) -> Source {
    Source { log: Log::default(), next: from, answer: Answer::Count, log_discarded: true }
}

/// SILENT: emits only what it is told to.
pub(crate) fn silent() -> Source {
    Source { answer: Answer::Silence, ..count(0) }
}

/// ECHO-DEMAND: for a demand of n emits the one item n.
pub(crate) fn echo_demand() -> Source {
    Source { answer: Answer::Echo, ..count(0) }
}

impl Source {
    /// What it sees.
    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Does not want to have it logged when its buffer throws items away.
    pub(crate) fn quiet(self) -> Self {
        Self { log_discarded: false, ..self }
    }
}

impl Producer<Say> for Source {
    type Item = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Output<u64, Say>) -> Result<(), StageError> {
        self.log.push(Seen::Demand(demand));
        let demand = demand as u64;
        match self.answer {
            Answer::Count => {
                out.extend(self.next..self.next + demand);
                self.next += demand;
            }
            Answer::Silence => {}
            Answer::Echo => out.push(demand),
        }
        Ok(())
    }

    async fn handle_subscribe(
        &mut self,
        consumer: Subscriber,
        _: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::Joined(consumer.id()));
        Ok(())
    }

    async fn handle_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::Left(end.subscription(), how(end)));
        Ok(())
    }

    async fn handle_message(&mut self, say: Say, out: &mut Output<u64, Say>) -> Result<(), StageError> {
        let items = obey(say, &self.log, self.next, &[], out).await?;
        out.emit(items);
        Ok(())
    }

    fn handle_discarded(&mut self, items: usize) -> bool {
        self.log.push(Seen::Discarded(items));
        self.log_discarded
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.log.push(Seen::Ended(reason.to_string()));
    }
}

/// A producer-consumer of numbers.
#[derive(Debug)]
pub(crate) struct Middle {
    log: Log,
    make: fn(u64) -> Vec<u64>,
    later: bool,
    blocks_in: usize,
    upstreams: Vec<Upstream>,
}

/// Emits what it gets.
pub(crate) fn identity() -> Middle {
    let make = |item| vec![item];
    Middle { log: Log::default(), make, later: false, blocks_in: usize::MAX, upstreams: Vec::new() }
}

/// DOUBLE: emits every item twice in a row.
pub(crate) fn double() -> Middle {
    Middle { make: |item| vec![item, item], ..identity() }
}

/// Emits the even ones.
pub(crate) fn evens() -> Middle {
    Middle { make: |item| if item % 2 == 0 { vec![item] } else { vec![] }, ..identity() }
}

/// DROP: emits nothing.
pub(crate) fn dropping() -> Middle {
    Middle { make: |_| vec![], ..identity() }
}

/// LATER: sends each batch to itself, and writes it down and emits it when that arrives.
pub(crate) fn later() -> Middle {
    Middle { later: true, ..identity() }
}

impl Middle {
    /// What it sees.
    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Writes down its `batch`th batch, counted from 1, and never comes back from it.
    pub(crate) fn blocking_in(self, batch: usize) -> Self {
        Self { blocks_in: batch, ..self }
    }
}

impl ProducerConsumer<Say> for Middle {
    type Input = u64;
    type Item = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        out: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        if self.later {
            out.post(Say::Later(items));
            return Ok(());
        }
        self.log.push(Seen::Batch(items.clone()));
        self.blocks_in -= 1;
        if self.blocks_in == 0 {
            return pending().await;
        }
        out.extend(items.into_iter().flat_map(self.make));
        Ok(())
    }

    async fn handle_consumer(
        &mut self,
        consumer: Subscriber,
        _: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::Joined(consumer.id()));
        Ok(())
    }

    async fn handle_consumer_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::Left(end.subscription(), how(end)));
        Ok(())
    }

    async fn handle_subscribe(
        &mut self,
        to: &Upstream,
        _: &mut Output<u64, Say>,
    ) -> Result<Mode, StageError> {
        self.log.push(Seen::Subscribed(to.id()));
        self.upstreams.push(to.clone());
        Ok(to.mode())
    }

    async fn handle_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::Cancelled(end.subscription(), how(end)));
        Ok(())
    }

    async fn handle_message(&mut self, say: Say, out: &mut Output<u64, Say>) -> Result<(), StageError> {
        let items = obey(say, &self.log, 0, &self.upstreams, out).await?;
        out.emit(items);
        Ok(())
    }

    fn handle_discarded(&mut self, items: usize) -> bool {
        self.log.push(Seen::Discarded(items));
        true
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.log.push(Seen::Ended(reason.to_string()));
    }
}

/// A consumer of numbers.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Log,
    blocks_in: usize,
    manual: bool,
    upstreams: Vec<Upstream>,
}

/// COLLECT: writes down what it gets.
pub(crate) fn collect() -> Reader {
    Reader { log: Log::default(), blocks_in: usize::MAX, manual: false, upstreams: Vec::new() }
}

/// BLOCK: writes down its first batch, and never comes back from it.
pub(crate) fn block() -> Reader {
    collect().blocking_in(1)
}

impl Reader {
    /// What it sees.
    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Writes down its `batch`th batch, counted from 1, and never comes back from it.
    pub(crate) fn blocking_in(self, batch: usize) -> Self {
        Self { blocks_in: batch, ..self }
    }

    /// Writes into this log instead of one of its own.
    pub(crate) fn writing_in(self, log: &Log) -> Self {
        Self { log: log.clone(), ..self }
    }

    /// MANUAL: asks only when [told](Say::Ask) to, whatever its subscriptions say.
    pub(crate) fn asking_by_hand(self) -> Self {
        Self { manual: true, ..self }
    }
}

impl Consumer<Say> for Reader {
    type Input = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        _: &mut Control<Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::Batch(items));
        self.blocks_in -= 1;
        if self.blocks_in == 0 {
            return pending().await;
        }
        Ok(())
    }

    async fn handle_subscribe(&mut self, to: &Upstream, _: &mut Control<Say>) -> Result<Mode, StageError> {
        self.log.push(Seen::Subscribed(to.id()));
        self.upstreams.push(to.clone());
        Ok(if self.manual { Mode::Manual } else { to.mode() })
    }

    async fn handle_cancel(&mut self, end: &Cancellation, _: &mut Control<Say>) -> Result<(), StageError> {
        self.log.push(Seen::Cancelled(end.subscription(), how(end)));
        Ok(())
    }

    async fn handle_message(&mut self, say: Say, stage: &mut Control<Say>) -> Result<(), StageError> {
        obey(say, &self.log, 0, &self.upstreams, stage).await.map(drop)
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.log.push(Seen::Ended(reason.to_string()));
    }
}

/// The next batch of a subscription, if it is there without waiting.
pub(crate) fn now(subscription: &mut Subscription<u64>) -> Option<Vec<u64>> {
    subscription.next_batch().now_or_never().map(|batch| batch.expect("the subscription has ended"))
}

/// The batches `from..from + each`, and so on.
pub(crate) fn in_batches(from: u64, lengths: impl IntoIterator<Item = usize>) -> Vec<Vec<u64>> {
    let mut at = from;
    let batch = |length: usize| {
        at += length as u64;
        (at - length as u64..at).collect()
    };
    lengths.into_iter().map(batch).collect()
}

/// Each item twice in a row.
pub(crate) fn doubled(items: impl IntoIterator<Item = u64>) -> Vec<u64> {
    items.into_iter().flat_map(|item| [item, item]).collect()
}

/// The lines that this thread logs while this is alive, level first.
pub(crate) struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Lines {
    /// Starts to listen.
    pub(crate) fn listen() -> Self {
        let ears = Ears::default();
        let lines = Arc::clone(&ears.0);
        Self { lines, _guard: tracing::subscriber::set_default(ears) }
    }

    /// The lines with this in them.
    pub(crate) fn with(&self, text: &str) -> Vec<String> {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
    }
}

#[derive(Default)]
struct Ears(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Ears {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("gen_stage")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
                self.0 += &format!(" {}={value:?}", field.name());
            }
        }
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
