use super::turn::give_way;
use super::{Each, Lane, Leaf, Turn};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A lane that polls any `Stream`, item by item.
    ///
    /// # Examples
    /// ```
    /// use futures::{FutureExt, StreamExt, stream};
    /// use gen_stage::lane::Foreign;
    ///
    /// let lane = Foreign::new(stream::iter([1, 2, 3]), 500);
    /// assert_eq!(lane.collect::<Vec<_>>().now_or_never(), Some(vec![1, 2, 3]));
    /// ```
    #[derive(Debug, Clone)]
    #[must_use = "a lane does nothing until it is polled"]
    pub struct Foreign<S> {
        #[pin]
        stream: S,
        ended: bool,
        turn: Turn,
    }
}

impl<S> Foreign<S> {
    /// Takes a stream, and how many items to pass before other tasks get a turn, at least 1.
    ///
    /// # Panics
    /// When `turn` is 0.
    ///
    /// ```
    /// let lane = gen_stage::lane::Foreign::new(futures::stream::iter([1, 2, 3]), 1);
    /// assert_eq!(futures::Stream::size_hint(&lane), (3, Some(3)));
    /// ```
    #[track_caller]
    pub fn new(stream: S, turn: usize) -> Self {
        assert!(turn > 0, "the turn of a lane must be at least 1 item");
        Self { turn: Turn::new(turn), ..Self::of(stream) }
    }

    /// Leaves the turn for later.
    pub(crate) fn of(stream: S) -> Self {
        Self { stream, ended: false, turn: Turn::default() }
    }
}

impl<S: Stream> Leaf for Foreign<S> {
    fn set_turn(&mut self, turn: usize) {
        self.turn = Turn::new(turn);
    }
}

impl<S: Stream> Foreign<S> {
    /// The stream's own `poll_next`, never called again after its end.
    fn poll_fused(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        let item = ready!(this.stream.poll_next(cx));
        *this.ended = item.is_none();
        Poll::Ready(item)
    }
}

impl<S: Stream> Lane for Foreign<S> {
    #[inline(always)]
    fn poll_each<F>(mut self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        for _ in 0..self.turn.size() {
            let Some(item) = ready!(self.as_mut().poll_fused(cx)) else {
                return Poll::Ready(Each::Ended);
            };
            if each(item).is_break() {
                return Poll::Ready(Each::Stopped);
            }
        }
        give_way(cx)
    }
}

impl<S: Stream> Stream for Foreign<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        ready!(self.as_mut().project().turn.poll_step(cx));
        self.poll_fused(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.ended { (0, Some(0)) } else { self.stream.size_hint() }
    }
}

impl<S: Stream> FusedStream for Foreign<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}
