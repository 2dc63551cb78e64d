use super::{Each, Lane, Leaf, SourceGate};
use crate::coop::{Turn, give_way};
use crate::demand::Demand;
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use std::iter::Fuse;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, ready};

/// A lane that runs an iterator.
///
/// The iterator runs in the lane's task: one that blocks holds that task up.
///
/// # Examples
/// ```
/// use futures::{FutureExt, StreamExt};
/// use gen_stage::lane::Iter;
///
/// let lane = Iter::new(1..=3, 500);
/// assert_eq!(lane.collect::<Vec<_>>().now_or_never(), Some(vec![1, 2, 3]));
/// ```
#[derive(Debug, Clone)]
#[must_use = "a lane does nothing until it is polled"]
pub struct Iter<I: Iterator> {
    iter: Fuse<I>,
    ended: bool,
    turn: Turn,
    gate: SourceGate,
}

impl<I: Iterator> Iter<I> {
    /// Takes anything to iterate over, and how many items to pass before other tasks get a turn, at least 1.
    ///
    /// # Panics
    /// When `turn` is 0.
    ///
    /// # Examples
    /// ```
    /// let lane = gen_stage::lane::Iter::new([1, 2, 3], 1);
    /// assert_eq!(futures::Stream::size_hint(&lane), (3, Some(3)));
    /// ```
    #[track_caller]
    pub fn new(iter: impl IntoIterator<IntoIter = I>, turn: usize) -> Self {
        assert!(turn > 0, "the turn of a lane must be at least 1 item");
        let mut lane = Self::of(iter.into_iter());
        lane.set_turn(turn);
        lane
    }

    /// Looks at the gate before anything is taken: when it is shut, that is the end.
    #[inline]
    fn has_ended(&mut self) -> bool {
        self.ended |= self.gate.is_shut();
        self.ended
    }

    /// Takes an iterator, with the default turn until another is set.
    pub(crate) fn of(iter: I) -> Self {
        Self { iter: iter.fuse(), ended: false, turn: Turn::default(), gate: SourceGate::default() }
    }
}

impl<I: Iterator> Sealed for Iter<I> {}

impl<I: Iterator> Leaf for Iter<I> {
    fn set_turn(&mut self, turn: usize) {
        self.turn = Turn::new(turn);
    }

    fn start(&mut self, demand: Demand, gate: SourceGate, _: &Arc<AtomicU64>) {
        self.set_turn(demand.batch());
        self.gate = gate;
    }
}

// The iterator is never pinned.
impl<I: Iterator> Unpin for Iter<I> {}

impl<I: Iterator> Lane for Iter<I> {
    #[inline(always)]
    fn poll_each<F>(mut self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let this = &mut *self;
        if this.has_ended() {
            return Poll::Ready(Each::Ended);
        }
        let size = this.turn.size();
        let mut left = size;
        let flow = this.iter.try_for_each(|item| {
            if each(item).is_break() {
                return ControlFlow::Break(Each::Stopped);
            }
            left -= 1;
            if left == 0 {
                // The turn is over; the iterator need not be.
                return ControlFlow::Break(Each::Ended);
            }
            ControlFlow::Continue(())
        });
        match flow {
            ControlFlow::Continue(()) => {
                this.ended = true;
                this.gate.count(size - left);
                Poll::Ready(Each::Ended)
            }
            ControlFlow::Break(Each::Stopped) => {
                this.gate.count(size - left + 1);
                Poll::Ready(Each::Stopped)
            }
            ControlFlow::Break(Each::Ended) => {
                this.gate.count(size);
                give_way(cx)
            }
        }
    }
}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        if self.has_ended() {
            return Poll::Ready(None);
        }
        ready!(self.turn.poll_step(cx));
        let item = self.iter.next();
        self.ended = item.is_none();
        self.gate.count(usize::from(item.is_some()));
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.ended { (0, Some(0)) } else { self.iter.size_hint() }
    }
}

impl<I: Iterator> FusedStream for Iter<I> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}
