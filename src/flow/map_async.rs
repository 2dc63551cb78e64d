pub(super) mod in_order;
pub(super) mod jobs;
pub(super) mod limit;
pub(super) mod round;

use super::bounds::OpenLayer;
use super::flow::Flow;
use super::map_async::in_order::MapAsyncLaneInOrder;
use super::map_async::jobs::Jobs;
use super::map_async::limit::{LanePermits, Limit};
use super::map_async::round::{Round, Then};
use super::plumbing::drop_count::DropCount;
use super::plumbing::envelope::{Bare, Numbered};
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::coop::give_way;
use crate::lane::{Each, Lane, poll_one};
use crate::meter::LaneMeter;
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// # Futures
///
/// At most `n` futures are in flight, over all lanes, and are driven whether or not the flow is read.
impl<P> Flow<P> {
    /// Makes one item of each item by awaiting the future that `f` returns, with at most `n` futures in flight.
    ///
    /// `n` is at least 1, and counts over all lanes of the layer. A future is polled at once in its lane; one that is
    /// ready then costs neither a task nor an allocation. One that is pending gets a task in the runtime of the lanes:
    /// what was started is driven to its end on all cores, whatever the reader, the operators after this one, or an
    /// adapter of [`per_lane`](Flow::per_lane) do meanwhile.
    ///
    /// For a limit of the time of each future, put [`tokio::time::timeout`] around it: see
    /// [time-outs](crate::flow#time-outs).
    ///
    /// # Demand
    /// While anything is asked for, items are taken until `n` futures are in flight, and again as soon as one has
    /// finished. A lane holds at most `n` futures and results that were not read yet, besides what its edges hold.
    ///
    /// While a lane takes items and starts their futures it holds one of the `n` places itself. With fewer places than
    /// lanes, no more than `n` lanes of the layer work at the same time. A `shuffle` before this operator keeps the
    /// operators above out of that limit.
    ///
    /// # Ordering
    /// Results come as futures finish, within a lane too.
    ///
    /// # Panics
    /// When `n` is 0. A panic in `f` or in a future ends the flow with that panic.
    ///
    /// # Drop
    /// Dropping the flow drops all futures at once, but for those being polled at this moment by another thread,
    /// which are dropped when that poll returns.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let slow = async |n: u64| {
    ///     tokio::time::sleep(Duration::from_millis(100 - n)).await;
    ///     n * 10
    /// };
    /// let start = tokio::time::Instant::now();
    /// let results: Vec<u64> = Flow::from_iter([1, 2, 3]).lanes(1).map_async(3, slow).collect().await;
    /// assert_eq!(results, [30, 20, 10]);
    /// assert!(start.elapsed() < Duration::from_millis(110), "all three at the same time");
    /// # });
    /// ```
    ///
    /// What was started goes on while the reader is busy with something else. With a stream that polls its futures only
    /// when it is polled itself, they run into their time-outs
    /// ([futures-rs#2387](https://github.com/rust-lang/futures-rs/issues/2387)):
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    /// use tokio::time::{sleep, timeout};
    ///
    /// /// Connects in 10 or 30 ms and is answered 10 ms later; both together may take a second.
    /// async fn ask(n: u64) -> Option<u64> {
    ///     let connect_and_ask = async {
    ///         sleep(Duration::from_millis(10 + n % 2 * 20)).await;
    ///         sleep(Duration::from_millis(10)).await;
    ///         n
    ///     };
    ///     timeout(Duration::from_secs(1), connect_and_ask).await.ok()
    /// }
    ///
    /// /// Spends a minute on each answer; says how many there were.
    /// async fn read(mut answers: impl Stream<Item = Option<u64>> + Unpin) -> usize {
    ///     let mut answered = 0;
    ///     while let Some(answer) = answers.next().await {
    ///         sleep(Duration::from_secs(60)).await;
    ///         answered += usize::from(answer.is_some());
    ///     }
    ///     answered
    /// }
    /// # use futures::Stream;
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// assert_eq!(read(Flow::from_iter(0..8).map_async(2, ask)).await, 8);
    /// assert!(read(stream::iter(0..8).map(ask).buffer_unordered(2)).await < 8);
    /// # });
    /// ```
    ///
    /// # Source
    /// Nothing in Flow: there, a stage that waits for a request holds up its lane, and lanes are the concurrency.
    /// Akka's `mapAsyncUnordered`.
    #[doc(alias = "timeout")]
    #[track_caller]
    pub fn map_async<Fut, F>(self, n: usize, f: F) -> Flow<MapAsync<P, Fut, F>>
    where
        P: OpenLayer,
        F: FnMut(P::Item) -> Fut + Clone,
        Fut: Future<Output: Send> + Send + 'static,
    {
        self.map_async_named("map_async", n, f)
    }

