//! Operators that go by the sequence of all items of a layer, and may end it: `take`, `skip`, `enumerate` and their like.

use crate::flow::plumbing::envelope::Envelope;
use crate::flow::plumbing::plan::{Build, Layered, Plan, Settings, To};
use crate::flow::plumbing::serial_step::{InSuccession, SerialStep};
use crate::flow::plumbing::tasks::Tasks;
use crate::lane::{Each, Inlet, Lane, Origins, SourceGate, poll_one};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio_util::sync::CancellationToken;

/// An operator over all lanes of a layer. By itself it is its work in the one task that reads a source.
pub trait SerialOp<T>: SerialStep<T> {
    /// Its work in one of several lanes; a clone knows of what the others do.
    type Shared: SerialStep<T, Out = Self::Out> + Clone;

    /// For lanes that are fed by something else than one source.
    #[doc(hidden)]
    fn shared(self, tasks: &mut Tasks) -> Self::Shared;
}

/// Ends all lanes of a layer as soon as one of them says so, also those that wait.
#[derive(Debug, Clone)]
pub struct SharedEnd {
    token: CancellationToken,
    gate: SourceGate,
}

impl SharedEnd {
    pub(in crate::flow) fn new() -> Self {
        let token = CancellationToken::new();
        let gate = SourceGate::new(std::slice::from_ref(&token), &[]);
        Self { token, gate }
    }

    pub(in crate::flow) fn end(&self) {
        self.token.cancel();
    }

    pub(in crate::flow) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.gate.poll_shut(cx)
    }
}

/// A plan with a [`SerialOp`]. Right after a source, the task of the source does its work.
#[must_use = "operators do nothing until the flow is read"]
pub struct Serial<P, Op> {
    upstream: P,
    op: Op,
}

impl<P, Op> Serial<P, Op> {
    pub(in crate::flow) fn new(upstream: P, op: Op) -> Self {
        Self { upstream, op }
    }
}

impl<P, Op> Sealed for Serial<P, Op> {}

impl<P: Layered, Op> Layered for Serial<P, Op> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }

    // The task that reads the source does the work in any case.
    fn pass_through(&mut self) {
        self.upstream.pass_through();
    }
}

impl<P: Plan, Op: SerialStep<P::Item>> Plan for Serial<P, Op> {
    type Item = Op::Out;
    type Carries = P::Carries;

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.op.size_hint(self.upstream.size_hint())
    }
}

impl<E, P, Op> Build<E> for Serial<P, Op>
where
    E: Envelope,
    P: Build<E>,
    Op: SerialOp<P::Item, Out: Send + 'static> + Send + 'static,
{
    type Lane = SerialLane<E, P::Item, P::Lane, Op::Shared>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let built = self.upstream.build_at_source(self.op, tasks, &mut |tasks, edges| {
            to(tasks, SerialFed::Edges { edges }.into());
        });
        let Err((upstream, op)) = built else { return };
        let shared = op.shared(tasks);
        upstream.build(tasks, &mut |tasks, lane| {
            let steps = SerialSteps::new(lane, shared.clone());
            to(tasks, SerialFed::Lane { steps }.into());
        });
    }

    fn build_at_source<U, Next>(
        self,
        next: Next,
        tasks: &mut Tasks,
        to: To<'_, Inlet<E::Of<U>>>,
    ) -> Result<(), (Self, Next)>
    where
        U: Send + 'static,
        Next: SerialStep<Op::Out, Out = U> + Send + 'static,
    {
        let both = InSuccession(self.op, next);
        let built = self.upstream.build_at_source(both, tasks, to);
        built.map_err(|(upstream, InSuccession(op, next))| (Self { upstream, op }, next))
    }
}

pin_project! {
    /// A lane of a layer with a [`SerialOp`].
    #[must_use = "a lane does nothing until it is polled"]
    pub struct SerialLane<E: Envelope, T, L, Op: SerialStep<T>> {
        #[pin]
        fed: SerialFed<E, T, L, Op>,
    }
}

pin_project! {
    #[project = SerialFedProjection]
    enum SerialFed<E: Envelope, T, L, Op: SerialStep<T>> {
        // The task of the source does the work, with an edge from it.
        Edges { edges: Inlet<E::Of<Op::Out>> },
        // The lane does it itself.
        Lane { #[pin] steps: SerialSteps<E, T, L, Op> },
    }
}

impl<E: Envelope, T, L, Op: SerialStep<T>> From<SerialFed<E, T, L, Op>> for SerialLane<E, T, L, Op> {
    fn from(fed: SerialFed<E, T, L, Op>) -> Self {
        Self { fed }
    }
}

impl<E: Envelope, T, L: Lane<Item = E::Of<T>>, Op: SerialStep<T>> Lane for SerialLane<E, T, L, Op> {
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        match self.project().fed.project() {
            SerialFedProjection::Edges { edges } => Pin::new(edges).poll_each(cx, each),
            SerialFedProjection::Lane { steps } => steps.poll_each(cx, each),
        }
    }

    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<Self::Item>>> {
        match self.project().fed.project() {
            SerialFedProjection::Edges { edges } => Pin::new(edges).poll_batch(cx, limit),
            SerialFedProjection::Lane { steps } => steps.poll_batch(cx, limit),
        }
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        match self.project().fed.project() {
            SerialFedProjection::Edges { edges } => Pin::new(edges).origins(),
            SerialFedProjection::Lane { steps } => steps.origins(),
        }
    }
}

