//! Random pipelines of stages, through random events, with every item accounted for at the end.
//!
//! ```console
//! $ cargo test --test soak                                        # a short run
//! $ cargo test --release --test soak -- --rounds 5000 --seed 7    # a long one
//! $ cargo test --test soak -- --seed 1234 --rounds 1              # the round of one seed again
//! ```
//!
//! A round is of one of three kinds. In a *gentle* one nothing fails and nobody leaves: every item has to arrive. In a
//! *busy* one consumers and readers come and go, and then everything is read to the end: nothing may be stuck. In a
//! *rough* one callbacks fail and panic too, stages are stopped, aborted and dropped, and in the end all must be gone,
//! with every item counted. Each runs twice: on one thread with a paused clock, where a hang shows at once, and on two
//! workers.

use futures::future::join_all;
use futures::{FutureExt, Stream, StreamExt};
use gen_stage::dispatch::{
    Broadcast, ByDemand, Deliveries, Dispatcher, Fence, Partition, PartitionName, Refusal, Selector,
    Subscriber, SubscriptionId, hash_lane,
};
use gen_stage::prelude::*;
use gen_stage::stage::{
    Address, CallError, CancelMode, Cancellation, ConsumerHandle, Control, Counts, Driver, Fallible, Keep,
    Mode, Output, ProducerConsumerHandle, ProducerHandle, Reason, Reply, Setup, StageError, Subscribe,
    SubscribeError, Subscription, Upstream,
};
use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::hash::{Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::{JoinHandle, yield_now};
use tokio_util::sync::CancellationToken;

const HELP: &str = "\
Random pipelines of stages, with every item accounted for at the end.

cargo test --test soak                                        a short run, as part of `cargo test`
cargo test --release --test soak -- --rounds 5000 --seed 7    a long one
cargo test --test soak -- --seed 1234 --rounds 1              the round of one seed again

  --rounds N      how many rounds; round i has the seed SEED + i
  --seed N        the seed of the first round, 1 unless said
  --form F        one: one thread and a paused clock; two: two workers; both, unless said
  --kind K        gentle, busy or rough rounds only; unless said, the seed decides
  --keep-going    goes on after a round that failed
  --help          this text

Any other word is a filter for the names of tests: the rounds run if `soak` contains it.";

/// Rounds of a run that is not told how many: about ten seconds without optimisation.
const SHORT: u64 = 600;
/// For a round on two workers, and for the events of one on one thread.
const LIMIT: Duration = Duration::from_secs(60);

/// `max_demand` and `min_demand`.
const DEMANDS: [(usize, usize); 7] = [(1, 0), (2, 1), (3, 1), (10, 5), (10, 9), (100, 20), (1000, 500)];

// -------------------------------------------------------------------------------------------------
// Small parts.

/// splitmix64.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `bound - 1`.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// One of `range`, both ends included.
    fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn fork(&mut self) -> Self {
        Self(self.next())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts what is alive: items and the states of stages.
struct Live(Arc<AtomicI64>);

impl Live {
    fn new(counter: &Arc<AtomicI64>) -> Self {
        counter.fetch_add(1, SeqCst);
        Self(Arc::clone(counter))
    }
}

impl Clone for Live {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// The `number`th item that a stage made.
#[derive(Clone)]
struct Item {
    stage: usize,
    number: u64,
    _live: Live,
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    One,
    Two,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Gentle,
    Busy,
    Rough,
}

/// How a callback fails when it is told to.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Error,
    Panic,
    PanicWithText,
    PanicWithout,
}

const FAULTS: [Fault; 4] = [Fault::Error, Fault::Panic, Fault::PanicWithText, Fault::PanicWithout];
/// What all texts of failures begin with that this test makes on purpose.
const INJECTED: &str = "injected";
/// What reading a subscription says when its producer has failed otherwise than by a panic.
const RAISED: &str = "the producer of a subscription ended before it was done";

struct Injected;

/// The text of a panic, if this test or a failed producer made it.
fn expected_panic(payload: &(dyn Any + Send)) -> Result<(), String> {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ if payload.is::<Injected>() => return Ok(()),
        _ => "a panic with something else than a text".to_owned(),
    };
    // A panic that is resumed a second time has only its text.
    let ours = text.starts_with(INJECTED) || text.starts_with(RAISED) || text == "a panic without a text";
    if ours { Ok(()) } else { Err(text) }
}

fn expected_end(reason: &Reason) -> bool {
    match reason {
        Reason::Panicked(panic) => {
            panic.message().starts_with(INJECTED) || panic.message() == "a panic without a text"
        }
        Reason::Failed(error) => error.to_string().starts_with(INJECTED),
        _ => true,
    }
}

// -------------------------------------------------------------------------------------------------
// What is written down about a round.

/// What a run of a round knows.
struct World {
    form: Form,
    kind: Kind,
    items: Arc<AtomicI64>,
    states: Arc<AtomicI64>,
    /// Items that consumers and readers got.
    read: AtomicU64,
    panics: AtomicU64,
    faults: Mutex<Vec<String>>,
    subs: Mutex<HashMap<SubscriptionId, Arc<Sub>>>,
    /// Readers stop when this is cancelled.
    stop: CancellationToken,
}

impl World {
    fn fault(&self, text: impl Into<String>) {
        let mut faults = lock(&self.faults);
        if faults.len() < 20 {
            faults.push(text.into());
        }
    }

    fn check(&self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.fault(text());
        }
    }

    fn sub(&self, id: SubscriptionId) -> Arc<Sub> {
        let mut subs = lock(&self.subs);
        Arc::clone(subs.entry(id).or_insert_with(|| Arc::new(Sub::new(id))))
    }

    fn blow(&self, fault: Fault) -> Result<(), StageError> {
        if !matches!(fault, Fault::Error) {
            self.panics.fetch_add(1, SeqCst);
        }
        match fault {
            Fault::Error => Err(format!("{INJECTED} error").into()),
            Fault::Panic => panic!("injected panic"),
            Fault::PanicWithText => panic!("{INJECTED} panic {}", 1),
            Fault::PanicWithout => std::panic::panic_any(Injected),
        }
    }
}

/// Who gets the items of a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Split {
    /// It makes none.
    None,
    One,
    All,
    Lanes(Lanes, usize),
}

/// What says which partition an item is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lanes {
    Key,
    Hash,
    /// By key, and some items are dropped.
    Some,
}

impl Split {
    /// Each item goes to one subscription at most.
    fn to_one(self) -> bool {
        matches!(self, Self::One | Self::Lanes(..))
    }
}

/// Whether the dispatcher of `Lanes::Some` drops it.
fn is_dropped(number: u64) -> bool {
    number % 7 == 3
}

/// What a subscription tells the dispatcher.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Wants {
    #[default]
    All,
    /// Of a broadcast, the numbers with this rest.
    Rest(u64, u64),
    Lane(usize),
}

impl Wants {
    fn takes(self, split: Split, number: u64) -> bool {
        match (split, self) {
            (Split::All, Self::Rest(of, rest)) => number % of == rest,
            (Split::Lanes(Lanes::Key, lanes), Self::Lane(lane)) => number as usize % lanes == lane,
            (Split::Lanes(Lanes::Some, lanes), Self::Lane(lane)) => {
                !is_dropped(number) && number as usize % lanes == lane
            }
            (Split::Lanes(Lanes::Hash, lanes), Self::Lane(lane)) => hash_lane(&number, lanes) == lane,
            (Split::Lanes(..) | Split::None, _) => false,
            _ => true,
        }
    }
}

/// What is known of a stage, also after it.
struct Book {
    stage: usize,
    split: Split,
    /// How many items it has made: the number of the next one.
    made: AtomicU64,
    /// What was asked of it.
    asked: AtomicU64,
    /// Of the items made, handed out by the dispatcher for good.
    gone: AtomicU64,
    /// Of those, thrown away by the buffer, as the stage was told.
    thrown: AtomicU64,
    /// Got by others: taken, as the stage calls it.
    read: AtomicU64,
    /// Taken by readers that were dropped in the middle of a batch, at most.
    slack: AtomicU64,
    /// Their numbers, if each item may come once only.
    seen: Mutex<Vec<u64>>,
    infos: Mutex<Vec<Info>>,
    /// The test is about to end it by `finish`.
    finish_asked: AtomicBool,
    /// It is about to end, or may be, for a reason of its own.
    ending: AtomicBool,
    terminated: AtomicU64,
    dropped: AtomicBool,
    /// The number of the last message that has to come in order.
    ordered: AtomicU64,
}

