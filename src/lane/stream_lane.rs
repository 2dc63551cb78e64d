use super::{Each, Lane, Leaf, SourceGate};
use crate::coop::{Turn, give_way};
use crate::demand::Demand;
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A lane that polls any `Stream`, item by item.
    ///
    /// # Examples
    /// ```
    /// use futures::{FutureExt, StreamExt, stream};
    /// use gen_stage::lane::StreamLane;
    ///
    /// let lane = StreamLane::new(stream::iter([1, 2, 3]), 500);
    /// assert_eq!(lane.collect::<Vec<_>>().now_or_never(), Some(vec![1, 2, 3]));
    /// ```
    #[derive(Debug, Clone)]
    #[must_use = "a lane does nothing until it is polled"]
    pub struct StreamLane<S> {
        #[pin]
        stream: S,
        ended: bool,
        turn: Turn,
        gate: SourceGate,
    }
}

impl<S> StreamLane<S> {
    /// Takes a stream, and how many items to pass before other tasks get a turn, at least 1.
    ///
    /// # Panics
    /// When `turn` is 0.
    ///
    /// # Examples
    /// ```
    /// let lane = gen_stage::lane::StreamLane::new(futures::stream::iter([1, 2, 3]), 1);
    /// assert_eq!(futures::Stream::size_hint(&lane), (3, Some(3)));
    /// ```
    #[track_caller]
    pub fn new(stream: S, turn: usize) -> Self {
        assert!(turn > 0, "the turn of a lane must be at least 1 item");
        Self { turn: Turn::new(turn), ..Self::of(stream) }
    }

    /// Takes a stream, with the default turn until another is set.
    pub(crate) fn of(stream: S) -> Self {
        Self { stream, ended: false, turn: Turn::default(), gate: SourceGate::default() }
    }
}

impl<S> Sealed for StreamLane<S> {}

impl<S: Stream> Leaf for StreamLane<S> {
    fn set_turn(&mut self, turn: usize) {
        self.turn = Turn::new(turn);
    }

    fn start(&mut self, demand: Demand, gate: SourceGate, _: &Arc<AtomicU64>) {
        self.set_turn(demand.batch());
        self.gate = gate;
    }
}

impl<S: Stream> StreamLane<S> {
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

    /// Looks at the gate before anything is taken: when it is shut, that is the end.
    #[inline]
    fn has_ended(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        *this.ended |= this.gate.is_shut();
        *this.ended
    }

    /// For when the stream has nothing ready: counts what has passed, and waits for the gate. Ready when it is shut.
    #[cold]
    fn poll_idle(self: Pin<&mut Self>, cx: &mut Context<'_>, passed: usize) -> Poll<()> {
        let this = self.project();
        this.gate.count(passed);
        ready!(this.gate.poll_shut(cx));
        *this.ended = true;
        Poll::Ready(())
    }
}

impl<S: Stream> Lane for StreamLane<S> {
    #[inline(always)]
    fn poll_each<F>(mut self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        if self.as_mut().has_ended() {
            return Poll::Ready(Each::Ended);
        }
        let size = self.turn.size();
        for passed in 0..size {
            // Not by `poll_fused`, which checks at each item what was checked above.
            let item = match self.as_mut().project().stream.poll_next(cx) {
                Poll::Ready(Some(item)) => item,
                Poll::Ready(None) => {
                    *self.as_mut().project().ended = true;
                    self.gate.count(passed);
                    return Poll::Ready(Each::Ended);
                }
                Poll::Pending => return self.poll_idle(cx, passed).map(|()| Each::Ended),
            };
            if each(item).is_break() {
                self.gate.count(passed + 1);
                return Poll::Ready(Each::Stopped);
            }
        }
        self.gate.count(size);
        give_way(cx)
    }
}

impl<S: Stream> Stream for StreamLane<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if self.as_mut().has_ended() {
            return Poll::Ready(None);
        }
        ready!(self.as_mut().project().turn.poll_step(cx));
        match self.as_mut().poll_fused(cx) {
            Poll::Ready(item) => {
                self.gate.count(usize::from(item.is_some()));
                Poll::Ready(item)
            }
            Poll::Pending => self.poll_idle(cx, 0).map(|()| None),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.ended { (0, Some(0)) } else { self.stream.size_hint() }
    }
}

impl<S: Stream> FusedStream for StreamLane<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}
