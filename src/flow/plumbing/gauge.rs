//! What a task of a flow does with its time, for those who look.

use crate::coop::has_given_way;
use crate::sync::unpoisoned;
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

thread_local! {
    /// Whether what is being polled waits for demand, and not for items.
    static WAITS_FOR_DEMAND: Cell<bool> = const { Cell::new(false) };
}

/// Says that the driver being polled answers `Pending` because nobody wants its items.
pub(in crate::flow) fn waits_for_demand<T>() -> Poll<T> {
    WAITS_FOR_DEMAND.set(true);
    Poll::Pending
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Doing {
    Waits,
    WaitsForDemand,
    Works,
    Ended,
}

/// How many kinds of it there are.
const KINDS: usize = 4;

/// Keeps what a task does now, and since somebody has looked, how long it did what.
#[derive(Debug)]
pub(in crate::flow) struct Gauge {
    doing: AtomicU8,
    /// `None` until somebody has looked.
    spent: Mutex<Option<Spent>>,
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    /// When the task began what it does now.
    since: Instant,
    on: [Duration; KINDS],
}

impl Gauge {
    pub(in crate::flow) fn new() -> Self {
        Self { doing: AtomicU8::new(Doing::Waits as u8), spent: Mutex::new(None) }
    }

    /// The task is about to be polled; `looked_at` says whether its time is counted.
    pub(in crate::flow) fn begins(&self, looked_at: bool) {
        self.turn_to(Doing::Works, looked_at);
        WAITS_FOR_DEMAND.set(false);
        has_given_way();
    }

    /// It was polled, and has not ended.
    pub(in crate::flow) fn waits(&self, looked_at: bool) {
        // It gave way to others, and has more to do.
        if has_given_way() {
            return;
        }
        let for_demand = WAITS_FOR_DEMAND.take();
        self.turn_to(if for_demand { Doing::WaitsForDemand } else { Doing::Waits }, looked_at);
    }

    /// The task is gone.
    pub(in crate::flow) fn end(&self, looked_at: bool) {
        self.turn_to(Doing::Ended, looked_at);
    }

    fn turn_to(&self, doing: Doing, looked_at: bool) {
        if looked_at {
            self.count(Instant::now());
        }
        self.doing.store(doing as u8, Ordering::Relaxed);
    }

    /// Counts the time up to `now`; from the first call on.
    fn count(&self, now: Instant) -> [Duration; KINDS] {
        let mut spent = unpoisoned(self.spent.lock());
        let spent = spent.get_or_insert(Spent { since: now, on: [Duration::ZERO; KINDS] });
        let doing = self.doing.load(Ordering::Relaxed);
        // Of two who count at the same time, one may come with a time that is over.
        spent.on[usize::from(doing)] += now.saturating_duration_since(spent.since);
        spent.since = spent.since.max(now);
        spent.on
    }

    /// What the task did with its time since somebody first looked.
    pub(in crate::flow) fn times(&self) -> LaneTimes {
        let on = self.count(Instant::now());
        LaneTimes {
            busy: on[Doing::Works as usize],
            idle: on[Doing::Waits as usize],
            back_pressured: on[Doing::WaitsForDemand as usize],
        }
    }

    pub(in crate::flow) fn has_ended(&self) -> bool {
        self.doing.load(Ordering::Relaxed) == Doing::Ended as u8
    }
}

/// What a lane did with its time since the first call of [`Monitor::stats`](crate::flow::Monitor::stats) after the flow
/// has started.
///
/// # Examples
/// See [`Monitor::stats`](crate::flow::Monitor::stats).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneTimes {
    /// It worked on items, or had more to do and let other tasks go first.
    pub busy: Duration,
    /// It waited for items, or for futures of `map_async`.
    pub idle: Duration,
    /// It had items, or could have had, and waited until what comes next wants some.
    pub back_pressured: Duration,
}

impl LaneTimes {
    pub(in crate::flow) fn all(&self) -> Duration {
        self.busy + self.idle + self.back_pressured
    }

    /// The share of `part` in all of it, 0 to 1.
    pub(in crate::flow) fn share(&self, part: Duration) -> f64 {
        let all = self.all().as_secs_f64();
        if all > 0.0 { part.as_secs_f64() / all } else { 0.0 }
    }
}