/// A message that is to come behind what was made before it.
#[derive(Clone, Copy, Debug, Default)]
struct Info {
    after: u64,
    handled: u32,
    /// It must be handled if the stage ends by `finish`.
    sure: bool,
    /// It must be, unless the stage has begun to end by itself, maybe before it.
    nearly_sure: bool,
    /// The stage did not take it.
    returned: bool,
}

impl Book {
    fn new(stage: usize, split: Split) -> Self {
        Self {
            stage,
            split,
            made: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            thrown: AtomicU64::new(0),
            read: AtomicU64::new(0),
            slack: AtomicU64::new(0),
            seen: Mutex::default(),
            infos: Mutex::default(),
            finish_asked: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            terminated: AtomicU64::new(0),
            dropped: AtomicBool::new(false),
            ordered: AtomicU64::new(0),
        }
    }

    fn is_ending(&self) -> bool {
        self.finish_asked.load(SeqCst) || self.ending.load(SeqCst)
    }

    fn new_info(&self, info: Info) -> usize {
        let mut infos = lock(&self.infos);
        infos.push(info);
        infos.len() - 1
    }

    fn handle_info(&self, world: &World, number: usize) {
        let (gone, thrown) = (self.gone.load(SeqCst), self.thrown.load(SeqCst));
        let mut infos = lock(&self.infos);
        let info = &mut infos[number];
        info.handled += 1;
        let after = info.after;
        drop(infos);
        world.check(gone + thrown >= after, || {
            format!("stage {}: an info behind {after} items came after {gone} and {thrown}", self.stage)
        });
    }
}

/// What is known of a subscription.
struct Sub {
    id: SubscriptionId,
    made: OnceLock<Made>,
    /// Of an automatic one.
    max: AtomicUsize,
    sent: AtomicU64,
    handled: AtomicU64,
    received: AtomicU64,
    /// The lowest number that may come next.
    next: AtomicU64,
    ended: AtomicBool,
}

/// What the dispatcher adds to that.
struct Made {
    emitter: Arc<Book>,
    wants: Wants,
    /// Whether `sent` is counted.
    watched: bool,
}

impl Sub {
    fn new(id: SubscriptionId) -> Self {
        Self {
            id,
            made: OnceLock::new(),
            max: AtomicUsize::new(usize::MAX),
            sent: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            received: AtomicU64::new(0),
            next: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        }
    }

    /// One item has come to whoever has this subscription.
    fn receive(&self, world: &World, item: &Item) {
        let Some(made) = self.made.get() else {
            return world.fault(format!("an item of a subscription {} that no dispatcher knows", self.id));
        };
        let (split, number) = (made.emitter.split, item.number);
        world.check(item.stage == made.emitter.stage && made.wants.takes(split, number), || {
            let (stage, wants) = (made.emitter.stage, made.wants);
            format!(
                "subscription {} of stage {stage} ({split:?}) wants {wants:?}, got {}/{number}",
                self.id, item.stage
            )
        });
        let next = self.next.swap(number + 1, SeqCst);
        world.check(number >= next, || {
            format!(
                "subscription {} of stage {} ({split:?}) got {number} after {}",
                self.id,
                made.emitter.stage,
                next - 1
            )
        });
        self.received.fetch_add(1, SeqCst);
        made.emitter.read.fetch_add(1, SeqCst);
        world.read.fetch_add(1, SeqCst);
        if split.to_one() {
            lock(&made.emitter.seen).push(number);
        }
    }
}

// -------------------------------------------------------------------------------------------------
// The dispatcher: one of the three, and a look at what it does.

enum Inner {
    One(ByDemand),
    All(Broadcast<Item>),
    Lanes(Box<dyn Dispatcher<Item, Options = PartitionName<usize>>>),
}

struct Watched {
    inner: Inner,
    /// Whether to look at what is sent; a batch that is shared is not shared any more then.
    watched: bool,
    /// The most that a partition's queue may hold.
    queue: usize,
    /// Items that were offered and not handed back.
    taken: u64,
    book: Arc<Book>,
    world: Arc<World>,
}

macro_rules! inner {
    ($self:expr, $inner:ident => $do:expr) => {
        match &mut $self.inner {
            Inner::One($inner) => $do,
            Inner::All($inner) => $do,
            Inner::Lanes($inner) => {
                let $inner = &mut **$inner;
                $do
            }
        }
    };
}

impl Watched {
    fn new(world: &Arc<World>, book: &Arc<Book>, random: &mut Random) -> Self {
        let queue = if random.chance(50) { random.between(1, 5) } else { random.between(6, 200) };
        let lanes = |lanes, count: usize| -> Box<dyn Dispatcher<Item, Options = PartitionName<usize>>> {
            match lanes {
                Lanes::Hash => Box::new(Partition::hash(count).queue_size(queue)),
                Lanes::Key => {
                    let key = move |item: &Item| item.number as usize % count;
                    Box::new(Partition::by_key(0..count, key).queue_size(queue))
                }
                Lanes::Some => {
                    let assign = move |item: Item| {
                        let lane = item.number as usize % count;
                        (!is_dropped(item.number)).then_some((item, lane))
                    };
                    Box::new(Partition::by(0..count, assign).queue_size(queue))
                }
            }
        };
        let inner = match book.split {
            Split::None => unreachable!("consumers have no dispatcher"),
            Split::One => Inner::One(match random.below(3) {
                0 => ByDemand::new(),
                1 => ByDemand::new().fair(),
                _ => ByDemand::new().shuffled(),
            }),
            Split::All => Inner::All(Broadcast::new()),
            Split::Lanes(how, count) => Inner::Lanes(lanes(how, count)),
        };
        let watched = book.split.to_one() || random.chance(50);
        Self { inner, watched, queue, taken: 0, book: Arc::clone(book), world: Arc::clone(world) }
    }

    fn look(&mut self, out: &mut Deliveries<Item>) {
        let held = inner!(self, inner => Dispatcher::<Item>::held(inner));
        let gone = self.taken - held as u64;
        self.book.gone.store(gone, SeqCst);
        if let Split::Lanes(_, lanes) = self.book.split {
            self.world.check(held <= lanes * self.queue + 1, || {
                format!("stage {}: {held} items in {lanes} queues of {}", self.book.stage, self.queue)
            });
        }
        if !self.watched {
            return;
        }
        for (id, items) in out.take_sent() {
            let sub = self.world.sub(id);
            let sent = sub.sent.fetch_add(items.len() as u64, SeqCst) + items.len() as u64;
            let (handled, max) = (sub.handled.load(SeqCst), sub.max.load(SeqCst));
            self.world.check(sent <= handled.saturating_add(max as u64), || {
                format!("subscription {id}: {sent} sent and {handled} handled with a max_demand of {max}")
            });
            out.send(id, items);
        }
    }
}

impl Dispatcher<Item> for Watched {
    type Options = Wants;