    /// [`map_async`](Self::map_async), with the `name` that the panic about a bad `n` gives.
    #[track_caller]
    pub(super) fn map_async_named<Fut, F>(
        self,
        name: &'static str,
        n: usize,
        f: F,
    ) -> Flow<MapAsync<P, Fut, F>>
    where
        P: OpenLayer,
        F: FnMut(P::Item) -> Fut + Clone,
        Fut: Future<Output: Send> + Send + 'static,
    {
        assert!(n > 0, "{name} needs room for at least 1 future in flight, given 0");
        self.operator(name, |upstream| MapAsync { upstream, n, f, future: PhantomData })
    }
}

/// The plan behind [`Flow::map_async`].
#[must_use = "operators do nothing until the flow is read"]
pub struct MapAsync<P, Fut, F> {
    upstream: P,
    n: usize,
    f: F,
    future: PhantomData<fn() -> Fut>,
}

impl<P, Fut, F> Sealed for MapAsync<P, Fut, F> {}

impl<P: Layered, Fut, F> Layered for MapAsync<P, Fut, F> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P, Fut, F> Plan for MapAsync<P, Fut, F>
where
    P: Plan,
    Fut: Future,
{
    type Item = Fut::Output;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.upstream.size_hint()
    }
}

impl<P, Fut, F> Build<Bare> for MapAsync<P, Fut, F>
where
    P: Build<Bare>,
    F: FnMut(P::Item) -> Fut + Clone,
    Fut: Future<Output: Send> + Send + 'static,
{
    type Lane = MapAsyncLane<P::Lane, Fut, F>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let limit = Limit::new(self.n);
        let layer = self.settings().layer.clone();
        let mut number = 0;
        self.upstream.build(tasks, &mut |tasks, lane| {
            let (gate, meter) = (LanePermits::new(Arc::clone(&limit), number), tasks.meter(&layer, number));
            number += 1;
            to(tasks, MapAsyncLane::new(lane, self.f.clone(), self.n, gate, meter, tasks.drop_count()));
        });
    }
}

impl<P, Fut, F> Build<Numbered> for MapAsync<P, Fut, F>
where
    P: Build<Numbered>,
    F: FnMut(P::Item) -> Fut + Clone,
    Fut: Future<Output: Send> + Send + 'static,
{
    type Lane = MapAsyncLaneInOrder<P::Lane, Fut, F>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let limit = Limit::new(self.n);
        let Settings { demand, layer, .. } = self.settings().clone();
        let mut number = 0;
        self.upstream.build(tasks, &mut |tasks, lane| {
            let (gate, meter) = (LanePermits::new(Arc::clone(&limit), number), tasks.meter(&layer, number));
            number += 1;
            let jobs = (meter, tasks.drop_count());
            to(tasks, MapAsyncLaneInOrder::new(lane, self.f.clone(), self.n, gate, demand.max(), jobs));
        });
    }
}

