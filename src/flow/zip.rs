use super::flow::Flow;
use super::ordered::{Ordered, OrderedLane};
use super::plumbing::drop_count::DropCount;
use super::plumbing::envelope::{Bare, Numbered};
use super::plumbing::place::{Layer, LayerPart};
use super::plumbing::plan::{Build, LayerStart, Layered, Plan, Settings, To};
use super::plumbing::sequence::{Enumerated, Tagged};
use super::plumbing::serial::SerialSteps;
use super::plumbing::serial_step::SerialStep;
use super::plumbing::tasks::Tasks;
use super::source::{SourceLane, feed, feed_lanes};
use crate::coop::{Pace, Turn, give_way};
use crate::lane::{Each, Inlet, Lane, poll_one};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

impl<P> Flow<P> {
    /// Makes pairs of the items of two flows, each in the order of its source, until the shorter one ends.
    ///
    /// Both flows are put in order, as by [`ordered`](Flow::ordered), and go on in their lanes until then. The pairs are
    /// the source of a new layer, which shares them over its [lanes](Flow::lanes) as any source does.
    ///
    /// To pair a flow with a stream, make a flow of that: `flow.zip(stream.flow())`.
    ///
    /// # Demand
    /// Both flows are asked for items up to their [`max_demand`](Flow::demand). Besides these, the task that makes the pairs
    /// holds at most one batch of each flow, half of the `max_demand` of the new layer unless set. When one flow has
    /// ended, the other is dropped; what it had sent and has no partner is [discarded](Flow::discarded), which is counted.
    /// The same holds for both when what comes after them ends before they do, as with [`take`](Flow::take).
    ///
    /// # Ordering
    /// As for a [source](crate::StreamFlow::flow): each lane gets pairs in their order, and `ordered` can follow.
    ///
    /// # Panics
    /// When one of the flows is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let names = Flow::from_iter(["Ann", "Ben", "Cleo"]).map(str::to_lowercase);
    /// let ages = Flow::from_iter(40_u32..).map(|age| age + 2);
    /// let people = names.zip(ages).lanes(2).map(|(name, age)| format!("{name} is {age}")).ordered();
    /// assert_eq!(people.collect::<Vec<_>>().await, ["ann is 42", "ben is 43", "cleo is 44"]);
    /// # });
    /// ```
    ///
    /// After a partition there is no order, and what is paired would be left to chance:
    /// ```compile_fail,E0277
    /// use gen_stage::prelude::*;
    ///
    /// let pairs = Flow::from_iter(0..9).partition().zip(Flow::from_iter(0..9));
    /// ```
    ///
    /// # Source
    /// `Enum.zip/2`, which Flow has no counterpart for.
    #[track_caller]
    pub fn zip<Q>(self, other: Flow<Q>) -> Flow<Zip<P, Q>>
    where
        P: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
        Q: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
    {
        self.open_over("zip", other, Zip::new)
    }
}

/// The plan behind [`Flow::zip`].
#[must_use = "operators do nothing until the flow is read"]
pub struct Zip<P, Q> {
    left: Ordered<P>,
    right: Ordered<Q>,
    settings: Settings,
}

impl<P: Layered, Q: Layered> Zip<P, Q> {
    fn new(left: P, right: Q, layer: Layer) -> Self {
        Self { left: Ordered::over(left), right: Ordered::over(right), settings: Settings::of(layer) }
    }
}

impl<P, Q> Sealed for Zip<P, Q> {}

impl<P, Q> Layered for Zip<P, Q> {
    fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    fn pass_through(&mut self) {
        self.settings.pass_through();
    }
}

impl<P: Plan, Q: Plan> Plan for Zip<P, Q> {
    type Item = (P::Item, Q::Item);
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        shorter(self.left.size_hint(), self.right.size_hint())
    }
}

/// What is known of how many pairs there are.
fn shorter(left: (usize, Option<usize>), right: (usize, Option<usize>)) -> (usize, Option<usize>) {
    let most = match (left.1, right.1) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    (left.0.min(right.0), most)
}

/// What makes the pairs of two flows.
type ZipLaneOf<P, Q> = ZipLane<
    OrderedLane<<P as Build<Numbered>>::Lane, <P as Plan>::Item>,
    OrderedLane<<Q as Build<Numbered>>::Lane, <Q as Plan>::Item>,
>;

impl<P, Q> Zip<P, Q>
where
    P: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
    Q: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
{
    /// Starts what feeds it. Returns the one lane that makes the pairs.
    fn paired(mut self, tasks: &mut Tasks) -> ZipLaneOf<P, Q> {
        let layer = match self.settings.lanes_over(1) {
            1 => self.settings.layer.clone(),
            _ => self.settings.layer.part(LayerPart::Source),
        };
        tasks.show_merged(&self.left.settings().layer, &layer, 0);
        tasks.show_merged(&self.right.settings().layer, &layer, 0);
        let limit = self.settings.demand.batch();
        ZipLane {
            left: ZipSide::new(self.left.lane(tasks), limit),
            right: ZipSide::new(self.right.lane(tasks), limit),
            pace: Pace::default(),
            turn: Turn::new(limit),
            drop_count: tasks.drop_count(),
        }
    }
}

impl<P, Q> Build<Bare> for Zip<P, Q>
where
    P: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
    Q: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
{
    type Lane = SourceLane<ZipLaneOf<P, Q>>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let settings = self.settings.clone();
        feed(self.paired(tasks), &settings, tasks, to);
    }

    fn build_at_source<U, Op>(
        self,
        step: Op,
        tasks: &mut Tasks,
        to: To<'_, Inlet<U>>,
    ) -> Result<(), (Self, Op)>
    where
        U: Send + 'static,
        Op: SerialStep<(P::Item, Q::Item), Out = U> + Send + 'static,
    {
        let settings = self.settings.clone();
        if settings.lanes_over(1) == 1 {
            return Err((self, step));
        }
        let pairs = SerialSteps::<Bare, _, _, _>::new(self.paired(tasks), step);
        feed_lanes(pairs, &settings, tasks, to);
        Ok(())
    }
}

