//! What becomes of children: they end, and are started again or gone.

use super::{Next, Registry, SINK, Vacated};
use crate::supervisor::child_info::{ChildId, ChildState};
use crate::supervisor::end::{GivenUp, SupervisorEnd};
use crate::supervisor::event::EventKind;
use crate::supervisor::outcome::Outcome;
use crate::supervisor::report::Stopped;
use crate::supervisor::restart::Intensity;
use crate::supervisor::rules::Rules;
use std::time::Duration;
use tokio::time::Instant;

impl Registry {
    /// Removes a child that could not be started, or for which there was nothing to start.
    pub(in crate::supervisor) fn not_started(&mut self, id: ChildId, what: EventKind) {
        match what {
            EventKind::Ignored => self.counts.ignored += 1,
            _ => self.counts.not_started += 1,
        }
        self.tell(id, what);
        let gone = self.vacate(id);
        self.leaves(gone.intake);
        if let Some(rare) = gone.rare {
            self.after.add().let_go(*rare, &Outcome::NotRestarted);
        }
        self.check_over();
    }

    /// Whether a restarting child is still to be restarted. If it was asked to stop meanwhile, it is removed.
    pub(in crate::supervisor) fn may_restart(&mut self, id: ChildId) -> bool {
        match self.get(id) {
            Some(slot) if slot.state == ChildState::Restarting => true,
            Some(_) => {
                self.lost(id, &Outcome::NotRestarted);
                false
            }
            None => false,
        }
    }

    /// Marks a child as running again. False if it was asked to stop meanwhile: then its end is still to be told.
    pub(in crate::supervisor) fn restarted(&mut self, id: ChildId) -> bool {
        let Some(slot) = self.get(id).filter(|slot| slot.state == ChildState::Restarting) else {
            return false;
        };
        slot.state = ChildState::Running;
        // If a restart was asked for meanwhile, this is it.
        slot.wanted = false;
        let killed = std::mem::take(&mut slot.killed);
        slot.rare().restarted = Some(Instant::now());
        let restarts = slot.restarts;
        let waiting = std::mem::take(&mut slot.rare().on_restart);
        if !waiting.is_empty() {
            self.after.add().restarted.extend(waiting.into_iter().map(|waiting| (waiting, Ok(()))));
        }
        if killed {
            self.uncount_killed();
        }
        self.counts.restarting -= 1;
        self.counts.restarts += 1;
        self.tell(id, EventKind::Restarted { restarts });
        true
    }

    /// A child that is not permanent has come to its end: the fast path of [`ended`](Self::ended), for most children of
    /// most supervisors, of which no listener is told.
    #[inline]
    pub(in crate::supervisor) fn completed(&mut self, id: ChildId, rules: &Rules) -> Next {
        let quiet = self.listeners.is_empty();
        let free = self.free;
        let Some(slot) = self.get(id).filter(|slot| quiet && slot.is_plain()) else {
            return self.ended(id, &Outcome::Completed, true, rules);
        };
        let at = slot.intake as usize;
        slot.empty_plain(free);
        self.free = id.slot;
        self.alive -= 1;
        self.counts.completed += 1;
        self.give_back(at);
        self.check_over();
        Next::Gone
    }

    /// Whether it goes by the rule for restarts what a child does that has ended: it is not being stopped, and no restart of
    /// it was asked for.
    pub(in crate::supervisor) fn goes_by_rule(&mut self, id: ChildId) -> bool {
        self.get(id).is_some_and(|slot| !slot.wanted && slot.state != ChildState::Stopping)
    }

    /// A child has ended. `again`: it may be restarted.
    pub(in crate::supervisor) fn ended(
        &mut self,
        id: ChildId,
        outcome: &Outcome,
        again: bool,
        rules: &Rules,
    ) -> Next {
        let Some(slot) = self.get(id) else { return Next::Gone };
        let wanted = slot.wanted;
        let stopped = matches!(outcome, Outcome::Completed) && slot.was_asked();
        let outcome = if stopped { &Outcome::Stopped } else { outcome };
        // A child that waited for its restart gets it, if that is wanted: it has no end to tell.
        if !(wanted && matches!(outcome, Outcome::NotRestarted)) {
            self.tell_end(id, outcome);
        }
        if wanted {
            return self.on_request(id);
        }
        let Some(slot) = self.get(id) else { return Next::Gone };
        if slot.state == ChildState::Stopping || !again || !outcome.is_restarted(rules.restart) {
            self.remove(id, outcome);
            return Next::Gone;
        }
        let began = slot.began;
        let rare = slot.rare();
        let since = rare.restarted.or(began);
        if since.is_some_and(|since| since.elapsed() > rules.intensity.within) {
            rare.streak = 0;
        }
        slot.state = ChildState::Restarting;
        self.counts.restarting += 1;
        self.again(id, outcome, rules)
    }

