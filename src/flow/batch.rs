use super::bounds::OpenLayer;
use super::flow::Flow;
use super::plumbing::drop_count::DropCount;
use super::plumbing::envelope::{Bare, Envelope, Gathers};
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use super::weigh::{OneEach, Weigh, WeighedBy};
use crate::lane::{Each, Lane, Timer, poll_one};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

impl<P, W> Sealed for Batch<P, W> {}

impl<P: Layered, W> Layered for Batch<P, W> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

/// # Size and rate
impl<P> Flow<P> {
    /// Gathers items into vectors of `size` items, at least 1, in each lane.
    ///
    /// At the end of the input the rest comes out as a shorter batch, never as an empty one. Without
    /// [`within`](Flow::within) a batch waits until it is full. To work on the batches in which items cross between
    /// layers anyway, use [`map_batch`](Flow::map_batch).
    ///
    /// # Demand
    /// A lane holds at most `size` items, and fewer while it waits for more. After it, a batch counts as one item: up
    /// to [`max_demand`](Flow::demand) batches may wait to be read, so set a small demand when batches are large.
    ///
    /// # Ordering
    /// Each lane keeps its order, within batches and between them. After it, [`ordered`](Flow::ordered) brings the
    /// batches of all lanes into the order of their last items. A batch that comes out before it is full has the place
    /// of the last item of the source that its lane took.
    ///
    /// # Panics
    /// When `size` is 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let batches = Flow::from_iter(1..=5).lanes(1).batch(2);
    /// assert_eq!(batches.collect::<Vec<_>>().await, [vec![1, 2], vec![3, 4], vec![5]]);
    /// # });
    /// ```
    #[track_caller]
    pub fn batch(self, size: usize) -> Flow<Batch<P, OneEach>>
    where
        P: OpenLayer,
    {
        assert!(size > 0, "batch needs a size of at least 1 item, given 0");
        self.batches("batch", size as u64, OneEach)
    }

    /// Gathers items into vectors with a total weight of at most `max`, at least 1, in each lane; `weigh` says what an
    /// item weighs, and 0 counts as 1.
    ///
    /// A batch comes out when it weighs `max`, or when the next item does not fit; that item begins the next batch. An
    /// item that alone weighs more than `max` is a batch of its own. The end of the input and
    /// [`within`](Flow::within) work as with [`batch`](Flow::batch).
    ///
    /// # Demand
    /// As for [`batch`](Flow::batch): a lane holds items with a total weight of at most `max`, so at most `max` items,
    /// or one heavier item alone.
    ///
    /// # Ordering
    /// As for [`batch`](Flow::batch).
    ///
    /// # Panics
    /// When `max` is 0. A panic in `weigh` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let batches = Flow::from_iter(["to", "be", "or", "enormous", "not"])
    ///     .lanes(1)
    ///     .batch_by_weight(5, |word| word.len() as u64);
    /// let expected = [vec!["to", "be"], vec!["or"], vec!["enormous"], vec!["not"]];
    /// assert_eq!(batches.collect::<Vec<_>>().await, expected);
    /// # });
    /// ```
    #[track_caller]
    pub fn batch_by_weight<F>(self, max: u64, weigh: F) -> Flow<Batch<P, WeighedBy<F>>>
    where
        P: OpenLayer,
        F: FnMut(&P::Item) -> u64 + Clone,
    {
        assert!(max > 0, "batch_by_weight needs a weight of at least 1, given 0");
        self.batches("batch_by_weight", max, WeighedBy(weigh))
    }

