//! What happens in a round: its stages, and the events of all kinds of rounds.

mod busy;
mod check;
mod gentle;
mod look;
mod rough;

use crate::random::Random;
use crate::readers::Plan;
use crate::stages::{Answer, Last, Middle, Msg, Source, State, Style};
use crate::watched::Watched;
use crate::world::{Book, Info, Item, Kind, Lanes, MAY_LOSE, Split, Wants, World, lock};
use futures::FutureExt;
use gen_stage::dispatch::SubscriptionId;
use gen_stage::prelude::*;
use gen_stage::stage::{
    Address, BufferKeep, CallError, CancelMode, ConsumerHandle, Counts, Driver, ProducerConsumerHandle,
    ProducerHandle, Reason, Setup, StageRef, Subscribe, SubscribeError,
};
use rough::Finale;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::task::{JoinHandle, yield_now};

/// `max_demand` and `min_demand`.
const DEMANDS: [(usize, usize); 7] = [(1, 0), (2, 1), (3, 1), (10, 5), (10, 9), (100, 20), (1000, 500)];

#[derive(Clone)]
enum Node {
    Source(ProducerHandle<Item, Wants, Msg>),
    Middle(ProducerConsumerHandle<Item, Item, Wants, Msg>),
    Last(ConsumerHandle<Item, Msg>),
}

macro_rules! on {
    ($node:expr, $handle:ident => $do:expr) => {
        match $node {
            Node::Source($handle) => $do,
            Node::Middle($handle) => $do,
            Node::Last($handle) => $do,
        }
    };
}

use on;

impl Node {
    fn subscribe(&self) -> Option<Subscribe<Item, Wants>> {
        match self {
            Self::Source(handle) => Some(handle.subscribe()),
            Self::Middle(handle) => Some(handle.subscribe()),
            Self::Last(_) => None,
        }
    }

    async fn subscribe_to(&self, to: Subscribe<Item, Wants>) -> Result<SubscriptionId, SubscribeError> {
        match self {
            Self::Source(_) => unreachable!("a producer reads nothing"),
            Self::Middle(handle) => handle.subscribe_to(to).await,
            Self::Last(handle) => handle.subscribe_to(to).await,
        }
    }

    async fn resubscribe(
        &self,
        old: SubscriptionId,
        to: Subscribe<Item, Wants>,
        reason: Reason,
    ) -> Result<SubscriptionId, SubscribeError> {
        match self {
            Self::Source(_) => unreachable!("a producer reads nothing"),
            Self::Middle(handle) => handle.resubscribe(old, to, reason).await,
            Self::Last(handle) => handle.resubscribe(old, to, reason).await,
        }
    }

    async fn wait(&self) -> Reason {
        on!(self, handle => handle.wait().await)
    }

    async fn status(&self) -> Option<gen_stage::stage::Status> {
        on!(self, handle => handle.status().await).ok()
    }

    fn stage_ref(&self) -> StageRef {
        on!(self, handle => handle.stage_ref())
    }

    async fn finish(&self) -> Reason {
        on!(self, handle => handle.finish().await)
    }

    async fn stop(&self, reason: Reason) -> Reason {
        on!(self, handle => handle.stop(reason).await)
    }

    async fn shutdown(&self) -> Reason {
        on!(self, handle => handle.shutdown().await)
    }

    fn counts(&self) -> Counts {
        on!(self, handle => handle.counts())
    }
}

/// A stage of the round.
pub(crate) struct Slot {
    role: Role,
    /// `None` when the round has let go of it.
    node: Option<Node>,
    address: Address<Msg>,
    book: Arc<Book>,
    /// What it was told to read from.
    ups: Vec<SubscriptionId>,
    alone: bool,
    buffer: Option<usize>,
    ordered: u64,
    driver: Option<JoinHandle<()>>,
    /// It was aborted, or its driver was dropped.
    cut: bool,
    finite: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Source,
    Middle,
    Last,
}

/// How a stage is set up.
struct Build {
    role: Role,
    split: Split,
    subscribe_to: Vec<Subscribe<Item, Wants>>,
    alone: bool,
    accumulate: bool,
    /// What a producer makes, and whether it ends then.
    items: usize,
    finite: bool,
    buffer: Option<(usize, BufferKeep)>,
}

/// A subscription to be.
struct Terms {
    to: Subscribe<Item, Wants>,
    max: usize,
    cancel: CancelMode,
    by_hand: bool,
}