    /// Restarts a child on request, which does not count as a failure.
    pub(super) fn on_request(&mut self, id: ChildId) -> Next {
        self.lose_value(id);
        let Some(slot) = self.get(id) else { return Next::Gone };
        let was_restarting = slot.state == ChildState::Restarting;
        let was_killed = std::mem::take(&mut slot.killed);
        (slot.wanted, slot.state) = (false, ChildState::Restarting);
        // A child that waited for a restart gets that one, only earlier.
        slot.restarts += u32::from(!was_restarting);
        let restarts = slot.restarts;
        slot.rare().streak = 0;
        let timer = slot.rare().timer.take();
        let token = slot.take_token();
        let after = self.after.add();
        after.timers.extend(timer);
        after.tokens.extend(token);
        if was_killed {
            self.uncount_killed();
        }
        if !was_restarting {
            self.counts.restarting += 1;
        }
        Next::Restart(Duration::ZERO, restarts)
    }

    /// Says that a restarting child is to be started again, unless that is one restart too many.
    pub(in crate::supervisor) fn again(&mut self, id: ChildId, outcome: &Outcome, rules: &Rules) -> Next {
        if self.get(id).is_some_and(|slot| !slot.wanted && slot.restarts >= rules.restarts_per_child) {
            self.remove(id, outcome);
            return Next::Gone;
        }
        if !self.restarts.allow() {
            self.tell(id, EventKind::GivenUp);
            let label = self.get(id).and_then(|slot| slot.label());
            let Intensity { max_restarts, within } = rules.intensity;
            let given_up = GivenUp { child: id, label, outcome: outcome.clone(), max_restarts, within };
            // Logged without the lock: formatting it runs the user's code.
            self.after.add().given_up = Some(given_up.clone());
            // Not by `remove`: if this is the last child, a supervisor that was closed would end as `Closed`.
            self.take_out(id, outcome);
            self.stop(SupervisorEnd::GaveUp(given_up), rules);
            return Next::Gone;
        }
        // The drop of its future panicked after it returned.
        self.drop_value(id);
        let Some(slot) = self.get(id) else { return Next::Gone };
        slot.restarts += 1;
        let (restarts, token) = (slot.restarts, slot.take_token());
        let streak = slot.rare().streak;
        slot.rare().streak = streak.saturating_add(1);
        if token.is_some() {
            self.after.add().tokens.extend(token);
        }
        let pause = rules.pauses.as_ref().map_or(Duration::ZERO, |pauses| pauses.pause(streak));
        Next::Restart(pause, restarts)
    }

    /// Removes a child without a restart, and tells its end: its runtime was shut down, or it was stopped in a restart.
    pub(in crate::supervisor) fn lost(&mut self, id: ChildId, outcome: &Outcome) {
        if self.get(id).is_none() {
            return;
        }
        self.tell_end(id, outcome);
        self.remove(id, outcome);
    }

    /// Removes a child, which may be the end of the supervisor.
    pub(in crate::supervisor) fn remove(&mut self, id: ChildId, outcome: &Outcome) {
        self.take_out(id, outcome);
        self.check_over();
    }

    /// Gives back the place of a child that was started.
    #[inline]
    pub(super) fn give_back(&mut self, intake: usize) {
        // The sink may not have been polled while all its places were taken.
        self.sink_full |= intake == SINK && self.sink.running >= self.sink_max;
        self.leaves(intake);
    }

    #[inline]
    pub(super) fn take_out(&mut self, id: ChildId, outcome: &Outcome) {
        if self.get(id).is_none() {
            return;
        }
        self.counts.ended(outcome);
        let Vacated { reported, mut rare, intake } = self.vacate(id);
        let label = rare.as_ref().and_then(|rare| rare.label.clone());
        if reported {
            self.stopped.push(Stopped { child: id, label: label.clone(), outcome: outcome.clone() });
        }
        let value = rare.as_mut().and_then(|rare| rare.value.take());
        self.hand_on(id, label, outcome, value, intake);
        if let Some(rare) = rare {
            self.after.add().let_go(*rare, outcome);
        }
    }
}
