//! What becomes of a stage, and of those around it, when something in it goes wrong: every way to fail, in every
//! callback, of every kind of stage.

use crate::common::{Alive, settle};
use crate::probes::{Collect, Ending, Log, Origin, adds_up, status, until};
use futures::{FutureExt, StreamExt};
use gen_stage::dispatch::Subscriber;
use gen_stage::prelude::*;
use gen_stage::stage::{
    CallError, Cancellation, CastError, Consuming, Control, Driver, Handle, Mode, Output, Producing, Reason,
    Reply, Role, StageError, SubscribeError, Transforming, Upstream, from_iter,
};
use std::future::pending;
use std::ops::DerefMut;
use std::panic::{AssertUnwindSafe, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Where in a stage something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Demand,
    Items,
    Produce,
    Message,
    /// Of a producer: `handle_subscribe`; of a producer-consumer: `handle_consumer`.
    Consumer,
    /// Of a producer: `handle_cancel`; of a producer-consumer: `handle_consumer_cancel`.
    ConsumerLeft,
    /// `handle_subscribe` of those that read.
    Subscribe,
    /// `handle_cancel` of those that read.
    ProducerLeft,
    Terminate,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Panic,
    Error,
    StopFailed,
    StopCleanly,
    /// The callback never returns, and the stage is aborted.
    Abort,
    /// The callback never returns, and the future that runs the stage is dropped.
    DriverDropped,
    /// The callback never returns, and its runtime is shut down.
    RuntimeShutdown,
}

const IN_CALLBACKS: [How; 4] = [How::Panic, How::Error, How::StopFailed, How::StopCleanly];
const FROM_OUTSIDE: [How; 3] = [How::Abort, How::DriverDropped, How::RuntimeShutdown];

impl How {
    fn is_from_outside(self) -> bool {
        FROM_OUTSIDE.contains(&self)
    }

    /// The reason that the stage ends with.
    fn reason(self, place: Place) -> &'static str {
        match self {
            Self::Panic => "panicked: boom",
            Self::Error => "failed: boom",
            Self::StopFailed => "failed: enough",
            Self::StopCleanly => "shutdown: enough",
            // It was ending already, and had a reason.
            Self::Abort if place == Place::Terminate => "shutdown",
            Self::Abort | Self::DriverDropped | Self::RuntimeShutdown => "aborted",
        }
    }
}

/// What is to go wrong with a stage, and what has become of it.
struct Fault {
    place: Place,
    how: How,
    armed: AtomicBool,
    /// The callback has been reached that never returns.
    entered: Notify,
    terminated: Log<String>,
    alive: Arc<AtomicUsize>,
}

/// A stage of any kind, in which something goes wrong.
struct Faulty {
    fault: Arc<Fault>,
    next: u64,
    _alive: Alive,
}

enum Ask {
    Boom(Reply<()>),
    Text(&'static str),
}

impl Fault {
    fn new(place: Place, how: How) -> Arc<Self> {
        Arc::new(Self {
            place,
            how,
            armed: AtomicBool::new(matches!(place, Place::Start | Place::Consumer | Place::Subscribe)),
            entered: Notify::new(),
            terminated: Log::default(),
            alive: Arc::default(),
        })
    }

    fn stage(self: &Arc<Self>) -> Faulty {
        Faulty { fault: Arc::clone(self), next: 0, _alive: Alive::new(&self.alive) }
    }

    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    fn is_due(&self, place: Place) -> bool {
        self.place == place && self.armed.load(Ordering::SeqCst)
    }
}

impl Faulty {
    /// Goes wrong, if this is where.
    async fn reach(&mut self, place: Place, stage: &mut Control<Ask>) -> Result<(), StageError> {
        if !self.fault.is_due(place) {
            return Ok(());
        }
        match self.fault.how {
            How::Panic => panic_any("boom"),
            How::Error => return Err("boom".into()),
            How::StopFailed => stage.stop(Reason::failed("enough")),
            How::StopCleanly => stage.stop(Reason::shutdown_for("enough")),
            How::Abort | How::DriverDropped | How::RuntimeShutdown => {
                self.fault.entered.notify_one();
                pending::<()>().await;
            }
        }
        Ok(())
    }

