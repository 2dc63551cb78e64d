//! What the tasks of a supervisor share.

use super::child_info::ChildId;
use super::end::SupervisorEnd;
use super::event::EventKind;
use super::outcome::Outcome;
use super::registry::{Deferred, Kill, Next, Phase, Refused, Registry};
use super::report::SupervisorReport;
use super::restart::Restart;
use super::rules::Rules;
use crate::failure::Panic;
use crate::span::TaskSpan;
use crate::sync::unpoisoned;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// The registry of children under its lock, and how to get at the runtime.
pub(super) struct SupervisorShared {
    registry: Mutex<Registry>,
    pub(super) rules: Rules,
    pub(super) runtime: Handle,
    /// Nothing new is started. Can be read without the lock.
    pub(super) closing: AtomicBool,
    /// Events are being read, or were.
    pub(super) listening: AtomicBool,
    /// How many children are to be aborted, and are not yet. Every child looks at this before it is polled.
    pub(super) kills: AtomicUsize,
    /// Wakes the tasks that wait for the end. A task that stops waiting is forgotten.
    ended: Notify,
}

impl SupervisorShared {
    pub(super) fn new(rules: Rules, runtime: Handle) -> Arc<Self> {
        let (closing, listening) = (AtomicBool::new(false), AtomicBool::new(false));
        let registry = Mutex::new(Registry::new(rules.intensity, rules.returns));
        let kills = AtomicUsize::new(0);
        Arc::new(Self { registry, rules, runtime, closing, listening, kills, ended: Notify::new() })
    }

    /// Works on the registry, and then does what follows from that without its lock.
    #[inline]
    pub(super) fn with<R>(self: &Arc<Self>, work: impl FnOnce(&mut Registry) -> R) -> R {
        let mut registry = unpoisoned(self.registry.lock());
        let done = work(&mut registry);
        let Some(after) = registry.after.take() else { return done };
        if !matches!(registry.phase, Phase::Running) {
            self.closing.store(true, Ordering::Relaxed);
        }
        self.kills.store(registry.kills, Ordering::Relaxed);
        drop(registry);
        self.follow(after);
        done
    }

    #[inline(never)]
    fn follow(self: &Arc<Self>, after: Deferred) {
        after.tokens.into_iter().for_each(|token| token.cancel());
        for (waiting, outcome) in after.ended {
            let _ = waiting.send(outcome);
        }
        for (waiting, restarted) in after.restarted {
            let _ = waiting.send(restarted);
        }
        drop(after.timers);
        if !after.kills.is_empty() {
            self.runtime.spawn(kill(Arc::clone(self), after.kills));
        }
        if after.over {
            self.ended.notify_waiters();
        }
        after.wakers.into_iter().for_each(Waker::wake);
        if let Some(given_up) = after.given_up {
            log(|| tracing::error!(reason = %given_up, "a supervisor gives up"));
        }
        // Last, for a drop may panic.
        drop(after.values);
    }

    /// Takes in a child that is to be started.
    pub(super) fn admit(self: &Arc<Self>, intake: usize) -> Result<ChildId, Refused> {
        self.with(|registry| registry.admit(intake, &self.rules))
    }

    /// The span of a child that starts.
    #[inline]
    pub(super) fn span_of(self: &Arc<Self>, id: ChildId) -> TaskSpan {
        TaskSpan::debug(|| {
            let label = self.with(|registry| registry.label_of(id));
            tracing::debug_span!("child", child = %id, label = label.as_deref())
        })
    }

    /// What a child that has come to its end is to do.
    pub(super) fn completed(self: &Arc<Self>, id: ChildId) -> Next {
        if self.rules.restart == Restart::Permanent {
            return self.ended(id, &Outcome::Completed);
        }
        self.with(|registry| registry.completed(id, &self.rules))
    }

    /// Whether a child with this outcome may be restarted, and its outcome: a panic of what users say about that is one of
    /// the child.
    fn judge(self: &Arc<Self>, id: ChildId, outcome: &Outcome) -> (bool, Outcome) {
        let judged = match &self.rules.restart_when {
            // Of a child that is being stopped, or restarted on request, it is not asked.
            Some(when)
                if outcome.is_restarted(self.rules.restart)
                    && self.with(|registry| registry.goes_by_rule(id)) =>
            {
                catch_unwind(AssertUnwindSafe(|| when(outcome)))
            }
            _ => Ok(true),
        };
        match judged {
            Ok(again) => (again, outcome.clone()),
            Err(payload) => (false, Outcome::Panicked(Panic::new(payload))),
        }
    }

