use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::drop_count::DropCount;
use super::plumbing::envelope::Envelope;
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::lane::{Each, Lane, Origins, poll_one};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<P, F> Sealed for OneByOne<P, F> {}

impl<P: Layered, F> Layered for OneByOne<P, F> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P> Flow<P> {
    /// Awaits a future for each item, one after the other in each lane, and passes on its output.
    ///
    /// The next item is taken when the future of the last one is done: as many futures are under way as the layer has
    /// lanes. They run in the tasks of the lanes, with no task of their own; one that blocks holds up its lane. For
    /// more requests at a time see [`map_async`](Flow::map_async), whose futures run side by side.
    ///
    /// # Demand
    /// While its future is pending, a lane takes nothing.
    ///
    /// # Ordering
    /// Each lane keeps its order; [`ordered`](Flow::ordered) can follow.
    ///
    /// # Panics
    /// A panic in `f` or in a future ends the flow with that panic.
    ///
    /// # Drop
    /// The futures under way are dropped with the flow, before `drop` returns, as its lanes are.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    /// use tokio::time::{Instant, sleep};
    ///
    /// # tokio_test::block_on(async {
    /// tokio::time::pause();
    /// let start = Instant::now();
    /// let doubled = Flow::from_iter(0..8).lanes(4).demand(2, 1).then(async |n| {
    ///     sleep(Duration::from_millis(100)).await;
    ///     n * 2
    /// });
    /// assert_eq!(doubled.ordered().collect::<Vec<_>>().await, [0, 2, 4, 6, 8, 10, 12, 14]);
    /// // Two after each other in each of four lanes.
    /// assert_eq!(start.elapsed().as_millis() / 100, 2);
    /// # });
    /// ```
    ///
    /// # Source
    /// Nothing in Flow, where a function that waits for something holds up its lane as well. It is `then` of
    /// `StreamExt`, in each lane.
    #[track_caller]
    pub fn then<Fut, F>(self, f: F) -> Flow<OneByOne<P, F>>
    where
        P: Open,
        F: FnMut(P::Item) -> Fut + Clone,
        Fut: Future,
    {
        self.operator("then", |upstream| OneByOne { upstream, f })
    }
}

/// The plan of [`Flow::then`].
#[must_use = "operators do nothing until the flow is read"]
pub struct OneByOne<P, F> {
    upstream: P,
    f: F,
}

impl<P, Fut, F> Plan for OneByOne<P, F>
where
    P: Plan,
    F: FnMut(P::Item) -> Fut,
    Fut: Future,
{
    type Item = Fut::Output;
    type Carries = P::Carries;

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.upstream.size_hint()
    }
}

impl<E, P, Fut, F> Build<E> for OneByOne<P, F>
where
    E: Envelope,
    P: Build<E>,
    F: FnMut(P::Item) -> Fut + Clone,
    Fut: Future,
{
    type Lane = OneByOneLane<E, P::Item, P::Lane, Fut, F>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        self.upstream.build(tasks, &mut |tasks, upstream| {
            let (f, drop_count) = (self.f.clone(), tasks.drop_count());
            let lane =
                OneByOneLane { upstream, f, future: None, mark: None, drop_count, carries: PhantomData };
            to(tasks, lane);
        });
    }
}

pin_project! {
    /// A lane of a layer with [`Flow::then`].
    #[must_use = "a lane does nothing until it is polled"]
    pub struct OneByOneLane<E: Envelope, T, L, Fut, F> {
        #[pin]
        upstream: L,
        f: F,
        // The future that was pending, and what is left of the envelope of its item: both or none.
        #[pin]
        future: Option<Fut>,
        mark: Option<E::Mark>,
        drop_count: DropCount,
        carries: PhantomData<fn(T) -> E>,
    }

    impl<E: Envelope, T, L, Fut, F> PinnedDrop for OneByOneLane<E, T, L, Fut, F> {
        fn drop(this: Pin<&mut Self>) {
            this.drop_count.discard(usize::from(this.mark.is_some()));
        }
    }
}

impl<E, T, L, Fut, F> Lane for OneByOneLane<E, T, L, Fut, F>
where
    E: Envelope,
    L: Lane<Item = E::Of<T>>,
    F: FnMut(T) -> Fut,
    Fut: Future,
{
    #[inline]
    fn poll_each<G>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut G) -> Poll<Each>
    where
        G: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let this = self.project();
        let (f, mut future, kept) = (this.f, this.future, this.mark);
        if let Some(pending) = future.as_mut().as_pin_mut() {
            let output = ready!(pending.poll(cx));
            future.set(None);
            let done = kept.take().and_then(|mark| E::close(mark, Some(output)));
            if done.is_some_and(|done| each(done).is_break()) {
                return Poll::Ready(Each::Stopped);
            }
        }
        // The lane that feeds this one has the context while it runs.
        let waker = cx.waker().clone();
        let mut own = Context::from_waker(&waker);
        let polled = this.upstream.poll_each(cx, &mut |of| {
            let (mark, item) = E::open(of);
            let output = match item {
                None => None,
                Some(item) => {
                    future.set(Some(f(item)));
                    match future.as_mut().as_pin_mut().map(|future| future.poll(&mut own)) {
                        Some(Poll::Pending) => {
                            *kept = Some(mark);
                            return ControlFlow::Break(());
                        }
                        Some(Poll::Ready(output)) => {
                            future.set(None);
                            Some(output)
                        }
                        None => None,
                    }
                }
            };
            E::close(mark, output).map_or(ControlFlow::Continue(()), &mut *each)
        });
        if kept.is_some() { Poll::Pending } else { polled }
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        // An item that waits for its future goes out before the next is taken from upstream.
        self.project().upstream.origins()
    }
}

impl<E, T, L, Fut, F> Stream for OneByOneLane<E, T, L, Fut, F>
where
    E: Envelope,
    L: Lane<Item = E::Of<T>>,
    F: FnMut(T) -> Fut,
    Fut: Future,
{
    type Item = E::Of<Fut::Output>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_one(self, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let waiting = usize::from(self.mark.is_some());
        let (least, most) = self.upstream.size_hint();
        (least.saturating_add(waiting), most.and_then(|most| most.checked_add(waiting)))
    }
}

impl<E, T, L, Fut, F> FusedStream for OneByOneLane<E, T, L, Fut, F>
where
    E: Envelope,
    L: Lane<Item = E::Of<T>> + FusedStream,
    F: FnMut(T) -> Fut,
    Fut: Future,
{
    fn is_terminated(&self) -> bool {
        self.mark.is_none() && self.upstream.is_terminated()
    }
}

impl<P: fmt::Debug, F> fmt::Debug for OneByOne<P, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneByOne").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl<E: Envelope, T, L: fmt::Debug, Fut, F> fmt::Debug for OneByOneLane<E, T, L, Fut, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneByOneLane")
            .field("upstream", &self.upstream)
            .field("waits", &self.mark.is_some())
            .finish_non_exhaustive()
    }
}