    async fn ending(&mut self, reason: &Reason) {
        self.fault.terminated.push(reason.to_string());
        if self.fault.is_due(Place::Terminate) {
            match self.fault.how {
                How::Panic => panic_any("boom"),
                _ => {
                    self.fault.entered.notify_one();
                    pending::<()>().await;
                }
            }
        }
    }

    async fn told(&mut self, message: Ask, stage: &mut Control<Ask>) -> Result<(), StageError> {
        match message {
            Ask::Boom(_reply) => self.reach(Place::Message, stage).await,
            Ask::Text(_) => Ok(()),
        }
    }
}

impl Producer<Ask> for Faulty {
    type Item = u64;

    async fn handle_start(&mut self, out: &mut Output<u64, Ask>) -> Result<(), StageError> {
        self.reach(Place::Start, out).await
    }

    async fn handle_demand(&mut self, demand: usize, out: &mut Output<u64, Ask>) -> Result<(), StageError> {
        let from = self.next;
        self.next += demand as u64;
        out.extend(from..self.next);
        self.reach(Place::Demand, out).await
    }

    async fn produce(&mut self, out: &mut Output<u64, Ask>) -> Result<(), StageError> {
        if !self.fault.is_due(Place::Produce) {
            return pending().await;
        }
        out.push(self.next);
        self.reach(Place::Produce, out).await
    }

    async fn handle_subscribe(
        &mut self,
        _: Subscriber,
        out: &mut Output<u64, Ask>,
    ) -> Result<(), StageError> {
        self.reach(Place::Consumer, out).await
    }

    async fn handle_cancel(
        &mut self,
        _: &Cancellation,
        out: &mut Output<u64, Ask>,
    ) -> Result<(), StageError> {
        self.reach(Place::ConsumerLeft, out).await
    }

    async fn handle_message(&mut self, message: Ask, out: &mut Output<u64, Ask>) -> Result<(), StageError> {
        self.told(message, out).await
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.ending(reason).await;
    }
}

impl ProducerConsumer<Ask> for Faulty {
    type Input = u64;
    type Item = u64;

    async fn handle_start(&mut self, out: &mut Output<u64, Ask>) -> Result<(), StageError> {
        self.reach(Place::Start, out).await
    }

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        out: &mut Output<u64, Ask>,
    ) -> Result<(), StageError> {
        out.emit(items);
        self.reach(Place::Items, out).await
    }

    async fn handle_subscribe(
        &mut self,
        to: &Upstream,
        out: &mut Output<u64, Ask>,
    ) -> Result<Mode, StageError> {
        self.reach(Place::Subscribe, out).await.map(|()| to.mode())
    }

    async fn handle_cancel(
        &mut self,
        _: &Cancellation,
        out: &mut Output<u64, Ask>,
    ) -> Result<(), StageError> {
        self.reach(Place::ProducerLeft, out).await
    }

    async fn handle_consumer(&mut self, _: Subscriber, out: &mut Output<u64, Ask>) -> Result<(), StageError> {
        self.reach(Place::Consumer, out).await
    }

    async fn handle_consumer_cancel(
        &mut self,
        _: &Cancellation,
        out: &mut Output<u64, Ask>,
    ) -> Result<(), StageError> {
        self.reach(Place::ConsumerLeft, out).await
    }

    async fn handle_message(&mut self, message: Ask, out: &mut Output<u64, Ask>) -> Result<(), StageError> {
        self.told(message, out.deref_mut()).await
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.ending(reason).await;
    }
}

impl Consumer<Ask> for Faulty {
    type Input = u64;

    async fn handle_start(&mut self, stage: &mut Control<Ask>) -> Result<(), StageError> {
        self.reach(Place::Start, stage).await
    }

    async fn handle_items(
        &mut self,
        _: Vec<u64>,
        _: &Upstream,
        stage: &mut Control<Ask>,
    ) -> Result<(), StageError> {
        self.reach(Place::Items, stage).await
    }

    async fn handle_subscribe(
        &mut self,
        to: &Upstream,
        stage: &mut Control<Ask>,
    ) -> Result<Mode, StageError> {
        self.reach(Place::Subscribe, stage).await.map(|()| to.mode())
    }

    async fn handle_cancel(&mut self, _: &Cancellation, stage: &mut Control<Ask>) -> Result<(), StageError> {
        self.reach(Place::ProducerLeft, stage).await
    }

