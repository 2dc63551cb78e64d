//! The tasks of a running flow: started here and nowhere else, owned, stopped together.

use crate::edge::Receiver;
use crate::failure::{message_of, raise_at, raise_in_drop};
use crate::flow::monitor::{Launch, Losses};
use crate::flow::plumbing::drop_count::DropCount;
use crate::flow::plumbing::instruments::Instruments;
use crate::flow::plumbing::place::{Fallen, Layer, Place, failed_sink};
use crate::flow::plumbing::sequence::LastPlace;
use crate::lane::SourceGate;
use crate::meter::LaneMeter;
use crate::sync::{unpoisoned, unpoisoned_if_free};
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::runtime::Handle;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

type Payload = Box<dyn Any + Send>;
/// What a task polls.
pub(in crate::flow) type BoxedDriver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A driver, in a place that both its task and the flow can reach.
///
/// The lock is taken by the task for each poll, and by the flow only to stop it, without waiting.
type Slot = Mutex<Option<BoxedDriver>>;

/// The tasks of one flow.
pub struct Tasks {
    runtime: Handle,
    /// The name of the flow.
    name: Option<Arc<str>>,
    set: JoinSet<()>,
    slots: Vec<Arc<Slot>>,
    /// Where each of the tasks is.
    places: HashMap<Id, Place>,
    stopped: Arc<AtomicBool>,
    losses: Losses,
    /// A stage reads the flow, and names the place of a panic that the flow raises.
    in_a_stage: bool,
    /// If somebody may look at this flow.
    instruments: Option<Instruments>,
    /// The tokens that end the sources being built now.
    signals: Vec<CancellationToken>,
    /// The counters of the items of the sources being built now.
    counters: Vec<Arc<AtomicU64>>,
    /// The last place of what is being built now, if it is to be put in order.
    last_place: Option<LastPlace>,
    aborted: bool,
    /// The first failure; raised once all tasks are gone.
    failure: Option<Failure>,
}

/// Why a flow cannot come to its end.
pub(in crate::flow) enum Failure {
    /// The user's code panicked.
    Panic(Fallen),
    /// The runtime of the lanes dropped them.
    RuntimeGone,
}

const RUNTIME_GONE: &str = "the runtime of the flow was shut down before the flow came to its end";

impl Failure {
    /// Raises the panic of the lane in the task that reads the flow.
    pub(in crate::flow) fn raise(self) -> ! {
        match self {
            Self::Panic(fallen) => resume_unwind(fallen.payload),
            Self::RuntimeGone => panic_any(RUNTIME_GONE),
        }
    }

    /// The same, in a task that catches its own panics and says where they were.
    pub(in crate::flow) fn raise_at_its_place(self) -> ! {
        match self {
            Self::Panic(fallen) => raise_at(fallen.place, fallen.payload),
            other => other.raise(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(Fallen { place, payload }) => {
                let place = place.as_deref().unwrap_or("a lane of the flow");
                write!(f, "{place} panicked: {}", message_of(&**payload))
            }
            Self::RuntimeGone => f.write_str(RUNTIME_GONE),
        }
    }
}

impl Tasks {
    /// # Panics
    /// When no runtime was named, and it is called outside of one.
    pub(in crate::flow) fn new(launch: &Launch) -> Self {
        let runtime = launch.runtime.clone().or_else(|| Handle::try_current().ok()).expect(
            "a flow needs a tokio runtime for its lanes and was polled outside of one: await it in \
             `#[tokio::main]`, `#[tokio::test]` or `Runtime::block_on`, or name a runtime with `Flow::on`",
        );
        let losses = Losses::default();
        let instruments = launch.show(&losses);
        Self {
            runtime,
            name: launch.name.clone(),
            in_a_stage: launch.in_a_stage,
            set: JoinSet::new(),
            slots: Vec::new(),
            places: HashMap::new(),
            stopped: Arc::default(),
            losses,
            instruments,
            signals: Vec::new(),
            counters: Vec::new(),
            last_place: None,
            aborted: false,
            failure: None,
        }
    }

    /// Makes timers and tasks of users' adapters belong to the runtime of the lanes while `build` runs.
    pub(in crate::flow) fn building<R>(&mut self, build: impl FnOnce(&mut Self) -> R) -> R {
        let mut built = None;
        self.building_any(Box::new(|tasks| built = Some(build(tasks))));
        built.expect("`build` has run: had it panicked, so would this")
    }

    /// Not generic: users' crates would compile what catches a panic for each flow.
    fn building_any(&mut self, build: Box<dyn FnOnce(&mut Self) + '_>) {
        let runtime = self.runtime.clone();
        let _context = runtime.enter();
        // Code of users runs while lanes are built: that of `per_lane`, for example.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| build(self))) {
            let place = Some("the start of the flow".into());
            let failure = Failure::Panic(Fallen { place, payload });
            self.show_failure(&failure);
            if self.in_a_stage { failure.raise_at_its_place() } else { failure.raise() }
        }
    }

