//! How tasks take turns: what each may do before others run.

use crate::demand::Demand;
use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::task::coop;

/// What a lane may do before it lets other tasks run: a number of items per poll.
///
/// Only lanes at the start of a layer need one; adapters are bounded by the lane they wrap.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    size: usize,
    left: usize,
}

/// The longest turn, in items. A turn ends in the middle of a batch that is longer.
const LONGEST: usize = 1 << 16;

impl Turn {
    /// Takes the number of items per turn, at least 1; more than 65 536 count as 65 536.
    pub(crate) fn new(size: usize) -> Self {
        debug_assert!(size > 0, "a turn of no items never gets anywhere");
        let size = size.min(LONGEST);
        Self { size, left: size }
    }

    /// How many items one call may pass.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Counts one item, for faces that are polled item by item: every `size` items it gives way once.
    pub(crate) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.left == 0 {
            self.left = self.size;
            return give_way(cx);
        }
        self.left -= 1;
        Poll::Ready(())
    }
}

impl Default for Turn {
    /// The batch of the default demand. It also serves where the demand of the layer counts other, larger items.
    fn default() -> Self {
        Self::new(Demand::default().batch())
    }
}

/// How long a task that has more to read goes on before it lets others run, batch by batch.
pub(crate) const SLICE: Duration = Duration::from_micros(100);

/// Says after a batch whether to give way, by the clock: batches that take long are a turn each, while short ones
/// share one. To give way costs a hand-over, and often moves the task to another core, away from its caches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    /// The last turn took all of its time, so the next one is timed from its start. Other turns are timed from the end
    /// of a batch, which saves looks at the clock.
    slow: bool,
    /// The last turn had more than `SHORT` batches, so the next one is timed from the end of its first.
    long: bool,
    batches: u32,
    started: Option<Instant>,
}

/// Turns of at most this many batches need no look at the clock.
const SHORT: u32 = 2;

impl Pace {
    /// A turn begins.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.long = self.batches > SHORT;
        self.batches = 0;
        self.started = self.slow.then(Instant::now);
    }

    /// Whether the turn is over, after a batch.
    pub(crate) fn is_over(&mut self) -> bool {
        self.batches = self.batches.saturating_add(1);
        match self.started {
            Some(started) => {
                self.slow = started.elapsed() >= SLICE;
                self.slow
            }
            None => {
                self.started = (self.long || self.batches >= SHORT).then(Instant::now);
                false
            }
        }
    }
}

thread_local! {
    /// For those who time tasks: a task that gave way is not idle.
    static GAVE_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Wakes the running task and answers `Pending`, so that others get their turn before it goes on.
pub(crate) fn give_way<T>(cx: &mut Context<'_>) -> Poll<T> {
    GAVE_WAY.set(true);
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Lets other tasks run once.
pub(crate) async fn let_others_run() {
    let mut gave_way = false;
    poll_fn(|cx| if std::mem::replace(&mut gave_way, true) { Poll::Ready(()) } else { give_way(cx) }).await;
}

/// Whether anything on this thread has given way since the last call of this.
pub(crate) fn take_gave_way() -> bool {
    GAVE_WAY.take()
}

/// Polls `poll` if the task that is running has budget left, and takes from it when there is an answer.
///
/// A reader whose lanes are always ahead of it would otherwise never let other tasks run.
pub(crate) fn poll_budgeted<R>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
) -> Poll<R> {
    let budget = ready!(coop::poll_proceed(cx));
    let polled = poll(cx);
    if polled.is_ready() {
        budget.made_progress();
    }
    polled
}