    async fn handle_message(&mut self, message: Ask, stage: &mut Control<Ask>) -> Result<(), StageError> {
        self.told(message, stage).await
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.ending(reason).await;
    }
}

/// Runs the driver of a stage so that it can be ended from outside.
struct Runner {
    runtime: Option<tokio::runtime::Runtime>,
    task: Option<AbortHandle>,
}

impl Runner {
    fn run(driver: Driver, how: How) -> Self {
        if how == How::RuntimeShutdown {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            runtime.spawn(driver);
            Self { runtime: Some(runtime), task: None }
        } else {
            Self { runtime: None, task: Some(tokio::spawn(driver).abort_handle()) }
        }
    }

    fn end<R: Role>(&mut self, handle: &Handle<R, Ask>, how: How) {
        match how {
            How::Abort => handle.abort(),
            How::DriverDropped => self.task.take().expect("it is a task").abort(),
            How::RuntimeShutdown => self.runtime.take().expect("it has one").shutdown_background(),
            _ => {}
        }
    }
}

/// Makes it go wrong, waits until the stage has ended, and checks what holds for all kinds.
async fn goes_wrong<R: Role>(handle: &Handle<R, Ask>, mut runner: Runner, fault: &Fault, case: &str) {
    let boom = {
        let address = handle.address();
        tokio::spawn(async move { address.call(Ask::Boom).await })
    };
    if fault.place == Place::Terminate {
        // Posted at once; waiting for it is not needed.
        assert!(handle.stop(Reason::Shutdown).now_or_never().is_none());
    }
    let waiting = {
        let address = handle.address();
        tokio::spawn(async move { address.call(Ask::Boom).await })
    };
    if fault.how.is_from_outside() {
        fault.entered.notified().await;
        runner.end(handle, fault.how);
    }
    let expected = fault.how.reason(fault.place);
    assert_eq!(handle.wait().await.to_string(), expected, "{case}");
    if fault.how == How::RuntimeShutdown {
        until("the state is dropped", || fault.alive.load(Ordering::SeqCst) == 0).await;
        let closed = || matches!(handle.try_cast(Ask::Text("")), Err(CastError::Ended(_)));
        until("the mailbox is closed", closed).await;
    }
    assert_eq!(fault.alive.load(Ordering::SeqCst), 0, "{case}: the state is dropped before it is told");
    let terminated = match fault.place {
        Place::Terminate => vec!["shutdown"],
        _ if fault.how.is_from_outside() => vec![],
        _ => vec![expected],
    };
    assert_eq!(fault.terminated.all(), terminated, "{case}");

    // Calls that were waiting, and those that come late.
    for call in [boom, waiting] {
        let answer = call.await.expect("it does not panic");
        assert!(matches!(answer, Err(CallError::NoReply | CallError::Ended)), "{case}: {answer:?}");
    }
    assert_eq!(handle.call(Ask::Boom).await, Err(CallError::Ended), "{case}");
    for refused in [
        handle.cast(Ask::Text("back")).await,
        handle.try_cast(Ask::Text("back")),
        handle.info(Ask::Text("back")).await,
    ] {
        let refused = refused.expect_err("it has ended");
        assert!(matches!(refused, CastError::Ended(_)), "{case}");
        assert!(matches!(refused.into_message(), Ask::Text("back")), "{case}");
    }
    assert!(handle.status().await.is_err(), "{case}");
}

/// Those who read from the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Stream,
    Stage,
}

const READERS: [Reader; 2] = [Reader::Stream, Reader::Stage];

/// What a reader was told at last.
enum Reading {
    Stream(tokio::task::JoinHandle<String>),
    Stage(Collect, gen_stage::stage::ConsumerHandle<u64>),
}

impl Reading {
    fn start<R>(reader: Reader, handle: &Handle<R, Ask>) -> Self
    where
        R: gen_stage::stage::Produces<Item = u64, Options = ()>,
    {
        let subscribe = handle.subscribe().demand(10, 5);
        match reader {
            Reader::Stream => Self::Stream(tokio::spawn(async move {
                // Temporary, so that it only ends, and says why.
                match subscribe.temporary().await {
                    Err(SubscribeError::Gone) => Reason::Gone.to_string(),
                    Err(other) => other.to_string(),
                    Ok(mut subscription) => {
                        while subscription.next_batch().await.is_some() {}
                        subscription.end().expect("it has ended").to_string()
                    }
                }
            })),
            Reader::Stage => {
                let collect = Collect::default();
                let handle = collect.clone().stage().subscribe_to(subscribe).spawn();
                Self::Stage(collect, handle)
            }
        }
    }

