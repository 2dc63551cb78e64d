//! The children of a supervisor, and what it is doing: all that is behind its lock.
//!
//! No code of users runs in here: what is to be woken, cancelled or dropped is left in [`After`].

mod after;
mod attempts;
mod intakes;
mod results;
mod returned;
mod slot;
mod stopping;

use super::child_info::{ChildId, ChildInfo, ChildState, NO_SLOT};
use super::end::SupervisorEnd;
use super::event::{Event, EventKind, EventListeners};
use super::outcome::Outcome;
use super::report::{ChildCounts, Stopped, SupervisorReport};
use super::restart::{Intensity, Restarts};
use super::rule::Shutdown;
use super::rules::Rules;
use after::After;
use returned::KeptResults;
use slot::{ChildSlot, Intake, Vacated};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use after::{Deferred, Kill};
pub(super) use returned::{Returned, Value};

/// The intake of the sink.
pub(super) const SINK: usize = 0;
/// The intake of children that are started on request.
pub(super) const REQUESTED: usize = 1;

/// All that changes. No code of users runs under its lock: what is to be woken, cancelled, dropped is kept in `after`.
///
/// Fields that every child changes come first and together, for they go back and forth between cores.
#[repr(C)]
pub(super) struct Registry {
    slots: Vec<ChildSlot>,
    /// The first free slot.
    free: u32,
    /// How many names were given.
    names: u64,
    alive: usize,
    sink: Intake,
    /// How many children of the sink may run; set when the sink first asks.
    sink_max: usize,
    pub(super) counts: ChildCounts,
    /// The other intakes: that of requests first, then those of stages.
    intakes: Vec<Option<Intake>>,
    /// How many stages are read.
    reading: usize,
    /// The sink had all the children it may have, and they have not fallen to its `min_demand` since.
    sink_full: bool,
    /// The sink was closed: the supervisor ends when no child is alive and no stage is read.
    sink_closed: bool,
    /// Wakes the sink when the supervisor has ended.
    closing: Option<Waker>,
    restarts: Restarts,
    pub(super) phase: Phase,
    /// How many children are marked killed: changed by `kill` and `uncount_killed` only.
    pub(super) kills: usize,
    /// All children are to be dropped, whatever their rules.
    aborted: bool,
    stopped: Vec<Stopped>,
    pub(super) listeners: EventListeners,
    results: KeptResults,
    pub(super) after: After,
}

pub(super) enum Phase {
    Running,
    /// Nothing new is taken; children come to their ends.
    Draining(SupervisorEnd),
    /// Children are being stopped.
    Stopping(SupervisorEnd),
    Over(Arc<SupervisorReport>),
}

/// What a child is to do after it ended.
pub(super) enum Next {
    /// Nothing: it is gone.
    Gone,
    /// To be started again, after a pause, as its restart of this number.
    Restart(Duration, u32),
}

/// Why there is no new child.
pub(super) enum Refused {
    MaxChildren(usize),
    Ended(SupervisorEnd),
}

impl Registry {
    pub(super) fn new(intensity: Intensity, returns: bool) -> Self {
        Self {
            slots: Vec::new(),
            free: NO_SLOT,
            names: 0,
            alive: 0,
            sink: Intake::default(),
            sink_max: usize::MAX,
            counts: ChildCounts::default(),
            intakes: vec![Some(Intake::default())],
            reading: 0,
            sink_full: false,
            sink_closed: false,
            closing: None,
            restarts: Restarts::new(intensity),
            phase: Phase::Running,
            kills: 0,
            aborted: false,
            stopped: Vec::new(),
            listeners: EventListeners::default(),
            results: KeptResults::new(returns),
            after: After::default(),
        }
    }

    pub(super) fn admit(&mut self, at: usize, rules: &Rules) -> Result<ChildId, Refused> {
        if let Some(end) = self.end() {
            return Err(Refused::Ended(end));
        }
        let Some(intake) = self.intake(at) else {
            unreachable!("an intake is there while it is read");
        };
        if at == REQUESTED && intake.running >= rules.max_children {
            return Err(Refused::MaxChildren(rules.max_children));
        }
        intake.running += 1;
        self.alive += 1;
        self.names += 1;
        let number = self.names;
        let intake = u32::try_from(at).expect("more than 4 billion stages");
        if self.free != NO_SLOT {
            let free = self.free;
            let slot = &mut self.slots[free as usize];
            self.free = slot.next_free;
            (slot.number, slot.intake) = (number, intake);
            return Ok(ChildId { number, slot: free });
        }
        self.slots.push(ChildSlot { number, intake, ..ChildSlot::empty() });
        Ok(ChildId {
            number,
            slot: u32::try_from(self.slots.len() - 1).expect("more than 4 billion children"),
        })
    }

    fn get(&mut self, id: ChildId) -> Option<&mut ChildSlot> {
        self.slots.get_mut(id.slot as usize).filter(|slot| slot.number == id.number)
    }