    /// What a child that has ended is to do.
    pub(super) fn ended(self: &Arc<Self>, id: ChildId, outcome: &Outcome) -> Next {
        let (again, outcome) = &self.judge(id, outcome);
        // Read before the registry forgets the child. Only what is logged needs a label: a failure.
        let label = match outcome {
            Outcome::Failed(_) | Outcome::Panicked(_) => self.with(|registry| registry.label_of(id)),
            Outcome::Completed | Outcome::Stopped | Outcome::Aborted | Outcome::NotRestarted => None,
        };
        let next = self.with(|registry| registry.ended(id, outcome, *again, &self.rules));
        let label = label.as_deref();
        match outcome {
            Outcome::Failed(error) => log(|| tracing::error!(child = %id, label, %error, "a child failed")),
            Outcome::Panicked(panic) => {
                log(|| tracing::error!(child = %id, label, panic = panic.message(), "a child panicked"));
            }
            Outcome::Completed | Outcome::Stopped | Outcome::Aborted | Outcome::NotRestarted => {}
        }
        next
    }

    /// The same for a child that could not be restarted.
    pub(super) fn restart_failed(self: &Arc<Self>, id: ChildId, outcome: &Outcome) -> Next {
        let (again, outcome) = &self.judge(id, outcome);
        let (label, next) = self.with(|registry| {
            let label = registry.label_of(id);
            if !registry.may_restart(id) {
                return (label, Next::Gone);
            }
            let what = match outcome {
                Outcome::Panicked(panic) => EventKind::StartPanicked(panic.clone()),
                Outcome::Failed(error) => EventKind::StartFailed(Arc::clone(error)),
                _ => EventKind::Ignored,
            };
            registry.tell(id, what);
            if *again && matches!(outcome, Outcome::Failed(_) | Outcome::Panicked(_)) {
                (label, registry.again(id, outcome, &self.rules))
            } else {
                // There is nothing to be restarted, or it is not to be.
                registry.remove(id, outcome);
                (label, Next::Gone)
            }
        });
        let label = label.as_deref();
        match outcome {
            Outcome::Failed(error) => {
                log(|| tracing::error!(child = %id, label, %error, "a child could not be restarted"));
            }
            Outcome::Panicked(panic) => log(|| {
                tracing::error!(child = %id, label, panic = panic.message(), "a child could not be restarted");
            }),
            Outcome::Completed | Outcome::Stopped | Outcome::Aborted | Outcome::NotRestarted => {}
        }
        next
    }

    /// Stops everything by the children's rules.
    pub(super) fn stop(self: &Arc<Self>, end: SupervisorEnd) {
        self.with(|registry| registry.stop(end, &self.rules));
    }

    /// Stops everything by the children's rules when the token is cancelled.
    pub(super) fn stop_when(self: &Arc<Self>, token: CancellationToken) {
        if token.is_cancelled() {
            return self.stop(SupervisorEnd::ShutDown);
        }
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            let (mut cancelled, mut over) = (pin!(token.cancelled_owned()), pin!(shared.over()));
            let stops = poll_fn(|cx| match over.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(false),
                Poll::Pending => cancelled.as_mut().poll(cx).map(|()| true),
            });
            if stops.await {
                shared.stop(SupervisorEnd::ShutDown);
            }
        });
    }

    /// Takes nothing more. Children come to their ends, and are stopped if they have not after `deadline`.
    pub(super) fn drain(self: &Arc<Self>, end: SupervisorEnd, deadline: Option<Duration>) {
        self.with(|registry| registry.drain(end.clone()));
        if let Some(deadline) = deadline {
            let shared = Arc::clone(self);
            self.runtime.spawn(async move {
                let timed_out = tokio::time::timeout(deadline, shared.over()).await.is_err();
                if timed_out {
                    shared.stop(end);
                }
            });
        }
    }

    /// Aborts all children.
    pub(super) fn abort(self: &Arc<Self>) {
        self.with(|registry| {
            registry.stop(SupervisorEnd::Aborted, &self.rules);
            registry.kill_all();
        });
    }

    /// Waits until the supervisor has ended.
    pub(super) async fn over(self: &Arc<Self>) -> Arc<SupervisorReport> {
        // `ended` is notified from here on, not only after its first poll.
        let ended = self.ended.notified();
        if let Some(report) = self.with(|registry| registry.report()) {
            return report;
        }
        ended.await;
        let Some(report) = self.with(|registry| registry.report()) else {
            unreachable!("whoever waits for the end is told of it then");
        };
        report
    }
}

/// Logs. Formatting may run the user's code; if that panics, the panic goes no further.
pub(super) fn log(write: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(write));
}

/// Aborts children that have not ended when their time is over.
async fn kill(shared: Arc<SupervisorShared>, mut kills: Vec<Kill>) {
    let begin = Instant::now();
    kills.sort_unstable_by_key(|kill| kill.after);
    for Kill { after, id, attempt, ended } in kills {
        // Later than an `Instant` can be, and so are all that follow.
        let Some(time) = begin.checked_add(after) else { return };
        // Stop waiting when the child ends, so that a rule of hours does not keep this task. A runtime without timers
        // panics here; treat that as an expired deadline.
        let late = match catch_unwind(AssertUnwindSafe(|| timeout_at(time, ended))) {
            Ok(timeout) => timeout.await.is_err(),
            Err(_) => true,
        };
        if late {
            shared.with(|registry| registry.kill_attempt(id, attempt));
        }
    }
}

impl fmt::Debug for SupervisorShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorShared").finish_non_exhaustive()
    }
}
