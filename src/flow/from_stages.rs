use super::flow::Flow;
use super::source::Source;
use crate::coop::{Pace, give_way};
use crate::demand::Demand;
use crate::lane::{Each, Lane, Leaf, SourceGate};
use crate::pieces::first;
use crate::sealed::Sealed;
use crate::stage::{Handle, Produces, Reason, Role, Subscription};
use futures_core::{FusedStream, Stream};
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use std::vec;
use tokio::task::coop;

impl<T: Send + 'static> Flow<Source<FromStage<T>>> {
    /// Spreads the items of running producers over lanes that run on all cores.
    ///
    /// The flow subscribes to each of them when it starts, and keeps them alive as any subscription does; it does not
    /// end them. A subscription with options, such as a partition or a selector, is a stream: for those see
    /// [`from_streams`](Self::from_streams).
    ///
    /// With at least as many producers as lanes, each lane reads its share of the producers itself. With fewer, each
    /// subscription gets a task.
    ///
    /// # Demand
    /// Each subscription has the [`demand`](Self::demand) of the layer. Where subscriptions have tasks of their own,
    /// each task may have as many items again on their way to each lane.
    ///
    /// # Ordering
    /// As for [`from_iters`](Self::from_iters). Where a lane reads a subscription itself, its batches are those of
    /// [`map_batch`](Self::map_batch).
    ///
    /// # Panics
    /// When there is no producer at all. When a producer fails, or refuses the subscription, the flow fails as if it
    /// panicked itself: with the panic of the producer, or one that says why. The flow's error names the producer. A
    /// clean end is the end of that source.
    ///
    /// # Drop
    /// The subscriptions are cancelled. A flow that is stopped by [`stop_when`](Self::stop_when) cancels them too, and
    /// then takes what was sent to it, until the producer says that this was all. A producer that is stuck in a
    /// callback does not hold the flow up: the flow then takes what has arrived.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    ///
    /// # tokio_test::block_on(async {
    /// let low = from_iter(0..3).stage().spawn();
    /// let high = from_iter(10..13).stage().spawn();
    /// let mut doubled: Vec<u32> = Flow::from_stages([low, high]).map(|n| n * 2).collect().await;
    /// doubled.sort();
    /// assert_eq!(doubled, [0, 2, 4, 20, 22, 24]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.from_stages/2`.
    #[track_caller]
    pub fn from_stages<R, M>(producers: impl IntoIterator<Item = Handle<R, M>>) -> Self
    where
        R: Produces + Role<Item = T, Options: Default>,
        M: Send + 'static,
    {
        let named =
            producers.into_iter().map(|producer| (Arc::from(producer.label()), FromStage::new(producer)));
        let (labels, sources): (Vec<_>, Vec<_>) = named.unzip();
        assert!(!sources.is_empty(), "from_stages needs at least 1 producer, given 0");
        let mut flow = Flow::source("from_stages", |layer| Source::new(sources, layer));
        flow.launch.topology.last(|layer| layer.stages = labels);
        flow
    }
}

/// A lane that reads a running producer; see [`Flow::from_stages`].
#[must_use = "a lane does nothing until it is polled"]
pub struct FromStage<T> {
    state: FromStageState<T>,
    /// The rest of the batch being read.
    batch: vec::IntoIter<T>,
    gate: SourceGate,
    pace: Pace,
    discarded: Arc<AtomicU64>,
}

impl<T> Drop for FromStage<T> {
    fn drop(&mut self) {
        let unread = self.batch.len();
        if unread > 0 {
            self.discarded.fetch_add(unread as u64, Ordering::Relaxed);
        }
    }
}

enum FromStageState<T> {
    Planned(Box<dyn FnOnce(Demand) -> Subscription<T> + Send>),
    Reading(Subscription<T>),
    /// Cancelled: what was sent is read, until the producer says that this was all. The time is since when nothing has
    /// come.
    Leaving(Subscription<T>, Option<Instant>),
    Ended,
}

/// How long a cancelled subscription waits for a producer that sends nothing, while other tasks have their turns. A
/// producer at work has read the cancellation by then; one that is stuck never reads it.
const PATIENCE: Duration = Duration::from_millis(20);