    fn subscribe(
        &mut self,
        new: Subscriber,
        wants: Wants,
        out: &mut Deliveries<Item>,
    ) -> Result<usize, Refusal> {
        let taken = match (&mut self.inner, wants) {
            (Inner::One(inner), _) => Dispatcher::<Item>::subscribe(inner, new, (), out),
            (Inner::All(inner), Wants::Rest(of, rest)) => {
                let selector = Selector::new(move |item: &Item| item.number % of == rest);
                inner.subscribe(new, selector, out)
            }
            (Inner::All(inner), _) => inner.subscribe(new, Selector::default(), out),
            (Inner::Lanes(inner), Wants::Lane(lane)) => inner.subscribe(new, PartitionName::new(lane), out),
            (Inner::Lanes(inner), _) => inner.subscribe(new, PartitionName::default(), out),
        };
        if taken.is_ok() {
            let made = Made { emitter: Arc::clone(&self.book), wants, watched: self.watched };
            let first = self.world.sub(new.id()).made.set(made).is_ok();
            self.world.check(first, || format!("subscription {} was made twice", new.id()));
        }
        self.look(out);
        taken
    }

    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<Item>) -> usize {
        let demand = inner!(self, inner => Dispatcher::<Item>::cancel(inner, id, out));
        self.look(out);
        demand
    }

    fn ask(&mut self, id: SubscriptionId, demand: usize, out: &mut Deliveries<Item>) -> usize {
        self.world.check(demand > 0, || format!("subscription {id} asks for nothing"));
        self.book.asked.fetch_add(demand as u64, SeqCst);
        let more = inner!(self, inner => Dispatcher::<Item>::ask(inner, id, demand, out));
        self.look(out);
        more
    }

    fn dispatch(&mut self, items: Vec<Item>, out: &mut Deliveries<Item>) -> Vec<Item> {
        let offered = items.len();
        self.world.check(offered > 0, || "a dispatch of nothing".into());
        let back = inner!(self, inner => inner.dispatch(items, out));
        self.taken += (offered - back.len()) as u64;
        self.look(out);
        back
    }

    fn held(&self) -> usize {
        match &self.inner {
            Inner::One(inner) => Dispatcher::<Item>::held(inner),
            Inner::All(inner) => inner.held(),
            Inner::Lanes(inner) => inner.held(),
        }
    }

    fn fence(&mut self, fence: Fence, out: &mut Deliveries<Item>) {
        inner!(self, inner => Dispatcher::<Item>::fence(inner, fence, out));
        self.look(out);
    }
}

// -------------------------------------------------------------------------------------------------
// The stages.

enum Msg {
    Emit(usize),
    Call(Reply<u64>, Answer),
    Info(usize),
    /// Has the stage emit some and send an info to itself.
    InfoYourself(usize),
    /// Of one sender, with rising numbers.
    Ordered(u64),
    /// Posted by the stage to itself: go on with what is owed.
    GoOn,
    /// An endless producer may make so many more.
    More(u64),
    Stop(Reason),
    Finish,
    Break(Fault),
    /// Asks by hand, of its manual subscriptions.
    Ask(usize),
    /// Cancels one of its subscriptions.
    Leave(Reason),
    Nothing,
}

#[derive(Clone, Copy)]
enum Answer {
    Now,
    AfterItems,
    Never,
    /// When the stage is dropped, by dropping the reply.
    Kept,
}

/// What every stage has.
struct State {
    world: Arc<World>,
    book: Arc<Book>,
    random: Random,
    /// How often a callback lets others run, in percent.
    lazy: usize,
    /// Fails in this many callbacks from now.
    fuse: Option<(usize, Fault)>,
    /// It stops when it is alone.
    alone: bool,
    /// Whom it reads from.
    ups: Vec<Upstream>,
    kept: Vec<Reply<u64>>,
    _live: Live,
}

impl Drop for State {
    fn drop(&mut self) {
        self.book.dropped.store(true, SeqCst);
    }
}

impl State {
    fn new(world: &Arc<World>, book: &Arc<Book>, alone: bool, random: &mut Random) -> Self {
        let mut random = random.fork();
        let fuse = (world.kind == Kind::Rough && random.chance(20))
            .then(|| (random.below(60), random.pick(&FAULTS)));
        let lazy = random.pick(&[0, 0, 10, 50]);
        let live = Live::new(&world.states);
        let (world, book) = (Arc::clone(world), Arc::clone(book));
        Self { world, book, random, lazy, fuse, alone, ups: Vec::new(), kept: Vec::new(), _live: live }
    }