    async fn check(self, expected: &str, case: &str) {
        match self {
            Self::Stream(told) => assert_eq!(told.await.expect("it does not panic"), expected, "{case}"),
            Self::Stage(collect, handle) => {
                assert_eq!(handle.wait().await.to_string(), expected, "{case}");
                let heard: Vec<Ending> = vec![(true, expected.to_owned())];
                assert_eq!(collect.ends.all(), heard, "{case}");
                // It was not aborted itself, whatever has become of its producer.
                assert_eq!(collect.terminated.all(), [expected], "{case}");
            }
        }
    }
}

/// What the readers of a stage are told.
fn told_below(place: Place, how: How) -> &'static str {
    // Their subscription was still in its mailbox.
    if place == Place::Start { "the producer had already ended" } else { how.reason(place) }
}

fn is_possible(place: Place, how: How) -> bool {
    place != Place::Terminate || how == How::Panic || how.is_from_outside()
}

fn cases(places: &[Place]) -> Vec<(Place, How)> {
    let all =
        places.iter().flat_map(|place| IN_CALLBACKS.into_iter().chain(FROM_OUTSIDE).map(|how| (*place, how)));
    all.filter(|(place, how)| is_possible(*place, *how)).collect()
}

async fn nothing_is_left(case: &str) {
    settle().await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 0, "{case}: tasks are left");
}

#[tokio::test]
async fn of_a_producer() {
    let places = [
        Place::Start,
        Place::Demand,
        Place::Produce,
        Place::Message,
        Place::Consumer,
        Place::ConsumerLeft,
        Place::Terminate,
    ];
    for (place, how) in cases(&places) {
        for reader in READERS {
            let case = format!("{how:?} in {place:?}, read by a {reader:?}");
            let fault = Fault::new(place, how);
            let (handle, driver) = Producer::stage(fault.stage()).into_parts();
            let handle: Handle<Producing<u64, ()>, Ask> = handle;
            let runner = Runner::run(driver, how);
            let reading = Reading::start(reader, &handle);
            if place == Place::ConsumerLeft {
                let leaving = handle.subscribe().await.unwrap();
                settle().await;
                fault.arm();
                drop(leaving);
            } else if !matches!(place, Place::Start | Place::Consumer) {
                while handle.status().await.expect("it is alive").consumers.is_empty() {}
                fault.arm();
                // `produce` is looked at anew behind a letter.
                let _ = handle.status().now_or_never();
            }
            goes_wrong(&handle, runner, &fault, &case).await;
            reading.check(told_below(place, how), &case).await;
            adds_up(handle.counts(), &case);
            drop(handle);
            nothing_is_left(&case).await;
        }
    }
}

#[tokio::test]
async fn of_a_producer_consumer() {
    let places = [
        Place::Start,
        Place::Items,
        Place::Message,
        Place::Subscribe,
        Place::ProducerLeft,
        Place::Consumer,
        Place::ConsumerLeft,
        Place::Terminate,
    ];
    for (place, how) in cases(&places) {
        for reader in READERS {
            let case = format!("{how:?} in {place:?}, read by a {reader:?}");
            let fault = Fault::new(place, how);
            let origin = Origin::counting();
            let above = origin.clone().stage().spawn();
            let other = from_iter(0..).stage().spawn();
            let (handle, driver) = ProducerConsumer::stage(fault.stage())
                .subscribe_to(above.subscribe().demand(10, 5))
                .subscribe_to(other.subscribe().demand(4, 2).temporary())
                .into_parts();
            let handle: Handle<Transforming<u64, u64, ()>, Ask> = handle;
            // Where it fails before it comes to its mailbox, the subscription has to be there already.
            let reading = Reading::start(reader, &handle);
            settle().await;
            let runner = Runner::run(driver, how);
            if place == Place::ConsumerLeft {
                let leaving = handle.subscribe().await.unwrap();
                settle().await;
                fault.arm();
                drop(leaving);
            } else if !matches!(place, Place::Start | Place::Consumer | Place::Subscribe) {
                while handle.status().await.expect("it is alive").consumers.is_empty() {}
                fault.arm();
                if place == Place::ProducerLeft {
                    other.shutdown().await;
                }
            }
            goes_wrong(&handle, runner, &fault, &case).await;
            let told = if place == Place::Subscribe {
                told_below(Place::Start, how)
            } else {
                told_below(place, how)
            };
            reading.check(told, &case).await;
            adds_up(handle.counts(), &case);
            above_is_told(&origin, &above, place, how, &case).await;
            other.shutdown().await;
            adds_up(other.counts(), &case);
            drop((handle, above, other));
            nothing_is_left(&case).await;
        }
    }
}