pin_project! {
    /// A lane of a layer with [`Flow::map_async`].
    #[must_use = "a lane does nothing until it is polled"]
    pub struct MapAsyncLane<L, Fut: Future, F> {
        #[pin]
        upstream: L,
        // The upstream has ended.
        ended: bool,
        f: F,
        n: usize,
        gate: LanePermits,
        jobs: Jobs<Fut>,
        drop_count: DropCount,
    }

    impl<L, Fut: Future, F> PinnedDrop for MapAsyncLane<L, Fut, F> {
        fn drop(this: Pin<&mut Self>) {
            this.drop_count.discard(this.jobs.outstanding());
        }
    }
}

impl<L, Fut, F> MapAsyncLane<L, Fut, F>
where
    Fut: Future<Output: Send> + Send + 'static,
{
    /// To be called in the context of the runtime of the lanes.
    fn new(upstream: L, f: F, n: usize, gate: LanePermits, meter: LaneMeter, drop_count: DropCount) -> Self {
        let jobs = Jobs::new(Handle::current(), meter);
        Self { upstream, ended: false, f, n, gate, jobs, drop_count }
    }
}

impl<L, Fut, F> Lane for MapAsyncLane<L, Fut, F>
where
    L: Lane,
    F: FnMut(L::Item) -> Fut,
    Fut: Future<Output: Send> + Send + 'static,
{
    #[inline(always)]
    fn poll_each<G>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut G) -> Poll<Each>
    where
        G: FnMut(Fut::Output) -> ControlFlow<()>,
    {
        let mut this = self.project();
        let (f, jobs, gate, n) = (this.f, this.jobs, this.gate, *this.n);
        while let Some((_, output)) = jobs.next_finished() {
            if each(output).is_break() {
                return Poll::Ready(Each::Stopped);
            }
        }
        while !*this.ended && jobs.outstanding() < n {
            let Poll::Ready(mut round) = Round::poll_begin(gate, cx) else {
                break;
            };
            let polled = this.upstream.as_mut().poll_each(cx, &mut |item| {
                if let Poll::Ready(output) = jobs.begin(f(item)) {
                    return round.passed(each(output));
                }
                jobs.spawn(round.take());
                round.go_on(jobs.outstanding() < n)
            });
            match round.end(polled, this.ended, cx) {
                Then::GoOn => {}
                Then::Wait => break,
                Then::Return(answer) => return answer,
            }
        }
        if jobs.outstanding() == 0 {
            return if *this.ended { Poll::Ready(Each::Ended) } else { Poll::Pending };
        }
        if jobs.poll_finished(cx).is_ready() {
            // Finished meanwhile: the next turn reads the results, and starts other futures in their place.
            return give_way(cx);
        }
        Poll::Pending
    }
}

impl<L, Fut, F> Stream for MapAsyncLane<L, Fut, F>
where
    L: Lane,
    F: FnMut(L::Item) -> Fut,
    Fut: Future<Output: Send> + Send + 'static,
{
    type Item = Fut::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Fut::Output>> {
        poll_one(self, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let outstanding = self.jobs.outstanding();
        let (least, most) = if self.ended { (0, Some(0)) } else { self.upstream.size_hint() };
        (least.saturating_add(outstanding), most.and_then(|most| most.checked_add(outstanding)))
    }
}

impl<L, Fut, F> FusedStream for MapAsyncLane<L, Fut, F>
where
    L: Lane,
    F: FnMut(L::Item) -> Fut,
    Fut: Future<Output: Send> + Send + 'static,
{
    fn is_terminated(&self) -> bool {
        self.ended && self.jobs.outstanding() == 0
    }
}

impl<P: fmt::Debug, Fut, F> fmt::Debug for MapAsync<P, Fut, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapAsync")
            .field("upstream", &self.upstream)
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}

impl<L: fmt::Debug, Fut: Future, F> fmt::Debug for MapAsyncLane<L, Fut, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapAsyncLane")
            .field("upstream", &self.upstream)
            .field("n", &self.n)
            .field("gate", &self.gate)
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}
