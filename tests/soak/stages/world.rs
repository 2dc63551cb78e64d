//! What is written down about a round: its items, stages and subscriptions, and what went wrong.

use gen_stage::dispatch::{SubscriptionId, hash_lane};
use gen_stage::stage::{Reason, StageError};
use std::any::Any;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio_util::sync::CancellationToken;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts what is alive: items and the states of stages.
pub(crate) struct Live(Arc<AtomicI64>);

impl Live {
    pub(crate) fn new(counter: &Arc<AtomicI64>) -> Self {
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
pub(crate) struct Item {
    pub(crate) stage: usize,
    pub(crate) number: u64,
    pub(crate) _live: Live,
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    One,
    Two,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Gentle,
    Busy,
    Rough,
}

/// How a callback fails when it is told to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Error,
    Panic,
    PanicWithText,
    PanicWithout,
}

/// The demand of subscriptions that may lose items, by which they are told: what is sent to them has no bound.
pub(crate) const MAY_LOSE: (usize, usize) = (20, 10);

pub(crate) const FAULTS: [Fault; 4] = [Fault::Error, Fault::Panic, Fault::PanicWithText, Fault::PanicWithout];
/// What all texts of failures begin with that this test makes on purpose.
pub(crate) const INJECTED: &str = "injected";
/// What reading a subscription says when its producer has ended before it was done, without an error of its own.
const RAISED: &str = "a subscription to ";
/// What it says when a stage has failed with an error that this test made, after the name of the stage.
const FAILED: &str = " failed: injected";

struct Injected;

/// The text of a panic, if this test or a failed producer made it.
pub(crate) fn expected_panic(payload: &(dyn Any + Send)) -> Result<(), String> {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ if payload.is::<Injected>() => return Ok(()),
        _ => "a panic with something else than a text".to_owned(),
    };
    // A panic that is resumed a second time has only its text.
    let ours = text.starts_with(INJECTED)
        || text.starts_with(RAISED)
        || text.contains(FAILED)
        || text == "a panic without a text";
    if ours { Ok(()) } else { Err(text) }
}

pub(crate) fn expected_end(reason: &Reason) -> bool {
    match reason {
        Reason::Panicked(panic) => {
            panic.message().starts_with(INJECTED) || panic.message() == "a panic without a text"
        }
        Reason::Failed(error) => error.to_string().starts_with(INJECTED),
        _ => true,
    }
}

/// What a run of a round knows.
pub(crate) struct World {
    pub(crate) form: Form,
    pub(crate) kind: Kind,
    pub(crate) items: Arc<AtomicI64>,
    pub(crate) states: Arc<AtomicI64>,
    /// Items that consumers and readers got.
    pub(crate) read: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) faults: Mutex<Vec<String>>,
    pub(crate) subs: Mutex<HashMap<SubscriptionId, Arc<Sub>>>,
    /// Readers stop when this is cancelled.
    pub(crate) stop: CancellationToken,
}

impl World {
    pub(crate) fn fault(&self, text: impl Into<String>) {
        let mut faults = lock(&self.faults);
        if faults.len() < 20 {
            faults.push(text.into());
        }
    }

    pub(crate) fn check(&self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.fault(text());
        }
    }

    pub(crate) fn sub(&self, id: SubscriptionId) -> Arc<Sub> {
        let mut subs = lock(&self.subs);
        Arc::clone(subs.entry(id).or_insert_with(|| Arc::new(Sub::new(id))))
    }

    pub(crate) fn blow(&self, fault: Fault) -> Result<(), StageError> {
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
pub(crate) enum Split {
    /// It makes none.
    None,
    One,
    All,
    Lanes(Lanes, usize),
}

/// What says which partition an item is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lanes {
    Key,
    Hash,
    /// By key, and some items are dropped.
    Some,
}

impl Split {
    /// Each item goes to one subscription at most.
    pub(crate) fn to_one(self) -> bool {
        matches!(self, Self::One | Self::Lanes(..))
    }
}