#[tokio::test]
async fn of_a_consumer() {
    let places =
        [Place::Start, Place::Items, Place::Message, Place::Subscribe, Place::ProducerLeft, Place::Terminate];
    for (place, how) in cases(&places) {
        let case = format!("{how:?} in {place:?}");
        let fault = Fault::new(place, how);
        let origin = Origin::counting();
        let above = origin.clone().stage().spawn();
        let other = from_iter(0..).stage().spawn();
        let (handle, driver) = Consumer::stage(fault.stage())
            .subscribe_to(above.subscribe().demand(10, 5))
            .subscribe_to(other.subscribe().demand(4, 2).temporary())
            .into_parts();
        let handle: Handle<Consuming<u64>, Ask> = handle;
        let runner = Runner::run(driver, how);
        if !matches!(place, Place::Start | Place::Subscribe) {
            while handle.status().await.expect("it is alive").producers.len() < 2 {}
            fault.arm();
            if place == Place::ProducerLeft {
                other.shutdown().await;
            }
        }
        goes_wrong(&handle, runner, &fault, &case).await;
        above_is_told(&origin, &above, place, how, &case).await;
        other.shutdown().await;
        adds_up(other.counts(), &case);
        drop((handle, above, other));
        nothing_is_left(&case).await;
    }
}

/// What the producer of a stage is told, which lives on.
async fn above_is_told(
    origin: &Origin,
    above: &Handle<Producing<u64, ()>, crate::probes::Queue>,
    place: Place,
    how: How,
    case: &str,
) {
    // Also of one that failed as it started: it was subscribed when it was set up.
    until("the producer is told", || !origin.ends.is_empty()).await;
    assert_eq!(origin.ends.all(), [(true, how.reason(place).to_owned())], "{case}");
    assert!(status(above).await.consumers.is_empty(), "{case}");
    above.shutdown().await;
    assert_eq!(origin.terminated.all(), ["shutdown"], "{case}");
    adds_up(above.counts(), case);
}

#[tokio::test]
async fn the_last_handle_of_a_stage_that_never_returns_is_dropped() {
    for place in [Place::Start, Place::Demand, Place::Message, Place::Produce] {
        let fault = Fault::new(place, How::Abort);
        let handle = Producer::stage(fault.stage()).spawn();
        let address = handle.address();
        let mut read = None;
        if place != Place::Start {
            let mut reading = handle.subscribe().demand(10, 5).await.unwrap();
            fault.arm();
            assert!(reading.next().now_or_never().is_none());
            read = Some(reading);
        }
        let _ = address.try_cast(Ask::Boom(reply()));
        fault.entered.notified().await;
        drop(handle);
        settle().await;
        if let Some(read) = read {
            assert_eq!(fault.alive.load(Ordering::SeqCst), 1, "{place:?}: the subscription holds it");
            drop(read);
            settle().await;
        }
        assert_eq!(fault.alive.load(Ordering::SeqCst), 0, "{place:?}");
        assert!(fault.terminated.is_empty(), "{place:?}");
        let Err(CastError::Ended(Ask::Text("back"))) = address.cast(Ask::Text("back")).await else {
            panic!("{place:?}: it has ended");
        };
        nothing_is_left(&format!("{place:?}")).await;
    }
}

/// A reply that nobody waits for.
fn reply() -> Reply<()> {
    let kept = Arc::new(std::sync::Mutex::new(None));
    let keeper = kept.clone();
    let handle = Producer::stage(Fault::new(Place::Start, How::Error).stage());
    let (handle, _driver) = handle.into_parts();
    let _ = handle
        .call(move |reply| {
            *keeper.lock().unwrap() = Some(reply);
            Ask::Text("")
        })
        .now_or_never();
    kept.lock().unwrap().take().expect("it was made")
}