impl<T: Send + 'static> FromStage<T> {
    pub(super) fn new<R, M>(producer: Handle<R, M>) -> Self
    where
        R: Produces + Role<Item = T, Options: Default>,
        M: Send + 'static,
    {
        let subscribe = move |demand| Subscription::begin(producer.subscribe().with_demand(demand));
        Self {
            state: FromStageState::Planned(Box::new(subscribe)),
            batch: Vec::new().into_iter(),
            gate: SourceGate::default(),
            pace: Pace::default(),
            discarded: Arc::default(),
        }
    }

    fn begin(&mut self, demand: Demand) {
        if let FromStageState::Planned(_) = self.state {
            if let FromStageState::Planned(subscribe) =
                std::mem::replace(&mut self.state, FromStageState::Ended)
            {
                self.state = FromStageState::Reading(subscribe(demand));
            }
        }
    }

    /// Tells the producer that nothing more is wanted.
    fn leave(&mut self) {
        self.state = match std::mem::replace(&mut self.state, FromStageState::Ended) {
            FromStageState::Reading(mut subscription) => {
                subscription.cancel(Reason::Normal);
                FromStageState::Leaving(subscription, None)
            }
            state => state,
        };
    }

    /// Waits for the next batch, once the last one was read: `false` at the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.batch.len() > 0 {
            return Poll::Ready(true);
        }
        if self.gate.is_shut() {
            self.leave();
        }
        let Some(batch) = ready!(self.poll_source(cx)) else {
            self.state = FromStageState::Ended;
            return Poll::Ready(false);
        };
        self.gate.count(batch.len());
        self.batch = batch.into_iter();
        Poll::Ready(true)
    }

    /// Takes the next batch from the producer, and leaves it when the gate is shut.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<T>>> {
        loop {
            match &mut self.state {
                FromStageState::Reading(subscription) => {
                    if let Poll::Ready(batch) = poll_batch(subscription, cx) {
                        return Poll::Ready(batch);
                    }
                    ready!(self.gate.poll_shut(cx));
                    self.leave();
                }
                FromStageState::Leaving(subscription, silent) => return poll_rest(subscription, silent, cx),
                FromStageState::Planned(_) | FromStageState::Ended => return Poll::Ready(None),
            }
        }
    }
}

/// Takes the next batch. A panic of the producer is raised with its place, which the flow then names in its errors.
fn poll_batch<T: Send + 'static>(
    subscription: &mut Subscription<T>,
    cx: &mut Context<'_>,
) -> Poll<Option<Vec<T>>> {
    subscription.poll_fallible(cx).map(|batch| match batch? {
        Ok(batch) => Some(batch),
        Err(reason) => subscription.raise_in_flow(&reason),
    })
}

/// Takes what a cancelled subscription was sent, until its producer says that this was all, or sends nothing for too long.
fn poll_rest<T: Send + 'static>(
    subscription: &mut Subscription<T>,
    silent: &mut Option<Instant>,
    cx: &mut Context<'_>,
) -> Poll<Option<Vec<T>>> {
    match poll_batch(subscription, cx) {
        Poll::Ready(batch) => {
            // The producer is at work: its end comes after the items that it was asked for before.
            *silent = None;
            Poll::Ready(batch)
        }
        // There may be more: it is another task's turn, and this one is woken after that.
        Poll::Pending if !coop::has_budget_remaining() => Poll::Pending,
        Poll::Pending if silent.get_or_insert_with(Instant::now).elapsed() < PATIENCE => give_way(cx),
        Poll::Pending => Poll::Ready(None),
    }
}

impl<T> Sealed for FromStage<T> {}

impl<T: Send + 'static> Leaf for FromStage<T> {
    // Its batches are its turns.
    fn set_turn(&mut self, _: usize) {}

    fn start(&mut self, demand: Demand, gate: SourceGate, discarded: &Arc<AtomicU64>) {
        self.gate = gate;
        self.discarded = Arc::clone(discarded);
        self.begin(demand);
    }
}

impl<T: Send + 'static> Lane for FromStage<T> {
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        let this = self.get_mut();
        this.pace.begin();
        loop {
            if !ready!(this.poll_more(cx)) {
                return Poll::Ready(Each::Ended);
            }
            if this.batch.try_for_each(&mut *each).is_break() {
                return Poll::Ready(Each::Stopped);
            }
            if this.pace.is_over() {
                return give_way(cx);
            }
        }
    }

    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<T>>> {
        let this = self.get_mut();
        if !ready!(this.poll_more(cx)) {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(first(&mut this.batch, limit)))
    }
}

impl<T: Send + 'static> Stream for FromStage<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        ready!(this.poll_more(cx));
        Poll::Ready(this.batch.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let held = self.batch.len();
        (held, matches!(self.state, FromStageState::Ended).then_some(held))
    }
}

impl<T: Send + 'static> FusedStream for FromStage<T> {
    fn is_terminated(&self) -> bool {
        self.batch.len() == 0 && matches!(self.state, FromStageState::Ended)
    }
}

// Items are owned, never pinned.
impl<T> Unpin for FromStage<T> {}

impl<T> fmt::Debug for FromStage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            FromStageState::Planned(_) => "planned",
            FromStageState::Reading(_) => "reading",
            FromStageState::Leaving(..) => "leaving",
            FromStageState::Ended => "ended",
        };
        f.debug_struct("FromStage").field("state", &state).finish_non_exhaustive()
    }
}