    /// The child that a user means, if it is there. An id may be any number, and 0 is that of all free slots.
    pub(super) fn find(&self, id: ChildId) -> Option<ChildId> {
        let is_it = |slot: &ChildSlot| slot.number == id.number && slot.number > 0;
        if id.slot == NO_SLOT {
            let (slot, _) = (0..).zip(&self.slots).find(|(_, slot)| is_it(slot))?;
            return Some(ChildId { slot, ..id });
        }
        self.slots.get(id.slot as usize).is_some_and(is_it).then_some(id)
    }

    /// The label of a child, if the child is there and has one.
    pub(super) fn label_of(&mut self, id: ChildId) -> Option<Arc<str>> {
        self.get(id).and_then(|slot| slot.label())
    }

    /// Sets the label and the rule that its item gives a child, before its future is made.
    pub(super) fn label(
        &mut self,
        id: ChildId,
        label: Option<Arc<str>>,
        rule: Option<Shutdown>,
        rules: &Rules,
    ) {
        let aborted = self.aborted;
        let Some(slot) = self.get(id) else { return };
        (slot.rare().label, slot.rare().rule) = (label, rule);
        if slot.state == ChildState::Stopping && rule.is_some() {
            // It was asked to stop before it had its own rule: that is undone, and its own rule followed.
            let timer = slot.rare().timer.take();
            let was_killed = !aborted && std::mem::take(&mut slot.killed);
            self.after.add().timers.extend(timer);
            if was_killed {
                self.uncount_killed();
            }
            self.bring_down(id, rules);
        }
    }

    /// Keeps the waker of a child that waits; true if the child is to be dropped instead.
    pub(super) fn waits(&mut self, id: ChildId, waker: &Waker) -> bool {
        let now = Instant::now();
        self.get(id).is_some_and(|slot| {
            slot.waker = Some(waker.clone());
            slot.began.get_or_insert(now);
            slot.killed
        })
    }

    /// Whether a child is to be dropped.
    pub(super) fn is_killed(&mut self, id: ChildId) -> bool {
        self.get(id).is_some_and(|slot| slot.killed)
    }

    /// Frees the slot of a child. Its place is still taken.
    #[inline]
    fn vacate(&mut self, id: ChildId) -> Vacated {
        let free = std::mem::replace(&mut self.free, id.slot);
        let slot = &mut self.slots[id.slot as usize];
        debug_assert_eq!(slot.number, id.number, "a child leaves once");
        // The child's own task is running this, so its waker is not the last thing that keeps the task alive.
        let gone = std::mem::replace(slot, ChildSlot { next_free: free, ..ChildSlot::empty() });
        let vacated = Vacated { reported: gone.reported, rare: gone.rare, intake: gone.intake as usize };
        self.alive -= 1;
        if gone.state == ChildState::Restarting {
            self.counts.restarting -= 1;
        }
        if gone.killed {
            self.uncount_killed();
        }
        vacated
    }

    /// Counts one child less for its intake.
    #[inline]
    fn leaves(&mut self, at: usize) {
        let mut last = false;
        if let Some(intake) = self.intake(at) {
            intake.running -= 1;
            last = intake.finished && intake.running == 0;
            if intake.running <= intake.wake_at {
                if let Some(waker) = intake.waker.take() {
                    self.after.add().wakers.push(waker);
                }
            }
        }
        if last {
            self.forget_intake(at);
        }
    }

    fn tell_end(&mut self, id: ChildId, outcome: &Outcome) {
        if self.listeners.is_empty() {
            return;
        }
        self.tell(
            id,
            match outcome {
                Outcome::Completed => EventKind::Completed,
                Outcome::Stopped => EventKind::Stopped,
                Outcome::Failed(error) => EventKind::Failed(Arc::clone(error)),
                Outcome::Panicked(panic) => EventKind::Panicked(panic.clone()),
                Outcome::Aborted => EventKind::Aborted,
                Outcome::NotRestarted => EventKind::NotRestarted,
            },
        );
    }

    #[inline]
    pub(super) fn tell(&mut self, id: ChildId, what: EventKind) {
        if self.listeners.is_empty() {
            return;
        }
        let label = self.label_of(id);
        let event = Event { child: id, label, what };
        let after = self.after.add();
        self.listeners.tell(&event, &mut after.wakers, &mut after.dropped);
    }

    /// The token of an attempt of a child, and whether it is to be cancelled.
    pub(super) fn token(&mut self, id: ChildId, restarts: u32) -> (CancellationToken, bool) {
        match self.get(id) {
            Some(slot) if slot.restarts == restarts => {
                let stopping = match slot.state {
                    ChildState::Running => slot.wanted,
                    // If a restart was asked for, the attempt being made is that restart.
                    ChildState::Restarting => false,
                    ChildState::Stopping => true,
                };
                (slot.rare().token.get_or_insert_default().clone(), stopping)
            }
            _ => (CancellationToken::new(), true),
        }
    }