    pub(in crate::flow) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Counts items that were dropped before any operator or reader took them.
    pub(in crate::flow) fn discarded(&self) -> &Arc<AtomicU64> {
        &self.losses.discarded
    }

    /// Counts what a lane holds when it is dropped while the flow goes on.
    pub(in crate::flow) fn drop_count(&self) -> DropCount {
        DropCount::new(self.losses.clone(), Arc::clone(&self.stopped))
    }

    /// Counts items that came too late for their windows.
    pub(in crate::flow) fn late(&self) -> &Arc<AtomicU64> {
        &self.losses.late
    }

    pub(in crate::flow) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Builds a plan whose sources end when `signal` is cancelled, and count the items taken in `counter`, if any.
    pub(in crate::flow) fn gated<R>(
        &mut self,
        signal: CancellationToken,
        counter: Option<Arc<AtomicU64>>,
        build: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let (signals, counters) = (self.signals.len(), self.counters.len());
        self.signals.push(signal);
        self.counters.extend(counter);
        let built = build(self);
        self.signals.truncate(signals);
        self.counters.truncate(counters);
        built
    }

    /// Builds a plan whose sources end only by themselves.
    pub(in crate::flow) fn ungated<R>(&mut self, build: impl FnOnce(&mut Self) -> R) -> R {
        let signals = std::mem::take(&mut self.signals);
        let built = build(self);
        self.signals = signals;
        built
    }

    /// Builds a plan whose items are put in order. Returns also where its operators say which is the last in that
    /// order.
    pub(in crate::flow) fn in_order<R>(&mut self, build: impl FnOnce(&mut Self) -> R) -> (R, LastPlace) {
        let last = LastPlace::unknown();
        let outer = self.last_place.replace(last.clone());
        let built = build(self);
        self.last_place = outer;
        (built, last)
    }

    /// Builds a plan whose items have no numbers, though a plan further down gives them some.
    pub(in crate::flow) fn without_order<R>(&mut self, build: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.last_place.take();
        let built = build(self);
        self.last_place = outer;
        built
    }

    /// Where an operator says which number in the source is the last that may come out.
    pub(in crate::flow) fn last_place(&self) -> LastPlace {
        self.last_place.clone().unwrap_or_else(LastPlace::unknown)
    }

    /// The gate of a source being built now.
    pub(in crate::flow) fn gate(&self) -> SourceGate {
        SourceGate::new(&self.signals, &self.counters)
    }

