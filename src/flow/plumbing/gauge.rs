//! What a task of a flow does with its time, for those who look.

use crate::coop::take_gave_way;
use crate::sync::unpoisoned;
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

thread_local! {
    /// Whether what is being polled waits for demand, and not for items.
    static WAITS_FOR_DEMAND: Cell<bool> = const { Cell::new(false) };
}

/// Answers `Pending` for a driver whose items are not wanted.
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
///
/// A look at the clock takes as long as some tens of items. So a task whose turns are short is timed for one turn in
/// `EACH`. The others are taken to be like that one, and what they took longer to be a wait.
#[derive(Debug)]
pub(in crate::flow) struct Gauge {
    doing: AtomicU8,
    /// How many of the turns to come are not timed.
    untimed: AtomicU32,
    /// `None` until somebody has looked.
    spent: Mutex<Option<Spent>>,
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    /// Up to when time is counted.
    since: Instant,
    on: [Duration; KINDS],
    /// The last turn that was timed: from a poll to the next.
    turn: [Duration; KINDS],
    /// Turns since then.
    turns: u32,
}

/// One turn in this many is timed.
const EACH: u32 = 128;

/// A turn that takes less, with the wait after it, is short.
const SHORT: Duration = Duration::from_micros(50);

impl Spent {
    fn new(now: Instant) -> Self {
        Self { since: now, on: [Duration::ZERO; KINDS], turn: [Duration::ZERO; KINDS], turns: 0 }
    }

    /// Counts the time up to `now`, in which the task has come to do this.
    fn count(&mut self, doing: u8, now: Instant) {
        // Of two who count at the same time, one may come with a time that is over.
        let mut left = now.saturating_duration_since(self.since);
        self.since = self.since.max(now);
        if self.turns == 0 {
            self.turn[usize::from(doing)] += left;
        } else {
            let known = self.turn.iter().sum::<Duration>() * self.turns;
            let part = if known > left { left.as_secs_f64() / known.as_secs_f64() } else { 1.0 };
            for (on, turn) in self.on.iter_mut().zip(self.turn) {
                let alike = (turn * self.turns).mul_f64(part).min(left);
                *on += alike;
                left -= alike;
            }
        }
        self.on[usize::from(doing)] += left;
    }
}

impl Gauge {
    pub(in crate::flow) fn new() -> Self {
        let doing = AtomicU8::new(Doing::Waits as u8);
        Self { doing, untimed: AtomicU32::new(0), spent: Mutex::new(None) }
    }

    /// The task is about to be polled; `looked_at` says whether its time is counted.
    pub(in crate::flow) fn begins(&self, looked_at: bool) {
        if looked_at && self.untimed.load(Ordering::Relaxed) == 0 {
            self.begins_turn();
        }
        self.doing.store(Doing::Works as u8, Ordering::Relaxed);
        WAITS_FOR_DEMAND.set(false);
        take_gave_way();
    }

    /// Counts the time since the last look at the clock, and says whether the turns that follow are timed.
    fn begins_turn(&self) {
        let now = Instant::now();
        let mut spent = unpoisoned(self.spent.lock());
        let spent = spent.get_or_insert_with(|| Spent::new(now));
        spent.count(self.doing.load(Ordering::Relaxed), now);
        let timed = spent.turns == 0 && spent.turn[Doing::Works as usize] > Duration::ZERO;
        if timed && spent.turn.iter().sum::<Duration>() < SHORT {
            spent.turns = EACH;
            self.untimed.store(EACH, Ordering::Relaxed);
        } else {
            (spent.turns, spent.turn) = (0, [Duration::ZERO; KINDS]);
        }
    }

    /// It was polled, and has not ended.
    pub(in crate::flow) fn waits(&self, looked_at: bool) {
        // It gave way to others, and has more to do.
        if take_gave_way() {
            return;
        }
        let for_demand = WAITS_FOR_DEMAND.take();
        self.turn_to(if for_demand { Doing::WaitsForDemand } else { Doing::Waits }, looked_at);
    }

    /// The task is gone.
    pub(in crate::flow) fn end(&self, looked_at: bool) {
        self.untimed.store(0, Ordering::Relaxed);
        self.turn_to(Doing::Ended, looked_at);
    }

    fn turn_to(&self, doing: Doing, looked_at: bool) {
        if looked_at {
            match self.untimed.load(Ordering::Relaxed) {
                0 => _ = self.count(Instant::now()),
                left => self.untimed.store(left - 1, Ordering::Relaxed),
            }
        }
        self.doing.store(doing as u8, Ordering::Relaxed);
    }

    /// Counts the time up to `now`; from the first call on.
    fn count(&self, now: Instant) -> [Duration; KINDS] {
        let mut spent = unpoisoned(self.spent.lock());
        let spent = spent.get_or_insert_with(|| Spent::new(now));
        spent.count(self.doing.load(Ordering::Relaxed), now);
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

#[cfg(test)]
mod tests {
    use super::{Doing, EACH, Gauge, Spent, waits_for_demand};
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    #[test]
    fn turns_that_are_not_timed_are_like_the_one_that_was_and_the_rest_is_a_wait() {
        let micros = Duration::from_micros;
        let start = Instant::now();
        let mut spent = Spent::new(start);
        let on = |spent: &Spent| {
            let kinds = [Doing::Works, Doing::Waits, Doing::WaitsForDemand];
            kinds.map(|kind| spent.on[kind as usize].as_micros())
        };
        spent.count(Doing::Works as u8, start + micros(10));
        spent.count(Doing::Waits as u8, start + micros(15));
        assert_eq!(on(&spent), [10, 5, 0], "a turn that is timed");
        spent.turns = 4;
        spent.count(Doing::WaitsForDemand as u8, start + micros(15 + 4 * 15 + 1000));
        assert_eq!(on(&spent), [50, 25, 1000], "four like it, and a wait");
        spent.count(Doing::Waits as u8, start + micros(1075 + 30));
        assert_eq!(on(&spent), [70, 35, 1000], "four that were shorter");
    }
    #[tokio::test(start_paused = true)]
    async fn a_task_of_short_turns_is_timed_now_and_then_and_its_long_waits_are_seen() {
        let micros = Duration::from_micros;
        let gauge = Gauge::new();
        let turn = async |work, wait| {
            gauge.begins(true);
            advance(micros(work)).await;
            let _ = waits_for_demand::<()>();
            gauge.waits(true);
            advance(micros(wait)).await;
        };
        for number in 0..10 * EACH {
            // One long wait, in a turn that is not timed.
            turn(3, if number == 5 * EACH + 7 { 1_000_000 } else { 1 }).await;
        }
        let times = gauge.times();
        let turns = u64::from(10 * EACH);
        assert_eq!(times.busy, micros(3 * turns));
        assert_eq!((times.back_pressured, times.idle), (micros(turns - 1 + 1_000_000), Duration::ZERO));
    }
}
