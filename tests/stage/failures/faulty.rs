//! Stages of all kinds, in which something goes wrong.

use crate::support::Alive;
use crate::support::stages::{Log, why};
use gen_stage::dispatch::Subscriber;
use gen_stage::prelude::*;
use gen_stage::stage::{AskMode, Cancellation, Control, Output, Reason, Reply, StageError, Upstream};
use std::future::pending;
use std::ops::DerefMut;
use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Where in a stage something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
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
pub(super) enum How {
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

pub(super) const IN_CALLBACKS: [How; 4] = [How::Panic, How::Error, How::StopFailed, How::StopCleanly];
pub(super) const FROM_OUTSIDE: [How; 3] = [How::Abort, How::DriverDropped, How::RuntimeShutdown];

impl How {
    pub(super) fn is_from_outside(self) -> bool {
        FROM_OUTSIDE.contains(&self)
    }

    /// The reason that the stage ends with.
    pub(super) fn reason(self, place: Place) -> &'static str {
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
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) how: How,
    armed: AtomicBool,
    /// The callback has been reached that never returns.
    pub(super) entered: Notify,
    pub(super) terminated: Log<String>,
    pub(super) alive: Arc<AtomicUsize>,
}

/// A stage of any kind, in which something goes wrong.
pub(super) struct Faulty {
    fault: Arc<Fault>,
    next: u64,
    _alive: Alive,
}

pub(super) enum Ask {
    Boom(Reply<()>),
    Text(&'static str),
}

impl Fault {
    pub(super) fn new(place: Place, how: How) -> Arc<Self> {
        Arc::new(Self {
            place,
            how,
            armed: AtomicBool::new(matches!(place, Place::Start | Place::Consumer | Place::Subscribe)),
            entered: Notify::new(),
            terminated: Log::default(),
            alive: Arc::default(),
        })
    }

    pub(super) fn stage(self: &Arc<Self>) -> Faulty {
        Faulty { fault: Arc::clone(self), next: 0, _alive: Alive::new(&self.alive) }
    }

    pub(super) fn arm(&self) {
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
        self.fault.terminated.push(why(reason));
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
    ) -> Result<AskMode, StageError> {
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
    ) -> Result<AskMode, StageError> {
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