    /// What every callback begins with.
    async fn enter(&mut self) -> Result<(), StageError> {
        let terminated = self.book.terminated.load(SeqCst);
        self.world.check(terminated == 0, || format!("stage {} was called after its end", self.book.stage));
        if self.random.chance(self.lazy) {
            for _ in 0..self.random.below(4) {
                yield_now().await;
            }
            if self.random.chance(3) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        match &mut self.fuse {
            Some((0, fault)) => {
                let fault = *fault;
                self.fuse = None;
                self.world.blow(fault)
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn make(&mut self, count: usize) -> Vec<Item> {
        let from = self.book.made.fetch_add(count as u64, SeqCst);
        let (stage, items) = (self.book.stage, &self.world.items);
        (from..from + count as u64).map(|number| Item { stage, number, _live: Live::new(items) }).collect()
    }

    fn emit(&mut self, count: usize, out: &mut Output<Item, Msg>) {
        let items = self.make(count);
        match self.random.below(3) {
            0 => out.emit(items),
            1 => out.extend(items),
            _ => items.into_iter().for_each(|item| out.push(item)),
        }
    }

    fn finish(&mut self, stage: &mut Control<Msg>) {
        self.book.ending.store(true, SeqCst);
        stage.finish();
    }

    /// Handles a message, and says how many items to emit.
    async fn message(&mut self, message: Msg, stage: &mut Control<Msg>) -> Result<usize, StageError> {
        if let Msg::Info(number) = &message {
            self.book.handle_info(&self.world, *number);
        }
        self.enter().await?;
        match message {
            Msg::Emit(count) => return Ok(count),
            Msg::Call(reply, Answer::Now) => reply.send(7),
            Msg::Call(reply, Answer::AfterItems) => {
                stage.reply(reply, 7);
                return Ok(2);
            }
            Msg::Call(reply, Answer::Never) => drop(reply),
            Msg::Call(reply, Answer::Kept) => self.kept.push(reply),
            Msg::InfoYourself(count) => {
                let after = self.book.made.load(SeqCst) + count as u64;
                let sure = !self.book.is_ending();
                let number = self.book.new_info(Info { after, sure, ..Info::default() });
                stage.info(Msg::Info(number));
                return Ok(count);
            }
            Msg::Ordered(number) => {
                let last = self.book.ordered.swap(number, SeqCst);
                self.world.check(last < number, || {
                    format!("stage {}: message {number} came after {last}", self.book.stage)
                });
            }
            Msg::Stop(reason) => stage.stop(reason),
            Msg::Finish => self.finish(stage),
            Msg::Break(fault) => self.world.blow(fault)?,
            Msg::Ask(count) => {
                for up in self.ups.iter().filter(|up| up.mode() == Mode::Manual) {
                    up.ask(count);
                }
            }
            Msg::Leave(reason) => {
                if !self.ups.is_empty() {
                    let at = self.random.below(self.ups.len());
                    self.ups[at].cancel(reason);
                }
            }
            Msg::Info(_) | Msg::GoOn | Msg::More(_) | Msg::Nothing => {}
        }
        Ok(0)
    }

    async fn subscribed(&mut self, to: &Upstream) -> Result<Mode, StageError> {
        if to.mode() == Mode::Automatic {
            self.world.sub(to.id()).max.store(to.demand().max(), SeqCst);
        }
        self.ups.push(to.clone());
        self.enter().await?;
        if to.mode() == Mode::Manual {
            to.ask(self.random.between(1, 20));
        }
        Ok(to.mode())
    }

    /// Writes down a batch; before the first chance to be aborted.
    fn receive(&mut self, items: &[Item], from: &Upstream) {
        let sub = self.world.sub(from.id());
        let (length, demand) = (items.len(), from.demand());
        self.world.check(length > 0, || format!("subscription {}: a batch of nothing", sub.id));
        self.world.check(!sub.ended.load(SeqCst), || format!("subscription {}: items after its end", sub.id));
        if from.mode() == Mode::Automatic {
            let most = demand.max() - demand.min();
            self.world.check(length <= most, || {
                format!("subscription {}: a batch of {length} with a demand of {demand:?}", sub.id)
            });
        }
        items.iter().for_each(|item| sub.receive(&self.world, item));
    }

    /// A batch was handled.
    fn handled(&mut self, count: usize, from: &Upstream) {
        self.world.sub(from.id()).handled.fetch_add(count as u64, SeqCst);
        if from.mode() == Mode::Manual {
            from.ask(count);
        }
    }

    /// One of its subscriptions has ended.
    async fn left(&mut self, end: &Cancellation) -> Result<(), StageError> {
        let id = end.subscription();
        let modes = self.ups.iter().filter(|up| up.id() == id).map(Upstream::cancel_mode);
        if self.alone || modes.into_iter().any(|mode| mode.ends_on(end.reason())) {
            self.book.ending.store(true, SeqCst);
        }
        self.world.check(expected_end(end.reason()), || format!("subscription {id}: {}", end.reason()));
        let before = self.world.sub(id).ended.swap(true, SeqCst);
        self.world.check(!before, || format!("subscription {id} ended twice"));
        self.world.check(self.ups.iter().any(|up| up.id() == id), || format!("{id} ended, and never began"));
        self.ups.retain(|up| up.id() != id);
        self.enter().await
    }

    async fn terminate(&mut self) {
        self.book.terminated.fetch_add(1, SeqCst);
        if self.random.chance(self.lazy) {
            yield_now().await;
        }
        if self.world.kind == Kind::Rough && self.random.chance(3) {
            let _ = self.world.blow(self.random.clone().pick(&FAULTS));
        }
    }
}

/// How a producer answers to demand.
#[derive(Clone, Copy, Debug)]
enum Style {
    Exact,
    /// Makes more than is asked for.
    Eager,
    /// Makes some, and the rest message by message.
    Slow,
    /// Makes it when it has nothing else to do.
    Idle,
}

struct Source {
    state: State,
    style: Style,
    /// What it may still make.
    left: usize,
    finite: bool,
    owed: usize,
}

impl Source {
    fn give(&mut self, most: usize, out: &mut Output<Item, Msg>) {
        let more = if matches!(self.style, Style::Eager) { self.state.random.below(5) } else { 0 };
        let count = self.left.min(self.owed.min(most) + more);
        self.left -= count;
        self.owed = self.owed.saturating_sub(count);
        self.state.emit(count, out);
        if self.left == 0 && self.finite {
            self.state.finish(out);
        }
    }

    fn go_on(&mut self, out: &mut Output<Item, Msg>) {
        match self.style {
            Style::Exact | Style::Eager => self.give(usize::MAX, out),
            Style::Slow => {
                let most = self.state.random.between(1, 20);
                self.give(most, out);
                if self.owed > 0 && self.left > 0 {
                    out.post(Msg::GoOn);
                }
            }
            Style::Idle => {}
        }
    }
}

impl Producer<Msg> for Source {
    type Item = Item;

    async fn handle_start(&mut self, _: &mut Output<Item, Msg>) -> Result<(), StageError> {
        self.state.enter().await
    }

    async fn handle_demand(&mut self, demand: usize, out: &mut Output<Item, Msg>) -> Result<(), StageError> {
        self.state.world.check(demand > 0, || "a demand of nothing".into());
        self.state.enter().await?;
        self.owed += demand;
        self.go_on(out);
        Ok(())
    }

    async fn produce(&mut self, out: &mut Output<Item, Msg>) -> Result<(), StageError> {
        let more = self.left > 0 || self.finite;
        if !matches!(self.style, Style::Idle) || self.owed == 0 || !more || self.state.book.is_ending() {
            return pending().await;
        }
        yield_now().await;
        let most = self.state.random.between(1, 50);
        self.give(most, out);
        Ok(())
    }

    async fn handle_message(&mut self, message: Msg, out: &mut Output<Item, Msg>) -> Result<(), StageError> {
        match message {
            Msg::GoOn => {
                self.state.enter().await?;
                self.go_on(out);
            }
            Msg::More(count) => {
                self.state.enter().await?;
                self.left += if self.finite { 0 } else { count as usize };
                self.go_on(out);
            }
            message => {
                let count = self.state.message(message, out).await?;
                self.state.emit(count, out);
            }
        }
        Ok(())
    }

    async fn handle_subscribe(&mut self, _: Subscriber, _: &mut Output<Item, Msg>) -> Result<(), StageError> {
        self.state.enter().await
    }

    async fn handle_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<Item, Msg>,
    ) -> Result<(), StageError> {
        self.state.world.check(expected_end(end.reason()), || format!("a consumer left: {}", end.reason()));
        self.state.enter().await
    }

    fn handle_discarded(&mut self, items: usize) -> bool {
        self.state.book.thrown.fetch_add(items as u64, SeqCst);
        false
    }

    async fn terminate(&mut self, _: &Reason) {
        self.state.terminate().await;
    }
}

struct Middle {
    state: State,
    /// Makes 0 to so many items of one.
    most: usize,
}

/// When a stage in the middle has made so many, it makes only as many as it gets.
const PLENTY: u64 = 5_000;

impl ProducerConsumer<Msg> for Middle {
    type Input = Item;
    type Item = Item;

    async fn handle_items(
        &mut self,
        items: Vec<Item>,
        from: &Upstream,
        out: &mut Output<Item, Msg>,
    ) -> Result<(), StageError> {
        self.state.receive(&items, from);
        self.state.enter().await?;
        let most = if self.state.book.made.load(SeqCst) > PLENTY { 1 } else { self.most };
        let count = items.iter().map(|_| self.state.random.between(0, most)).sum();
        self.state.emit(count, out);
        self.state.handled(items.len(), from);
        Ok(())
    }

    async fn handle_start(&mut self, _: &mut Output<Item, Msg>) -> Result<(), StageError> {
        self.state.enter().await
    }

    async fn handle_consumer(&mut self, _: Subscriber, _: &mut Output<Item, Msg>) -> Result<(), StageError> {
        self.state.enter().await
    }

    async fn handle_consumer_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<Item, Msg>,
    ) -> Result<(), StageError> {
        self.state.world.check(expected_end(end.reason()), || format!("a consumer left: {}", end.reason()));
        self.state.enter().await
    }

    async fn handle_subscribe(
        &mut self,
        to: &Upstream,
        _: &mut Output<Item, Msg>,
    ) -> Result<Mode, StageError> {
        self.state.subscribed(to).await
    }

    async fn handle_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<Item, Msg>,
    ) -> Result<(), StageError> {
        self.state.left(end).await
    }

    async fn handle_message(&mut self, message: Msg, out: &mut Output<Item, Msg>) -> Result<(), StageError> {
        let count = self.state.message(message, out).await?;
        self.state.emit(count, out);
        Ok(())
    }

    fn handle_discarded(&mut self, items: usize) -> bool {
        self.state.book.thrown.fetch_add(items as u64, SeqCst);
        false
    }

    async fn terminate(&mut self, _: &Reason) {
        self.state.terminate().await;
    }
}

struct Last {
    state: State,
}

impl Consumer<Msg> for Last {
    type Input = Item;

    async fn handle_items(
        &mut self,
        items: Vec<Item>,
        from: &Upstream,
        _: &mut Control<Msg>,
    ) -> Result<(), StageError> {
        self.state.receive(&items, from);
        self.state.enter().await?;
        self.state.handled(items.len(), from);
        Ok(())
    }

    async fn handle_start(&mut self, _: &mut Control<Msg>) -> Result<(), StageError> {
        self.state.enter().await
    }

    async fn handle_subscribe(&mut self, to: &Upstream, _: &mut Control<Msg>) -> Result<Mode, StageError> {
        self.state.subscribed(to).await
    }

    async fn handle_cancel(&mut self, end: &Cancellation, _: &mut Control<Msg>) -> Result<(), StageError> {
        self.state.left(end).await
    }

    async fn handle_message(&mut self, message: Msg, stage: &mut Control<Msg>) -> Result<(), StageError> {
        // It makes no items, so an info comes behind none.
        let message = if let Msg::InfoYourself(_) = message { Msg::InfoYourself(0) } else { message };
        self.state.message(message, stage).await.map(drop)
    }

