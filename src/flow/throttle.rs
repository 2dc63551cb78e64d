pub(super) mod limiter;
pub(super) mod rate;

use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::drop_count::DropCount;
use super::plumbing::envelope::Envelope;
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use super::throttle::limiter::Waiter;
use super::throttle::rate::Throttle;
use super::weigh::{OneEach, Weigh, WeighedBy};
use crate::coop::give_way;
use crate::lane::{Each, Lane, Origins, poll_one};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<P, W> Sealed for Throttled<P, W> {}

impl<P: Layered, W> Layered for Throttled<P, W> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P> Flow<P> {
    /// Lets items through at a rate, over all lanes together; the others wait, and none is dropped.
    ///
    /// The lanes of the layer share a token bucket: see [`Throttle`]. Each item takes 1 token, or as many as
    /// [`cost`](Flow::cost) says, and waits in its lane until the tokens are there. With a clone of the throttle, other
    /// flows share the rate too, and so do futures: what is tried again after this operator is not counted by it, see
    /// [`Throttle::acquire`].
    ///
    /// # Demand
    /// A lane holds at most one item that waits. Meanwhile what feeds the lane is stopped.
    ///
    /// # Ordering
    /// Each lane keeps its order. All that share the throttle are served in the order in which they come to the bucket,
    /// which need not be that of the source; [`ordered`](Flow::ordered) can follow.
    ///
    /// # Panics
    /// The flow panics when the runtime of its lanes has no timers.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{flow::Throttle, prelude::*};
    /// use tokio::time::{Duration, Instant};
    ///
    /// # tokio_test::block_on(async {
    /// tokio::time::pause();
    /// let start = Instant::now();
    /// let items = Flow::from_iter(0..30).throttle(Throttle::per_second(10).burst(5)).count().await;
    /// assert_eq!(items, 30);
    /// // 5 at once, and 25 at 10 per second.
    /// assert!(start.elapsed() >= Duration::from_millis(2500));
    /// # });
    /// ```
    ///
    /// Requests that are begun at a rate, and answered in the order of the source:
    /// ```
    /// use gen_stage::{flow::Throttle, prelude::*};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let answers = Flow::from_iter(1..=5)
    ///     .throttle(Throttle::per_second(100))
    ///     .map_async(64, async |n: u64| {
    ///         tokio::time::sleep(Duration::from_millis(500 / n)).await;
    ///         n * 10
    ///     })
    ///     .ordered();
    /// assert_eq!(answers.collect::<Vec<_>>().await, [10, 20, 30, 40, 50]);
    /// # });
    /// ```
    ///
    /// # Source
    /// None in Flow. In GenStage a consumer keeps to a rate that asks by hand, like the `RateLimiter` of its
    /// documentation.
    #[track_caller]
    pub fn throttle(self, throttle: Throttle) -> Flow<Throttled<P, OneEach>>
    where
        P: Open,
    {
        self.operator("throttle", |upstream| Throttled { upstream, throttle, cost: OneEach })
    }
}

impl<P: Open> Flow<Throttled<P, OneEach>> {
    /// Says how many tokens an item takes from the bucket of the throttle, for example its size in bytes.
    ///
    /// An item that costs more than the [burst](Throttle::burst) waits until the bucket is full, and leaves a debt
    /// that later items wait for. An item that costs 0 waits only for a debt.
    ///
    /// # Panics
    /// When the flow is already being read. A panic in `cost` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{flow::Throttle, prelude::*};
    /// use tokio::time::{Duration, Instant};
    ///
    /// # tokio_test::block_on(async {
    /// tokio::time::pause();
    /// let start = Instant::now();
    /// let bytes = Throttle::per_second(1000).burst(1000);
    /// let sent = Flow::from_iter([[0; 700]; 3]).throttle(bytes).cost(|packet| packet.len() as u64);
    /// assert_eq!(sent.count().await, 3);
    /// assert!(start.elapsed() >= Duration::from_millis(1100));
    /// # });
    /// ```
    #[track_caller]
    pub fn cost<F>(self, cost: F) -> Flow<Throttled<P, WeighedBy<F>>>
    where
        F: FnMut(&P::Item) -> u64 + Clone,
    {
        self.wrap(|plan| Throttled {
            upstream: plan.upstream,
            throttle: plan.throttle,
            cost: WeighedBy(cost),
        })
    }
}

