use super::flow::Flow;
use super::plumbing::driver::ShareDriver;
use super::plumbing::envelope::{Bare, Envelope, Numbered};
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::sequence::{Enumerated, LastPlace, Tagged};
use super::plumbing::step::{Step, SteppedLane};
use super::plumbing::tasks::{BoxedDriver, Tasks};
use crate::coop::{Pace, Turn, give_way};
use crate::edge::{End, Receiver, edge};
use crate::lane::{Each, Lane, poll_in_turn, poll_one};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

impl<P> Flow<P> {
    /// Brings the items of all lanes into one lane, in the order of the source.
    ///
    /// What was made of the first item of the source comes first, in the order it was made, then what was made of the
    /// second, and so on, as if one lane had done all the work. Several sources are read by one task, in turn: the
    /// order is that in which the task reads the items, and it keeps the order of each source.
    ///
    /// It can follow everything that keeps the order of a lane:
    ///
    /// | between the source and `ordered` | |
    /// |---|---|
    /// | work item by item: `map`, `filter`, `flat_map`, `inspect`, `uniq`, `dedup`, `try_map`, `skip_errors` … | yes |
    /// | `take`, `skip`, `take_while`, `skip_while`, `enumerate`, `scan`, `then`, `zip` | yes: see each for which items they are |
    /// | futures: `map_async`, `filter_map_async`, `try_map_async`, `map_blocking` | yes |
    /// | `throttle`, `dead_letters`, `on_init`, `stop_when`, `shuffle`, `boxed_in_order`, `ordered` itself | yes |
    /// | `batch`, `batch_by_weight`, with or without `within` | yes: a [batch](Flow::batch) stands where its last item stood |
    /// | `conflate`, `keep_newest`, `sample`, `debounce` | yes: in the order in which items came out of it |
    /// | `partition…`, `merge`, joins: lanes or flows are mixed | no |
    /// | `per_lane`, `map_batch`, `boxed`: there is no telling what was made of which item | no |
    /// | `window`, `reduce`, `combine`, `departition`: what comes out is of many items | no |
    ///
    /// After one of the last three rows it does not compile, and the compiler names the operator.
    ///
    /// It belongs to the layer before it: [`lanes`](Flow::lanes) and [`demand`](Flow::demand) after it are those of the
    /// lanes that work, and operators after it run in one lane. To go on in many lanes, [`shuffle`](Flow::shuffle).
    ///
    /// # Demand
    /// A lane that is ahead of the others waits, at the latest when [`max_demand`](Flow::demand) of its items have not
    /// had their turn. An item that was dropped on the way counts too, as its number is still sent. After a
    /// `map_async(n, …)` a lane also holds up to `n` results whose turn has not come, with the numbers of dropped items
    /// between them: at most `n + max_demand` together.
    ///
    /// A batch that is not full yet keeps the place of its last item: what other lanes have after that place waits
    /// until the batch is full, or for the time of [`within`](Flow::within).
    ///
    /// # Ordering
    /// That of the source, over all lanes. A lane that ends early, as with [`scan`](Flow::scan) or
    /// [`take`](Flow::take), has items that never come; what comes after these waits until every other lane has got
    /// beyond them.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let pages = Flow::from_iter(1..=6)
    ///     .filter(|n| n % 3 != 0)
    ///     .map_async(64, async |n: u64| {
    ///         tokio::time::sleep(Duration::from_millis(100 - n)).await;
    ///         format!("page {n}")
    ///     })
    ///     .ordered();
    /// assert_eq!(pages.collect::<Vec<_>>().await, ["page 1", "page 2", "page 4", "page 5"]);
    /// # });
    /// ```
    ///
    /// After a partition there is no order to restore:
    /// ```compile_fail,E0277
    /// use gen_stage::prelude::*;
    ///
    /// let flow = Flow::from_iter(0..9).partition().map(|n| n + 1).ordered();
    /// ```
    /// An adapter may do anything with the items:
    /// ```compile_fail,E0277
    /// use gen_stage::prelude::*;
    ///
    /// let flow = Flow::from_iter(0..9).per_lane(|lane| futures::StreamExt::skip(lane, 2)).ordered();
    /// ```
    /// And so may a `reduce`:
    /// ```compile_fail,E0277
    /// use gen_stage::prelude::*;
    ///
    /// let flow = Flow::from_iter(0..9).reduce(Vec::new, Vec::push).ordered();
    /// ```
    ///
    /// # Source
    /// Nothing in Flow, where a `departition` may sort what it takes.
    #[track_caller]
    pub fn ordered(self) -> Flow<Ordered<P>>
    where
        P: Build<Numbered>,
    {
        self.operator("ordered", Ordered::over)
    }
}

/// The plan behind [`Flow::ordered`].
#[derive(Debug)]
#[must_use = "operators do nothing until the flow is read"]
pub struct Ordered<P> {
    upstream: P,
}

