//! What the tasks of a supervisor share: who its children are, and what it is doing.

use super::child::{ChildId, ChildInfo, ChildState};
use super::end::{GivenUp, SupervisorEnd};
use super::event::{Event, Listeners, What};
use super::outcome::Outcome;
use super::report::{ChildCounts, Stopped, SupervisorReport};
use super::restart::{Intensity, Restart, Restarts};
use super::rule::Shutdown;
use crate::backoff::Pauses;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Where the children of the sink belong.
pub(super) const SINK: usize = 0;
/// Where those belong that were started on request.
pub(super) const REQUESTED: usize = 1;

/// What is the same from the start on.
pub(super) struct Rules {
    pub(super) restart: Restart,
    pub(super) intensity: Intensity,
    pub(super) pauses: Option<Pauses>,
    pub(super) shutdown: Shutdown,
    pub(super) max_children: usize,
}

/// The registry of children under its lock, and how to get at the runtime.
pub(super) struct Shared {
    registry: Mutex<Registry>,
    pub(super) rules: Rules,
    pub(super) runtime: Handle,
    /// Nothing new is started: known without the lock.
    pub(super) closing: AtomicBool,
    /// Somebody reads events, or did.
    pub(super) listening: AtomicBool,
}

/// All that changes. No code of users runs under its lock: what is to be woken, cancelled, dropped is kept in `after`.
pub(super) struct Registry {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// How many names were given.
    names: u64,
    pub(super) counts: ChildCounts,
    intakes: Vec<Option<Intake>>,
    /// How many stages are read.
    reading: usize,
    /// The sink was closed, while stages were read.
    sink_closed: bool,
    restarts: Restarts,
    phase: Phase,
    /// Whatever there is, is aborted.
    aborted: bool,
    stopped: Vec<Stopped>,
    pub(super) listeners: Listeners,
    /// Who waits for the end.
    waiting: Vec<Waker>,
    after: After,
}

/// What was decided under the lock, and is done behind it.
#[derive(Default)]
struct After {
    wakers: Vec<Waker>,
    tokens: Vec<CancellationToken>,
    aborts: Vec<AbortHandle>,
    ended: Vec<(oneshot::Sender<Outcome>, Outcome)>,
    restarted: Vec<(oneshot::Sender<Result<(), Outcome>>, Result<(), Outcome>)>,
    /// To be aborted when they have not ended after so long.
    kills: Vec<(Duration, ChildId)>,
    dropped: Vec<Event>,
    some: bool,
}

enum Phase {
    Running,
    /// Nothing new is taken; children come to their ends.
    Draining(SupervisorEnd),
    /// Children are being stopped.
    Stopping(SupervisorEnd),
    Over(Arc<SupervisorReport>),
}

/// A child, or room for one.
struct Slot {
    /// 0: nobody is here.
    number: u64,
    state: ChildState,
    intake: usize,
    abort: Option<AbortHandle>,
    token: Option<CancellationToken>,
    rule: Shutdown,
    label: Option<Arc<str>>,
    restarts: u32,
    /// Restarts since it last ran for long: its pauses grow with these.
    streak: u32,
    started: Instant,
    /// When this attempt was, if it is not the first.
    restarted: Option<Instant>,
    /// It is to be restarted whatever its end, by request.
    wanted: bool,
    /// It had not ended when the supervisor was told to stop.
    reported: bool,
    ended: Vec<oneshot::Sender<Outcome>>,
    on_restart: Vec<oneshot::Sender<Result<(), Outcome>>>,
}

/// Where items come from, and how many children of it there are.
#[derive(Default)]
struct Intake {
    running: usize,
    /// Wake when there are at most so many.
    wake_at: usize,
    waker: Option<Waker>,
    /// No more items come: it goes with its last child.
    finished: bool,
}

/// What a child is to do after it ended.
pub(super) enum Next {
    /// Nothing: it is gone.
    Gone,
    /// To be started again, after a pause.
    Restart(Duration),
}

/// Why there is no new child.
pub(super) enum Refused {
    MaxChildren(usize),
    Ended(SupervisorEnd),
}

