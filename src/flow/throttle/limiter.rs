//! One bucket for all that share it, and the queue of those that wait for its tokens.

use crate::flow::bucket::Bucket;
use crate::lane::Timer;
use crate::sync::unpoisoned;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::time::Instant;

/// A bucket whose tokens are given out in the order in which they were asked for.
///
/// Each that waits has a timer of its own, set to when its tokens will be there if all before it stay. Whose timer goes
/// off first gives out all that is due by then, so that one that is not polled holds up none after it.
pub(in crate::flow) struct Limiter {
    queue: Mutex<Queue>,
}

/// Times are in nanoseconds since `start`.
struct Queue {
    /// When tokens were first asked for.
    start: Option<Instant>,
    /// Without the tokens of those that wait.
    bucket: Bucket,
    /// The bucket as it will be when all that wait now have passed.
    ahead: Bucket,
    /// By the numbers in which they came.
    waiting: BTreeMap<u64, Queued>,
    next: u64,
}

struct Queued {
    cost: u64,
    /// When it came.
    since: u64,
    /// What its timer is set to.
    planned: u64,
    waker: Option<Waker>,
}

impl Queue {
    fn since_start(&mut self, now: Instant) -> u64 {
        let start = *self.start.get_or_insert(now);
        u64::try_from(now.duration_since(start).as_nanos()).unwrap_or(u64::MAX)
    }

    fn instant(&self, at: u64) -> Instant {
        // The longest waits end beyond what the clock can tell: 30 years stand for them.
        let far = || Instant::now() + Duration::from_secs(30 * 365 * 24 * 3600);
        self.start.and_then(|start| start.checked_add(Duration::from_nanos(at))).unwrap_or_else(far)
    }

    /// Takes the tokens, if they are there and none waits.
    fn try_take(&mut self, now: u64, cost: u64) -> bool {
        let passes = self.waiting.is_empty() && self.bucket.due(now, cost) <= now;
        if passes {
            self.bucket.take(now, cost);
        }
        passes
    }

    /// Goes to the end of the queue.
    fn join(&mut self, now: u64, cost: u64) -> u64 {
        if self.waiting.is_empty() {
            self.ahead = self.bucket.clone();
        }
        let planned = self.ahead.take(now, cost);
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, Queued { cost, since: now, planned, waker: None });
        number
    }

    /// Gives out what is due. Those that it was given to are no longer in the queue.
    fn give_out(&mut self, now: u64, after: &mut WakersAfter) {
        while let Some(mut first) = self.waiting.first_entry() {
            let Queued { cost, since, planned, waker } = first.get_mut();
            let due = self.bucket.due(*since, *cost);
            if due > now {
                // It passes earlier than its timer says when some that were before it have gone.
                if due < *planned {
                    *planned = due;
                    after.wake.extend(waker.take());
                }
                return;
            }
            // As if it had been given out when it was due, which may be some time ago: so timers that are late do not
            // slow the rate down.
            self.bucket.take(*since, *cost);
            after.wake.extend(first.remove().waker);
        }
    }

    /// Looks whether it is the turn of a number; if not, returns when it will be.
    fn poll(&mut self, number: u64, now: u64, waker: &Waker, after: &mut WakersAfter) -> Option<u64> {
        after.replaced = self.waiting.get_mut(&number).and_then(|waiting| waiting.waker.take());
        self.give_out(now, after);
        let first = self.waiting.values().next().map(|first| self.bucket.due(first.since, first.cost));
        let waiting = self.waiting.get_mut(&number)?;
        let same = after.replaced.take_if(|kept| kept.will_wake(waker));
        waiting.waker = Some(same.unwrap_or_else(|| waker.clone()));
        if waiting.planned <= now {
            // Sums beyond all numbers were cut, and with them the plan.
            waiting.planned = first.unwrap_or(u64::MAX);
        }
        Some(waiting.planned)
    }

    /// Gives a place back, and the tokens, if it was given some.
    fn leave(&mut self, number: u64, cost: u64, now: u64, after: &mut WakersAfter) {
        self.give_out(now, after);
        let earlier = match self.waiting.remove(&number) {
            Some(waiting) => {
                after.replaced = waiting.waker;
                self.bucket.worth(cost)
            }
            None => self.bucket.put_back(now, cost),
        };
        self.ahead.bring_forward(earlier);
        self.give_out(now, after);
    }
}

/// What is done with wakers when the lock is free again: they are code of users'.
#[derive(Default)]
struct WakersAfter {
    wake: Vec<Waker>,
    replaced: Option<Waker>,
}

impl WakersAfter {
    fn run(self) {
        self.wake.into_iter().for_each(Waker::wake);
    }
}

impl Limiter {
    /// All arguments are at least 1.
    pub(super) fn new(amount: u64, per: Duration, burst: u64) -> Self {
        let bucket = Bucket::new(amount, per, burst);
        let (ahead, waiting) = (bucket.clone(), BTreeMap::new());
        Self { queue: Mutex::new(Queue { start: None, bucket, ahead, waiting, next: 0 }) }
    }

    /// Does `act` under the lock, and calls wakers after it.
    fn with<R>(&self, act: impl FnOnce(&mut Queue, u64, &mut WakersAfter) -> R) -> R {
        let (now, mut after) = (Instant::now(), WakersAfter::default());
        let mut queue = unpoisoned(self.queue.lock());
        let since = queue.since_start(now);
        let done = act(&mut queue, since, &mut after);
        drop(queue);
        after.run();
        done
    }
}

/// One that takes tokens, and waits for them: a lane, or a future.
pub(super) struct Waiter {
    limiter: Arc<Limiter>,
    timer: Timer,
    /// The place in the queue, and what was asked for there.
    place: Option<(u64, u64)>,
}

impl Waiter {
    pub(super) fn new(limiter: Arc<Limiter>) -> Self {
        Self { limiter, timer: Timer::default(), place: None }
    }

    /// Takes the tokens, if they are there and none waits for some.
    #[inline]
    pub(super) fn try_pass(&self, cost: u64) -> bool {
        self.limiter.with(|queue, now, _| queue.try_take(now, cost))
    }

    /// Waits for the tokens. The place in the queue is that of the first poll, and kept until this is ready.
    ///
    /// # Panics
    /// When it has to wait outside of a tokio runtime with timers.
    pub(super) fn poll_pass(&mut self, cost: u64, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let place = &mut self.place;
            let at = self.limiter.with(|queue, now, after| {
                if place.is_none() && queue.try_take(now, cost) {
                    return None;
                }
                let (number, _) = *place.get_or_insert_with(|| (queue.join(now, cost), cost));
                let at = queue.poll(number, now, cx.waker(), after)?;
                Some(queue.instant(at))
            });
            let Some(at) = at else {
                self.place = None;
                return Poll::Ready(());
            };
            ready!(self.timer.poll_at(at, cx));
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some((number, cost)) = self.place.take() {
            self.limiter.with(|queue, now, after| queue.leave(number, cost, now, after));
        }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = unpoisoned(self.queue.lock()).waiting.len();
        f.debug_struct("Limiter").field("waiting", &waiting).finish_non_exhaustive()
    }
}
