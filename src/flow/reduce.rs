use super::flow::Flow;
use super::plan::{Layered, OpenLayer, Plan, Settings};
use super::tasks::Tasks;
use crate::lane::{Each, Iter, Lane};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::iter;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<P: OpenLayer> Flow<P> {
    /// Folds the items of each lane into a state; at the end of input, the items of each state come out.
    ///
    /// `init` makes the state of a lane, also of a lane that gets no item. Behind a partition, everything with one key
    /// is in one state. What comes out are the items of the state, for example the entries of a `HashMap`; for states
    /// themselves use [`emit_state`](Flow::emit_state). One `reduce` to a layer, after all other operators; `partition`
    /// or `shuffle` open the next.
    ///
    /// # Demand
    /// Takes all its input once it is asked for anything, and emits only as much as is asked.
    ///
    /// # Panics
    /// A panic in `init` or `f` ends the flow with that panic; no state comes out.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::BTreeSet;
    ///
    /// # tokio_test::block_on(async {
    /// let sorted = Flow::from_iter([3, 1, 2, 3])
    ///     .lanes(1)
    ///     .reduce(BTreeSet::new, |set, n| _ = set.insert(n));
    /// assert_eq!(sorted.collect::<Vec<_>>().await, [1, 2, 3]);
    /// # });
    /// ```
    ///
    /// A state that is nothing to iterate over needs `emit_state`:
    /// ```compile_fail
    /// use gen_stage::prelude::*;
    ///
    /// let sums = Flow::from_iter([3, 1, 2]).reduce(|| 0, |sum, n| *sum += n).collect::<Vec<u32>>();
    /// ```
    ///
    /// # Source
    /// `Flow.reduce/3`. The state is changed in place, not returned.
    #[track_caller]
    pub fn reduce<S, I, F>(self, init: I, f: F) -> Flow<Reduce<P, S, I, F>>
    where
        I: FnMut() -> S,
        F: FnMut(&mut S, P::Item) + Clone,
    {
        self.then(|upstream| Reduce { upstream, init, f, state: PhantomData })
    }
}

impl<P, S, I, F> Flow<Reduce<P, S, I, F>> {
    /// Makes the state of each lane the item that comes out, instead of the items of the state.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let sum = Flow::from_iter(1..=4).lanes(1).reduce(|| 0, |sum, n| *sum += n).emit_state();
    /// assert_eq!(sum.collect::<Vec<u32>>().await, [10]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.emit(:state)`.
    #[track_caller]
    pub fn emit_state(self) -> Flow<EmitState<P, S, I, F>> {
        self.then(|reduce| EmitState { reduce })
    }
}

/// The plan behind [`Flow::reduce`].
#[must_use = "operators do nothing until the flow is read"]
pub struct Reduce<P, S, I, F> {
    upstream: P,
    init: I,
    f: F,
    state: PhantomData<fn() -> S>,
}

/// The plan behind [`Flow::emit_state`].
#[must_use = "operators do nothing until the flow is read"]
pub struct EmitState<P, S, I, F> {
    reduce: Reduce<P, S, I, F>,
}

impl<P, S, I, F> Reduce<P, S, I, F>
where
    P: OpenLayer,
    I: FnMut() -> S,
    F: FnMut(&mut S, P::Item) + Clone,
{
    fn build_with<U: IntoIterator>(
        mut self,
        tasks: &mut Tasks,
        emit: fn(S) -> U,
    ) -> Vec<ReduceLane<P::Lane, S, F, U>> {
        let lanes = self.upstream.build(tasks).into_iter();
        lanes.map(|lane| ReduceLane::new(lane, (self.init)(), self.f.clone(), emit)).collect()
    }
}

impl<P: Layered, S, I, F> Layered for Reduce<P, S, I, F> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P: Layered, S, I, F> Layered for EmitState<P, S, I, F> {
    fn settings(&mut self) -> &mut Settings {
        self.reduce.settings()
    }
}