impl Shared {
    pub(super) fn new(rules: Rules, runtime: Handle) -> Arc<Self> {
        let restarts = Restarts::new(rules.intensity);
        let registry = Registry {
            slots: Vec::new(),
            free: Vec::new(),
            names: 0,
            counts: ChildCounts::default(),
            intakes: vec![Some(Intake::default()), Some(Intake::default())],
            reading: 0,
            sink_closed: false,
            restarts,
            phase: Phase::Running,
            aborted: false,
            stopped: Vec::new(),
            listeners: Listeners::default(),
            waiting: Vec::new(),
            after: After::default(),
        };
        let (closing, listening) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { registry: Mutex::new(registry), rules, runtime, closing, listening })
    }

    /// Works on the registry, and then does what follows from that without its lock.
    #[inline]
    pub(super) fn with<R>(self: &Arc<Self>, work: impl FnOnce(&mut Registry) -> R) -> R {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut registry);
        if !registry.after.some {
            return done;
        }
        if !matches!(registry.phase, Phase::Running) {
            self.closing.store(true, Ordering::Relaxed);
        }
        let after = std::mem::take(&mut registry.after);
        drop(registry);
        self.follow(after);
        done
    }

    #[inline(never)]
    fn follow(self: &Arc<Self>, after: After) {
        after.tokens.into_iter().for_each(|token| token.cancel());
        after.aborts.into_iter().for_each(|abort| abort.abort());
        for (waiting, outcome) in after.ended {
            let _ = waiting.send(outcome);
        }
        for (waiting, restarted) in after.restarted {
            let _ = waiting.send(restarted);
        }
        after.wakers.into_iter().for_each(Waker::wake);
        if !after.kills.is_empty() {
            self.runtime.spawn(kill(Arc::clone(self), after.kills));
        }
    }

    /// Takes in a child that is to be started.
    pub(super) fn admit(self: &Arc<Self>, intake: usize) -> Result<ChildId, Refused> {
        let now = Instant::now();
        self.with(|registry| registry.admit(intake, &self.rules, now))
    }

    /// What a child that has ended is to do.
    pub(super) fn ended(self: &Arc<Self>, id: ChildId, outcome: Outcome) -> Next {
        // Dropped without the lock: what is in it is the user's.
        let kept = outcome.clone();
        let next = self.with(|registry| registry.ended(id, outcome, &self.rules));
        drop(kept);
        next
    }

    /// The same for a child that could not be restarted.
    pub(super) fn restart_failed(self: &Arc<Self>, id: ChildId, outcome: Outcome) -> Next {
        let kept = outcome.clone();
        let next = self.with(|registry| {
            if !registry.may_restart(id) {
                return Next::Gone;
            }
            let what = match &outcome {
                Outcome::Panicked(panic) => What::StartPanicked(panic.clone()),
                Outcome::Failed(error) => What::StartFailed(Arc::clone(error)),
                _ => What::Ignored,
            };
            registry.tell(id, what);
            if matches!(outcome, Outcome::Failed(_) | Outcome::Panicked(_)) {
                registry.again(id, outcome, &self.rules)
            } else {
                // There is nothing to be restarted.
                registry.remove(id, outcome);
                Next::Gone
            }
        });
        drop(kept);
        next
    }

    /// Stops everything by the children's rules.
    pub(super) fn stop(self: &Arc<Self>, end: SupervisorEnd) {
        self.with(|registry| registry.stop(end));
    }

    /// Takes nothing more; children come to their ends, and are stopped when they have not after `deadline`.
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
            registry.stop(SupervisorEnd::Aborted);
            registry.after.kills.clear();
            registry.after.some = true;
            registry.aborted = true;
            for slot in registry.slots.iter().filter(|slot| slot.number > 0) {
                registry.after.aborts.extend(slot.abort.clone());
            }
        });
    }

    /// Waits until the supervisor has ended.
    pub(super) async fn over(self: &Arc<Self>) -> Arc<SupervisorReport> {
        std::future::poll_fn(|cx| self.with(|registry| registry.poll_over(cx))).await
    }
}

/// Aborts children that have not ended when their time is over.
async fn kill(shared: Arc<Shared>, mut kills: Vec<(Duration, ChildId)>) {
    let begin = Instant::now();
    kills.sort_unstable();
    for (after, id) in kills {
        match begin.checked_add(after) {
            Some(time) => tokio::time::sleep_until(time).await,
            // Longer than there is time.
            None => return,
        }
        shared.with(|registry| registry.kill(id));
    }
}

