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
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Where the children of the sink belong.
pub(super) const SINK: usize = 0;
/// No slot.
const NONE: u32 = u32::MAX;

/// Where those belong that were started on request.
pub(super) const REQUESTED: usize = 1;

/// What is the same from the start on.
pub(super) struct Rules {
    pub(super) restart: Restart,
    pub(super) intensity: Intensity,
    pub(super) restarts_per_child: u32,
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
    /// How many children are to be aborted, and are not yet: what each of them looks at before it is polled.
    pub(super) kills: AtomicUsize,
    /// Tells those who wait for the end; they are forgotten when they wait no more.
    ended: Notify,
}

/// All that changes. No code of users runs under its lock: what is to be woken, cancelled, dropped is kept in `after`.
///
/// What each child changes comes first and together, for it goes back and forth between cores.
#[repr(C)]
pub(super) struct Registry {
    slots: Vec<Slot>,
    /// The first of the slots where nobody is.
    free: u32,
    /// How many names were given.
    names: u64,
    alive: usize,
    sink: Intake,
    pub(super) counts: ChildCounts,
    /// Those behind the sink.
    intakes: Vec<Option<Intake>>,
    /// How many stages are read.
    reading: usize,
    /// The sink was closed, while stages were read.
    sink_closed: bool,
    /// Wakes the sink at the end.
    closing: Option<Waker>,
    restarts: Restarts,
    phase: Phase,
    kills: usize,
    stopped: Vec<Stopped>,
    pub(super) listeners: Listeners,
    after: After,
}

/// What was decided under the lock, and is done behind it.
#[derive(Default)]
struct After {
    wakers: Vec<Waker>,
    tokens: Vec<CancellationToken>,
    ended: Vec<(oneshot::Sender<Outcome>, Outcome)>,
    restarted: Vec<(oneshot::Sender<Result<(), Outcome>>, Result<(), Outcome>)>,
    /// Attempts to be aborted when they have not ended after so long.
    kills: Vec<Kill>,
    dropped: Vec<Event>,
    /// Timers of children that have ended.
    timers: Vec<oneshot::Sender<()>>,
    /// What is to be logged.
    given_up: Option<GivenUp>,
    over: bool,
    /// Wakers that others have taken the place of.
    old: Vec<Waker>,
    some: bool,
}

/// An attempt to be aborted when its time is over.
struct Kill {
    after: Duration,
    id: ChildId,
    attempt: u32,
    /// It ended before, or nobody waits for that any more.
    ended: oneshot::Receiver<()>,
}

enum Phase {
    Running,
    /// Nothing new is taken; children come to their ends.
    Draining(SupervisorEnd),
    /// Children are being stopped.
    Stopping(SupervisorEnd),
    Over(Arc<SupervisorReport>),
}

/// A child, or room for one: no more than a core has to fetch at once.
#[repr(align(64))]
struct Slot {
    /// 0: nobody is here.
    number: u64,
    /// Since when it is there, for those that were still there when they had been polled once.
    began: Option<Instant>,
    /// Wakes its task, once it has waited for something.
    waker: Option<Waker>,
    rare: Option<Box<Rare>>,
    intake: u32,
    restarts: u32,
    /// The next slot where nobody is, if nobody is here.
    next_free: u32,
    state: ChildState,
    /// It is to be dropped in the middle of what it does.
    killed: bool,
    /// It is to be restarted whatever its end, by request.
    wanted: bool,
    /// It had not ended when the supervisor was told to stop.
    reported: bool,
}

/// What most children never have.
#[derive(Default)]
struct Rare {
    label: Option<Arc<str>>,
    rule: Option<Shutdown>,
    token: Option<CancellationToken>,
    /// When the last attempt began, if it was not the first.
    restarted: Option<Instant>,
    /// Restarts since it last ran for long: its pauses grow with these.
    streak: u32,
    /// Keeps the timer of its end, if it has to end in time.
    timer: Option<oneshot::Sender<()>>,
    ended: Vec<oneshot::Sender<Outcome>>,
    on_restart: Vec<oneshot::Sender<Result<(), Outcome>>>,
}

const _: () = assert!(size_of::<Slot>() == 64, "a slot is one cache line");