/// The plan behind [`Flow::throttle`].
#[must_use = "operators do nothing until the flow is read"]
pub struct Throttled<P, W> {
    upstream: P,
    throttle: Throttle,
    cost: W,
}

impl<P: Plan, W: Weigh<P::Item>> Plan for Throttled<P, W> {
    type Item = P::Item;
    type Carries = P::Carries;

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.upstream.size_hint()
    }
}

impl<E: Envelope, P: Build<E>, W: Weigh<P::Item> + Clone> Build<E> for Throttled<P, W> {
    type Lane = ThrottledLane<E, P::Item, P::Lane, W>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        self.upstream.build(tasks, &mut |tasks, upstream| {
            let lane = ThrottledLane {
                upstream,
                cost: self.cost.clone(),
                waiter: self.throttle.waiter(),
                waiting: None,
                drop_count: tasks.drop_count(),
                carries: PhantomData,
            };
            to(tasks, lane);
        });
    }
}

pin_project! {
    /// A lane of a layer with [`Flow::throttle`].
    #[must_use = "a lane does nothing until it is polled"]
    pub struct ThrottledLane<E, T, L: Stream, W> {
        #[pin]
        upstream: L,
        cost: W,
        waiter: Waiter,
        // An item that waits, and what it costs.
        waiting: Option<(u64, L::Item)>,
        drop_count: DropCount,
        carries: PhantomData<fn(T) -> E>,
    }

    impl<E, T, L: Stream, W> PinnedDrop for ThrottledLane<E, T, L, W> {
        fn drop(this: Pin<&mut Self>) {
            this.drop_count.discard(usize::from(this.waiting.is_some()));
        }
    }
}

/// After this many items that had to wait, other tasks get a turn.
const WAITS: usize = 100;

impl<E: Envelope, T, L: Lane<Item = E::Of<T>>, W: Weigh<T>> Lane for ThrottledLane<E, T, L, W> {
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let mut this = self.project();
        // A wait that is over at once does not end the call, so waits are counted.
        for _ in 0..WAITS {
            if let Some((cost, _)) = this.waiting {
                ready!(this.waiter.poll_pass(*cost, cx));
                if let Some((_, item)) = this.waiting.take() {
                    if each(item).is_break() {
                        return Poll::Ready(Each::Stopped);
                    }
                }
            }
            let (waiting, cost, waiter) = (&mut *this.waiting, &mut *this.cost, &*this.waiter);
            let polled = this.upstream.as_mut().poll_each(cx, &mut |of| {
                // An envelope without an item passes at once, in its turn.
                let cost = E::peek(&of).map(|item| cost.weigh(item));
                match cost.filter(|cost| !waiter.try_pass(*cost)) {
                    None => each(of),
                    Some(cost) => {
                        *waiting = Some((cost, of));
                        ControlFlow::Break(())
                    }
                }
            });
            if waiting.is_none() {
                return polled;
            }
        }
        give_way(cx)
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        // An item that waits goes out before the next is taken from upstream.
        self.project().upstream.origins()
    }
}

impl<E: Envelope, T, L: Lane<Item = E::Of<T>>, W: Weigh<T>> Stream for ThrottledLane<E, T, L, W> {
    type Item = L::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_one(self, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let waiting = usize::from(self.waiting.is_some());
        let (least, most) = self.upstream.size_hint();
        (least.saturating_add(waiting), most.and_then(|most| most.checked_add(waiting)))
    }
}

impl<E: Envelope, T, L: Lane<Item = E::Of<T>> + FusedStream, W: Weigh<T>> FusedStream
    for ThrottledLane<E, T, L, W>
{
    fn is_terminated(&self) -> bool {
        self.waiting.is_none() && self.upstream.is_terminated()
    }
}

impl<P: fmt::Debug, W> fmt::Debug for Throttled<P, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled")
            .field("upstream", &self.upstream)
            .field("throttle", &self.throttle)
            .finish_non_exhaustive()
    }
}

impl<E, T, L: Stream + fmt::Debug, W> fmt::Debug for ThrottledLane<E, T, L, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrottledLane").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