#[tokio::test]
async fn the_last_handle_of_a_consumer_that_never_returns_is_dropped() {
    for place in [Place::Start, Place::Subscribe, Place::Items] {
        let fault = Fault::new(place, How::Abort);
        fault.arm();
        let origin = Origin::counting();
        let above = origin.clone().stage().spawn();
        let handle = Consumer::stage(fault.stage()).subscribe_to(above.subscribe().demand(10, 5)).spawn();
        fault.entered.notified().await;
        drop(handle);
        settle().await;
        assert_eq!(fault.alive.load(Ordering::SeqCst), 0, "{place:?}");
        assert_eq!(origin.ends.all(), [(true, "aborted".to_owned())], "{place:?}");
        above.shutdown().await;
        adds_up(above.counts(), &format!("{place:?}"));
    }
}

#[tokio::test]
async fn a_consumer_that_ends_because_its_producer_was_aborted_terminates() {
    let producer = Origin::counting().stage().spawn();
    let collect = Collect::default();
    let consumer = collect.clone().stage().subscribe_to(producer.subscribe()).spawn();
    settle().await;
    producer.abort();
    assert!(matches!(consumer.wait().await, Reason::Aborted));
    assert_eq!(collect.ends.all(), [(true, "aborted".to_owned())]);
    // It was not aborted itself.
    assert_eq!(collect.terminated.all(), ["aborted"]);
}

#[tokio::test]
async fn a_failure_goes_down_a_pipeline_and_up_as_an_end() {
    for (how, expected) in
        [(How::Panic, "panicked: boom"), (How::Error, "failed: boom"), (How::Abort, "aborted")]
    {
        let origin = Origin::counting();
        let first = origin.clone().stage().spawn();
        let fault = Fault::new(Place::Items, how);
        let second =
            ProducerConsumer::stage(fault.stage()).subscribe_to(first.subscribe().demand(10, 5)).spawn();
        let third =
            crate::probes::Repeat::new(1).stage().subscribe_to(second.subscribe().demand(10, 5)).spawn();
        let mut read = third.subscribe().demand(10, 5).await.unwrap().fallible();
        assert!(matches!(read.next().await, Some(Ok(0))));
        fault.arm();
        let last = async { read.by_ref().filter_map(|item| async { item.err() }).collect::<Vec<_>>().await };
        let aborting = async {
            if how == How::Abort {
                fault.entered.notified().await;
                second.abort();
            }
        };
        let (last, ()) = futures::join!(last, aborting);
        assert_eq!(last.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
        assert_eq!(second.wait().await.to_string(), expected);
        assert_eq!(third.wait().await.to_string(), expected);
        until("the first is told", || !origin.ends.is_empty()).await;
        assert_eq!(origin.ends.all(), [(true, expected.to_owned())]);
        first.shutdown().await;
        for (counts, name) in [(first.counts(), "first"), (second.counts(), "second")] {
            adds_up(counts, name);
        }
        drop(read);
        adds_up(third.counts(), "third");
    }
}

#[tokio::test]
async fn a_panic_is_raised_with_its_own_payload_in_the_first_who_reads() {
    #[derive(Debug, PartialEq)]
    struct Payload(u8);
    let producer = from_iter((0..).map(|n| if n == 3 { panic_any(Payload(7)) } else { n })).stage().spawn();
    let mut read = producer.subscribe().demand(1, 0).await.unwrap();
    let all = async { while read.next().await.is_some() {} };
    let payload = AssertUnwindSafe(all).catch_unwind().await.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&Payload(7)));
    let Reason::Panicked(panic) = producer.wait().await else { panic!("it has panicked") };
    assert_eq!(panic.message(), "a panic without a text");
    assert_eq!(read.next().await, None, "it stays ended");
}

type Kept = Arc<std::sync::Mutex<Option<Handle<Producing<u64, ()>>>>>;

/// Looks, when it is dropped, whether its stage is said to have ended.
struct Last {
    handle: Kept,
    told: Log<bool>,
}

impl Producer for Last {
    type Item = u64;

