//! What is done after the lock of the registry was released.

use super::returned::Value;
use super::slot::ChildExtras;
use crate::supervisor::child_info::ChildId;
use crate::supervisor::end::GivenUp;
use crate::supervisor::event::Event;
use crate::supervisor::outcome::Outcome;
use std::task::Waker;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// What was decided under the lock, and whether there is anything. The one way to it says that there is, so that none of
/// it can be left undone.
#[derive(Default)]
pub(in crate::supervisor) struct After {
    deferred: Deferred,
    some: bool,
}

/// What was decided under the lock, and is done without it.
#[derive(Default)]
pub(in crate::supervisor) struct Deferred {
    pub(in crate::supervisor) wakers: Vec<Waker>,
    pub(in crate::supervisor) tokens: Vec<CancellationToken>,
    pub(in crate::supervisor) ended: Vec<(oneshot::Sender<Outcome>, Outcome)>,
    pub(in crate::supervisor) restarted: Vec<(oneshot::Sender<Result<(), Outcome>>, Result<(), Outcome>)>,
    /// Attempts to be aborted if they have not ended when their time is over.
    pub(in crate::supervisor) kills: Vec<Kill>,
    pub(super) dropped: Vec<Event>,
    /// Timers that are no longer needed: dropping them stops them.
    pub(in crate::supervisor) timers: Vec<oneshot::Sender<()>>,
    /// What is to be logged.
    pub(in crate::supervisor) given_up: Option<GivenUp>,
    pub(in crate::supervisor) over: bool,
    /// Wakers that were replaced by others.
    pub(super) old: Vec<Waker>,
    /// Values that are not read.
    pub(in crate::supervisor) values: Vec<Value>,
}

/// An attempt to be aborted when its time is over.
pub(in crate::supervisor) struct Kill {
    pub(in crate::supervisor) after: Duration,
    pub(in crate::supervisor) id: ChildId,
    pub(in crate::supervisor) attempt: u32,
    /// Closed when the attempt has ended, or no longer has to end in time.
    pub(in crate::supervisor) ended: oneshot::Receiver<()>,
}

impl After {
    /// Has more done without the lock.
    #[inline]
    pub(super) fn add(&mut self) -> &mut Deferred {
        self.some = true;
        &mut self.deferred
    }

    /// Takes what is to be done, if there is anything.
    #[inline]
    pub(in crate::supervisor) fn take(&mut self) -> Option<Deferred> {
        std::mem::take(&mut self.some).then(|| std::mem::take(&mut self.deferred))
    }
}

impl Deferred {
    /// Answers all that wait for a child that is gone, and stops what was set up for it.
    pub(super) fn let_go(&mut self, gone: ChildExtras, outcome: &Outcome) {
        self.timers.extend(gone.timer);
        self.tokens.extend(gone.token);
        self.ended.extend(gone.ended.into_iter().map(|waiting| (waiting, outcome.clone())));
        // Requests that wait for a restart learn that there will be none.
        self.restarted.extend(gone.on_restart.into_iter().map(|waiting| (waiting, Err(outcome.clone()))));
    }
}