impl Slot {
    fn empty() -> Self {
        Self {
            number: 0,
            began: None,
            waker: None,
            rare: None,
            intake: 0,
            restarts: 0,
            next_free: NONE,
            state: ChildState::Running,
            killed: false,
            wanted: false,
            reported: false,
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn label(&self) -> Option<Arc<str>> {
        self.rare.as_ref()?.label.clone()
    }

    fn forget_token(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.token = None;
        }
    }
}

/// What is left of a child that has gone.
struct Vacated {
    reported: bool,
    rare: Option<Box<Rare>>,
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
    /// To be started again, after a pause, as its restart of this number.
    Restart(Duration, u32),
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
            free: NONE,
            names: 0,
            alive: 0,
            sink: Intake::default(),
            counts: ChildCounts::default(),
            intakes: vec![Some(Intake::default())],
            reading: 0,
            sink_closed: false,
            closing: None,
            restarts,
            phase: Phase::Running,
            kills: 0,
            stopped: Vec::new(),
            listeners: Listeners::default(),
            after: After::default(),
        };
        let (closing, listening) = (AtomicBool::new(false), AtomicBool::new(false));
        let (registry, kills) = (Mutex::new(registry), AtomicUsize::new(0));
        Arc::new(Self { registry, rules, runtime, closing, listening, kills, ended: Notify::new() })
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
        self.kills.store(registry.kills, Ordering::Relaxed);
        let after = std::mem::take(&mut registry.after);
        drop(registry);
        self.follow(after);
        done
    }

    #[inline(never)]
    fn follow(self: &Arc<Self>, after: After) {
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
        after.wakers.into_iter().for_each(Waker::wake);
        if after.over {
            self.ended.notify_waiters();
        }
        if let Some(given_up) = after.given_up {
            log(|| tracing::error!("supervisor gives up: {given_up}"));
        }
    }

    /// Takes in a child that is to be started.
    pub(super) fn admit(self: &Arc<Self>, intake: usize) -> Result<ChildId, Refused> {
        self.with(|registry| registry.admit(intake, &self.rules))
    }

    /// What a child that has ended is to do.
    pub(super) fn ended(self: &Arc<Self>, id: ChildId, outcome: &Outcome) -> Next {
        let next = self.with(|registry| registry.ended(id, outcome, &self.rules));
        match outcome {
            Outcome::Failed(error) => log(|| tracing::error!("child {id} of a supervisor failed: {error}")),
            Outcome::Panicked(panic) => {
                log(|| tracing::error!("child {id} of a supervisor panicked: {}", panic.message()));
            }
            Outcome::Completed | Outcome::Aborted | Outcome::NotRestarted => {}
        }
        next
    }

    /// The same for a child that could not be restarted.
    pub(super) fn restart_failed(self: &Arc<Self>, id: ChildId, outcome: &Outcome) -> Next {
        let next = self.with(|registry| {
            if !registry.may_restart(id) {
                return Next::Gone;
            }
            let what = match outcome {
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
        match outcome {
            Outcome::Failed(error) => {
                log(|| tracing::error!("supervisor could not restart child {id}: {error}"));
            }
            Outcome::Panicked(panic) => log(|| {
                tracing::error!(
                    "supervisor could not restart child {id}, which panicked: {}",
                    panic.message()
                );
            }),
            Outcome::Completed | Outcome::Aborted | Outcome::NotRestarted => {}
        }
        next
    }

    /// Stops everything by the children's rules.
    pub(super) fn stop(self: &Arc<Self>, end: SupervisorEnd) {
        self.with(|registry| registry.stop(end, &self.rules));
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
            registry.stop(SupervisorEnd::Aborted, &self.rules);
            registry.kill_all();
        });
    }

    /// Waits until the supervisor has ended.
    pub(super) async fn over(self: &Arc<Self>) -> Arc<SupervisorReport> {
        // It hears of an end from here on: not only once it is polled.
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

/// Logs what may call the code of users, which may panic: nothing is to go wrong by that.
pub(super) fn log(write: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(write));
}

/// Aborts children that have not ended when their time is over.
async fn kill(shared: Arc<Shared>, mut kills: Vec<Kill>) {
    let begin = Instant::now();
    kills.sort_unstable_by_key(|kill| kill.after);
    for Kill { after, id, attempt, ended } in kills {
        // Longer than there is time.
        let Some(time) = begin.checked_add(after) else { return };
        // Not one moment longer than the child: a rule of hours does not keep this.
        if timeout_at(time, ended).await.is_err() {
            shared.with(|registry| registry.kill_attempt(id, attempt));
        }
    }
}

impl Registry {
    fn admit(&mut self, at: usize, rules: &Rules) -> Result<ChildId, Refused> {
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
        if self.free != NONE {
            let free = self.free;
            let slot = &mut self.slots[free as usize];
            self.free = slot.next_free;
            (slot.number, slot.intake) = (number, intake);
            return Ok(ChildId { number, slot: free });
        }
        self.slots.push(Slot { number, intake, ..Slot::empty() });
        Ok(ChildId {
            number,
            slot: u32::try_from(self.slots.len() - 1).expect("more than 4 billion children"),
        })
    }

    #[inline]
    fn intake(&mut self, at: usize) -> Option<&mut Intake> {
        if at == SINK { Some(&mut self.sink) } else { self.intakes.get_mut(at - 1)?.as_mut() }
    }

    fn forget_intake(&mut self, at: usize) {
        if at > REQUESTED {
            self.intakes[at - 1] = None;
        }
    }

    fn get(&mut self, id: ChildId) -> Option<&mut Slot> {
        self.slots.get_mut(id.slot as usize).filter(|slot| slot.number == id.number)
    }

    /// Its factory has made it.
    pub(super) fn label(&mut self, id: ChildId, label: Option<Arc<str>>, rule: Option<Shutdown>) {
        if let Some(slot) = self.get(id) {
            (slot.rare().label, slot.rare().rule) = (label, rule);
        }
    }

    /// Keeps how to wake the task of a child that waits; true when it is to be dropped instead.
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

    /// A child that could not be started, or for which there was nothing to start.
    pub(super) fn not_started(&mut self, id: ChildId, what: What) {
        match what {
            What::Ignored => self.counts.ignored += 1,
            _ => self.counts.not_started += 1,
        }
        self.tell(id, what);
        if let Some(rare) = self.vacate(id).rare {
            self.after.some = true;
            self.after.ended.extend(rare.ended.into_iter().map(|waiting| (waiting, Outcome::NotRestarted)));
            let gone = rare.on_restart.into_iter().map(|waiting| (waiting, Err(Outcome::NotRestarted)));
            self.after.restarted.extend(gone);
            self.after.timers.extend(rare.timer);
        }
        self.check_over();
    }

    /// Whether a child runs that is about to be started again; if not, it is gone.
    pub(super) fn may_restart(&mut self, id: ChildId) -> bool {
        match self.get(id) {
            Some(slot) if slot.state == ChildState::Restarting => true,
            Some(_) => {
                self.lost(id, &Outcome::NotRestarted);
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
        // Whoever asked for a restart meanwhile has it.
        slot.wanted = false;
        let killed = std::mem::take(&mut slot.killed);
        slot.rare().restarted = Some(Instant::now());
        let restarts = slot.restarts;
        let waiting = std::mem::take(&mut slot.rare().on_restart);
        if !waiting.is_empty() {
            self.after.some = true;
            self.after.restarted.extend(waiting.into_iter().map(|waiting| (waiting, Ok(()))));
        }
        if killed {
            self.after.some = true;
            self.kills -= 1;
        }
        self.counts.restarting -= 1;
        self.counts.restarts += 1;
        self.tell(id, What::Restarted { restarts });
        true
    }

    fn ended(&mut self, id: ChildId, outcome: &Outcome, rules: &Rules) -> Next {
        let Some(slot) = self.get(id) else { return Next::Gone };
        let wanted = slot.wanted;
        // One that waited to be restarted is, if that is wanted.
        if !(wanted && matches!(outcome, Outcome::NotRestarted)) {
            self.tell_end(id, outcome);
        }
        if wanted {
            return self.on_request(id);
        }
        let Some(slot) = self.get(id) else { return Next::Gone };
        if slot.state == ChildState::Stopping || !outcome.is_restarted(rules.restart) {
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

    /// A child is restarted as somebody asked for it: that does not count as a failure.
    fn on_request(&mut self, id: ChildId) -> Next {
        let Some(slot) = self.get(id) else { return Next::Gone };
        let was_restarting = slot.state == ChildState::Restarting;
        let was_killed = std::mem::take(&mut slot.killed);
        (slot.wanted, slot.state) = (false, ChildState::Restarting);
        // One that waited for its restart has that one, only earlier.
        slot.restarts += u32::from(!was_restarting);
        let restarts = slot.restarts;
        slot.rare().streak = 0;
        let timer = slot.rare().timer.take();
        slot.forget_token();
        if timer.is_some() {
            self.after.some = true;
            self.after.timers.extend(timer);
        }
        if was_killed {
            self.after.some = true;
            self.kills -= 1;
        }
        if !was_restarting {
            self.counts.restarting += 1;
        }
        Next::Restart(Duration::ZERO, restarts)
    }

    /// A child that is restarting is to be started, unless that is once too often.
    fn again(&mut self, id: ChildId, outcome: &Outcome, rules: &Rules) -> Next {
        if self.get(id).is_some_and(|slot| slot.restarts >= rules.restarts_per_child) {
            self.remove(id, outcome);
            return Next::Gone;
        }
        if !self.restarts.allow() {
            self.tell(id, What::GivenUp);
            let label = self.get(id).and_then(|slot| slot.label());
            let Intensity { max_restarts, within } = rules.intensity;
            let given_up = GivenUp { child: id, label, outcome: outcome.clone(), max_restarts, within };
            // Logged without the lock: what it says is the user's code.
            self.after.given_up = Some(given_up.clone());
            // Not the last child of a supervisor that was closed.
            self.take_out(id, outcome);
            self.stop(SupervisorEnd::GaveUp(given_up), rules);
            return Next::Gone;
        }
        let Some(slot) = self.get(id) else { return Next::Gone };
        slot.forget_token();
        slot.restarts += 1;
        let restarts = slot.restarts;
        let streak = slot.rare().streak;
        slot.rare().streak = streak.saturating_add(1);
        let pause = rules.pauses.as_ref().map_or(Duration::ZERO, |pauses| pauses.pause(streak));
        Next::Restart(pause, restarts)
    }

    /// A child is gone that is not asked what to do: its runtime was shut down, or it was stopped in a restart.
    pub(super) fn lost(&mut self, id: ChildId, outcome: &Outcome) {
        if self.get(id).is_none() {
            return;
        }
        self.tell_end(id, outcome);
        self.remove(id, outcome);
    }

    /// A child is gone.
    pub(super) fn remove(&mut self, id: ChildId, outcome: &Outcome) {
        self.take_out(id, outcome);
        self.check_over();
    }

    #[inline]
    fn take_out(&mut self, id: ChildId, outcome: &Outcome) {
        if self.get(id).is_none() {
            return;
        }
        self.counts.ended(outcome);
        let slot = self.vacate(id);
        if slot.reported {
            let label = slot.rare.as_ref().and_then(|rare| rare.label.clone());
            self.stopped.push(Stopped { child: id, label, outcome: outcome.clone() });
        }
        if let Some(rare) = slot.rare {
            self.after.some = true;
            self.after.timers.extend(rare.timer);
            self.after.ended.extend(rare.ended.into_iter().map(|waiting| (waiting, outcome.clone())));
            // Whoever waits for a restart sees that it will not be.
            let gone = rare.on_restart.into_iter().map(|waiting| (waiting, Err(outcome.clone())));
            self.after.restarted.extend(gone);
        }
    }

    /// Makes room, and counts one child less for where it came from.
    #[inline]
    fn vacate(&mut self, id: ChildId) -> Vacated {
        let free = std::mem::replace(&mut self.free, id.slot);
        let slot = &mut self.slots[id.slot as usize];
        debug_assert_eq!(slot.number, id.number, "a child leaves once");
        // Its task is at work on this, and does not wait any more: the waker is not the last of it.
        let gone = std::mem::replace(slot, Slot { next_free: free, ..Slot::empty() });
        let vacated = Vacated { reported: gone.reported, rare: gone.rare };
        self.alive -= 1;
        if gone.state == ChildState::Restarting {
            self.counts.restarting -= 1;
        }
        if gone.killed {
            self.after.some = true;
            self.kills -= 1;
        }
        let at = gone.intake as usize;
        let mut last = false;
        if let Some(intake) = self.intake(at) {
            intake.running -= 1;
            last = intake.finished && intake.running == 0;
            if intake.running <= intake.wake_at {
                if let Some(waker) = intake.waker.take() {
                    self.after.some = true;
                    self.after.wakers.push(waker);
                }
            }
        }
        if last {
            self.forget_intake(at);
        }
        vacated
    }

    fn tell_end(&mut self, id: ChildId, outcome: &Outcome) {
        if self.listeners.is_empty() {
            return;
        }
        self.tell(
            id,
            match outcome {
                Outcome::Completed => What::Completed,
                Outcome::Failed(error) => What::Failed(Arc::clone(error)),
                Outcome::Panicked(panic) => What::Panicked(panic.clone()),
                Outcome::Aborted => What::Aborted,
                Outcome::NotRestarted => What::NotRestarted,
            },
        );
    }

    #[inline]
    pub(super) fn tell(&mut self, id: ChildId, what: What) {
        if self.listeners.is_empty() {
            return;
        }
        let label = self.get(id).and_then(|slot| slot.label());
        let event = Event { child: id, label, what };
        self.after.some = true;
        self.listeners.tell(&event, &mut self.after.wakers, &mut self.after.dropped);
    }

    /// The token of an attempt of a child, and whether it is to be cancelled.
    pub(super) fn token(&mut self, id: ChildId, restarts: u32) -> (CancellationToken, bool) {
        match self.get(id) {
            Some(slot) if slot.restarts == restarts => {
                let stopping = slot.state == ChildState::Stopping || slot.wanted;
                (slot.rare().token.get_or_insert_default().clone(), stopping)
            }
            _ => (CancellationToken::new(), true),
        }
    }

    /// Asks a child to stop; false if there is none.
    pub(super) fn ask(&mut self, id: ChildId, rules: &Rules) -> bool {
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

    fn bring_down(&mut self, id: ChildId, rules: &Rules) {
        let Some(slot) = self.get(id) else { return };
        let rare = slot.rare.as_ref();
        let attempt = slot.restarts;
        let (rule, token) = (rare.and_then(|rare| rare.rule), rare.and_then(|rare| rare.token.clone()));
        match rule.unwrap_or(rules.shutdown) {
            Shutdown::Brutal => return self.kill(id),
            Shutdown::After(after) => {
                let (timer, ended) = oneshot::channel();
                // Of a restart that was asked for before, if there is one.
                let before = slot.rare().timer.replace(timer);
                self.after.timers.extend(before);
                self.after.kills.push(Kill { after, id, attempt, ended });
            }
            Shutdown::Wait => {}
        }
        self.after.some = true;
        self.after.tokens.extend(token);
    }

    fn kill(&mut self, id: ChildId) {
        let Some(slot) = self.get(id).filter(|slot| !slot.killed) else { return };
        slot.killed = true;
        let waker = slot.waker.clone();
        self.kills += 1;
        self.after.some = true;
        self.after.wakers.extend(waker);
    }

    /// The same, unless it was restarted since.
    fn kill_attempt(&mut self, id: ChildId, restarts: u32) {
        if self.get(id).is_some_and(|slot| slot.restarts == restarts) {
            self.kill(id);
        }
    }

    fn kill_all(&mut self) {
        self.after.kills.clear();
        for id in self.ids() {
            self.kill(id);
        }
    }

    fn ids(&self) -> Vec<ChildId> {
        let slots = (0..).zip(&self.slots);
        slots
            .filter(|(_, slot)| slot.number > 0)
            .map(|(at, slot)| ChildId { number: slot.number, slot: at })
            .collect()
    }

    /// Has a child restarted whatever it does; false if there is none.
    pub(super) fn ask_restart(
        &mut self,
        id: ChildId,
        rules: &Rules,
        told: oneshot::Sender<Result<(), Outcome>>,
    ) -> bool {
        let Some(slot) = self.get(id).filter(|slot| slot.state != ChildState::Stopping) else {
            return false;
        };
        slot.rare().on_restart.push(told);
        let was_wanted = std::mem::replace(&mut slot.wanted, true);
        match slot.state {
            // Instead of what it waits for.
            ChildState::Restarting => self.kill(id),
            _ if !was_wanted => self.bring_down(id, rules),
            _ => {}
        }
        true
    }

    /// Tells when a child has ended; false if there is none.
    pub(super) fn watch(&mut self, id: ChildId, told: oneshot::Sender<Outcome>) -> bool {
        let Some(slot) = self.get(id) else { return false };
        let ended = &mut slot.rare().ended;
        let full = !ended.is_empty() && ended.len() == ended.capacity();
        ended.push(told);
        if full {
            // Those who wait no more go before there is room for others.
            let (forgotten, waiting): (Vec<_>, Vec<_>) =
                std::mem::take(ended).into_iter().partition(oneshot::Sender::is_closed);
            *ended = waiting;
            if !forgotten.is_empty() {
                self.after.some = true;
                self.after.ended.extend(forgotten.into_iter().map(|told| (told, Outcome::NotRestarted)));
            }
        }
        true
    }

    fn drain(&mut self, end: SupervisorEnd) {
        if matches!(self.phase, Phase::Running) {
            self.phase = Phase::Draining(end);
            self.report_alive();
            self.wake_intakes();
            self.check_over();
        }
    }

    fn stop(&mut self, end: SupervisorEnd, rules: &Rules) {
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

    /// What runs now is in the report.
    fn report_alive(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.number > 0) {
            slot.reported = true;
        }
    }

    fn wake_intakes(&mut self) {
        self.after.some = true;
        for intake in self.intakes.iter_mut().flatten().chain([&mut self.sink]) {
            self.after.wakers.extend(intake.waker.take());
        }
    }

    #[inline]
    fn check_over(&mut self) {
        // Readers see it soon, and count what they had taken.
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
        self.after.some = true;
        self.after.over = true;
        self.after.wakers.extend(self.closing.take());
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

    /// What the supervisor has done, once it has ended.
    fn report(&self) -> Option<Arc<SupervisorReport>> {
        match &self.phase {
            Phase::Over(report) => Some(Arc::clone(report)),
            _ => None,
        }
    }

    /// The same for the sink, which waits for nothing else then.
    pub(super) fn poll_sink_over(&mut self, cx: &Context<'_>) -> Poll<Arc<SupervisorReport>> {
        if let Some(report) = self.report() {
            return Poll::Ready(report);
        }
        let old = self.closing.replace(cx.waker().clone());
        self.replaced(old);
        Poll::Pending
    }

    /// Wakers are not dropped under the lock: they may be the last that their task is held by.
    fn replaced(&mut self, old: Option<Waker>) {
        if old.is_some() {
            self.after.some = true;
            self.after.old.extend(old);
        }
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
                return match self.poll_sink_over(cx) {
                    Poll::Ready(report) => Poll::Ready(Err(report.end.clone())),
                    Poll::Pending => Poll::Pending,
                };
            }
            Phase::Over(report) => return Poll::Ready(Err(report.end.clone())),
        }
        let running = self.sink.running;
        if running <= min {
            return Poll::Ready(Ok(max - running));
        }
        self.sink.wake_at = min;
        let old = self.sink.waker.replace(cx.waker().clone());
        self.replaced(old);
        Poll::Pending
    }

    /// Waits for the end where there are places: an item is waited for.
    pub(super) fn poll_sink_end(&mut self, cx: &Context<'_>) -> Poll<SupervisorEnd> {
        self.poll_sink_over(cx).map(|report| report.end.clone())
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
        // Behind the one of requests, which stays.
        let at = self.intakes.iter().position(Option::is_none).unwrap_or_else(|| {
            self.intakes.push(None);
            self.intakes.len() - 1
        });
        self.intakes[at] = Some(Intake::default());
        at + 1
    }

    /// A stage is not read any more. Its children live on.
    pub(super) fn close_intake(&mut self, at: usize) {
        self.reading -= 1;
        let mut empty = false;
        if let Some(intake) = self.intake(at) {
            (intake.finished, intake.waker) = (true, None);
            empty = intake.running == 0;
        }
        if empty {
            self.forget_intake(at);
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
        let intake = self.intake(at)?;
        intake.wake_at = wake_at.unwrap_or(0);
        intake.waker = Some(cx.waker().clone());
        Some(intake.running)
    }

    pub(super) fn counts(&self) -> ChildCounts {
        let ChildCounts { restarting, ignored, not_started, .. } = self.counts;
        let (alive, started) = (self.alive, self.names - ignored - not_started);
        ChildCounts { alive, active: alive - restarting, started, ..self.counts }
    }

    pub(super) fn children(&self) -> Vec<ChildInfo> {
        let mut children: Vec<_> = (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.number > 0)
            .map(|(at, slot)| ChildInfo {
                id: ChildId { number: slot.number, slot: at },
                label: slot.label(),
                state: slot.state,
                restarts: slot.restarts,
                age: slot.began.map_or(Duration::ZERO, |began| began.elapsed()),
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

#[cfg(test)]
mod tests {
    use super::{REQUESTED, Rules, Shared};
    use crate::supervisor::{Restart, Shutdown};
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn those_who_wait_for_a_child_no_more_are_forgotten_while_it_lives() {
        let (restart, shutdown) = (Restart::default(), Shutdown::default());
        let rules = Rules {
            restart,
            intensity: Default::default(),
            pauses: None,
            shutdown,
            max_children: usize::MAX,
        };
        let shared = Shared::new(rules, tokio::runtime::Handle::current());
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
        shared.with(|registry| registry.remove(id, &super::Outcome::Completed));
        assert!(waits.await.unwrap().is_completed());
    }
}