impl Registry {
    fn admit(&mut self, intake: usize, rules: &Rules, now: Instant) -> Result<ChildId, Refused> {
        if let Phase::Draining(end) | Phase::Stopping(end) = &self.phase {
            return Err(Refused::Ended(end.clone()));
        }
        if let Phase::Over(report) = &self.phase {
            return Err(Refused::Ended(report.end.clone()));
        }
        let Some(from) = &mut self.intakes[intake] else {
            unreachable!("an intake is there while it is read");
        };
        if intake == REQUESTED && from.running >= rules.max_children {
            return Err(Refused::MaxChildren(rules.max_children));
        }
        from.running += 1;
        self.names += 1;
        self.counts.alive += 1;
        // Taken back if it cannot be.
        self.counts.started += 1;
        let new = Slot {
            number: self.names,
            state: ChildState::Running,
            intake,
            abort: None,
            token: None,
            rule: rules.shutdown,
            label: None,
            restarts: 0,
            streak: 0,
            started: now,
            restarted: None,
            wanted: false,
            reported: false,
            ended: Vec::new(),
            on_restart: Vec::new(),
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = new;
                slot
            }
            None => {
                self.slots.push(new);
                u32::try_from(self.slots.len() - 1).expect("more than 4 billion children")
            }
        };
        Ok(ChildId { number: self.names, slot })
    }

    fn get(&mut self, id: ChildId) -> Option<&mut Slot> {
        self.slots.get_mut(id.slot as usize).filter(|slot| slot.number == id.number)
    }

    /// Its factory has made it.
    pub(super) fn label(&mut self, id: ChildId, label: Option<Arc<str>>, rule: Option<Shutdown>) {
        if let Some(slot) = self.get(id) {
            slot.label = label;
            slot.rule = rule.unwrap_or(slot.rule);
        }
    }

    /// Keeps how to abort it. It may have ended already.
    #[inline]
    pub(super) fn spawned(&mut self, id: ChildId, abort: AbortHandle) {
        let aborted = self.aborted;
        let Some(slot) = self.get(id) else { return };
        // Asked to stop before its task was there.
        let late = slot.state == ChildState::Stopping && (aborted || slot.rule == Shutdown::Brutal);
        slot.abort = Some(abort);
        if late {
            self.kill(id);
        }
    }

    /// A child that could not be started, or for which there was nothing to start.
    pub(super) fn not_started(&mut self, id: ChildId, what: What) {
        self.counts.started -= 1;
        match what {
            What::Ignored => self.counts.ignored += 1,
            _ => self.counts.not_started += 1,
        }
        self.tell(id, what);
        if let Some(slot) = self.vacate(id) {
            for waiting in slot.ended {
                self.after.some = true;
                self.after.ended.push((waiting, Outcome::NotRestarted));
            }
        }
        self.check_over();
    }

    /// Whether a child runs that is about to be started again; if not, it is gone.
    pub(super) fn may_restart(&mut self, id: ChildId) -> bool {
        match self.get(id) {
            Some(slot) if slot.state == ChildState::Restarting => true,
            Some(_) => {
                self.remove(id, Outcome::NotRestarted);
                false
            }
            None => false,
        }
    }

    /// A child runs again. False if it was asked to stop meanwhile: it is gone.
    pub(super) fn restarted(&mut self, id: ChildId) -> bool {
        if !self.may_restart(id) {
            return false;
        }
        let Some(slot) = self.get(id) else { return false };
        slot.state = ChildState::Running;
        slot.restarted = Some(Instant::now());
        let restarts = slot.restarts;
        let waiting = std::mem::take(&mut slot.on_restart);
        if !waiting.is_empty() {
            self.after.some = true;
            self.after.restarted.extend(waiting.into_iter().map(|waiting| (waiting, Ok(()))));
        }
        self.counts.restarting -= 1;
        self.counts.restarts += 1;
        self.tell(id, What::Restarted { restarts });
        true
    }

    fn ended(&mut self, id: ChildId, outcome: Outcome, rules: &Rules) -> Next {
        if !self.listeners.is_empty() {
            self.tell(
                id,
                match &outcome {
                    Outcome::Completed => What::Completed,
                    Outcome::Failed(error) => What::Failed(Arc::clone(error)),
                    Outcome::Panicked(panic) => What::Panicked(panic.clone()),
                    Outcome::Aborted => What::Aborted,
                    Outcome::NotRestarted => What::NotRestarted,
                },
            );
        }
        let Some(slot) = self.get(id) else { return Next::Gone };
        if slot.wanted {
            return self.on_request(id);
        }
        let aborted = matches!(outcome, Outcome::Aborted);
        if slot.state == ChildState::Stopping || aborted || !outcome.is_restarted(rules.restart) {
            self.remove(id, outcome);
            return Next::Gone;
        }
        let since = slot.restarted.unwrap_or(slot.started);
        if since.elapsed() > rules.intensity.within {
            slot.streak = 0;
        }
        slot.state = ChildState::Restarting;
        self.counts.restarting += 1;
        self.again(id, outcome, rules)
    }

    /// A child is restarted as somebody asked for it: that does not count as a failure.
    fn on_request(&mut self, id: ChildId) -> Next {
        let Some(slot) = self.get(id) else { return Next::Gone };
        let was_restarting = slot.state == ChildState::Restarting;
        (slot.wanted, slot.state, slot.token) = (false, ChildState::Restarting, None);
        slot.restarts += 1;
        slot.streak = 0;
        if !was_restarting {
            self.counts.restarting += 1;
        }
        Next::Restart(Duration::ZERO)
    }

    /// A child that is restarting is to be started, unless that is once too often.
    fn again(&mut self, id: ChildId, outcome: Outcome, rules: &Rules) -> Next {
        if !self.restarts.allow() {
            self.tell(id, What::GivenUp);
            let label = self.get(id).and_then(|slot| slot.label.clone());
            let Intensity { max_restarts, within } = rules.intensity;
            let given_up = GivenUp { child: id, label, outcome: outcome.clone(), max_restarts, within };
            tracing::error!("supervisor gives up: {given_up}");
            self.remove(id, outcome);
            self.stop(SupervisorEnd::GaveUp(given_up));
            return Next::Gone;
        }
        let Some(slot) = self.get(id) else { return Next::Gone };
        slot.token = None;
        slot.restarts += 1;
        let streak = slot.streak;
        slot.streak = streak.saturating_add(1);
        Next::Restart(rules.pauses.as_ref().map_or(Duration::ZERO, |pauses| pauses.pause(streak)))
    }

    /// A child is gone.
    pub(super) fn remove(&mut self, id: ChildId, outcome: Outcome) {
        let Some(slot) = self.vacate(id) else { return };
        self.counts.ended(&outcome);
        if slot.reported {
            let Slot { label, .. } = &slot;
            self.stopped.push(Stopped { child: id, label: label.clone(), outcome: outcome.clone() });
        }
        if !slot.ended.is_empty() || !slot.on_restart.is_empty() {
            self.after.some = true;
            self.after.ended.extend(slot.ended.into_iter().map(|waiting| (waiting, outcome.clone())));
            // Whoever waits for a restart sees that it will not be.
            let gone = slot.on_restart.into_iter().map(|waiting| (waiting, Err(outcome.clone())));
            self.after.restarted.extend(gone);
        }
        self.check_over();
    }

    /// Makes room, and counts one child less for where it came from.
    #[inline]
    fn vacate(&mut self, id: ChildId) -> Option<Slot> {
        let slot = self.slots.get_mut(id.slot as usize).filter(|slot| slot.number == id.number)?;
        let empty = Slot {
            number: 0,
            state: ChildState::Running,
            intake: SINK,
            abort: None,
            token: None,
            rule: Shutdown::Brutal,
            label: None,
            restarts: 0,
            streak: 0,
            started: slot.started,
            restarted: None,
            wanted: false,
            reported: false,
            ended: Vec::new(),
            on_restart: Vec::new(),
        };
        let slot = std::mem::replace(slot, empty);
        self.free.push(id.slot);
        self.counts.alive -= 1;
        if slot.state == ChildState::Restarting {
            self.counts.restarting -= 1;
        }
        if let Some(intake) = &mut self.intakes[slot.intake] {
            intake.running -= 1;
            if intake.running <= intake.wake_at {
                if let Some(waker) = intake.waker.take() {
                    self.after.some = true;
                    self.after.wakers.push(waker);
                }
            }
            if intake.finished && intake.running == 0 {
                self.intakes[slot.intake] = None;
            }
        }
        Some(slot)
    }

    #[inline]
    pub(super) fn tell(&mut self, id: ChildId, what: What) {
        if self.listeners.is_empty() {
            return;
        }
        let label = self.get(id).and_then(|slot| slot.label.clone());
        let event = Event { child: id, label, what };
        self.after.some = true;
        self.listeners.tell(&event, &mut self.after.wakers, &mut self.after.dropped);
    }

    /// The token of an attempt of a child, and whether it is to be cancelled.
    pub(super) fn token(&mut self, id: ChildId, restarts: u32) -> (CancellationToken, bool) {
        match self.get(id) {
            Some(slot) if slot.restarts == restarts => {
                let stopping = slot.state == ChildState::Stopping || slot.wanted;
                (slot.token.get_or_insert_with(CancellationToken::new).clone(), stopping)
            }
            _ => (CancellationToken::new(), true),
        }
    }

    /// Asks a child to stop; false if there is none.
    pub(super) fn ask(&mut self, id: ChildId) -> bool {
        let Some(slot) = self.get(id) else { return false };
        let (was, rule) = (slot.state, slot.rule);
        slot.wanted = false;
        if was == ChildState::Restarting {
            // There is nothing to wait for.
            slot.state = ChildState::Stopping;
            self.counts.restarting -= 1;
            self.kill(id);
            return true;
        }
        slot.state = ChildState::Stopping;
        if was == ChildState::Running {
            self.bring_down(id, rule);
        }
        true
    }

    fn bring_down(&mut self, id: ChildId, rule: Shutdown) {
        match rule {
            Shutdown::Brutal => self.kill(id),
            Shutdown::After(time) => {
                self.after.some = true;
                self.after.kills.push((time, id));
                self.cancel(id);
            }
            Shutdown::Wait => self.cancel(id),
        }
    }

    fn cancel(&mut self, id: ChildId) {
        if let Some(token) = self.get(id).and_then(|slot| slot.token.clone()) {
            self.after.some = true;
            self.after.tokens.push(token);
        }
    }

    fn kill(&mut self, id: ChildId) {
        if let Some(abort) = self.get(id).and_then(|slot| slot.abort.clone()) {
            self.after.some = true;
            self.after.aborts.push(abort);
        }
    }

    /// Has a child restarted whatever it does; false if there is none.
    pub(super) fn ask_restart(&mut self, id: ChildId, told: oneshot::Sender<Result<(), Outcome>>) -> bool {
        let Some(slot) = self.get(id).filter(|slot| slot.state != ChildState::Stopping) else {
            return false;
        };
        slot.on_restart.push(told);
        let (first, state, rule) = (!slot.wanted, slot.state, slot.rule);
        slot.wanted = true;
        match state {
            // Instead of what it waits for.
            ChildState::Restarting => self.kill(id),
            _ if first => self.bring_down(id, rule),
            _ => {}
        }
        true
    }

    /// Tells when a child has ended; false if there is none.
    pub(super) fn watch(&mut self, id: ChildId, told: oneshot::Sender<Outcome>) -> bool {
        match self.get(id) {
            Some(slot) => {
                slot.ended.push(told);
                true
            }
            None => false,
        }
    }

    fn drain(&mut self, end: SupervisorEnd) {
        if matches!(self.phase, Phase::Running) {
            self.phase = Phase::Draining(end);
            self.report_alive();
            self.wake_intakes();
            self.check_over();
        }
    }

    fn stop(&mut self, end: SupervisorEnd) {
        match &self.phase {
            Phase::Running => {}
            Phase::Draining(_) => {}
            Phase::Stopping(_) | Phase::Over(_) => return,
        }
        self.phase = Phase::Stopping(end);
        self.report_alive();
        self.wake_intakes();
        for at in 0..self.slots.len() {
            let number = self.slots[at].number;
            if number > 0 {
                self.ask(ChildId { number, slot: u32::try_from(at).expect("a slot's number fits") });
            }
        }
        self.check_over();
    }

    /// What runs now is in the report.
    fn report_alive(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.number > 0) {
            slot.reported = true;
        }
    }

    fn wake_intakes(&mut self) {
        self.after.some = true;
        for intake in self.intakes.iter_mut().flatten() {
            self.after.wakers.extend(intake.waker.take());
        }
    }

    #[inline]
    fn check_over(&mut self) {
        // Readers see it soon, and count what they had taken.
        if self.counts.alive > 0 || self.reading > 0 {
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
        self.after.some = true;
        self.after.wakers.append(&mut self.waiting);
        self.listeners.wake_all(&mut self.after.wakers);
        self.wake_intakes();
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    /// The sink takes no more.
    pub(super) fn close_sink(&mut self) {
        self.sink_closed = true;
        self.check_over();
    }

    pub(super) fn poll_over(&mut self, cx: &Context<'_>) -> Poll<Arc<SupervisorReport>> {
        if let Phase::Over(report) = &self.phase {
            return Poll::Ready(Arc::clone(report));
        }
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// How many children a sink may start, when it has used up what it was told before: once no more than `min` run.
    pub(super) fn poll_slots(
        &mut self,
        (max, min): (usize, usize),
        cx: &Context<'_>,
    ) -> Poll<Result<usize, SupervisorEnd>> {
        match &self.phase {
            Phase::Running => {}
            Phase::Draining(_) | Phase::Stopping(_) => {
                return match self.poll_over(cx) {
                    Poll::Ready(report) => Poll::Ready(Err(report.end.clone())),
                    Poll::Pending => Poll::Pending,
                };
            }
            Phase::Over(report) => return Poll::Ready(Err(report.end.clone())),
        }
        let Some(intake) = &mut self.intakes[SINK] else {
            unreachable!("the sink's intake stays");
        };
        if intake.running <= min {
            return Poll::Ready(Ok(max - intake.running));
        }
        intake.wake_at = min;
        intake.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Why nothing more is taken, if that is so.
    pub(super) fn end(&self) -> Option<SupervisorEnd> {
        match &self.phase {
            Phase::Running => None,
            Phase::Draining(end) | Phase::Stopping(end) => Some(end.clone()),
            Phase::Over(report) => Some(report.end.clone()),
        }
    }

    /// A stage is read.
    pub(super) fn open_intake(&mut self) -> usize {
        self.reading += 1;
        let at = self.intakes.iter().position(Option::is_none).unwrap_or_else(|| {
            self.intakes.push(None);
            self.intakes.len() - 1
        });
        self.intakes[at] = Some(Intake::default());
        at
    }

    /// A stage is not read any more. Its children live on.
    pub(super) fn close_intake(&mut self, at: usize) {
        self.reading -= 1;
        if let Some(intake) = &mut self.intakes[at] {
            intake.finished = true;
            intake.waker = None;
            if intake.running == 0 {
                self.intakes[at] = None;
            }
        }
        self.check_over();
    }

    /// How many children of a stage run; wakes when there are at most `wake_at`. `None`: nothing more is taken.
    pub(super) fn poll_intake(
        &mut self,
        at: usize,
        wake_at: Option<usize>,
        cx: &Context<'_>,
    ) -> Option<usize> {
        if !matches!(self.phase, Phase::Running) {
            return None;
        }
        let intake = self.intakes[at].as_mut()?;
        intake.wake_at = wake_at.unwrap_or(0);
        intake.waker = Some(cx.waker().clone());
        Some(intake.running)
    }

    pub(super) fn counts(&self) -> ChildCounts {
        let ChildCounts { alive, restarting, .. } = self.counts;
        ChildCounts { active: alive - restarting, ..self.counts }
    }

    pub(super) fn children(&self) -> Vec<ChildInfo> {
        let mut children: Vec<_> = (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.number > 0)
            .map(|(at, slot)| ChildInfo {
                id: ChildId { number: slot.number, slot: at },
                label: slot.label.clone(),
                state: slot.state,
                restarts: slot.restarts,
                age: slot.started.elapsed(),
            })
            .collect();
        children.sort_unstable_by_key(|child| child.id);
        children
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
