use super::flow::Flow;
use super::plan::{Layered, OpenLayer, Plan, Settings};
use super::tasks::Tasks;
use crate::lane::{Each, Lane, Turn, give_way};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<P: Layered, U: IntoIterator, F> Layered for FlatMap<P, U, F> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P: OpenLayer> Flow<P> {
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
    pub fn flat_map<U, F>(self, f: F) -> Flow<FlatMap<P, U, F>>
    where
        U: IntoIterator,
        F: FnMut(P::Item) -> U + Clone,
    {
        self.then(|plan| FlatMap::new(plan, f))
    }
}

pin_project! {
    /// The plan, and the lane, behind [`Flow::flat_map`].
    #[must_use = "operators do nothing until the flow is read"]
    pub struct FlatMap<S, U: IntoIterator, F> {
        #[pin]
        upstream: S,
        f: F,
        // The rest of what the last item became.
        front: Option<U::IntoIter>,
        turn: Turn,
    }
}

impl<S, U: IntoIterator, F> FlatMap<S, U, F> {
    fn new(upstream: S, f: F) -> Self {
        Self { upstream, f, front: None, turn: Turn::default() }
    }
}

impl<P, U, F> Plan for FlatMap<P, U, F>
where
    P: Plan,
    U: IntoIterator,
    F: FnMut(P::Item) -> U + Clone,
{
    type Item = U::Item;
    type Lane = FlatMap<P::Lane, U, F>;

    fn build(mut self, tasks: &mut Tasks) -> Vec<Self::Lane> {
        // What one batch became, as with `map_batch`, is not cut in pieces shorter than a batch.
        let turn = self.turn.size().max(self.settings().demand.batch());
        let lanes = self.upstream.build(tasks).into_iter();
        lanes.map(|lane| FlatMap { turn: Turn::new(turn), ..FlatMap::new(lane, self.f.clone()) }).collect()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        flattened(self.upstream.size_hint())
    }
}

impl<P, U, F> OpenLayer for FlatMap<P, U, F>
where
    P: OpenLayer,
    U: IntoIterator,
    F: FnMut(P::Item) -> U + Clone,
{
}

/// Nothing is known of what items become, but that nothing becomes nothing.
fn flattened((_, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
    (0, most.filter(|most| *most == 0))
}

impl<L, U, F> Lane for FlatMap<L, U, F>
where
    L: Lane,
    U: IntoIterator,
    F: FnMut(L::Item) -> U,
{
    #[inline(always)]
    fn poll_each<G>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut G) -> Poll<Each>
    where
        G: FnMut(U::Item) -> ControlFlow<()>,
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
                let mut items = f(item).into_iter();
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
}

impl<L, U, F> Stream for FlatMap<L, U, F>
where
    L: Lane,
    U: IntoIterator,
    F: FnMut(L::Item) -> U,
{
    type Item = U::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U::Item>> {
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
                Some(item) => *this.front = Some((this.f)(item).into_iter()),
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

impl<L, U, F> FusedStream for FlatMap<L, U, F>
where
    L: Lane + FusedStream,
    U: IntoIterator,
    F: FnMut(L::Item) -> U,
{
    fn is_terminated(&self) -> bool {
        self.front.is_none() && self.upstream.is_terminated()
    }
}

impl<S: fmt::Debug, U: IntoIterator, F> fmt::Debug for FlatMap<S, U, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlatMap").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
