use super::flow::Flow;
use super::plan::{Layered, OpenLayer, Plan, Reducible, Settings};
use super::sequence::{Expanded, Sequenced};
use super::tasks::Tasks;
use crate::lane::{Carried, Carry, Each, Lane, Origins, Turn, give_way};
use crate::window::Signal;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<P: Layered, F, I> Layered for FlatMap<P, F, I> {
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
    pub fn flat_map<U, F>(self, f: F) -> Flow<FlatMap<P, ByFn<F>, U::IntoIter>>
    where
        P: Reducible,
        U: IntoIterator,
        F: FnMut(P::In) -> U + Clone,
    {
        self.then(|plan| FlatMap::new(plan, ByFn(f)))
    }
}

/// Makes any number of items of one.
pub trait Expand<T> {
    /// The items.
    type Items: Iterator;

    #[doc(hidden)]
    fn expand(&mut self, item: T) -> Self::Items;
}

/// The function given to [`Flow::flat_map`].
#[derive(Clone)]
pub struct ByFn<F>(F);

impl<T, U: IntoIterator, F: FnMut(T) -> U> Expand<T> for ByFn<F> {
    type Items = U::IntoIter;

    #[inline(always)]
    fn expand(&mut self, item: T) -> U::IntoIter {
        (self.0)(item).into_iter()
    }
}

impl<C: Carry, X: Expand<C::Item>> Expand<C> for Carried<X> {
    type Items = C::Many<X::Items>;

    #[inline(always)]
    fn expand(&mut self, envelope: C) -> Self::Items {
        envelope.expand(|item| self.0.expand(item))
    }
}

opaque_debug!(ByFn);

pin_project! {
    /// The plan, and the lane, behind [`Flow::flat_map`].
    #[must_use = "operators do nothing until the flow is read"]
    pub struct FlatMap<S, F, I> {
        #[pin]
        upstream: S,
        f: F,
        // The rest of what the last item became.
        front: Option<I>,
        turn: Turn,
    }
}

impl<S, F, I> FlatMap<S, F, I> {
    fn new(upstream: S, f: F) -> Self {
        Self { upstream, f, front: None, turn: Turn::default() }
    }

    /// The same on a lane of a layer, where `turn` items make a turn.
    fn on<L, G, J>(lane: L, f: G, turn: usize) -> FlatMap<L, G, J> {
        FlatMap { turn: Turn::new(turn), ..FlatMap::new(lane, f) }
    }
}

impl<P: Layered, F, I> FlatMap<P, F, I> {
    /// What one batch became, as with `map_batch`, is not cut in pieces shorter than a batch.
    fn layer_turn(&mut self) -> usize {
        self.turn.size().max(self.settings().demand.batch())
    }
}

impl<P, F, I> Plan for FlatMap<P, F, I>
where
    P: Plan,
    I: Iterator,
    F: Expand<P::Item, Items = I> + Clone,
{
    type Item = I::Item;
    type Lane = FlatMap<P::Lane, F, I>;

    fn build(mut self, tasks: &mut Tasks) -> Vec<Self::Lane> {
        let turn = self.layer_turn();
        let lanes = self.upstream.build(tasks).into_iter();
        lanes.map(|lane| Self::on(lane, self.f.clone(), turn)).collect()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        flattened(self.upstream.size_hint())
    }
}

impl<P, F, I> OpenLayer for FlatMap<P, F, I>
where
    P: OpenLayer,
    I: Iterator,
    F: Expand<P::Item, Items = I> + Clone,
{
}

impl<P, F, I> Reducible for FlatMap<P, F, I>
where
    P: Reducible,
    I: Iterator,
    F: Expand<P::In, Items = I> + Clone,
{
    type In = I::Item;
    type Places = P::Places;
    type Id = P::Id;
    type Feed = FlatMap<P::Feed, Carried<F>, <Signal<P::In, P::Places, P::Id> as Carry>::Many<I>>;

    fn feed(mut self, tasks: &mut Tasks) -> Vec<Self::Feed> {
        let turn = self.layer_turn();
        let lanes = self.upstream.feed(tasks).into_iter();
        lanes.map(|lane| Self::on(lane, Carried(self.f.clone()), turn)).collect()
    }
}

impl<P, F, I> Sequenced for FlatMap<P, F, I>
where
    P: Sequenced,
    I: Iterator,
    F: Expand<P::Item, Items = I> + Clone,
{
    type TaggedLane = FlatMap<P::TaggedLane, Carried<F>, Expanded<I>>;

    fn build_tagged(mut self, tasks: &mut Tasks) -> Vec<Self::TaggedLane> {
        let turn = self.layer_turn();
        let lanes = self.upstream.build_tagged(tasks).into_iter();
        lanes.map(|lane| Self::on(lane, Carried(self.f.clone()), turn)).collect()
    }
}

/// Nothing is known of what items become, but that nothing becomes nothing.
fn flattened((_, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
    (0, most.filter(|most| *most == 0))
}

impl<L, F, I> Lane for FlatMap<L, F, I>
where
    L: Lane,
    I: Iterator,
    F: Expand<L::Item, Items = I>,
{
    #[inline(always)]
    fn poll_each<G>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut G) -> Poll<Each>
    where
        G: FnMut(I::Item) -> ControlFlow<()>,
    {
        let this = self.project();
        // The lane below counts the items it passes, not what they become: that is bounded here.
        let mut left = this.turn.size();
        let mut stopped = false;
        let mut each = |item| {
            if each(item).is_break() {
                stopped = true;
                return ControlFlow::Break(());
            }
            left -= 1;
            if left == 0 {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let (f, front) = (this.f, this.front);
        let rest = match front {
            Some(rest) => rest.try_for_each(&mut each),
            None => ControlFlow::Continue(()),
        };
        let polled = if rest.is_break() {
            Poll::Ready(Each::Stopped)
        } else {
            *front = None;
            this.upstream.poll_each(cx, &mut |item| {
                let mut items = f.expand(item);
                let flow = items.try_for_each(&mut each);
                if flow.is_break() {
                    *front = Some(items);
                }
                flow
            })
        };
        match polled {
            Poll::Ready(Each::Stopped) if !stopped => give_way(cx),
            polled => polled,
        }
    }

    fn origins(&mut self) -> Origins {
        // An item is of the upstream of what it was made of: nothing else is taken while that lasts.
        self.upstream.origins()
    }
}

impl<L, F, I> Stream for FlatMap<L, F, I>
where
    L: Lane,
    I: Iterator,
    F: Expand<L::Item, Items = I>,
{
    type Item = I::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
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
                Some(item) => *this.front = Some(this.f.expand(item)),
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

impl<L, F, I> FusedStream for FlatMap<L, F, I>
where
    L: Lane + FusedStream,
    I: Iterator,
    F: Expand<L::Item, Items = I>,
{
    fn is_terminated(&self) -> bool {
        self.front.is_none() && self.upstream.is_terminated()
    }
}

impl<S: fmt::Debug, F, I> fmt::Debug for FlatMap<S, F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlatMap").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