impl<P, Q> Build<Numbered> for Zip<P, Q>
where
    P: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
    Q: Build<Numbered, Lane: Send + 'static, Item: Send + 'static>,
{
    type Lane = SourceLane<Enumerated<ZipLaneOf<P, Q>>>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let settings = self.settings.clone();
        feed(Enumerated::new(self.paired(tasks)), &settings, tasks, to);
    }

    fn build_at_source<U, Op>(
        self,
        step: Op,
        tasks: &mut Tasks,
        to: To<'_, Inlet<Tagged<U>>>,
    ) -> Result<(), (Self, Op)>
    where
        U: Send + 'static,
        Op: SerialStep<(P::Item, Q::Item), Out = U> + Send + 'static,
    {
        let settings = self.settings.clone();
        if settings.lanes_over(1) == 1 {
            return Err((self, step));
        }
        let pairs = SerialSteps::<Bare, _, _, _>::new(self.paired(tasks), step);
        feed_lanes(Enumerated::new(pairs), &settings, tasks, to);
        Ok(())
    }
}

impl<P, Q> LayerStart for Zip<P, Q> where Self: Plan {}

pin_project! {
    /// What makes the pairs of [`Flow::zip`].
    #[must_use = "a lane does nothing until it is polled"]
    pub struct ZipLane<L: Stream, R: Stream> {
        #[pin]
        left: ZipSide<L>,
        #[pin]
        right: ZipSide<R>,
        pace: Pace,
        turn: Turn,
        drop_count: DropCount,
    }

    impl<L: Stream, R: Stream> PinnedDrop for ZipLane<L, R> {
        fn drop(this: Pin<&mut Self>) {
            this.drop_count.discard(this.left.batch.len() + this.right.batch.len());
        }
    }
}

pin_project! {
    /// One of the two flows that are paired.
    struct ZipSide<L: Stream> {
        // None: it has ended.
        #[pin]
        lane: Option<L>,
        // What was read and waits for partners.
        batch: vec::IntoIter<L::Item>,
        limit: usize,
    }
}

impl<L: Lane> ZipSide<L> {
    fn new(lane: L, limit: usize) -> Self {
        Self { lane: Some(lane), batch: Vec::new().into_iter(), limit }
    }

    /// Waits until there is something to pair: `false` at the end.
    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let mut this = self.project();
        if this.batch.len() > 0 {
            return Poll::Ready(true);
        }
        let Some(lane) = this.lane.as_mut().as_pin_mut() else {
            return Poll::Ready(false);
        };
        let batch = ready!(lane.poll_batch(cx, *this.limit));
        if batch.is_none() {
            this.lane.set(None);
        }
        *this.batch = batch.unwrap_or_default().into_iter();
        Poll::Ready(this.batch.len() > 0)
    }

    /// Drops it, as the other one has ended. Returns how many of its items are left alone.
    fn stop(self: Pin<&mut Self>) -> usize {
        let mut this = self.project();
        this.lane.set(None);
        std::mem::take(this.batch).len()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.lane.as_ref().map_or((0, Some(0)), L::size_hint);
        let held = self.batch.len();
        (least.saturating_add(held), most.and_then(|most| most.checked_add(held)))
    }

    fn has_ended(&self) -> bool {
        self.lane.is_none() && self.batch.len() == 0
    }
}

impl<L: Lane, R: Lane> Lane for ZipLane<L, R> {
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let mut this = self.project();
        this.pace.begin();
        loop {
            // Both are polled, so that both work while one is waited for.
            match (this.left.as_mut().poll_batch(cx), this.right.as_mut().poll_batch(cx)) {
                (Poll::Ready(true), Poll::Ready(true)) => {}
                (Poll::Ready(false), _) | (_, Poll::Ready(false)) => {
                    let alone = this.left.stop() + this.right.stop();
                    this.drop_count.discard(alone);
                    return Poll::Ready(Each::Ended);
                }
                _ => return Poll::Pending,
            }
            let (left, right) = (this.left.as_mut().project().batch, this.right.as_mut().project().batch);
            let pairs = left.len().min(right.len());
            // `by_ref`: the iterator over pairs would take one more of the left than there are pairs.
            let flow = left.by_ref().take(pairs).zip(right.by_ref().take(pairs)).try_for_each(&mut *each);
            if flow.is_break() {
                return Poll::Ready(Each::Stopped);
            }
            if this.pace.is_over() {
                return give_way(cx);
            }
        }
    }
}

impl<L: Lane, R: Lane> Stream for ZipLane<L, R> {
    type Item = (L::Item, R::Item);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        ready!(self.as_mut().project().turn.poll_step(cx));
        poll_one(self, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        shorter(self.left.size_hint(), self.right.size_hint())
    }
}

impl<L: Lane, R: Lane> FusedStream for ZipLane<L, R> {
    fn is_terminated(&self) -> bool {
        self.left.has_ended() || self.right.has_ended()
    }
}

impl<P: fmt::Debug, Q: fmt::Debug> fmt::Debug for Zip<P, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zip")
            .field("left", &self.left)
            .field("right", &self.right)
            .field("settings", &self.settings)
            .finish()
    }
}

impl<L: Stream, R: Stream> fmt::Debug for ZipLane<L, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZipLane")
            .field("left", &self.left.batch.len())
            .field("right", &self.right.batch.len())
            .finish_non_exhaustive()
    }
}
