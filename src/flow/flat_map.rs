use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::envelope::Envelope;
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::coop::Turn;
use crate::lane::{Bounded, Each, Lane, Origins};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<P, F> Sealed for FlatMap<P, F> {}

impl<P: Layered, F> Layered for FlatMap<P, F> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P> Flow<P> {
    /// Makes any number of items of each item: those of the iterator that `f` returns.
    ///
    /// The iterator is run as its items are wanted, so that a huge one takes no more memory than a small one.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// A panic in `f` or in the iterator ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let words = Flow::from_iter(["the quick", "fox"]).lanes(1).flat_map(|line| line.split(' '));
    /// assert_eq!(words.collect::<Vec<_>>().await, ["the", "quick", "fox"]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.flat_map/2`.
    #[track_caller]
    pub fn flat_map<U, F>(self, f: F) -> Flow<FlatMap<P, ByFn<F>>>
    where
        P: Open,
        U: IntoIterator,
        F: FnMut(P::Item) -> U + Clone,
    {
        self.operator("flat_map", |upstream| FlatMap::by(f, upstream))
    }
}

impl<P, F> FlatMap<P, ByFn<F>> {
    pub(super) fn by(f: F, upstream: P) -> Self {
        Self::new(upstream, ByFn(f))
    }
}

impl<P, F> FlatMap<P, F> {
    pub(super) fn new(upstream: P, f: F) -> Self {
        Self { upstream, f }
    }
}

/// Makes any number of items of one.
pub trait Expand<T>: Sealed {
    /// The items.
    type Items: Iterator;

    #[doc(hidden)]
    fn expand(&mut self, item: T) -> Self::Items;
}

/// The function given to [`Flow::flat_map`].
#[derive(Clone)]
pub struct ByFn<F>(F);

impl<F> Sealed for ByFn<F> {}

impl<T, U: IntoIterator, F: FnMut(T) -> U> Expand<T> for ByFn<F> {
    type Items = U::IntoIter;

    #[inline]
    fn expand(&mut self, item: T) -> U::IntoIter {
        (self.0)(item).into_iter()
    }
}

opaque_debug!(ByFn);

/// The plan behind [`Flow::flat_map`].
#[must_use = "operators do nothing until the flow is read"]
pub struct FlatMap<P, F> {
    upstream: P,
    f: F,
}

impl<P: Plan, F: Expand<P::Item>> Plan for FlatMap<P, F> {
    type Item = <F::Items as Iterator>::Item;
    type Carries = P::Carries;

    fn size_hint(&self) -> (usize, Option<usize>) {
        flattened(self.upstream.size_hint())
    }
}

impl<E: Envelope, P: Build<E>, F: Expand<P::Item> + Clone> Build<E> for FlatMap<P, F> {
    type Lane = FlatMapLane<E, P::Item, P::Lane, F, E::Many<F::Items>>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        // What one batch became, as with `map_batch`, is not cut into pieces shorter than a batch.
        let turn = Turn::default().size().max(self.settings().demand.batch());
        self.upstream.build(tasks, &mut |tasks, upstream| {
            let (f, turn) = (self.f.clone(), Turn::new(turn));
            to(tasks, FlatMapLane { upstream, f, front: None, turn, carries: PhantomData });
        });
    }
}

pin_project! {
    /// The lane behind [`Flow::flat_map`], whatever the items travel in.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct FlatMapLane<E, T, L, F, M> {
        #[pin]
        upstream: L,
        f: F,
        // The rest of what the last item became.
        front: Option<M>,
        turn: Turn,
        carries: PhantomData<fn(T) -> E>,
    }
}

/// Nothing is known of how many items come out, except that no input gives no output.
fn flattened((_, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
    (0, most.filter(|most| *most == 0))
}

impl<E, T, L, F> Lane for FlatMapLane<E, T, L, F, E::Many<F::Items>>
where
    E: Envelope,
    L: Lane<Item = E::Of<T>>,
    F: Expand<T>,
{
    #[inline]
    fn poll_each<G>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut G) -> Poll<Each>
    where
        G: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let this = self.project();
        let mut bounded = Bounded::new(this.turn, each);
        let (f, front) = (this.f, this.front);
        let rest = match front {
            Some(rest) => rest.try_for_each(|item| bounded.pass(item)),
            None => ControlFlow::Continue(()),
        };
        let polled = if rest.is_break() {
            Poll::Ready(Each::Stopped)
        } else {
            *front = None;
            this.upstream.poll_each(cx, &mut |item| {
                let mut items = E::expand(item, |item| f.expand(item));
                let flow = items.try_for_each(|item| bounded.pass(item));
                if flow.is_break() {
                    *front = Some(items);
                }
                flow
            })
        };
        bounded.answer(polled, cx)
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        // An item has the origin of the item it was made of: no other is taken until that one is used up.
        self.project().upstream.origins()
    }
}

impl<E, T, L, F> Stream for FlatMapLane<E, T, L, F, E::Many<F::Items>>
where
    E: Envelope,
    L: Lane<Item = E::Of<T>>,
    F: Expand<T>,
{
    type Item = E::Of<<F::Items as Iterator>::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        loop {
            if let Some(items) = this.front {
                ready!(this.turn.poll_step(cx));
                if let Some(item) = items.next() {
                    return Poll::Ready(Some(item));
                }
                *this.front = None;
            }
            match ready!(this.upstream.as_mut().poll_next(cx)) {
                Some(item) => *this.front = Some(E::expand(item, |item| this.f.expand(item))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.front {
            None => flattened(self.upstream.size_hint()),
            Some(items) => {
                let (least, most) = items.size_hint();
                let last = self.upstream.size_hint().1 == Some(0);
                (least, most.filter(|_| last))
            }
        }
    }
}

impl<E, T, L, F> FusedStream for FlatMapLane<E, T, L, F, E::Many<F::Items>>
where
    E: Envelope,
    L: Lane<Item = E::Of<T>> + FusedStream,
    F: Expand<T>,
{
    fn is_terminated(&self) -> bool {
        self.front.is_none() && self.upstream.is_terminated()
    }
}

impl<E, T, L: fmt::Debug, F, M> fmt::Debug for FlatMapLane<E, T, L, F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlatMapLane").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for FlatMap<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlatMap").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