/// Whether the dispatcher of `Lanes::Some` drops it.
pub(crate) fn is_dropped(number: u64) -> bool {
    number % 7 == 3
}

/// What a subscription tells the dispatcher.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Wants {
    #[default]
    All,
    /// Of a broadcast, the numbers with this rest.
    Rest(u64, u64),
    Lane(usize),
}

impl Wants {
    pub(crate) fn takes(self, split: Split, number: u64) -> bool {
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
pub(crate) struct Book {
    pub(crate) stage: usize,
    pub(crate) split: Split,
    /// How many items it has made: the number of the next one.
    pub(crate) made: AtomicU64,
    /// What was asked of it.
    pub(crate) asked: AtomicU64,
    /// How many items came to its callbacks.
    pub(crate) got: AtomicU64,
    /// Of the items made, handed out by the dispatcher for good.
    pub(crate) gone: AtomicU64,
    /// Of those, thrown away by the buffer, as the stage was told.
    pub(crate) thrown: AtomicU64,
    /// Got by others: taken, as the stage calls it.
    pub(crate) read: AtomicU64,
    /// Taken by readers that were dropped in the middle of a batch, at most.
    pub(crate) slack: AtomicU64,
    /// Their numbers, if each item may come once only.
    pub(crate) seen: Mutex<Vec<u64>>,
    pub(crate) infos: Mutex<Vec<Info>>,
    /// The test is about to end it by `finish`.
    pub(crate) finish_asked: AtomicBool,
    /// It is about to end, or may be, for a reason of its own.
    pub(crate) ending: AtomicBool,
    pub(crate) terminated: AtomicU64,
    pub(crate) dropped: AtomicBool,
    /// The number of the last message that has to come in order.
    pub(crate) ordered: AtomicU64,
}

/// A message that is to come behind what was made before it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Info {
    pub(crate) after: u64,
    pub(crate) handled: u32,
    /// It must be handled if the stage ends by `finish`.
    pub(crate) sure: bool,
    /// It must be, unless the stage has begun to end by itself, maybe before it.
    pub(crate) nearly_sure: bool,
    /// The stage did not take it.
    pub(crate) returned: bool,
}

impl Book {
    pub(crate) fn new(stage: usize, split: Split) -> Self {
        Self {
            stage,
            split,
            made: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            got: AtomicU64::new(0),
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

    pub(crate) fn is_ending(&self) -> bool {
        self.finish_asked.load(SeqCst) || self.ending.load(SeqCst)
    }

    pub(crate) fn new_info(&self, info: Info) -> usize {
        let mut infos = lock(&self.infos);
        infos.push(info);
        infos.len() - 1
    }

    pub(crate) fn handle_info(&self, world: &World, number: usize) {
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
pub(crate) struct Sub {
    pub(crate) id: SubscriptionId,
    pub(crate) made: OnceLock<Made>,
    /// Of an automatic one.
    pub(crate) max: AtomicUsize,
    pub(crate) sent: AtomicU64,
    /// Above the number of the last item that was sent.
    pub(crate) sent_up_to: AtomicU64,
    pub(crate) handled: AtomicU64,
    pub(crate) received: AtomicU64,
    /// The lowest number that may come next.
    next: AtomicU64,
    pub(crate) ended: AtomicBool,
}

/// What the dispatcher adds to that.
pub(crate) struct Made {
    pub(crate) emitter: Arc<Book>,
    pub(crate) wants: Wants,
    /// Whether `sent` is counted, and `sent_up_to` known.
    pub(crate) watched: bool,
}

impl Sub {
    pub(crate) fn new(id: SubscriptionId) -> Self {
        Self {
            id,
            made: OnceLock::new(),
            max: AtomicUsize::new(usize::MAX),
            sent: AtomicU64::new(0),
            sent_up_to: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            received: AtomicU64::new(0),
            next: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        }
    }

    /// One item has come to whoever has this subscription.
    pub(crate) fn receive(&self, world: &World, item: &Item) {
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