    #[track_caller]
    fn batches<W>(self, name: &'static str, max: u64, weigh: W) -> Flow<Batch<P, W>>
    where
        P: OpenLayer,
    {
        self.operator(name, |upstream| Batch { upstream, max, timeout: None, weigh })
    }
}

impl<P, W> Flow<Batch<P, W>> {
    /// Lets a batch that is not full come out once `timeout` has passed since its first item came in.
    ///
    /// The time starts with the first item of each batch. So no batch comes out while nothing comes in, and an item
    /// after a pause is not alone in its batch if others follow. With a `timeout` of 0, a batch has the items that are
    /// ready together. Timers go by the millisecond. A lane whose input is slow but always ready looks at the time only
    /// when it gives way to other tasks.
    ///
    /// # Panics
    /// When the flow is already being read. The flow panics when the runtime of its lanes has no timers.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, channel::mpsc};
    /// use gen_stage::prelude::*;
    /// use tokio::time::{Duration, Instant};
    ///
    /// # tokio_test::block_on(async {
    /// tokio::time::pause();
    /// let (sender, receiver) = mpsc::unbounded();
    /// let mut batches = receiver.flow().lanes(1).batch(3).within(Duration::from_secs(1));
    /// for n in 1..=4 {
    ///     sender.unbounded_send(n).unwrap();
    /// }
    /// let start = Instant::now();
    /// assert_eq!(batches.next().await, Some(vec![1, 2, 3]));
    /// assert_eq!(start.elapsed(), Duration::ZERO);
    /// assert_eq!(batches.next().await, Some(vec![4]));
    /// assert!(start.elapsed() >= Duration::from_secs(1));
    /// # });
    /// ```
    #[track_caller]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.plan_mut("a time for its batches").timeout = Some(timeout);
        self
    }
}

/// The plan behind [`Flow::batch`] and [`Flow::batch_by_weight`].
#[must_use = "operators do nothing until the flow is read"]
pub struct Batch<P, W> {
    upstream: P,
    max: u64,
    timeout: Option<Duration>,
    weigh: W,
}

impl<P: Plan, W: Weigh<P::Item> + Clone> Plan for Batch<P, W> {
    type Item = Vec<P::Item>;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        batched(self.upstream.size_hint())
    }
}

impl<E: Gathers, P: Build<E>, W: Weigh<P::Item> + Clone> Build<E> for Batch<P, W> {
    type Lane = BatchLane<E, P::Item, P::Lane, W>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        self.upstream.build(tasks, &mut |tasks, upstream| {
            let lane = BatchLane {
                upstream,
                weigh: self.weigh.clone(),
                filling: OpenBatch::new(self.max, self.timeout),
                timer: Timer::default(),
                drop_count: tasks.drop_count(),
            };
            to(tasks, lane);
        });
    }
}