impl<P, S, I, F> Plan for Reduce<P, S, I, F>
where
    P: OpenLayer,
    S: IntoIterator,
    I: FnMut() -> S,
    F: FnMut(&mut S, P::Item) + Clone,
{
    type Item = S::Item;
    type Lane = ReduceLane<P::Lane, S, F, S>;

    fn build(self, tasks: &mut Tasks) -> Vec<Self::Lane> {
        self.build_with(tasks, |state| state)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<P, S, I, F> Plan for EmitState<P, S, I, F>
where
    P: OpenLayer,
    I: FnMut() -> S,
    F: FnMut(&mut S, P::Item) + Clone,
{
    type Item = S;
    type Lane = ReduceLane<P::Lane, S, F, iter::Once<S>>;

    fn build(self, tasks: &mut Tasks) -> Vec<Self::Lane> {
        self.reduce.build_with(tasks, iter::once)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (1, None)
    }
}

pin_project! {
    /// A lane of a layer that ends in [`Flow::reduce`].
    #[must_use = "a lane does nothing until it is polled"]
    pub struct ReduceLane<L, S, F, U: IntoIterator> {
        #[pin]
        upstream: L,
        f: F,
        stage: Stage<S, U::IntoIter>,
        emit: fn(S) -> U,
    }
}

enum Stage<S, I: Iterator> {
    Reducing(S),
    /// Only while the state is on its way from one stage to the next; a panic then leaves nothing to emit.
    Turning,
    Emitting(Iter<I>),
}

impl<L, S, F, U: IntoIterator> ReduceLane<L, S, F, U> {
    pub(super) fn new(upstream: L, state: S, f: F, emit: fn(S) -> U) -> Self {
        Self { upstream, f, stage: Stage::Reducing(state), emit }
    }
}

impl<L, S, F, U> ReduceLane<L, S, F, U>
where
    L: Lane,
    U: IntoIterator,
    F: FnMut(&mut S, L::Item),
{
    /// Reduces until the input has ended; ready with what is to be emitted.
    fn poll_reduced(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Pin<&mut Iter<U::IntoIter>>> {
        let mut this = self.project();
        if let Stage::Reducing(state) = this.stage {
            let f = this.f;
            // The closure does not break, so that this ends or pends.
            while ready!(this.upstream.as_mut().poll_each(cx, &mut |item| {
                f(state, item);
                ControlFlow::Continue(())
            })) != Each::Ended
            {}
            if let Stage::Reducing(state) = std::mem::replace(this.stage, Stage::Turning) {
                *this.stage = Stage::Emitting(Iter::of((this.emit)(state).into_iter()));
            }
        }
        match this.stage {
            Stage::Emitting(items) => Poll::Ready(Pin::new(items)),
            // A panic has ended this lane.
            Stage::Reducing(_) | Stage::Turning => Poll::Pending,
        }
    }
}

impl<L, S, F, U> Lane for ReduceLane<L, S, F, U>
where
    L: Lane,
    U: IntoIterator,
    F: FnMut(&mut S, L::Item),
{
    #[inline(always)]
    fn poll_each<G>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut G) -> Poll<Each>
    where
        G: FnMut(U::Item) -> ControlFlow<()>,
    {
        ready!(self.poll_reduced(cx)).poll_each(cx, each)
    }
}

impl<L, S, F, U> Stream for ReduceLane<L, S, F, U>
where
    L: Lane,
    U: IntoIterator,
    F: FnMut(&mut S, L::Item),
{
    type Item = U::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U::Item>> {
        ready!(self.poll_reduced(cx)).poll_next(cx)
    }
}

impl<L, S, F, U> FusedStream for ReduceLane<L, S, F, U>
where
    L: Lane,
    U: IntoIterator,
    F: FnMut(&mut S, L::Item),
{
    fn is_terminated(&self) -> bool {
        match &self.stage {
            Stage::Emitting(items) => items.is_terminated(),
            Stage::Reducing(_) | Stage::Turning => false,
        }
    }
}

impl<P: fmt::Debug, S, I, F> fmt::Debug for Reduce<P, S, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reduce").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl<P: fmt::Debug, S, I, F> fmt::Debug for EmitState<P, S, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitState").field("reduce", &self.reduce).finish()
    }
}

impl<L: fmt::Debug, S, F, U: IntoIterator> fmt::Debug for ReduceLane<L, S, F, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReduceLane").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