pub(crate) struct Script {
    world: Arc<World>,
    random: Random,
    pub(crate) slots: Vec<Slot>,
    readers: Vec<JoinHandle<()>>,
    /// What may take as long as a stage lives.
    asides: Vec<JoinHandle<()>>,
}

impl Script {
    pub(crate) fn new(world: &Arc<World>, random: Random) -> Self {
        let world = Arc::clone(world);
        Self { world, random, slots: Vec::new(), readers: Vec::new(), asides: Vec::new() }
    }

    pub(crate) async fn run(&mut self) {
        match self.world.kind {
            Kind::Gentle => self.gentle().await,
            Kind::Busy => self.busy().await,
            Kind::Rough => {
                if self.rough().await == Finale::Runtime {
                    return;
                }
            }
        }
        for task in self.readers.drain(..).chain(self.asides.drain(..)) {
            if let Err(error) = task.await {
                self.world.check(error.is_cancelled(), || format!("a task of the test: {error}"));
            }
        }
        // The last task that ends may be counted a little longer.
        while tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn start(&mut self, build: Build) -> usize {
        let Build { role, split, subscribe_to, alone, accumulate, items, finite, buffer } = build;
        let number = self.slots.len();
        let (world, random) = (&self.world, &mut self.random);
        let book = Arc::new(Book::new(number, split));
        let state = State::new(world, &book, alone, random);
        let mailbox = random.pick(&[1, 2, 10, 1000]);
        let style = random.pick(&[Style::Exact, Style::Exact, Style::Eager, Style::Slow, Style::Idle]);
        let most = random.between(0, 3);
        let by_hand = random.chance(30);
        let mut driver = None;
        macro_rules! run {
            ($setup:expr) => {{
                let mut setup = $setup.label(number.to_string()).mailbox_size(mailbox);
                if alone {
                    setup = setup.stop_when_alone();
                }
                if by_hand {
                    let (handle, future): (_, Driver) = setup.into_parts();
                    driver = Some(tokio::spawn(future));
                    handle
                } else {
                    setup.spawn()
                }
            }};
        }
        macro_rules! buffered {
            ($setup:expr) => {{
                let setup = $setup.dispatcher(Watched::new(world, &book, random));
                match buffer {
                    Some((size, keep)) => setup.buffer(size, keep),
                    None => setup.buffer_unbounded(),
                }
            }};
        }
        let node = match role {
            Role::Source => {
                let setup = buffered!(Producer::stage(Source { state, style, left: items, finite, owed: 0 }));
                Node::Source(run!(if accumulate { setup.accumulate() } else { setup }))
            }
            Role::Middle => {
                let setup = buffered!(ProducerConsumer::stage(Middle { state, most }));
                let setup = subscribe_to.into_iter().fold(setup, Setup::subscribe_to);
                Node::Middle(run!(setup))
            }
            Role::Last => {
                let setup = Consumer::stage(Last { state });
                let setup = subscribe_to.into_iter().fold(setup, Setup::subscribe_to);
                Node::Last(run!(setup))
            }
        };
        self.slots.push(Slot {
            role,
            address: on!(&node, handle => handle.address()),
            node: Some(node),
            book,
            ups: Vec::new(),
            alone,
            buffer: buffer.map(|(size, _)| size),
            ordered: 0,
            driver,
            cut: false,
            finite,
        });
        number
    }

    fn is_emitter(&self, slot: usize) -> bool {
        self.slots[slot].role != Role::Last
    }

    /// A subscription to `of`, if there is a handle.
    fn terms(&mut self, of: usize, wants: Wants, cancels: &[CancelMode]) -> Option<Terms> {
        let to = self.slots[of].node.as_ref()?.subscribe()?;
        let (max, min) = self.random.pick(&DEMANDS);
        let cancel = self.random.pick(cancels);
        let by_hand = self.random.chance(15);
        let to = to.demand(max, min).cancel(cancel).options(wants);
        let (to, max) = if by_hand { (to.manual(), usize::MAX) } else { (to, max) };
        // In gentle rounds, everything arrives.
        let may_lose = self.world.kind == Kind::Rough && self.random.chance(10);
        if !may_lose {
            return Some(Terms { to, max, cancel, by_hand });
        }
        let (to, items) = (to.demand(MAY_LOSE.0, MAY_LOSE.1), self.random.between(1, 20));
        let to = if self.random.chance(50) { to.keep_newest(items) } else { to.keep_oldest(items) };
        let max = usize::MAX;
        Some(Terms { to, max, cancel, by_hand })
    }

    /// Options that may be right.
    fn wants(&mut self, of: usize) -> Wants {
        match self.slots[of].book.split {
            Split::Lanes(_, lanes) if !self.random.chance(5) => {
                // Now and then one that is not there.
                let lane = self.random.below(lanes);
                Wants::Lane(if self.random.chance(3) { lanes } else { lane })
            }
            Split::All if self.random.chance(40) => {
                let of = self.random.between(1, 4) as u64;
                Wants::Rest(of, self.random.next() % of)
            }
            _ => Wants::All,
        }
    }

    fn split(&mut self, lanes: usize) -> Split {
        match self.random.below(3) {
            0 => Split::One,
            1 => Split::All,
            _ => Split::Lanes(self.random.pick(&[Lanes::Key, Lanes::Hash, Lanes::Some]), lanes),
        }
    }

    fn plan(&mut self, items: usize) -> Plan {
        let random = &mut self.random;
        Plan {
            items,
            by_batches: random.chance(50),
            by_hand: None,
            resubscribe: None,
            cancel: None,
            lazy: random.pick(&[0, 0, 10, 50]),
            stops: true,
            random: random.fork(),
        }
    }

    async fn yields(&mut self, most: usize) {
        for _ in 0..self.random.below(most + 1) {
            yield_now().await;
        }
    }

    async fn info(&mut self, slot: usize, sure: bool) {
        let book = Arc::clone(&self.slots[slot].book);
        let number = book.new_info(Info { after: book.made.load(SeqCst), ..Info::default() });
        // At once, or not at all: behind a buffer that nobody reads it would wait for a place.
        let sent = self.slots[slot].address.info(Msg::Info(number)).now_or_never().and_then(Result::ok);
        let asked = book.finish_asked.load(SeqCst);
        let info = &mut lock(&book.infos)[number];
        (info.returned, info.sure, info.nearly_sure) = (sent.is_none(), sure, !asked);
    }

    /// Says something to a stage that neither ends it nor makes items.
    async fn chat(&mut self, slot: usize) {
        let address = self.slots[slot].address.clone();
        match self.random.below(6) {
            0 => {
                self.slots[slot].ordered += 1;
                let message = Msg::Ordered(self.slots[slot].ordered);
                if self.random.chance(50) {
                    let _ = address.try_cast(message);
                } else {
                    let _ = address.cast(message).await;
                }
            }
            1 => {
                let answer = self.random.pick(&[Answer::Now, Answer::Never]);
                let answered = address.call(|reply| Msg::Call(reply, answer)).await;
                let right = match answer {
                    Answer::Now => matches!(answered, Ok(7) | Err(CallError::Ended | CallError::NoReply)),
                    _ => answered.is_err(),
                };
                self.world.check(right, || format!("a call was answered by {answered:?}"));
            }
            2 => {
                let world = Arc::clone(&self.world);
                self.asides.push(tokio::spawn(async move {
                    let answered = address.call(|reply| Msg::Call(reply, Answer::Kept)).await;
                    world.check(answered.is_err(), || format!("a kept reply was {answered:?}"));
                }));
            }
            3 => self.info(slot, false).await,
            4 => {
                let _ = address.cast(Msg::InfoYourself(0)).await;
            }
            _ => {
                let count = self.random.between(1, 20);
                self.asides.push(tokio::spawn(async move {
                    for _ in 0..count {
                        if address.cast(Msg::Nothing).await.is_err() {
                            break;
                        }
                    }
                }));
            }
        }
    }

    /// Has a stage emit what nobody has asked for.
    async fn emit(&mut self, slot: usize) {
        let count = self.random.between(1, 20);
        let address = &self.slots[slot].address;
        match self.random.below(3) {
            0 => drop(address.cast(Msg::Emit(count)).await),
            1 => drop(address.cast(Msg::InfoYourself(count)).await),
            _ => drop(address.call(|reply| Msg::Call(reply, Answer::AfterItems)).await),
        }
    }

    /// Lets a source hold demand back, or no more.
    fn hold_back(&mut self, slot: usize) {
        if let Some(Node::Source(handle)) = &self.slots[slot].node {
            if self.random.chance(40) {
                handle.accumulate();
            } else {
                handle.forward();
            }
        }
    }
}