impl<E: Envelope, T, L: Lane<Item = E::Of<T>>, Op: SerialStep<T>> Stream for SerialLane<E, T, L, Op> {
    type Item = E::Of<Op::Out>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.project().fed.project() {
            SerialFedProjection::Edges { edges } => Pin::new(edges).poll_next(cx),
            SerialFedProjection::Lane { steps } => steps.poll_next(cx),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.fed {
            SerialFed::Edges { edges } => edges.size_hint(),
            SerialFed::Lane { steps } => steps.size_hint(),
        }
    }
}

impl<E, T, L, Op> FusedStream for SerialLane<E, T, L, Op>
where
    E: Envelope,
    L: Lane<Item = E::Of<T>> + FusedStream,
    Op: SerialStep<T>,
{
    fn is_terminated(&self) -> bool {
        match &self.fed {
            SerialFed::Edges { edges } => edges.is_terminated(),
            SerialFed::Lane { steps } => steps.is_terminated(),
        }
    }
}

pin_project! {
    /// A lane with a [`SerialStep`] on every item. When that is over, the lane drops what feeds it, and ends.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct SerialSteps<E, T, L, Op> {
        // None: it is over.
        #[pin]
        upstream: Option<L>,
        op: Op,
        carries: PhantomData<fn(T) -> E>,
    }
}

impl<E, T, L, Op> SerialSteps<E, T, L, Op> {
    pub(in crate::flow) fn new(upstream: L, op: Op) -> Self {
        Self { upstream: Some(upstream), op, carries: PhantomData }
    }
}

impl<E: Envelope, T, L: Lane<Item = E::Of<T>>, Op: SerialStep<T>> Lane for SerialSteps<E, T, L, Op> {
    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let mut this = self.project();
        let op = this.op;
        let Some(upstream) = this.upstream.as_mut().as_pin_mut() else {
            return Poll::Ready(Each::Ended);
        };
        let mut stopped = false;
        if !op.look() {
            let polled = upstream.poll_each(cx, &mut |of| {
                let place = E::place(&of);
                let mut out = E::step(of, |item| op.step(place, item));
                let over = op.is_over();
                if over && out.is_none() {
                    // What else was to come of this number does not come: `ordered` would wait for its end.
                    out = E::end(place);
                }
                stopped = out.is_some_and(|out| each(out).is_break());
                if stopped || over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            match polled {
                Poll::Ready(Each::Stopped) if stopped && !op.is_over() => return Poll::Ready(Each::Stopped),
                Poll::Ready(Each::Stopped | Each::Ended) => {}
                Poll::Pending => ready!(op.poll_over(cx)),
            }
        }
        // At once, and not with the lane: what comes after it may still be at work for long.
        this.upstream.set(None);
        Poll::Ready(if stopped { Each::Stopped } else { Each::Ended })
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        let upstream = self.project().upstream.as_pin_mut();
        upstream.map_or_else(|| Origins::new(1), Lane::origins)
    }
}

impl<E: Envelope, T, L: Lane<Item = E::Of<T>>, Op: SerialStep<T>> Stream for SerialSteps<E, T, L, Op> {
    type Item = E::Of<Op::Out>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_one(self, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.upstream {
            Some(upstream) if !self.op.is_over() => self.op.size_hint(upstream.size_hint()),
            _ => (0, Some(0)),
        }
    }
}

impl<E, T, L, Op> FusedStream for SerialSteps<E, T, L, Op>
where
    E: Envelope,
    L: Lane<Item = E::Of<T>>,
    Op: SerialStep<T>,
{
    fn is_terminated(&self) -> bool {
        self.upstream.is_none()
    }
}

impl<P: fmt::Debug, Op> fmt::Debug for Serial<P, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serial").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl<E: Envelope, T, L, Op: SerialStep<T>> fmt::Debug for SerialLane<E, T, L, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fed = match &self.fed {
            SerialFed::Edges { .. } => "edges",
            SerialFed::Lane { .. } => "lane",
        };
        f.debug_tuple("SerialLane").field(&fed).finish()
    }
}

impl<E, T, L: fmt::Debug, Op> fmt::Debug for SerialSteps<E, T, L, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SerialSteps").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