    fn ids(&self) -> Vec<ChildId> {
        let slots = (0..).zip(&self.slots);
        slots
            .filter(|(_, slot)| slot.number > 0)
            .map(|(at, slot)| ChildId { number: slot.number, slot: at })
            .collect()
    }

    /// Answers `told` once a child has ended; false if there is no such child.
    pub(super) fn watch(&mut self, id: ChildId, told: oneshot::Sender<Outcome>) -> bool {
        let Some(slot) = self.get(id) else { return false };
        let forgotten = join(&mut slot.rare().ended, told);
        if !forgotten.is_empty() {
            self.after.add().ended.extend(forgotten.into_iter().map(|told| (told, Outcome::NotRestarted)));
        }
        true
    }

    pub(super) fn counts(&self) -> ChildCounts {
        let ChildCounts { restarting, ignored, not_started, .. } = self.counts;
        let (alive, started) = (self.alive, self.names - ignored - not_started);
        ChildCounts {
            alive,
            active: alive - restarting,
            started,
            unread: self.results.unread(),
            ..self.counts
        }
    }

    pub(super) fn children(&self) -> Vec<ChildInfo> {
        (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.number > 0)
            .map(|(at, slot)| ChildInfo {
                id: ChildId { number: slot.number, slot: at },
                label: slot.label(),
                state: slot.state,
                restarts: slot.restarts,
                age: slot.began.map_or(Duration::ZERO, |began| began.elapsed()),
            })
            .collect()
    }
}

/// Adds a sender. If the list was full, returns senders whose receivers are gone: to be dropped without the lock.
fn join<R>(waiting: &mut Vec<oneshot::Sender<R>>, told: oneshot::Sender<R>) -> Vec<oneshot::Sender<R>> {
    let full = !waiting.is_empty() && waiting.len() == waiting.capacity();
    waiting.push(told);
    if !full {
        return Vec::new();
    }
    let (forgotten, others) = std::mem::take(waiting).into_iter().partition(oneshot::Sender::is_closed);
    *waiting = others;
    forgotten
}

#[cfg(test)]
mod tests {
    use super::{Next, Outcome, REQUESTED};
    use crate::supervisor::restart::Intensity;
    use crate::supervisor::rules::Rules;
    use crate::supervisor::shared::SupervisorShared;
    use crate::supervisor::{Restart, Shutdown};
    use std::sync::Arc;
    use tokio::sync::oneshot;

    fn shared() -> Arc<SupervisorShared> {
        let (restart, shutdown) = (Restart::default(), Shutdown::Wait);
        let rules = Rules {
            restart,
            restart_when: None,
            intensity: Intensity::default(),
            restarts_per_child: u32::MAX,
            pauses: None,
            shutdown,
            max_children: usize::MAX,
            returns: false,
        };
        SupervisorShared::new(rules, tokio::runtime::Handle::current())
    }

    #[tokio::test]
    async fn those_who_wait_for_a_child_no_more_are_forgotten_while_it_lives() {
        let shared = shared();
        let Ok(id) = shared.admit(REQUESTED) else { panic!("it takes children") };
        let (told, mut waits) = oneshot::channel();
        assert!(shared.with(|registry| registry.watch(id, told)));
        for _ in 0..10_000 {
            let (told, _) = oneshot::channel();
            assert!(shared.with(|registry| registry.watch(id, told)));
            let kept = shared.with(|registry| registry.get(id).unwrap().rare().ended.len());
            assert!(kept <= 8, "{kept} kept");
        }
        assert!(waits.try_recv().is_err());
        shared.with(|registry| registry.remove(id, &Outcome::Completed));
        assert!(waits.await.unwrap().is_completed());
    }

    #[tokio::test]
    async fn those_who_wait_for_a_restart_no_more_are_forgotten_before_it() {
        let shared = shared();
        let Ok(id) = shared.admit(REQUESTED) else { panic!("it takes children") };
        let (told, mut waits) = oneshot::channel();
        assert!(shared.with(|registry| registry.ask_restart(id, &shared.rules, told)));
        for _ in 0..10_000 {
            let (told, _) = oneshot::channel();
            assert!(shared.with(|registry| registry.ask_restart(id, &shared.rules, told)));
            let kept = shared.with(|registry| registry.get(id).unwrap().rare().on_restart.len());
            assert!(kept <= 8, "{kept} kept");
        }
        assert!(waits.try_recv().is_err());
        let next = shared.with(|registry| registry.ended(id, &Outcome::Completed, true, &shared.rules));
        assert!(matches!(next, Next::Restart(_, 1)));
        assert!(shared.with(|registry| registry.restarted(id)));
        assert!(waits.await.unwrap().is_ok());
    }
}
