//! Readers: streams of what a stage makes, read as planned.

use crate::random::Random;
use crate::world::{Item, Split, Sub, Wants, World, expected_end, expected_panic};
use futures::{FutureExt, Stream, StreamExt};
use gen_stage::stage::{CancelMode, Fallible, Reason, Subscribe, Subscription};
use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

pub(crate) enum Reading {
    Plain(Subscription<Item>),
    Fallible(Fallible<Subscription<Item>>),
    /// Between the two.
    Moving,
}

pub(crate) struct Reader {
    pub(crate) reading: Reading,
    world: Arc<World>,
    /// The subscriptions it has had, that of now last.
    subs: Vec<Arc<Sub>>,
    /// The number behind the last one of each stage, where an order is kept from one subscription to the next.
    next: HashMap<usize, u64>,
    /// Got since it last asked for something.
    got: VecDeque<Arc<Sub>>,
    may_panic: bool,
}

/// How long a reader reads, and how it leaves.
pub(crate) struct Plan {
    pub(crate) items: usize,
    pub(crate) by_batches: bool,
    /// Asks for so many at a time, by hand.
    pub(crate) by_hand: Option<usize>,
    /// Takes the place of its subscription after its items, to read as many again.
    pub(crate) resubscribe: Option<(Subscribe<Item, Wants>, usize, Reason)>,
    /// Cancels and reads the rest, instead of being dropped.
    pub(crate) cancel: Option<Reason>,
    /// How often it lets others run, in percent.
    pub(crate) lazy: usize,
    /// Whether it stops when the readers of the round do.
    pub(crate) stops: bool,
    pub(crate) random: Random,
}

impl Reader {
    pub(crate) fn new(
        world: &Arc<World>,
        subscription: Subscription<Item>,
        max: usize,
        cancel: CancelMode,
    ) -> Self {
        let sub = world.sub(subscription.id());
        sub.max.store(max, SeqCst);
        Self {
            reading: Reading::Plain(subscription),
            world: Arc::clone(world),
            subs: vec![sub],
            next: HashMap::new(),
            got: VecDeque::new(),
            may_panic: cancel != CancelMode::Temporary,
        }
    }

    fn receive(&mut self, item: &Item) {
        let of_stage = |sub: &&Arc<Sub>| {
            sub.made.get().is_some_and(|made| {
                made.emitter.stage == item.stage
                    && made.wants.takes(made.emitter.split, item.number)
                    && (!made.watched || item.number < sub.sent_up_to.load(SeqCst))
            })
        };
        let last = self.subs.last().expect("it has one");
        let sub = Arc::clone(self.subs.iter().find(of_stage).unwrap_or(last));
        sub.receive(&self.world, item);
        if sub.made.get().is_some_and(|made| !matches!(made.emitter.split, Split::Lanes(..))) {
            let next = self.next.insert(item.stage, item.number + 1).unwrap_or(0);
            self.world.check(item.number >= next, || {
                format!("a reader of stage {} got {} after {}", item.stage, item.number, next - 1)
            });
        }
        self.got.push_back(sub);
    }

    /// Reads an item or a batch; `None` at the end.
    async fn read(&mut self, by_batches: bool) -> Option<usize> {
        for sub in self.got.drain(..) {
            sub.handled.fetch_add(1, SeqCst);
        }
        let items = match (&mut self.reading, by_batches) {
            (Reading::Plain(reading), true) => reading.next_batch().await?,
            (Reading::Plain(reading), false) => vec![reading.next().await?],
            (Reading::Moving, _) => return None,
            (Reading::Fallible(reading), by_batches) => {
                let read = match by_batches {
                    true => reading.next_batch().await?,
                    false => reading.next().await?.map(|item| vec![item]),
                };
                match read {
                    Ok(items) => items,
                    Err(reason) => {
                        self.world.check(expected_end(&reason), || format!("a reader was told: {reason}"));
                        self.world.check(self.may_panic, || format!("a temporary reader was told: {reason}"));
                        let after = reading.next_batch().await;
                        self.world.check(after.is_none(), || "a reader got something after the end".into());
                        return None;
                    }
                }
            }
        };
        self.world.check(!items.is_empty(), || "a reader got a batch of nothing".into());
        items.iter().for_each(|item| self.receive(item));
        Some(items.len())
    }

    async fn run(&mut self, plan: &mut Plan) {
        let mut left = plan.items;
        loop {
            if left == 0 {
                let Some((to, max, reason)) = plan.resubscribe.take() else { break };
                let Reading::Plain(reading) = &mut self.reading else { break };
                left = plan.items;
                self.may_panic = true;
                let taken = reading.resubscribe(to, reason).await;
                let sub = self.world.sub(reading.id());
                sub.max.store(max, SeqCst);
                self.subs.push(sub);
                if taken.is_err() {
                    // What was on its way can still be read, and then the end.
                    left = usize::MAX;
                }
            }
            if let (Some(count), Reading::Plain(reading)) = (plan.by_hand, &self.reading) {
                reading.ask(count);
            }
            let Some(count) = self.read(plan.by_batches).await else {
                if let Reading::Plain(reading) = &self.reading {
                    self.world.check(reading.end().is_some(), || "an end without a reason".into());
                }
                return;
            };
            left = left.saturating_sub(count);
            if plan.random.chance(plan.lazy) {
                yield_now().await;
            }
        }
        if let (Some(reason), Reading::Plain(reading)) = (plan.cancel.take(), &mut self.reading) {
            reading.cancel(reason);
            self.may_panic = false;
            while self.read(plan.by_batches).await.is_some() {}
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let held = match &self.reading {
            Reading::Plain(reading) => reading.size_hint().0 as u64,
            Reading::Fallible(_) => 1000,
            Reading::Moving => 0,
        };
        for sub in &self.subs {
            if let Some(made) = sub.made.get() {
                made.emitter.slack.fetch_add(held, SeqCst);
            }
        }
    }
}

/// Reads as planned, in a task of its own.
pub(crate) async fn read(mut reader: Reader, mut plan: Plan) {
    let world = Arc::clone(&reader.world);
    let stop = if plan.stops { world.stop.clone() } else { CancellationToken::new() };
    let run = async { stop.run_until_cancelled(reader.run(&mut plan)).await };
    if let Err(payload) = AssertUnwindSafe(run).catch_unwind().await {
        let expected = expected_panic(&*payload);
        world.check(expected.is_ok(), || format!("a reader panicked: {expected:?}"));
        world.check(reader.may_panic, || "a reader panicked that should not".into());
    }
}
