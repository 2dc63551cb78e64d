use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::plumbing::serial::{Serial, SerialOp, SharedEnd};
use super::plumbing::serial_step::SerialStep;
use super::plumbing::tasks::Tasks;
use crate::sealed::Sealed;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// # Some of the items, by number
///
/// Over all lanes of the layer together, and exact where there is an order to speak of: right after a source, and in
/// one lane. The adapters of `StreamExt` do the same in each lane by itself with [`per_lane`](Flow::per_lane), and
/// where the flow is read after [`into_stream`](Flow::into_stream).
impl<P> Flow<P> {
    /// Lets `n` items through, over all lanes together, and then ends the flow: the first `n` of the source right after
    /// it or in one lane, and those that come first everywhere else.
    ///
    /// "Right after it" is after one stream or iterator, or [`zip`](Flow::zip), with nothing between but
    /// [`skip`](Flow::skip), [`take_while`](Flow::take_while), [`skip_while`](Flow::skip_while),
    /// [`enumerate`](Flow::enumerate), [`stop_when`](Flow::stop_when) and settings. There the task that reads the
    /// source counts, so that `take(40).lanes(4).map(heavy)` gives each of the lanes its share of the 40.
    ///
    /// Everywhere else the lanes share a counter, one atomic operation per item. A lane that waits is woken when others
    /// have taken the last item. After `emit_state` and its like, that is the end of the flow too: windows that are
    /// still open, and states that have not come out, are dropped.
    ///
    /// # Demand
    /// After the last item nothing more is asked for, and what feeds the lanes is dropped at once, also if it never ends.
    /// What was on its way to them by then, and what operators before this one hold, is counted as
    /// [discarded](Flow::discarded). With 0 the source is not even polled.
    ///
    /// # Ordering
    /// Each lane keeps its order; [`ordered`](Flow::ordered) can follow. For the first `n` of the source after other
    /// operators, put `ordered` before it: `map_async(…).ordered().take(n)`.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let squares = Flow::from_iter(1_u64..).take(4).lanes(2).map(|n| n * n).ordered();
    /// assert_eq!(squares.collect::<Vec<_>>().await, [1, 4, 9, 16]);
    ///
    /// // Any three of them.
    /// let even = Flow::from_iter(1_u64..).lanes(2).filter(|n| n % 2 == 0).take(3);
    /// assert_eq!(even.count().await, 3);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Enum.take/2` has no counterpart in Flow. rayon has two names for it, `take` and `take_any`.
    #[track_caller]
    pub fn take(self, n: usize) -> Flow<Serial<P, Take>>
    where
        P: Build<Bare>,
    {
        self.operator("take", |plan| Serial::new(plan, Take { left: n }))
    }
}

/// The step of [`Flow::take`] at a source.
#[derive(Debug)]
pub struct Take {
    left: usize,
}

impl Sealed for Take {}

impl<T> SerialStep<T> for Take {
    type Out = T;

    #[inline]
    fn step(&mut self, _: Option<u64>, item: T) -> Option<T> {
        self.left -= 1;
        Some(item)
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self, (least, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
        (least.min(self.left), Some(most.map_or(self.left, |most| most.min(self.left))))
    }
}

impl<T> SerialOp<T> for Take {
    type Shared = SharedTake;

    fn shared(self, tasks: &mut Tasks) -> SharedTake {
        SharedTake {
            n: self.left,
            taken: Arc::default(),
            over: self.left == 0,
            end: SharedEnd::new(),
            discarded: Arc::clone(tasks.discarded()),
        }
    }
}

/// The step of [`Flow::take`] in one of several lanes.
#[derive(Clone)]
pub struct SharedTake {
    n: usize,
    /// How many items the lanes have tried to take: more than `n` at the end, by at most one for each lane.
    taken: Arc<AtomicUsize>,
    /// This lane knows that all are taken.
    over: bool,
    end: SharedEnd,
    discarded: Arc<AtomicU64>,
}

impl Sealed for SharedTake {}

impl<T> SerialStep<T> for SharedTake {
    type Out = T;

    #[inline]
    fn step(&mut self, _: Option<u64>, item: T) -> Option<T> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        if taken + 1 < self.n {
            return Some(item);
        }
        self.last(taken, item)
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.over
    }

    fn look(&mut self) -> bool {
        self.over |= self.taken.load(Ordering::Relaxed) >= self.n;
        self.over
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.end.poll_ended(cx)
    }

    fn size_hint(&self, (_, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
        let left = self.n.saturating_sub(self.taken.load(Ordering::Relaxed));
        // Other lanes may take all that is left.
        (0, Some(most.map_or(left, |most| most.min(left))))
    }
}

impl SharedTake {
    /// Takes the last item, or drops one that comes too late.
    #[cold]
    fn last<T>(&mut self, taken: usize, item: T) -> Option<T> {
        self.over = true;
        if taken < self.n {
            self.end.end();
            return Some(item);
        }
        self.discarded.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl fmt::Debug for SharedTake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTake").field("n", &self.n).field("taken", &self.taken).finish_non_exhaustive()
    }
}
