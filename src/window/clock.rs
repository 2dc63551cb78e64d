use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// What a lane with windows waits for by the clock: periodic triggers, idle upstreams, and deadlines of its windows.
///
/// Its functions are not generic: users' crates would compile them for each window.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    periods: Vec<NextPeriod>,
    idle: Option<Idleness>,
    alarm: Alarm,
}

/// A timer that is set again and again; it needs no runtime until it is used.
#[derive(Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

/// Windows are to emit whenever this time has passed: all of them, or those that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) length: Duration,
    pub(crate) only_changed: bool,
}

#[derive(Debug)]
struct NextPeriod {
    period: Period,
    next: Instant,
}

#[derive(Debug)]
struct Idleness {
    after: Duration,
    /// When something last came from each upstream; `None` once the upstream counts as idle.
    last: Vec<Option<Instant>>,
}

impl Clock {
    /// Starts the periods, and the idle time of every upstream, now.
    pub(crate) fn new(periods: &[Period], idle: Option<Duration>, upstreams: usize) -> Self {
        // The clock is read only if something goes by it, which then takes a runtime with timers.
        let now = (!periods.is_empty() || idle.is_some()).then(Instant::now);
        let next =
            |period: &Period| now.map(|now| NextPeriod { period: *period, next: later(now, period.length) });
        Self {
            periods: periods.iter().filter_map(next).collect(),
            idle: idle.map(|after| Idleness { after, last: vec![now; upstreams] }),
            alarm: Alarm::default(),
        }
    }

    /// Waits for the earliest of all; then ready with the time. `None`: there is nothing to wait for.
    ///
    /// Waits only for upstreams that, as `waiting` says, have nothing: the others are going to be asked first.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        windows: Option<Instant>,
        waiting: &dyn Fn(usize) -> bool,
    ) -> Option<Poll<Instant>> {
        let periods = self.periods.iter().map(|period| period.next);
        let idle = self.idle.iter().flat_map(|idle| idle.deadlines(waiting));
        let next = periods.chain(idle).chain(windows).min()?;
        Some(self.alarm.poll(cx, next))
    }

    /// The time, if a trigger or a window is due by now: for a lane that never gets to wait.
    pub(crate) fn has_come(&self, windows: Option<Instant>) -> Option<Instant> {
        let next = self.periods.iter().map(|period| period.next).chain(windows).min()?;
        // Not by the timer: it may stand still while the task never waits.
        Some(Instant::now()).filter(|now| *now >= next)
    }

    /// The periods that have passed by now.
    pub(crate) fn periods(&mut self, now: Instant) -> Vec<Period> {
        let passed = self.periods.iter_mut().filter(|period| period.next <= now);
        let passed = passed.map(|NextPeriod { period, next }| {
            // From now, not from when it was due: a lane that is late does not catch up.
            *next = later(now, period.length);
            *period
        });
        passed.collect()
    }

    pub(crate) fn watches_idleness(&self) -> bool {
        self.idle.is_some()
    }

    /// Notes which upstreams have sent something.
    pub(crate) fn stirred(&mut self, stirred: &mut dyn Iterator<Item = bool>) {
        let Some(idle) = &mut self.idle else { return };
        let mut now = None;
        for (last, stirred) in idle.last.iter_mut().zip(stirred) {
            if stirred {
                *last = Some(*now.get_or_insert_with(Instant::now));
            }
        }
    }

    /// Takes the next upstream that is idle by now.
    pub(crate) fn next_idle(&mut self, now: Instant, waiting: &dyn Fn(usize) -> bool) -> Option<usize> {
        let idle = self.idle.as_mut()?;
        let mut over = idle.last.iter().enumerate();
        let is_over = |last: Option<Instant>| last.is_some_and(|last| later(last, idle.after) <= now);
        let (number, _) = over.find(|(number, last)| is_over(**last) && waiting(*number))?;
        idle.last[number] = None;
        Some(number)
    }
}

/// The time `after` later than `now`; at most a century later, which no clock will see either.
pub(crate) fn later(now: Instant, after: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now + after.min(CENTURY)
}

impl Idleness {
    fn deadlines(&self, waiting: &dyn Fn(usize) -> bool) -> impl Iterator<Item = Instant> {
        let waiting = self.last.iter().enumerate().filter(move |(number, _)| waiting(*number));
        waiting.filter_map(|(_, last)| last.map(|last| later(last, self.after)))
    }
}

impl Alarm {
    fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<Instant> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx).map(|()| Instant::now().max(at))
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").field("at", &self.sleep.as_ref().map(|sleep| sleep.deadline())).finish()
    }
}