/// A batch has at least one item.
fn batched((least, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
    (usize::from(least > 0), most)
}

/// The batch that is being filled.
struct OpenBatch<E: Envelope, T> {
    items: Vec<T>,
    /// What it travels with; only while it has items.
    mark: Option<E::Mark>,
    weight: u64,
    max: u64,
    /// How many items the last batch had: the next one gets room for as many at once.
    last: usize,
    timeout: Option<Duration>,
    /// When the batch comes out at the latest; only while it has items.
    due: Option<Instant>,
}

impl<E: Gathers, T> OpenBatch<E, T> {
    fn new(max: u64, timeout: Option<Duration>) -> Self {
        Self { items: Vec::new(), mark: None, weight: 0, max, last: 0, timeout, due: None }
    }

    fn is_full(&self) -> bool {
        self.weight >= self.max
    }

    /// Whether an item of this weight may come in: any item may if the batch is empty.
    fn fits(&self, weight: u64) -> bool {
        self.items.is_empty() || weight <= self.max - self.weight
    }

    /// Adds an item; returns what must go out before the batch.
    #[inline]
    fn push(&mut self, mark: E::Mark, item: T, weight: u64) -> Option<E::Of<Vec<T>>> {
        let word = if self.items.is_empty() {
            self.begin(mark, weight);
            None
        } else {
            self.follow(mark)
        };
        self.weight = self.weight.saturating_add(weight);
        self.items.push(item);
        word
    }

    fn begin(&mut self, mark: E::Mark, weight: u64) {
        self.mark = Some(mark);
        self.items.reserve(self.last);
        // A time too far off to be represented never comes.
        let due = |timeout| Instant::now().checked_add(timeout);
        self.due = self.timeout.filter(|_| weight < self.max).and_then(due);
    }

    /// Takes note of an envelope that follows the items; returns what must go out before the batch.
    #[inline]
    fn follow(&mut self, mark: E::Mark) -> Option<E::Of<Vec<T>>> {
        match &mut self.mark {
            Some(held) => E::follow(held, mark),
            None => E::close(mark, None),
        }
    }

    /// The batch, if it has items.
    fn take(&mut self) -> Option<E::Of<Vec<T>>> {
        let mark = self.mark.take()?;
        self.weight = 0;
        self.due = None;
        self.last = self.items.len();
        E::close(mark, Some(std::mem::take(&mut self.items)))
    }
}

pin_project! {
    /// A lane of a layer with [`Flow::batch`] or [`Flow::batch_by_weight`].
    #[must_use = "a lane does nothing until it is polled"]
    pub struct BatchLane<E: Envelope, T, L, W> {
        #[pin]
        upstream: L,
        weigh: W,
        filling: OpenBatch<E, T>,
        timer: Timer,
        drop_count: DropCount,
    }

    impl<E: Envelope, T, L, W> PinnedDrop for BatchLane<E, T, L, W> {
        fn drop(this: Pin<&mut Self>) {
            this.drop_count.discard(this.filling.items.len());
        }
    }
}

/// Passes on the item, if there is one.
#[inline]
fn pass<T>(of: Option<T>, each: &mut impl FnMut(T) -> ControlFlow<()>) -> ControlFlow<()> {
    of.map_or(ControlFlow::Continue(()), each)
}

impl<E: Gathers, T, L: Lane<Item = E::Of<T>>, W: Weigh<T>> Lane for BatchLane<E, T, L, W> {
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let this = self.project();
        let (filling, weigh) = (this.filling, this.weigh);
        // The batch was full when the reader broke off.
        if filling.is_full() && pass(filling.take(), each).is_break() {
            return Poll::Ready(Each::Stopped);
        }
        let polled = this.upstream.poll_each(cx, &mut |of| {
            let (mark, item) = E::open(of);
            let Some(item) = item else {
                return pass(filling.follow(mark), each);
            };
            let weight = weigh.weigh(&item).max(1);
            if filling.fits(weight) {
                let word = filling.push(mark, item, weight);
                pass(word, each)?;
            } else {
                let batch = filling.take();
                // The first item of its batch: nothing must go out before it.
                let _ = filling.push(mark, item, weight);
                pass(batch, each)?;
            }
            if filling.is_full() { pass(filling.take(), each) } else { ControlFlow::Continue(()) }
        });
        let complete = match polled {
            Poll::Ready(Each::Stopped) => false,
            Poll::Ready(Each::Ended) => true,
            Poll::Pending => filling.due.is_some_and(|due| this.timer.poll_at(due, cx).is_ready()),
        };
        if complete && pass(filling.take(), each).is_break() {
            return Poll::Ready(Each::Stopped);
        }
        polled
    }
}

impl<E: Gathers, T, L: Lane<Item = E::Of<T>>, W: Weigh<T>> Stream for BatchLane<E, T, L, W> {
    type Item = E::Of<Vec<T>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_one(self, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let held = self.filling.items.len();
        let (least, most) = self.upstream.size_hint();
        // The held items may be a batch of their own, and every item to come another.
        batched((least.saturating_add(held), most.and_then(|most| most.checked_add(held.min(1)))))
    }
}

impl<E: Gathers, T, L: Lane<Item = E::Of<T>> + FusedStream, W: Weigh<T>> FusedStream
    for BatchLane<E, T, L, W>
{
    fn is_terminated(&self) -> bool {
        self.filling.items.is_empty() && self.upstream.is_terminated()
    }
}

impl<P: fmt::Debug, W> fmt::Debug for Batch<P, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("upstream", &self.upstream)
            .field("max", &self.max)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl<E: Envelope, T, L: fmt::Debug, W> fmt::Debug for BatchLane<E, T, L, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchLane").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
