use super::turn::give_way;
use super::{Each, Lane, Leaf, Turn};
use futures_core::{FusedStream, Stream};
use std::iter::Fuse;
use std::ops::ControlFlow;
use std::pin::Pin;
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
}

impl<I: Iterator> Iter<I> {
    /// Takes anything to iterate over, and how many items to pass before other tasks get a turn, at least 1.
    ///
    /// # Panics
    /// When `turn` is 0.
    ///
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

    /// Leaves the turn for later.
    pub(crate) fn of(iter: I) -> Self {
        Self { iter: iter.fuse(), ended: false, turn: Turn::default() }
    }
}

impl<I: Iterator> Leaf for Iter<I> {
    fn set_turn(&mut self, turn: usize) {
        self.turn = Turn::new(turn);
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
        let mut left = this.turn.size();
        let flow = this.iter.try_for_each(|item| {
            if each(item).is_break() {
                return ControlFlow::Break(Each::Stopped);
            }
            left -= 1;
            if left == 0 {
                // The turn is over; what is not known is whether the iterator is.
                return ControlFlow::Break(Each::Ended);
            }
            ControlFlow::Continue(())
        });
        match flow {
            ControlFlow::Continue(()) => {
                this.ended = true;
                Poll::Ready(Each::Ended)
            }
            ControlFlow::Break(Each::Stopped) => Poll::Ready(Each::Stopped),
            ControlFlow::Break(Each::Ended) => give_way(cx),
        }
    }
}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        ready!(self.turn.poll_step(cx));
        let item = self.iter.next();
        self.ended = item.is_none();
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iter.size_hint()
    }
}

impl<I: Iterator> FusedStream for Iter<I> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}