    async fn terminate(&mut self, _: &Reason) {
        self.state.terminate().await;
    }
}

// -------------------------------------------------------------------------------------------------
// Readers.

enum Reading {
    Plain(Subscription<Item>),
    Fallible(Fallible<Subscription<Item>>),
    /// Between the two.
    Moving,
}

struct Reader {
    reading: Reading,
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
struct Plan {
    items: usize,
    by_batches: bool,
    /// Asks for so many at a time, by hand.
    by_hand: Option<usize>,
    /// Takes the place of its subscription after its items, to read as many again.
    resubscribe: Option<(Subscribe<Item, Wants>, usize, Reason)>,
    /// Cancels and reads the rest, instead of being dropped.
    cancel: Option<Reason>,
    /// How often it lets others run, in percent.
    lazy: usize,
    /// Whether it stops when the readers of the round do.
    stops: bool,
    random: Random,
}

impl Reader {
    fn new(world: &Arc<World>, subscription: Subscription<Item>, max: usize, cancel: CancelMode) -> Self {
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
                    && (!made.watched || sub.received.load(SeqCst) < sub.sent.load(SeqCst))
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
async fn read(mut reader: Reader, mut plan: Plan) {
    let world = Arc::clone(&reader.world);
    let stop = if plan.stops { world.stop.clone() } else { CancellationToken::new() };
    let run = async { stop.run_until_cancelled(reader.run(&mut plan)).await };
    if let Err(payload) = AssertUnwindSafe(run).catch_unwind().await {
        let expected = expected_panic(&*payload);
        world.check(expected.is_ok(), || format!("a reader panicked: {expected:?}"));
        world.check(reader.may_panic, || "a reader panicked that should not".into());
    }
}

// -------------------------------------------------------------------------------------------------
// What happens in a round.

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
struct Slot {
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
    buffer: Option<(usize, Keep)>,
}

/// A subscription to be.
struct Terms {
    to: Subscribe<Item, Wants>,
    max: usize,
    cancel: CancelMode,
    by_hand: bool,
}

struct Script {
    world: Arc<World>,
    random: Random,
    slots: Vec<Slot>,
    readers: Vec<JoinHandle<()>>,
    /// What may take as long as a stage lives.
    asides: Vec<JoinHandle<()>>,
}

/// What the end of a rough round is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Finale {
    Shutdown,
    Abort,
    Drop,
    Finish,
    Runtime,
}

impl Script {
    fn new(world: &Arc<World>, random: Random) -> Self {
        let world = Arc::clone(world);
        Self { world, random, slots: Vec::new(), readers: Vec::new(), asides: Vec::new() }
    }

