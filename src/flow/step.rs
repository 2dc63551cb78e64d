use super::plan::{Layered, OpenLayer, Plan, Reducible, Settings};
use super::sequence::Sequenced;
use super::tasks::Tasks;
use crate::lane::{Carried, Carry, Each, Lane, Origins};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What an operator does with one item: the general form of `map`, `filter` and their like.
pub trait Step<T> {
    /// What comes out.
    type Out;

    /// Makes at most one item of one item.
    #[doc(hidden)]
    fn step(&mut self, item: T) -> Option<Self::Out>;

    /// How many items come out of how many.
    #[doc(hidden)]
    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        (0, upstream.1)
    }
}

pin_project! {
    /// A plan, or a lane, with a [`Step`] on every item.
    #[must_use = "operators do nothing until the flow is read"]
    pub struct Stepped<S, Op> {
        #[pin]
        upstream: S,
        op: Op,
    }
}

impl<S, Op> Stepped<S, Op> {
    pub(super) fn new(upstream: S, op: Op) -> Self {
        Self { upstream, op }
    }
}

impl<P: Layered, Op> Layered for Stepped<P, Op> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P: Plan, Op: Step<P::Item> + Clone> Plan for Stepped<P, Op> {
    type Item = Op::Out;
    type Lane = Stepped<P::Lane, Op>;

    fn build(self, tasks: &mut Tasks) -> Vec<Self::Lane> {
        let lanes = self.upstream.build(tasks).into_iter();
        lanes.map(|lane| Stepped::new(lane, self.op.clone())).collect()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.op.size_hint(self.upstream.size_hint())
    }
}

impl<P: OpenLayer, Op: Step<P::Item> + Clone> OpenLayer for Stepped<P, Op> {}

impl<P: Reducible, Op: Step<P::In> + Clone> Reducible for Stepped<P, Op> {
    type In = Op::Out;
    type Places = P::Places;
    type Id = P::Id;
    type Feed = Stepped<P::Feed, Carried<Op>>;

    fn feed(self, tasks: &mut Tasks) -> Vec<Self::Feed> {
        let lanes = self.upstream.feed(tasks).into_iter();
        lanes.map(|lane| Stepped::new(lane, Carried(self.op.clone()))).collect()
    }
}

impl<P: Sequenced, Op: Step<P::Item> + Clone> Sequenced for Stepped<P, Op> {
    type TaggedLane = Stepped<P::TaggedLane, Carried<Op>>;

    fn build_tagged(self, tasks: &mut Tasks) -> Vec<Self::TaggedLane> {
        let lanes = self.upstream.build_tagged(tasks).into_iter();
        lanes.map(|lane| Stepped::new(lane, Carried(self.op.clone()))).collect()
    }
}

impl<C: Carry, Op: Step<C::Item>> Step<C> for Carried<Op> {
    type Out = C::With<Op::Out>;

    #[inline(always)]
    fn step(&mut self, envelope: C) -> Option<Self::Out> {
        envelope.step(|item| self.0.step(item))
    }
}

impl<L: Lane, Op: Step<L::Item>> Lane for Stepped<L, Op> {
    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let this = self.project();
        let op = this.op;
        this.upstream.poll_each(cx, &mut |item| match op.step(item) {
            Some(out) => each(out),
            None => ControlFlow::Continue(()),
        })
    }

    fn origins(&mut self) -> Origins {
        self.upstream.origins()
    }
}

impl<L: Lane, Op: Step<L::Item>> Stream for Stepped<L, Op> {
    type Item = Op::Out;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Op::Out>> {
        let mut this = self.project();
        // Bounded by the lane at the start of the layer, which gives way now and then.
        while let Some(item) = ready!(this.upstream.as_mut().poll_next(cx)) {
            if let Some(out) = this.op.step(item) {
                return Poll::Ready(Some(out));
            }
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.op.size_hint(self.upstream.size_hint())
    }
}

impl<L: Lane + FusedStream, Op: Step<L::Item>> FusedStream for Stepped<L, Op> {
    fn is_terminated(&self) -> bool {
        self.upstream.is_terminated()
    }
}

impl<S: fmt::Debug, Op: fmt::Debug> fmt::Debug for Stepped<S, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepped").field("upstream", &self.upstream).field("op", &self.op).finish()
    }
}
