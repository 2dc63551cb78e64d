use crate::flow::plumbing::envelope::Envelope;
use crate::flow::plumbing::plan::{Build, Layered, Plan, Settings, To};
use crate::flow::plumbing::tasks::Tasks;
use crate::lane::{Each, Lane, Origins};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What an operator does with one item: the general form of `map`, `filter` and their like.
pub trait Step<T>: Sealed {
    /// What comes out.
    type Out;

    /// Makes at most one item of one item.
    #[doc(hidden)]
    fn step(&mut self, item: T) -> Option<Self::Out>;

    /// How many items come out, for `upstream` items that come in.
    #[doc(hidden)]
    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        (0, upstream.1)
    }
}

/// A plan with a [`Step`] on every item.
#[must_use = "operators do nothing until the flow is read"]
pub struct Stepped<S, Op> {
    upstream: S,
    op: Op,
}

impl<S, Op> Stepped<S, Op> {
    pub(in crate::flow) fn new(upstream: S, op: Op) -> Self {
        Self { upstream, op }
    }
}

impl<P, Op> Sealed for Stepped<P, Op> {}

impl<P: Layered, Op> Layered for Stepped<P, Op> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P: Plan, Op: Step<P::Item>> Plan for Stepped<P, Op> {
    type Item = Op::Out;
    type Carries = P::Carries;

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.op.size_hint(self.upstream.size_hint())
    }
}

impl<E: Envelope, P: Build<E>, Op: Step<P::Item> + Clone> Build<E> for Stepped<P, Op> {
    type Lane = SteppedLane<E, P::Item, P::Lane, Op>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        self.upstream.build(tasks, &mut |tasks, lane| to(tasks, SteppedLane::new(lane, self.op.clone())));
    }
}

pin_project! {
    /// A lane with a [`Step`] on every item, whatever the items travel in.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct SteppedLane<E, T, L, Op> {
        #[pin]
        upstream: L,
        op: Op,
        carries: PhantomData<fn(T) -> E>,
    }
}

impl<E, T, L, Op> SteppedLane<E, T, L, Op> {
    pub(in crate::flow) fn new(upstream: L, op: Op) -> Self {
        Self { upstream, op, carries: PhantomData }
    }
}

impl<E: Envelope, T, L: Lane<Item = E::Of<T>>, Op: Step<T>> Lane for SteppedLane<E, T, L, Op> {
    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let this = self.project();
        let op = this.op;
        this.upstream.poll_each(cx, &mut |item| match E::step(item, |item| op.step(item)) {
            Some(out) => each(out),
            None => ControlFlow::Continue(()),
        })
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        self.project().upstream.origins()
    }
}

impl<E: Envelope, T, L: Lane<Item = E::Of<T>>, Op: Step<T>> Stream for SteppedLane<E, T, L, Op> {
    type Item = E::Of<Op::Out>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        // Bounded by the lane at the start of the layer, which gives way now and then.
        while let Some(item) = ready!(this.upstream.as_mut().poll_next(cx)) {
            if let Some(out) = E::step(item, |item| this.op.step(item)) {
                return Poll::Ready(Some(out));
            }
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.op.size_hint(self.upstream.size_hint())
    }
}

impl<E: Envelope, T, L: Lane<Item = E::Of<T>> + FusedStream, Op: Step<T>> FusedStream
    for SteppedLane<E, T, L, Op>
{
    fn is_terminated(&self) -> bool {
        self.upstream.is_terminated()
    }
}

impl<S: fmt::Debug, Op: fmt::Debug> fmt::Debug for Stepped<S, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepped").field("upstream", &self.upstream).field("op", &self.op).finish()
    }
}

impl<E, T, L: fmt::Debug, Op: fmt::Debug> fmt::Debug for SteppedLane<E, T, L, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteppedLane").field("upstream", &self.upstream).field("op", &self.op).finish()
    }
}