    async fn run(&mut self) {
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

    // Parts of all kinds.

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

    async fn look(&self, slot: usize) -> Option<gen_stage::stage::Status> {
        let slot = &self.slots[slot];
        let status = slot.node.as_ref()?.status().await?;
        let number = slot.book.stage;
        // What was asked for is kept in addition to the size of the buffer.
        let most = |size: usize| size as u64 + slot.book.asked.load(SeqCst);
        self.world.check(slot.buffer.is_none_or(|size| status.buffered as u64 <= most(size)), || {
            format!("stage {number}: {} items in a buffer of {:?}", status.buffered, slot.buffer)
        });
        for consumer in &status.consumers {
            let max = self.world.sub(consumer.id).max.load(SeqCst);
            self.world.check(consumer.demand <= max, || {
                format!("subscription {}: a demand of {} at most {max}", consumer.id, consumer.demand)
            });
        }
        for producer in &status.producers {
            let most = if producer.mode == Mode::Automatic { producer.bounds.max() } else { usize::MAX };
            self.world.check(producer.demand <= most, || {
                format!("subscription {}: wants {} at most {most}", producer.id, producer.demand)
            });
        }
        Some(status)
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

    fn check_all_arrived(&self, slot: &Slot, reason: &Reason) {
        let (book, split) = (&slot.book, slot.book.split);
        let number = book.stage;
        self.world.check(matches!(reason, Reason::Normal), || {
            format!("stage {number} was to end normally: {reason}")
        });
        let Some(node) = &slot.node else { return };
        if slot.role == Role::Last {
            return;
        }
        let made = book.made.load(SeqCst);
        let dropped = if matches!(split, Split::Lanes(Lanes::Some, _)) {
            (0..made).filter(|number| is_dropped(*number)).count() as u64
        } else {
            0
        };
        let counts = node.counts();
        self.world.check(counts.emitted == made && counts.discarded == dropped, || {
            format!(
                "stage {number} ({split:?}): {made} made and {dropped} dropped by its dispatcher, {counts:?}"
            )
        });
    }

    // Gentle rounds.

    async fn gentle(&mut self) {
        let (sources, middles) = (self.random.between(1, 4), self.random.between(0, 5));
        let lasts = self.random.between(1, 6);
        let emitters = sources + middles;
        let mut ups: Vec<Vec<usize>> = vec![Vec::new(); sources];
        for stage in sources..emitters + lasts {
            let mut from: Vec<usize> = (0..stage.min(emitters)).collect();
            let count = self.random.between(1, from.len().min(3));
            ups.push((0..count).map(|_| from.swap_remove(self.random.below(from.len()))).collect());
        }
        // Everything that is made is read.
        let mut readers = vec![0; emitters];
        for (emitter, readers) in readers.iter_mut().enumerate() {
            let is_read = ups.iter().flatten().any(|up| *up == emitter);
            *readers = usize::from(!is_read) + self.random.below(2);
        }
        // Each reads a lane of its own.
        let mut lanes = vec![0; emitters];
        let mut wants = HashMap::new();
        for (stage, ups) in ups.iter().enumerate() {
            for up in ups {
                wants.insert((stage, *up), lanes[*up]);
                lanes[*up] += 1;
            }
        }
        let splits: Vec<Split> =
            (0..emitters).map(|emitter| self.split(lanes[emitter] + readers[emitter])).collect();
        let wants_of = |script: &mut Self, emitter: usize, lane: usize| match splits[emitter] {
            Split::Lanes(..) => Wants::Lane(lane),
            _ => script.wants(emitter),
        };

        let alone: Vec<bool> =
            ups.iter().map(|ups| !ups.is_empty() && (ups.len() > 1 || self.random.chance(30))).collect();
        let cancel = |stage: usize| if alone[stage] { CancelMode::Transient } else { CancelMode::Permanent };
        let mut at_start = vec![false; ups.len()];
        for stage in 0..ups.len() {
            let role = match stage {
                _ if stage < sources => Role::Source,
                _ if stage < emitters => Role::Middle,
                _ => Role::Last,
            };
            let mut subscribe_to = Vec::new();
            if role == Role::Last && self.random.chance(50) {
                at_start[stage] = true;
                for up in ups[stage].clone() {
                    let wants = wants_of(self, up, wants[&(stage, up)]);
                    subscribe_to.extend(self.terms(up, wants, &[cancel(stage)]).map(|terms| terms.to));
                }
            }
            let items = self.random.pick(&[0, 1, 10, 100, 1000]);
            let items = self.random.between(0, items);
            let split = if role == Role::Last { Split::None } else { splits[stage] };
            let buffer = None;
            let (alone, accumulate) = (alone[stage], true);
            self.start(Build { role, split, subscribe_to, alone, accumulate, items, finite: true, buffer });
        }
        for stage in emitters..ups.len() {
            // Has begun, and so has sent its subscriptions.
            self.look(stage).await;
        }
        // From the end on, so that nothing flows before all have subscribed.
        for emitter in (0..emitters).rev() {
            for stage in 0..ups.len() {
                if !at_start[stage] && ups[stage].contains(&emitter) {
                    let wants = wants_of(self, emitter, wants[&(stage, emitter)]);
                    let terms = self.terms(emitter, wants, &[cancel(stage)]);
                    if let (Some(terms), Some(node)) = (terms, self.slots[stage].node.clone()) {
                        let taken = node.subscribe_to(terms.to).await;
                        self.world.check(taken.is_ok(), || format!("{stage} to {emitter}: {taken:?}"));
                    }
                }
            }
            for reader in 0..readers[emitter] {
                let wants = wants_of(self, emitter, lanes[emitter] + reader);
                self.read_all(emitter, wants).await;
            }
            if self.random.chance(30) {
                self.emit(emitter).await;
            }
            if self.random.chance(30) {
                self.info(emitter, true).await;
            }
        }
        for slot in &self.slots {
            if let Some(Node::Source(handle)) = &slot.node {
                handle.forward();
            }
        }
        for _ in 0..self.random.below(60) {
            let slot = self.random.below(self.slots.len());
            match self.random.below(3) {
                0 => self.yields(5).await,
                1 => drop(self.look(slot).await),
                _ => self.chat(slot).await,
            }
        }
        for slot in &self.slots {
            if let Some(node) = &slot.node {
                self.check_all_arrived(slot, &node.wait().await);
            }
        }
        for reader in self.readers.drain(..) {
            let _ = reader.await;
        }
        self.check_all_read();
    }

    /// Each item of a gentle round has come to whom it is for.
    fn check_all_read(&self) {
        for slot in &self.slots {
            let (made, split) = (slot.book.made.load(SeqCst), slot.book.split);
            let kept = |number: &u64| !matches!(split, Split::Lanes(Lanes::Some, _)) || !is_dropped(*number);
            let mut seen = lock(&slot.book.seen).clone();
            seen.sort_unstable();
            let all = seen.iter().copied().eq((0..made).filter(kept));
            self.world.check(all || !split.to_one(), || {
                format!("stage {} ({split:?}) made {made}, of which {} arrived", slot.book.stage, seen.len())
            });
            if let Some(node) = &slot.node {
                let counts = node.counts();
                self.world
                    .check(counts.undelivered == 0, || format!("stage {}: {counts:?}", slot.book.stage));
            }
        }
        for sub in lock(&self.world.subs).values() {
            if let Some(Made { emitter, wants, .. }) =
                sub.made.get().filter(|made| made.emitter.split == Split::All)
            {
                let wanted = (0..emitter.made.load(SeqCst)).filter(|n| wants.takes(Split::All, *n)).count();
                let received = sub.received.load(SeqCst);
                self.world.check(received == wanted as u64, || {
                    format!("subscription {} got {received} of {wanted} of stage {}", sub.id, emitter.stage)
                });
            }
        }
    }

    /// Reads a stage to its end. Returns false if it was not let.
    async fn read_all(&mut self, emitter: usize, wants: Wants) -> bool {
        let mut plan = self.plan(usize::MAX);
        let Some(terms) = self.terms(emitter, wants, &[CancelMode::Permanent, CancelMode::Temporary]) else {
            return false;
        };
        plan.by_hand = terms.by_hand.then(|| self.random.between(1, 30));
        plan.stops = false;
        match terms.to.await {
            Ok(subscription) => {
                let reader = Reader::new(&self.world, subscription, terms.max, terms.cancel);
                self.readers.push(tokio::spawn(read(reader, plan)));
                true
            }
            Err(_) => false,
        }
    }

    // Busy rounds.

    async fn busy(&mut self) {
        let (sources, middles) = (self.random.between(1, 4), self.random.between(0, 4));
        let lasts = self.random.between(0, 6);
        for stage in 0..sources + middles + lasts {
            let role = match stage {
                _ if stage < sources => Role::Source,
                _ if stage < sources + middles => Role::Middle,
                _ => Role::Last,
            };
            let lanes = self.random.between(1, 4);
            let split = if role == Role::Last { Split::None } else { self.split(lanes) };
            let items = self.random.pick(&[1, 10, 100, 1000]);
            let items = self.random.between(0, items);
            let accumulate = self.random.chance(20);
            let subscribe_to = Vec::new();
            let (alone, finite, buffer) = (false, true, None);
            self.start(Build { role, split, subscribe_to, alone, accumulate, items, finite, buffer });
        }
        for _ in 0..self.random.between(20, 120) {
            self.busy_step().await;
        }
        self.drain().await;
    }

    async fn busy_step(&mut self) {
        let slot = self.random.below(self.slots.len());
        match self.random.below(12) {
            0..=2 => self.yields(10).await,
            3 | 4 => self.subscribe_stage(slot).await,
            5 | 6 => self.start_reader(slot).await,
            7 => {
                let reason = self.random.pick(&[Reason::Normal, Reason::Shutdown]);
                let _ = self.slots[slot].address.cast(Msg::Leave(reason)).await;
            }
            8 => self.hold_back(slot),
            9 => drop(self.look(slot).await),
            10 if self.slots[slot].role == Role::Middle => self.emit(slot).await,
            _ => self.chat(slot).await,
        }
    }

    /// Ends of producers that a busy stage survives.
    fn cancels(&self) -> &'static [CancelMode] {
        match self.world.kind {
            Kind::Rough => &[CancelMode::Permanent, CancelMode::Transient, CancelMode::Temporary],
            // One that has ended before is not a clean end.
            _ => &[CancelMode::Temporary],
        }
    }

    /// A stage that `slot` may read from.
    fn upstream(&mut self, slot: usize) -> Option<usize> {
        let before = (0..slot).filter(|stage| self.is_emitter(*stage)).collect::<Vec<_>>();
        let readable = self.slots[slot].role != Role::Source && !before.is_empty();
        readable.then(|| self.random.pick(&before))
    }

    async fn subscribe_stage(&mut self, slot: usize) {
        let Some(of) = self.upstream(slot) else { return };
        let Some(node) = self.slots[slot].node.clone() else { return };
        let wants = self.wants(of);
        let Some(terms) = self.terms(of, wants, self.cancels()) else { return };
        let taken = if !self.slots[slot].ups.is_empty() && self.random.chance(40) {
            let old = self.random.pick(&self.slots[slot].ups);
            node.resubscribe(old, terms.to, Reason::Normal).await
        } else {
            node.subscribe_to(terms.to).await
        };
        if let Ok(id) = taken {
            self.slots[slot].ups.push(id);
        }
    }

    async fn start_reader(&mut self, slot: usize) {
        if !self.is_emitter(slot) {
            return;
        }
        let wants = self.wants(slot);
        let Some(terms) = self.terms(slot, wants, &[CancelMode::Permanent, CancelMode::Temporary]) else {
            return;
        };
        let items = self.random.pick(&[0, 1, 5, 50, 500, usize::MAX]);
        let mut plan = self.plan(items);
        plan.by_hand = terms.by_hand.then(|| self.random.between(1, 30));
        if self.random.chance(30) {
            plan.cancel = Some(Reason::Normal);
        }
        if self.random.chance(30) {
            let anew = if self.random.chance(70) { slot } else { self.random.below(self.slots.len()) };
            let wants = self.wants(anew);
            let cancels = [CancelMode::Permanent, CancelMode::Temporary];
            if let Some(terms) = self.terms(anew, wants, &cancels) {
                // By hand or not goes for all of its subscriptions.
                if plan.by_hand.is_some() {
                    plan.resubscribe = Some((terms.to.manual(), usize::MAX, Reason::Normal));
                } else if !terms.by_hand {
                    plan.resubscribe = Some((terms.to, terms.max, Reason::Normal));
                }
            }
        }
        let fallible = self.random.chance(30);
        let Ok(subscription) = terms.to.await else { return };
        let mut reader = Reader::new(&self.world, subscription, terms.max, terms.cancel);
        if fallible {
            let Reading::Plain(reading) = std::mem::replace(&mut reader.reading, Reading::Moving) else {
                return;
            };
            // Nobody could ask by hand.
            plan.by_hand = None;
            reader.reading = Reading::Fallible(reading.fallible());
        }
        self.readers.push(tokio::spawn(read(reader, plan)));
    }

    /// Reads everything to the end: nothing may be stuck.
    async fn drain(&mut self) {
        self.world.stop.cancel();
        for reader in self.readers.drain(..) {
            let _ = reader.await;
        }
        for slot in &self.slots {
            // What it was told has been done.
            let _ = slot.address.call(|reply| Msg::Call(reply, Answer::Now)).await;
        }
        for emitter in 0..self.slots.len() {
            match self.slots[emitter].book.split {
                Split::None => {}
                Split::One | Split::All => drop(self.read_all(emitter, Wants::All).await),
                Split::Lanes(_, lanes) => {
                    for lane in 0..lanes {
                        self.read_all(emitter, Wants::Lane(lane)).await;
                    }
                }
            }
        }
        for slot in &self.slots {
            if let Some(Node::Source(handle)) = &slot.node {
                handle.forward();
            }
        }
        for role in [Role::Source, Role::Middle, Role::Last] {
            for number in 0..self.slots.len() {
                let Some(node) = self.slots[number].node.clone() else { continue };
                if self.slots[number].role != role {
                    continue;
                }
                // Those above have ended; what they have sent is to be read.
                while let Some(status) = self.look(number).await {
                    if role == Role::Source || (status.producers.is_empty() && status.waiting == 0) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let reason = match role {
                    Role::Source => node.wait().await,
                    Role::Middle | Role::Last => {
                        self.slots[number].book.finish_asked.store(true, SeqCst);
                        node.finish().await
                    }
                };
                self.check_all_arrived(&self.slots[number], &reason);
            }
        }
    }

    // Rough rounds.

    async fn rough(&mut self) -> Finale {
        let stages = self.random.between(2, 18);
        for _ in 0..stages {
            self.start_rough();
            self.yields(2).await;
        }
        for _ in 0..self.random.between(50, 300) {
            self.rough_step().await;
        }
        let finales = [Finale::Shutdown, Finale::Abort, Finale::Drop, Finale::Finish, Finale::Runtime];
        let finale = self.random.pick(&finales);
        self.end(finale).await;
        finale
    }

    fn start_rough(&mut self) {
        let slot = self.slots.len();
        let role = match (slot, self.random.below(10)) {
            (0, _) | (_, 0..=2) => Role::Source,
            (_, 3..=5) => Role::Middle,
            _ => Role::Last,
        };
        let lanes = self.random.between(1, 4);
        let split = if role == Role::Last { Split::None } else { self.split(lanes) };
        let before: Vec<usize> = (0..slot).filter(|stage| self.is_emitter(*stage)).collect();
        let mut subscribe_to = Vec::new();
        for _ in 0..if role == Role::Source { 0 } else { self.random.below(4) } {
            let of = self.random.pick(&before);
            let wants = self.wants(of);
            let cancels = self.cancels();
            subscribe_to.extend(self.terms(of, wants, cancels).map(|terms| terms.to));
        }
        let keep = self.random.pick(&[Keep::First, Keep::Last]);
        let size = self.random.pick(&[0, 1, 5, 100]);
        let buffer = self.random.chance(50).then_some((size, keep));
        let items = self.random.between(0, 2000);
        let (alone, accumulate) = (self.random.chance(20), self.random.chance(15));
        let finite = self.random.chance(50);
        self.start(Build { role, split, subscribe_to, alone, accumulate, items, finite, buffer });
    }

    fn reason(&mut self) -> Reason {
        match self.random.below(4) {
            0 => Reason::Shutdown,
            1 => Reason::shutdown_for("enough"),
            2 => Reason::failed(format!("{INJECTED} stop")),
            _ => Reason::Normal,
        }
    }

    async fn rough_step(&mut self) {
        let slot = self.random.below(self.slots.len());
        match self.random.below(100) {
            0..=24 => self.yields(10).await,
            25..=34 => self.subscribe_stage(slot).await,
            35..=46 => self.start_reader(slot).await,
            47..=50 => {
                let reason = self.reason();
                let _ = self.slots[slot].address.cast(Msg::Leave(reason)).await;
            }
            51..=56 => self.hold_back(slot),
            57..=60 => drop(self.look(slot).await),
            61..=66 => self.emit(slot).await,
            67..=70 => {
                let more = self.random.between(1, 500);
                let message =
                    if self.random.chance(50) { Msg::More(more as u64) } else { Msg::Ask(more % 10) };
                let _ = self.slots[slot].address.cast(message).await;
            }
            71..=84 => self.chat(slot).await,
            85 | 86 => {
                if !self.readers.is_empty() {
                    let at = self.random.below(self.readers.len());
                    self.readers[at].abort();
                }
            }
            87 | 88 => {
                if self.slots.len() < 20 {
                    self.start_rough();
                }
            }
            _ if self.random.chance(60) => self.yields(3).await,
            _ => self.hurt(slot).await,
        }
    }

    /// Ends a stage, or has it fail.
    async fn hurt(&mut self, number: usize) {
        let message = match self.random.below(12) {
            0 => Msg::Break(self.random.pick(&FAULTS)),
            1 => match self.reason() {
                Reason::Normal => Msg::Finish,
                reason => Msg::Stop(reason),
            },
            2 => Msg::Finish,
            _ => Msg::Nothing,
        };
        let reason = self.reason();
        let what = self.random.below(10);
        let slot = &mut self.slots[number];
        let Some(node) = slot.node.clone() else { return };
        let mut aside = None;
        match (message, what) {
            (Msg::Nothing, 0) => {
                slot.cut = true;
                on!(node, handle => handle.abort());
            }
            (Msg::Nothing, 1) => {
                // A normal stop and the end of all work would look the same.
                let reason = if matches!(reason, Reason::Normal) { Reason::Shutdown } else { reason };
                aside = Some(tokio::spawn(async move { drop(node.stop(reason).await) }));
            }
            (Msg::Nothing, 2..=4) => {
                slot.book.finish_asked.store(true, SeqCst);
                aside = Some(tokio::spawn(async move { drop(node.finish().await) }));
            }
            (Msg::Nothing, 5) => {
                let (book, world) = (Arc::clone(&slot.book), Arc::clone(&self.world));
                let cut = slot.driver.is_some();
                aside = Some(tokio::spawn(async move {
                    node.shutdown().await;
                    let dropped = book.dropped.load(SeqCst);
                    world.check(cut || dropped, || {
                        format!("stage {} is told to have ended too early", book.stage)
                    });
                }));
            }
            (Msg::Nothing, 6) => slot.node = None,
            (Msg::Nothing, 7) => {
                slot.node = None;
                on!(node, handle => handle.detach());
            }
            (Msg::Nothing, 8) => {
                // A clone lives on: it is only kept twice.
                on!(node, handle => handle.detach());
            }
            (Msg::Nothing, _) => {
                if let Some(driver) = &slot.driver {
                    driver.abort();
                    slot.cut = true;
                }
            }
            (message, _) => drop(slot.address.cast(message).await),
        }
        self.asides.extend(aside);
    }

    async fn end(&mut self, finale: Finale) {
        let world = Arc::clone(&self.world);
        match finale {
            Finale::Runtime => {
                self.yields(10).await;
                self.slots.iter_mut().for_each(|slot| slot.cut = true);
                return;
            }
            Finale::Finish => {
                for slot in &self.slots {
                    if let Some(node) = slot.node.clone() {
                        slot.book.finish_asked.store(true, SeqCst);
                        self.asides.push(tokio::spawn(async move { drop(node.finish().await) }));
                    }
                }
                self.yields(100).await;
                world.stop.cancel();
                self.yields(20).await;
            }
            Finale::Abort => {
                for slot in &mut self.slots {
                    slot.cut = true;
                    if let Some(node) = &slot.node {
                        on!(node, handle => handle.abort());
                    }
                }
            }
            Finale::Drop => {
                for slot in &mut self.slots {
                    slot.node = None;
                }
            }
            Finale::Shutdown => {}
        }
        world.stop.cancel();
        let nodes: Vec<Node> = self.slots.iter().filter_map(|slot| slot.node.clone()).collect();
        join_all(nodes.iter().map(Node::shutdown)).await;
        drop(nodes);
        for slot in &self.slots {
            // Those that live without a handle.
            let _ = slot.address.cast(Msg::Stop(Reason::Shutdown)).await;
        }
    }

    // After the end.

    fn check(&self) {
        let world = &self.world;
        for slot in &self.slots {
            self.check_slot(slot);
            let mut seen = lock(&slot.book.seen).clone();
            let count = seen.len();
            seen.sort_unstable();
            seen.dedup();
            world.check(seen.len() == count, || {
                format!("stage {}: {} items came twice", slot.book.stage, count - seen.len())
            });
            for (number, info) in lock(&slot.book.infos).iter().enumerate() {
                let fine = info.handled == 0 || (info.handled == 1 && !info.returned);
                world.check(fine, || format!("stage {}: info {number} is {info:?}", slot.book.stage));
            }
        }
    }

    fn check_slot(&self, slot: &Slot) {
        let (world, book, split) = (&self.world, &slot.book, slot.book.split);
        let number = book.stage;
        let terminated = book.terminated.load(SeqCst);
        world.check(book.dropped.load(SeqCst), || format!("stage {number} is still there"));
        world.check(terminated <= 1, || format!("stage {number} was terminated {terminated} times"));
        let Some(node) = &slot.node else { return };
        let Some(reason) = node.wait().now_or_never() else {
            return world.fault(format!("stage {number} has not said that it has ended"));
        };
        world.check(expected_end(&reason), || format!("stage {number} ended: {reason}"));
        if !matches!(reason, Reason::Aborted) && !slot.cut {
            world.check(terminated == 1, || format!("stage {number} ended without terminate: {reason}"));
        }
        if matches!(reason, Reason::Normal) && !slot.alone {
            let begun = book.ending.load(SeqCst);
            for info in lock(&book.infos).iter() {
                let sure = info.sure || (info.nearly_sure && book.finish_asked.load(SeqCst) && !begun);
                world.check(!sure || info.returned || info.handled == 1, || {
                    format!("stage {number} ({:?}) lost an info: {info:?}", slot.role)
                });
            }
        }
        let counts = node.counts();
        let Counts { emitted, sent, taken, undelivered, discarded, .. } = counts;
        let (made, read) = (book.made.load(SeqCst), book.read.load(SeqCst));
        let slack = book.slack.load(SeqCst);
        let told = || {
            format!(
                "stage {number} ({split:?}, {reason}): {made} made, {read} read, {slack} maybe, {counts:?}"
            )
        };
        world.check(sent == taken + undelivered, || format!("sent is not taken and undelivered: {}", told()));
        world.check(read <= taken && taken <= read.saturating_add(slack), || {
            format!("taken is not what was read: {}", told())
        });
        world.check(emitted <= made, || format!("more emitted than made: {}", told()));
        let all = if split == Split::All { discarded <= emitted } else { emitted == sent + discarded };
        world.check(all, || format!("emitted is not sent and discarded: {}", told()));
    }

    /// What is alive when it should not be.
    async fn stuck(&self) -> String {
        let mut text = String::new();
        for slot in &self.slots {
            let Some(node) = &slot.node else { continue };
            if node.wait().now_or_never().is_none() {
                let status = tokio::time::timeout(Duration::from_millis(50), node.status()).await;
                let (number, role, split, finite) =
                    (slot.book.stage, slot.role, slot.book.split, slot.finite);
                text += &format!("\n  stage {number}, {role:?}, {split:?}, finite: {finite}: {status:?}");
            }
        }
        text
    }
}

// -------------------------------------------------------------------------------------------------
// Rounds.

#[derive(Default)]
struct Totals {
    rounds: u64,
    stages: u64,
    items: u64,
    panics: u64,
}

/// Panics that nobody meant, as the hook saw them.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs a round, and returns what was wrong with it.
fn round(seed: u64, form: Form, kind: Option<Kind>, totals: &mut Totals) -> Vec<String> {
    let mut random = Random(seed);
    let any = random.pick(&[Kind::Gentle, Kind::Busy, Kind::Rough, Kind::Rough]);
    let kind = kind.unwrap_or(any);
    let world = Arc::new(World {
        form,
        kind,
        items: Arc::default(),
        states: Arc::default(),
        read: AtomicU64::new(0),
        panics: AtomicU64::new(0),
        faults: Mutex::default(),
        subs: Mutex::default(),
        stop: CancellationToken::new(),
    });
    let runtime = match form {
        Form::One => tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build(),
        Form::Two => tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build(),
    };
    let runtime = runtime.expect("a runtime can be made");
    let mut script = Script::new(&world, random);
    let hung = runtime.block_on(async {
        let limited = tokio::time::timeout(LIMIT, AssertUnwindSafe(script.run()).catch_unwind());
        let ended = match limited.await {
            Ok(Ok(())) => return false,
            Ok(Err(_)) => "the test panicked".to_owned(),
            Err(_) => format!("it hangs:{}", script.stuck().await),
        };
        world.fault(ended);
        true
    });
    if hung {
        runtime.shutdown_background();
    } else {
        drop(runtime);
        script.check();
    }
    totals.rounds += 1;
    totals.stages += script.slots.len() as u64;
    totals.items += world.read.load(SeqCst);
    totals.panics += world.panics.load(SeqCst);
    drop(script);
    let (items, states) = (world.items.load(SeqCst), world.states.load(SeqCst));
    world.check(hung || (items, states) == (0, 0), || format!("alive: {items} items and {states} stages"));
    let mut faults = std::mem::take(&mut *lock(&world.faults));
    faults.extend(lock(&PANICS).drain(..).map(|text| format!("a panic: {text}")));
    faults.iter_mut().for_each(|fault| *fault = format!("{kind:?}, {:?}: {fault}", world.form));
    faults
}

struct Arguments {
    rounds: u64,
    seed: u64,
    forms: Vec<Form>,
    kind: Option<Kind>,
    keep_going: bool,
}

/// `None`: there is nothing to do.
fn arguments() -> Option<Arguments> {
    let forms = vec![Form::One, Form::Two];
    let mut parsed = Arguments { rounds: SHORT, seed: 1, forms, kind: None, keep_going: false };
    let mut filters = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number =
            || args.next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{arg} takes a number"));
        match arg.as_str() {
            "--help" | "-h" => {
                println!("{HELP}");
                return None;
            }
            "--rounds" => parsed.rounds = number(),
            "--seed" => parsed.seed = number(),
            "--form" => match args.next().as_deref() {
                Some("one") => parsed.forms = vec![Form::One],
                Some("two") => parsed.forms = vec![Form::Two],
                _ => panic!("--form takes one or two"),
            },
            "--kind" => match args.next().as_deref() {
                Some("gentle") => parsed.kind = Some(Kind::Gentle),
                Some("busy") => parsed.kind = Some(Kind::Busy),
                Some("rough") => parsed.kind = Some(Kind::Rough),
                _ => panic!("--kind takes gentle, busy or rough"),
            },
            "--keep-going" => parsed.keep_going = true,
            // Of cargo's own tests: what to do, and what takes a value.
            "--list" => {
                println!("soak: test");
                return None;
            }
            "--ignored" | "--bench" => return None,
            "--skip" => {
                if args.next().is_some_and(|name| "soak".contains(&name)) {
                    return None;
                }
            }
            "--test-threads" | "--color" | "--format" | "--logfile" | "--shuffle-seed" | "-Z" => {
                drop(args.next());
            }
            flag if flag.starts_with('-') => {}
            _ => filters.push(arg),
        }
    }
    let wanted = filters.is_empty() || filters.iter().any(|filter| "soak".contains(filter.as_str()));
    wanted.then_some(parsed)
}

/// Keeps panics that were meant to be out of the output.
fn hear_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if expected_panic(info.payload()).is_err() {
            tell(info);
            lock(&PANICS).push(info.to_string());
        }
    }));
}