impl<P: Layered> Ordered<P> {
    pub(super) fn over(mut upstream: P) -> Self {
        upstream.pass_through();
        Self { upstream }
    }
}

impl<P> Ordered<P>
where
    P: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
{
    /// Starts what feeds it. Returns the one lane.
    pub(super) fn lane(mut self, tasks: &mut Tasks) -> OrderedLane<P::Lane, P::Item> {
        let settings = self.settings().clone();
        let (uppers, last) = tasks.in_order(|tasks| self.upstream.build_all(tasks));
        OrderedLane::over(uppers, last, &settings, tasks)
    }
}

impl<P> Sealed for Ordered<P> {}

impl<P: Layered> Layered for Ordered<P> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P: Plan> Plan for Ordered<P> {
    type Item = P::Item;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.upstream.size_hint()
    }
}

impl<P> Build<Bare> for Ordered<P>
where
    P: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
{
    type Lane = OrderedLane<P::Lane, P::Item>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let lane = self.lane(tasks);
        to(tasks, lane);
    }
}

impl<P> Build<Numbered> for Ordered<P>
where
    P: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
{
    type Lane = Enumerated<<Self as Build<Bare>>::Lane>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let lane = self.lane(tasks);
        to(tasks, Enumerated::new(lane));
    }
}

pin_project! {
    /// The lane after [`Flow::ordered`]: the only one of its layer.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct OrderedLane<L, T> {
        #[pin]
        fed: OrderedFrom<L, T>,
    }
}

pin_project! {
    #[project = OrderedFromProjection]
    enum OrderedFrom<L, T> {
        // One lane is in order: its tags are taken off in its own task.
        One { #[pin] lane: SteppedLane<Bare, Tagged<T>, L, Untag> },
        // The lanes have tasks of their own, with an edge from each.
        Edges { in_order: EdgesInOrder<T> },
    }
}

impl<L, T> OrderedLane<L, T>
where
    L: Lane<Item = Tagged<T>> + Send + 'static,
    T: Send + 'static,
{
    /// Starts a task for each of `uppers`, if there are several. What comes after the `last` place does not come out.
    pub(super) fn over(mut uppers: Vec<L>, last: LastPlace, settings: &Settings, tasks: &mut Tasks) -> Self {
        // A single lane ends by itself at its last place.
        if uppers.len() == 1 {
            let lane = SteppedLane::new(uppers.remove(0), Untag);
            return Self { fed: OrderedFrom::One { lane } };
        }
        let discarded = tasks.discarded().clone();
        let demand = settings.demand;
        let (mut edges, mut drivers) = (Vec::new(), Vec::<BoxedDriver>::new());
        for (number, upper) in uppers.into_iter().enumerate() {
            let (sender, receiver) = edge(demand);
            tasks.show_edge(number, Some((&settings.layer, 0)), &receiver);
            drivers.push(Box::pin(ShareDriver::new(upper, vec![sender], demand, discarded.clone())));
            edges.push(receiver);
        }
        tasks.spawn_all(&settings.layer, drivers);
        let in_order = EdgesInOrder::new(edges, last, Turn::new(demand.batch()), discarded);
        Self { fed: OrderedFrom::Edges { in_order } }
    }
}

/// Takes the tags off items that are in order.
#[derive(Debug, Clone, Copy)]
struct Untag;

impl Sealed for Untag {}

impl<T> Step<Tagged<T>> for Untag {
    type Out = T;

    #[inline(always)]
    fn step(&mut self, item: Tagged<T>) -> Option<T> {
        Numbered::open(item).1
    }
}

/// Merges edges by the places of their items.
///
/// The edge that has the next number is read until its next item has another number. Nothing is kept beside the edges:
/// in each lane numbers only grow, so the lane that has the next one is never held up by what it sent before.
///
/// A lane may end before its input does, by `take` or its like. The numbers it had are passed over as soon as each lane
/// that is left has got beyond them.
struct EdgesInOrder<T> {
    /// The edges that have not ended.
    edges: Vec<Receiver<Tagged<T>>>,
    /// The edge that is read.
    at: usize,
    /// The number whose turn it is.
    next: u64,
    /// Nothing comes out after this one.
    last: LastPlace,
    /// An edge broke off: this lane must not end as if it were complete.
    broken: bool,
    pace: Pace,
    turn: Turn,
    discarded: Arc<AtomicU64>,
}

/// After every `RUNS` runs, each of items from one edge, the clock is asked whether the turn is over.
const RUNS: u32 = 32;

impl<T> EdgesInOrder<T> {
    fn new(edges: Vec<Receiver<Tagged<T>>>, last: LastPlace, turn: Turn, discarded: Arc<AtomicU64>) -> Self {
        Self { edges, at: 0, next: 0, last, broken: false, pace: Pace::default(), turn, discarded }
    }

    /// Finds the edge that has the next number, and makes it the edge that is read. `false`: that was the end.
    fn poll_find(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            if self.last.is_before(self.next) && !self.broken {
                self.close();
                return Poll::Ready(false);
            }
            let (next, broken) = (self.next, &mut self.broken);
            let (mut waits, mut least) = (false, u64::MAX);
            let poll = |edge: &mut Receiver<Tagged<T>>| match edge.poll_peek(cx) {
                Poll::Ready(Some(tagged)) if tagged.number() == next => Poll::Ready(Some(())),
                Poll::Ready(Some(tagged)) => {
                    least = least.min(tagged.number());
                    Poll::Pending
                }
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => {
                    waits = true;
                    Poll::Pending
                }
            };
            let ended = |edge: Receiver<Tagged<T>>| {
                *broken |= edge.end() != Some(End::Finished);
                true
            };
            match poll_in_turn(&mut self.edges, &mut self.at, poll, ended) {
                // The flow learns of it from the task that failed, and drops this lane.
                Poll::Ready(None) | Poll::Pending if self.broken => return Poll::Pending,
                // The lane that had the next number has ended without it.
                Poll::Pending if !waits => self.next = least,
                polled => return polled.map(|found| found.is_some()),
            }
        }
    }

    /// Drops what is left in the edges, and tells the lanes that nothing more is wanted.
    fn close(&mut self) {
        // A tag without an item counts as one too: how many items it would have become is not known.
        let discarded: usize = self.edges.iter_mut().map(Receiver::close).sum();
        self.edges.clear();
        self.discarded.fetch_add(discarded as u64, Ordering::Relaxed);
    }
}