    async fn handle_demand(&mut self, _: usize, _: &mut Output<u64>) -> Result<(), StageError> {
        Ok(())
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        let handle = self.handle.lock().unwrap().take().expect("it was put there");
        self.told.push(handle.wait().now_or_never().is_some());
    }
}

#[tokio::test]
async fn the_state_is_dropped_before_anybody_is_told_that_the_stage_has_ended() {
    for end in ["shutdown", "abort", "dropped"] {
        let (place, told) = (Arc::default(), Log::default());
        let (handle, driver) = Last { handle: Arc::clone(&place), told: told.clone() }.stage().into_parts();
        *place.lock().unwrap() = Some(handle.clone());
        let task = tokio::spawn(driver);
        settle().await;
        match end {
            "shutdown" => drop(handle.shutdown().await),
            "abort" => handle.abort(),
            _ => task.abort(),
        }
        handle.wait().await;
        assert_eq!(told.all(), [false], "{end}");
    }
}

#[tokio::test]
async fn a_panic_in_the_drop_of_a_state_ends_nobody_else() {
    struct Brittle;
    impl Producer for Brittle {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Output<u64>) -> Result<(), StageError> {
            Ok(())
        }
    }
    impl Drop for Brittle {
        fn drop(&mut self) {
            panic_any("brittle");
        }
    }
    let brittle = Brittle.stage().spawn();
    let mut read = brittle.subscribe().temporary().await.unwrap();
    assert_eq!(brittle.shutdown().await.to_string(), "panicked: brittle");
    assert_eq!(read.next().await, None);
}

#[tokio::test]
async fn a_panic_at_the_end_does_not_hide_the_failure_before_it() {
    struct Twice;
    impl Producer for Twice {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Output<u64>) -> Result<(), StageError> {
            Err("first".into())
        }
        async fn terminate(&mut self, _: &Reason) {
            panic!("second");
        }
    }
    let twice = Twice.stage().spawn();
    let mut read = twice.subscribe().await.unwrap().fallible();
    assert_eq!(read.next().await.unwrap().unwrap_err().to_string(), "failed: first");
    assert_eq!(twice.wait().await.to_string(), "failed: first");
}

#[tokio::test]
async fn a_message_without_a_callback_fails_the_stage() {
    struct Deaf;
    impl Producer<u8> for Deaf {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Output<u64, u8>) -> Result<(), StageError> {
            Ok(())
        }
    }
    let deaf = Deaf.stage().spawn();
    deaf.cast(1).await.unwrap();
    let reason = deaf.wait().await.to_string();
    assert!(reason.ends_with("Deaf got a message and has no handle_message"), "{reason}");
}

#[tokio::test]
async fn a_reader_that_asks_for_more_than_can_be_counted_does_not_end_its_producer() {
    let producer = Origin::silent().stage().spawn();
    let mut read = producer.subscribe().manual().await.unwrap();
    read.ask(usize::MAX);
    read.ask(1);
    settle().await;
    crate::probes::queue(&producer, [1, 2]).await;
    assert_eq!(read.next_batch().await, Some(vec![1, 2]));
}

/// Fails instead of waiting for ever.
async fn answered<T>(what: &str, asking: impl Future<Output = T>) -> T {
    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| panic!("{what} was never answered"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_a_stage_for_its_status_while_it_ends_is_answered() {
    for _ in 0..10_000 {
        let producer = from_iter(0..).stage().spawn();
        let asking = {
            let producer = producer.clone();
            tokio::spawn(async move { while producer.status().await.is_ok() {} })
        };
        producer.abort();
        answered("a status", asking).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_subscribes_to_a_stage_while_it_ends_is_answered() {
    for _ in 0..10_000 {
        let producer = from_iter(0..).stage().spawn();
        let subscribing = {
            let producer = producer.clone();
            tokio::spawn(async move { while producer.subscribe().await.is_ok() {} })
        };
        producer.abort();
        answered("a subscription", subscribing).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_calls_a_stage_while_it_ends_is_answered() {
    for _ in 0..10_000 {
        let fault = Fault::new(Place::Terminate, How::Error);
        let producer = Producer::stage(fault.stage()).spawn();
        let calling = {
            let address = producer.address();
            tokio::spawn(async move { while address.call(Ask::Boom).await != Err(CallError::Ended) {} })
        };
        producer.abort();
        answered("a call", calling).await.unwrap();
    }
}