    /// Shows an edge to monitors: from the task with this `number` in the group that is started next, to a lane, or to
    /// the reader.
    pub(in crate::flow) fn show_edge<T: Send + 'static>(
        &self,
        number: usize,
        to: Option<(&Layer, usize)>,
        edge: &Receiver<T>,
    ) {
        if let Some(instruments) = &self.instruments {
            instruments.add_edge(number, to, edge);
        }
    }

    /// Says that the lanes of the layer `merged` are run as lanes of the layer `into`, from the number `first` on.
    pub(in crate::flow) fn show_merged(&self, merged: &Layer, into: &Layer, first: usize) {
        if let Some(instruments) = &self.instruments {
            instruments.add_merged(merged, into, first);
        }
    }

    /// Where a part of a lane of a layer says what it has, if somebody may look at this flow.
    pub(in crate::flow) fn meter(&self, layer: &Layer, lane: usize) -> LaneMeter {
        self.instruments
            .as_ref()
            .map_or_else(LaneMeter::default, |instruments| instruments.add_meter(layer, lane))
    }

    /// Starts the one task of something of a layer.
    pub(in crate::flow) fn spawn(
        &mut self,
        layer: &Layer,
        driver: impl Future<Output = ()> + Send + 'static,
    ) {
        self.spawn_all(layer, vec![Box::pin(driver)]);
    }

    /// Starts a group of tasks: those of all lanes of a layer, or of another part of it.
    ///
    /// Not generic: users' crates would compile a task of tokio for each kind of driver.
    pub(in crate::flow) fn spawn_all(&mut self, layer: &Layer, drivers: Vec<BoxedDriver>) {
        for (number, driver) in drivers.into_iter().enumerate() {
            self.start(Place { flow: self.name.clone(), layer: layer.clone(), number }, driver);
        }
    }

    fn start(&mut self, place: Place, driver: BoxedDriver) {
        let span = place.span();
        let slot: Arc<Slot> = Arc::new(Mutex::new(Some(driver)));
        self.slots.push(Arc::clone(&slot));
        let stopped = Arc::clone(&self.stopped);
        let watched = self.instruments.as_ref().map(|instruments| instruments.add_task(&place));
        let task = poll_fn(move |cx| {
            if let Some(watched) = &watched {
                watched.begins();
            }
            let polled = poll_slot(&slot, &stopped, cx);
            if let (Some(watched), Poll::Pending) = (&watched, polled) {
                watched.waits();
            }
            polled
        });
        // A span that no subscriber wants need not be entered with each poll.
        let task = if span.is_disabled() {
            self.set.spawn_on(task, &self.runtime)
        } else {
            self.set.spawn_on(task.instrument(span), &self.runtime)
        };
        self.places.insert(task.id(), place);
    }

    /// The failure of a task.
    fn failure_of(&self, error: JoinError) -> Failure {
        let place = self.places.get(&error.id());
        match error.try_into_panic() {
            Ok(payload) => Failure::Panic(Fallen::at(place, payload)),
            // Cancelled: by `stop`, or else by a runtime that is shutting down.
            Err(_cancelled) => Failure::RuntimeGone,
        }
    }

    /// Drops all drivers, and with them their sources: at once those that are not being polled, the others when their
    /// poll returns. Returns the first panic of a drop.
    pub(in crate::flow) fn stop(&mut self) -> Option<Payload> {
        self.stopped.store(true, Ordering::SeqCst);
        self.set.abort_all();
        let mut panicked = None;
        for slot in self.slots.drain(..) {
            let driver = unpoisoned_if_free(slot.try_lock()).and_then(|mut driver| driver.take());
            // Outside of the lock, as this runs the user's code. A panic of one drop does not stop the others.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(driver)));
            panicked = panicked.or(dropped.err());
        }
        panicked
    }

    /// Ready once every task is gone: cleanly, or with the first failure, which stops all others.
    pub(in crate::flow) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while let Some(ended) = ready!(self.set.poll_join_next(cx)) {
            let Err(error) = ended else { continue };
            let failure = self.failure_of(error);
            let hides_nothing = matches!(self.failure, Some(Failure::RuntimeGone));
            if self.failure.is_none() || (hides_nothing && matches!(failure, Failure::Panic(_))) {
                self.show_failure(&failure);
                self.failure = Some(failure);
                // The first failure is raised; a panic from dropping the rest would hide it.
                let _ = self.stop();
            }
        }
        Poll::Ready(self.failure.take().map_or(Ok(()), Err))
    }

    /// Stops all tasks, and waits until they and all they had are gone. Fails when one of them did.
    pub(in crate::flow) async fn stopped(mut self) -> Result<(), Failure> {
        let dropped = self.stop().map(|payload| Failure::Panic(Fallen::in_drop(payload)));
        let mut failure = self.failure.take().or(dropped);
        while let Some(ended) = self.set.join_next().await {
            // Tasks that were cancelled did not fail: `stop` did that.
            if let Some(error) = ended.err().filter(JoinError::is_panic) {
                let fallen = self.failure_of(error);
                failure.get_or_insert(fallen);
            }
        }
        failure.iter().for_each(|failure| self.show_failure(failure));
        failure.map_or(Ok(()), Err)
    }

    /// Shows a failure to those who look. Tasks of an aborted flow were cancelled, and did not fail.
    fn show_failure(&self, failure: &Failure) {
        let was_cancelled = self.aborted && matches!(failure, Failure::RuntimeGone);
        if let Some(instruments) = self.instruments.as_ref().filter(|_| !was_cancelled) {
            instruments.fail(&failure.to_string());
        }
    }

    /// Shows that the sink of a lane has failed. What it failed with goes to the caller, and need not have a text.
    pub(in crate::flow) fn show_failed_sink(&self, layer: &Layer, lane: usize) {
        let place = Place { flow: self.name.clone(), layer: layer.clone(), number: lane };
        if let Some(instruments) = &self.instruments {
            instruments.fail(&failed_sink(place));
        }
    }

    /// Stops what has not ended. If a drop panics, that is the failure if `keep_panic` is set, else it is returned.
    pub(in crate::flow) fn abort(&mut self, keep_panic: bool) -> Option<Payload> {
        let ended = |slot: &Arc<Slot>| matches!(slot.try_lock(), Ok(driver) if driver.is_none());
        if self.slots.iter().all(ended) {
            return None;
        }
        self.aborted = true;
        let panicked = self.stop();
        if !keep_panic {
            return panicked;
        }
        if self.failure.is_none() {
            self.failure = panicked.map(|payload| Failure::Panic(Fallen::in_drop(payload)));
            self.failure.iter().for_each(|failure| self.show_failure(failure));
        }
        None
    }

    /// Whether the flow was stopped before its end by [`abort`](Self::abort).
    pub(in crate::flow) fn was_aborted(&self) -> bool {
        self.aborted
    }

    /// True while tasks are being stopped because of a failure.
    pub(in crate::flow) fn is_failing(&self) -> bool {
        self.failure.is_some()
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        raise_in_drop(self.stop());
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("running", &self.set.len())
            .field("losses", &self.losses)
            .finish_non_exhaustive()
    }
}

fn poll_slot(slot: &Slot, stopped: &AtomicBool, cx: &mut Context<'_>) -> Poll<()> {
    let mut driver = unpoisoned(slot.lock());
    let Some(running) = driver.as_mut() else {
        return Poll::Ready(());
    };
    let polled = running.as_mut().poll(cx);
    if polled.is_ready() || stopped.load(Ordering::SeqCst) {
        let ended = driver.take();
        drop(driver);
        drop(ended);
        return Poll::Ready(());
    }
    polled
}
