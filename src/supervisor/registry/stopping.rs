//! How children and supervisors are stopped, and when a supervisor is over.

use super::after::Kill;
use super::{Phase, Registry, join};
use crate::supervisor::child_info::{ChildId, ChildState};
use crate::supervisor::end::SupervisorEnd;
use crate::supervisor::outcome::Outcome;
use crate::supervisor::report::SupervisorReport;
use crate::supervisor::rule::Shutdown;
use crate::supervisor::rules::Rules;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Registry {
    /// Asks a child to stop; false if there is none.
    pub(in crate::supervisor) fn ask(&mut self, id: ChildId, rules: &Rules) -> bool {
        let Some(slot) = self.get(id) else { return false };
        let was = std::mem::replace(&mut slot.state, ChildState::Stopping);
        slot.wanted = false;
        match was {
            ChildState::Running => self.bring_down(id, rules),
            ChildState::Restarting => {
                // There is nothing to wait for.
                self.counts.restarting -= 1;
                self.kill(id);
            }
            ChildState::Stopping => {}
        }
        true
    }

    /// Makes a child restart, whatever it is doing; false if there is none, or if it is being stopped.
    pub(in crate::supervisor) fn ask_restart(
        &mut self,
        id: ChildId,
        rules: &Rules,
        told: oneshot::Sender<Result<(), Outcome>>,
    ) -> bool {
        let Some(slot) = self.get(id).filter(|slot| slot.state != ChildState::Stopping) else {
            return false;
        };
        let forgotten = join(&mut slot.rare().on_restart, told);
        let was_wanted = std::mem::replace(&mut slot.wanted, true);
        let state = slot.state;
        if !forgotten.is_empty() {
            self.after.add().restarted.extend(forgotten.into_iter().map(|told| (told, Ok(()))));
        }
        match state {
            // Ends its pause: it is restarted at once.
            ChildState::Restarting => self.kill(id),
            _ if !was_wanted => self.bring_down(id, rules),
            _ => {}
        }
        true
    }

    pub(super) fn bring_down(&mut self, id: ChildId, rules: &Rules) {
        let Some(slot) = self.get(id) else { return };
        let rare = slot.rare.as_ref();
        let attempt = slot.restarts;
        let (rule, token) = (rare.and_then(|rare| rare.rule), rare.and_then(|rare| rare.token.clone()));
        match rule.unwrap_or(rules.shutdown) {
            Shutdown::Brutal => return self.kill(id),
            Shutdown::After(after) => {
                let (timer, ended) = oneshot::channel();
                // The timer of a restart that was asked for before, if there is one.
                let before = slot.rare().timer.replace(timer);
                let deferred = self.after.add();
                deferred.timers.extend(before);
                deferred.kills.push(Kill { after, id, attempt, ended });
            }
            Shutdown::Wait => {}
        }
        self.after.add().tokens.extend(token);
    }

    pub(super) fn kill(&mut self, id: ChildId) {
        let Some(slot) = self.get(id).filter(|slot| !slot.killed) else { return };
        slot.killed = true;
        let waker = slot.waker.clone();
        self.kills += 1;
        self.after.add().wakers.extend(waker);
    }

    /// Counts one less: a child that was marked killed is gone, or is marked no longer.
    pub(super) fn uncount_killed(&mut self) {
        self.kills -= 1;
        // The number is handed on with what is deferred.
        self.after.add();
    }

    /// Makes an attempt be dropped, unless the child was restarted since.
    pub(in crate::supervisor) fn kill_attempt(&mut self, id: ChildId, restarts: u32) {
        if self.get(id).is_some_and(|slot| slot.restarts == restarts) {
            self.kill(id);
        }
    }

    pub(in crate::supervisor) fn kill_all(&mut self) {
        self.aborted = true;
        self.after.add().kills.clear();
        for id in self.ids() {
            self.kill(id);
        }
    }

    pub(in crate::supervisor) fn drain(&mut self, end: SupervisorEnd) {
        if matches!(self.phase, Phase::Running) {
            self.phase = Phase::Draining(end);
            self.report_alive();
            self.wake_intakes();
            self.check_over();
        }
    }

    pub(in crate::supervisor) fn stop(&mut self, end: SupervisorEnd, rules: &Rules) {
        if let Phase::Stopping(_) | Phase::Over(_) = self.phase {
            return;
        }
        self.phase = Phase::Stopping(end);
        self.report_alive();
        self.wake_intakes();
        for id in self.ids() {
            self.ask(id, rules);
        }
        self.check_over();
    }

    /// Lists every child that has not ended in the report.
    pub(super) fn report_alive(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.number > 0) {
            slot.reported = true;
        }
    }

    /// The sink takes no more.
    pub(in crate::supervisor) fn close_sink(&mut self) {
        self.sink_closed = true;
        self.check_over();
    }

    #[inline]
    pub(super) fn check_over(&mut self) {
        // Also waits for readers: they see the end soon, and count the items they had taken.
        if self.alive > 0 || self.reading > 0 {
            return;
        }
        let end = match &self.phase {
            Phase::Running if self.sink_closed => SupervisorEnd::Closed,
            Phase::Draining(end) | Phase::Stopping(end) => end.clone(),
            Phase::Running | Phase::Over(_) => return,
        };
        let stopped = std::mem::take(&mut self.stopped);
        let counts = self.counts();
        self.phase = Phase::Over(Arc::new(SupervisorReport { end, counts, stopped }));
        let after = self.after.add();
        after.over = true;
        after.wakers.extend(self.closing.take());
        self.listeners.wake_all(&mut after.wakers);
        self.results.wake(&mut after.wakers);
        self.wake_intakes();
    }

    pub(in crate::supervisor) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    /// What the supervisor has done, once it has ended.
    pub(in crate::supervisor) fn report(&self) -> Option<Arc<SupervisorReport>> {
        match &self.phase {
            Phase::Over(report) => Some(Arc::clone(report)),
            _ => None,
        }
    }

    /// Why nothing more is taken, if that is so.
    pub(in crate::supervisor) fn end(&self) -> Option<SupervisorEnd> {
        match &self.phase {
            Phase::Running => None,
            Phase::Draining(end) | Phase::Stopping(end) => Some(end.clone()),
            Phase::Over(report) => Some(report.end.clone()),
        }
    }
}