/// Ends the process if a round takes far too long without being seen to hang.
fn watch(progress: &'static Mutex<(u64, Instant)>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let (seed, since) = *lock(progress);
            if since.elapsed() > 3 * LIMIT {
                eprintln!("soak: the round never ends.\nRepeat it: --seed {seed} --rounds 1");
                std::process::exit(1);
            }
        }
    });
}

fn main() {
    static PROGRESS: OnceLock<Mutex<(u64, Instant)>> = OnceLock::new();
    let Some(Arguments { rounds, seed, forms, kind, keep_going }) = arguments() else { return };
    hear_panics();
    let progress = PROGRESS.get_or_init(|| Mutex::new((seed, Instant::now())));
    watch(progress);
    let (mut totals, mut failed) = (Totals::default(), 0);
    'rounds: for seed in seed..seed.saturating_add(rounds) {
        for form in &forms {
            *lock(progress) = (seed, Instant::now());
            let faults = round(seed, *form, kind, &mut totals);
            if !faults.is_empty() {
                failed += 1;
                eprintln!("soak: a round went wrong.");
                faults.iter().for_each(|fault| eprintln!("- {fault}"));
                eprintln!("Repeat it: cargo test --test soak -- --seed {seed} --rounds 1");
                if !keep_going {
                    break 'rounds;
                }
            }
        }
    }
    let Totals { rounds, stages, items, panics } = totals;
    println!("soak: {rounds} rounds, {stages} stages, {items} items read, {panics} panics injected");
    if failed > 0 {
        eprintln!("soak: {failed} rounds went wrong");
        std::process::exit(1);
    }
}