impl<T> Lane for EdgesInOrder<T> {
    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        let this = self.get_mut();
        this.pace.begin();
        let mut runs = 0;
        while ready!(this.poll_find(cx)) {
            let edge = &mut this.edges[this.at];
            let read = edge.read_while(
                &mut this.next,
                |next, tagged| tagged.number() == *next,
                |next, tagged| {
                    let (is_last, item) = match tagged {
                        Tagged::Part(_, item) => (false, Some(item)),
                        Tagged::Whole(_, item) => (true, Some(item)),
                        Tagged::End(_) => (true, None),
                    };
                    *next += u64::from(is_last);
                    // The only call of `each`, so that it is inlined, however long.
                    item.map_or(ControlFlow::Continue(()), &mut *each)
                },
            );
            if read.is_break() {
                return Poll::Ready(Each::Stopped);
            }
            runs += 1;
            // A batch that was read to its end counts as a long run: the clock is asked.
            if (edge.held() == 0 || runs % RUNS == 0) && this.pace.is_over() {
                return give_way(cx);
            }
        }
        Poll::Ready(Each::Ended)
    }
}

impl<T> Stream for EdgesInOrder<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(self.turn.poll_step(cx));
        poll_one(self, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.is_terminated().then_some(0))
    }
}

impl<T> FusedStream for EdgesInOrder<T> {
    fn is_terminated(&self) -> bool {
        self.edges.is_empty() && !self.broken
    }
}

// Items are owned, never pinned.
impl<T> Unpin for EdgesInOrder<T> {}

impl<T> Drop for EdgesInOrder<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<L, T> Lane for OrderedLane<L, T>
where
    L: Lane<Item = Tagged<T>>,
{
    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        match self.project().fed.project() {
            OrderedFromProjection::One { lane } => lane.poll_each(cx, each),
            OrderedFromProjection::Edges { in_order } => Pin::new(in_order).poll_each(cx, each),
        }
    }
}

impl<L, T> Stream for OrderedLane<L, T>
where
    L: Lane<Item = Tagged<T>>,
{
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.project().fed.project() {
            OrderedFromProjection::One { lane } => lane.poll_next(cx),
            OrderedFromProjection::Edges { in_order } => Pin::new(in_order).poll_next(cx),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.fed {
            OrderedFrom::One { lane } => lane.size_hint(),
            OrderedFrom::Edges { in_order } => in_order.size_hint(),
        }
    }
}

impl<L, T> FusedStream for OrderedLane<L, T>
where
    L: Lane<Item = Tagged<T>> + FusedStream,
{
    fn is_terminated(&self) -> bool {
        match &self.fed {
            OrderedFrom::One { lane } => lane.is_terminated(),
            OrderedFrom::Edges { in_order } => in_order.is_terminated(),
        }
    }
}

impl<L: fmt::Debug, T> fmt::Debug for OrderedLane<L, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("OrderedLane");
        match &self.fed {
            OrderedFrom::One { lane } => debug.field("lane", lane),
            OrderedFrom::Edges { in_order } => {
                debug.field("edges", &in_order.edges.len()).field("next", &in_order.next)
            }
        };
        debug.finish_non_exhaustive()
    }
}
