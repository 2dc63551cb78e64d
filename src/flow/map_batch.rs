use super::flat_map::{ByFn, FlatMap};
use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::{Build, LayerStart, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::coop::give_way;
use crate::lane::{Each, Lane, Origins};
use crate::sealed::Sealed;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<P> Sealed for Batches<P> {}

impl<P: Layered> Layered for Batches<P> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

/// # Whole batches, whole lanes
impl<P> Flow<P> {
    /// Makes a batch of items of each batch, as it came into the layer.
    ///
    /// A batch is what a lane of the layer above, or the source, had ready at once: at least one item, at most
    /// `max - min` of the layer's [demand](Flow::demand), by default 500. Where several lanes share a source, the first
    /// batches of each lane are shorter, and so are the last. This is the place to look something up for many items
    /// together.
    ///
    /// It comes first in a layer, before operators that take batches apart; several in a row apply in turn.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// A panic in `f` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let sums = Flow::from_iter(1..=5).lanes(1).demand(4, 2).map_batch(|batch| [batch.iter().sum::<u32>()]);
    /// assert_eq!(sums.collect::<Vec<_>>().await, [1 + 2, 3 + 4, 5]);
    /// # });
    /// ```
    ///
    /// After another operator it does not compile:
    /// ```compile_fail,E0277
    /// use gen_stage::prelude::*;
    ///
    /// let flow = Flow::from_iter(1..=5).map(|n| n + 1).map_batch(|batch| batch);
    /// ```
    ///
    /// # Source
    /// `Flow.map_batch/2`.
    #[track_caller]
    pub fn map_batch<U, F>(self, f: F) -> Flow<FlatMap<Batches<P>, ByFn<F>>>
    where
        P: LayerStart,
        U: IntoIterator,
        F: FnMut(Vec<P::Item>) -> U + Clone,
    {
        self.operator("map_batch", |upstream| FlatMap::by(f, Batches { upstream, limit: usize::MAX }))
    }
}

pin_project! {
    /// A plan, or a lane, whose items are the batches of the one it wraps.
    #[must_use = "operators do nothing until the flow is read"]
    pub struct Batches<S> {
        #[pin]
        upstream: S,
        // The most items of a batch.
        limit: usize,
    }
}

impl<P: Plan> Plan for Batches<P> {
    type Item = Vec<P::Item>;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        batched(self.upstream.size_hint())
    }
}

impl<P: Build<Bare>> Build<Bare> for Batches<P> {
    type Lane = Batches<P::Lane>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let limit = self.settings().demand.batch();
        self.upstream.build(tasks, &mut |tasks, upstream| to(tasks, Batches { upstream, limit }));
    }
}

// What one batch became is the batch for the next `map_batch`.
impl<P, U, F> LayerStart for FlatMap<Batches<P>, ByFn<F>>
where
    P: LayerStart,
    U: IntoIterator,
    F: FnMut(Vec<P::Item>) -> U + Clone,
{
}

/// A batch has at least one item.
fn batched((least, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
    (usize::from(least > 0), most)
}

impl<L: Lane> Lane for Batches<L> {
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        match ready!(self.poll_next(cx)) {
            None => Poll::Ready(Each::Ended),
            Some(batch) => match each(batch) {
                ControlFlow::Break(()) => Poll::Ready(Each::Stopped),
                // A batch is a turn.
                ControlFlow::Continue(()) => give_way(cx),
            },
        }
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        // A batch comes from one upstream, and what it became comes out before the next batch is asked for.
        self.project().upstream.origins()
    }
}

impl<L: Lane> Stream for Batches<L> {
    type Item = Vec<L::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let limit = self.limit;
        self.project().upstream.poll_batch(cx, limit)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        batched(self.upstream.size_hint())
    }
}

impl<S: fmt::Debug> fmt::Debug for Batches<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
