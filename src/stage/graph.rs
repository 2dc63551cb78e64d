mod drawing;
#[cfg(feature = "metrics")]
mod metrics;
mod order;

use super::reason::Reason;
use super::status::{ConsumerStatus, ProducerStatus, StageKind, StageRef, Status};
use super::tally::Counts;
use super::terms::{AskMode, CancelMode, Keeps};
use super::walk::{StageState, Walk, Walked};
use crate::demand::Demand;
use crate::dispatch::{StageId, SubscriptionId};
use order::in_order;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Running stages and the subscriptions between them, found by walking from stage to stage: made by
/// [`Handle::graph`](super::Handle::graph) from one stage on, and by [`walk`](StageGraph::walk) from several.
///
/// Its text is a tree: what feeds others comes first, and below each stage those that read from it; a stage that reads
/// from several is told of in full where it comes first. [`to_mermaid`](StageGraph::to_mermaid) and
/// [`to_dot`](StageGraph::to_dot) draw it.
///
/// # Examples
/// ```
/// use futures::sink;
/// use gen_stage::dispatch::Broadcast;
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{StageState, from_iter, from_sink};
/// use std::time::Duration;
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().label("numbers").dispatcher(Broadcast::new()).spawn();
/// let nowhere = from_sink(sink::drain()).stage().label("nowhere");
/// let nowhere = nowhere.subscribe_to(numbers.subscribe().demand(10, 5).transient()).spawn();
/// let reader = numbers.subscribe().await?; // it is not read: the other waits for it
///
/// let graph = nowhere.graph(Duration::from_secs(1)).await;
/// let text = "\
/// 2 stages
/// `numbers`: producer, Broadcast
///   `nowhere`: consumer, demand 5 to 10, transient (wants 10)
///   a stream";
/// assert_eq!(graph.to_string(), text);
/// assert_eq!(graph.stages[0].id, numbers.id());
/// assert_eq!(graph.stages[0].state, StageState::Running);
/// assert_eq!((graph.subscriptions[0].from, graph.subscriptions[0].to), (0, Some(1)));
/// assert_eq!((graph.subscriptions[1].id, graph.subscriptions[1].to), (reader.id(), None));
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct StageGraph {
    /// The stages. What feeds others comes first, as far as they are not in a circle.
    pub stages: Vec<GraphStage>,
    /// The subscriptions, in the order of the stages that send.
    pub subscriptions: Vec<GraphSubscription>,
}

/// A stage of a [`StageGraph`].
///
/// # Examples
/// See [`StageGraph`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GraphStage {
    /// The identifier of the stage.
    pub id: StageId,
    /// Its name in logs, as given when it was set up.
    pub label: String,
    /// Which of the three kinds it is.
    pub kind: StageKind,
    /// The name of the type of its dispatcher, without path and parameters; `None` for a consumer.
    pub dispatcher: Option<&'static str>,
    /// Whether it runs, and has answered.
    pub state: StageState,
    /// Why it has ended; `None` while it runs, and while it is ending.
    pub end: Option<Reason>,
    /// What has become of the items that it received and made, also of a stage that has not answered. Those of a stage
    /// that runs are as of its answer.
    pub counts: Counts,
    /// What it answered; `None` unless it is [`Running`](StageState::Running).
    pub status: Option<Status>,
}

/// A subscription of a [`StageGraph`]: what the stages at its two ends say of it.
///
/// The two ends are asked at slightly different moments, so between them the numbers need not add up; those of a
/// [`Status`] do.
///
/// # Examples
/// See [`StageGraph`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphSubscription {
    /// The identifier of the subscription.
    pub id: SubscriptionId,
    /// The stage that sends, as an index of [`StageGraph::stages`].
    pub from: usize,
    /// The stage that reads, as an index of [`StageGraph::stages`]; `None` for a subscription that is read as a stream.
    pub to: Option<usize>,
    /// The bounds of its demand.
    pub bounds: Demand,
    /// Whether the reader asks, or its code.
    pub mode: AskMode,
    /// What the end of the stage that sends means for the one that reads.
    pub cancel: CancelMode,
    /// How much waits for it at most, if it may lose items; `None`: it loses none.
    pub keeps: Option<Keeps>,
    /// What the reader has asked for and not yet been sent, in items. If the stage that sends is silent: what the
    /// reader has asked for and not yet handled.
    pub demand: usize,
    /// Items that were sent.
    pub sent: u64,
    /// Of those sent, handed to the callbacks or to the reader.
    pub taken: u64,
    /// Of those sent, dropped unread.
    pub undelivered: u64,
    /// Of those undelivered, dropped because the subscription [may lose items](super::Subscribe::keep_newest).
    pub dropped: u64,
    /// As [`ConsumerStatus::left_out`]; 0 if the stage that sends is silent.
    pub left_out: u64,
    /// As [`ConsumerStatus::queued`]; 0 if the stage that sends is silent.
    pub queued: usize,
    /// As [`ConsumerStatus::lag`]; 0 if the stage that sends is silent.
    pub lag: usize,
}

impl StageGraph {
    /// Walks from these stages to all that they are connected to, up and down their subscriptions, and waits until each
    /// has answered, at most for `patience` in all.
    ///
    /// A stage answers between two callbacks. All are asked at once, each as soon as it is known, so that a stage that
    /// takes long holds up only what is known from it alone. When the time is over, those that have not answered are
    /// [`Silent`](StageState::Silent), and what is connected to them only is not found: begin at several stages where
    /// that matters. No stage is kept alive; those that end meanwhile are [`Ended`](StageState::Ended), or missing if
    /// no other told of them. Circles are walked once.
    ///
    /// # Panics
    /// When it is polled outside of a runtime with timers.
    ///
    /// # Cancel safety
    /// Nothing is changed by asking.
    ///
    /// # Examples
    /// Two that share nothing:
    /// ```
    /// use gen_stage::stage::{Producer, StageGraph, from_iter};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let (one, other) = (from_iter(0..).stage().spawn(), from_iter(0..).stage().spawn());
    /// let both = [one.stage_ref(), other.stage_ref()];
    /// let graph = StageGraph::walk(both, Duration::from_secs(1)).await;
    /// assert_eq!((graph.stages.len(), graph.subscriptions.len()), (2, 0));
    /// # });
    /// ```
    pub async fn walk(stages: impl IntoIterator<Item = StageRef>, patience: Duration) -> Self {
        Self::of(Walk::from(stages).run(patience).await)
    }

    fn of(walked: Vec<Walked>) -> Self {
        let walked = in_order(walked);
        let places: HashMap<_, _> = walked.iter().enumerate().map(|(at, one)| (one.stage.id(), at)).collect();
        let mut subscriptions = BTreeMap::new();
        for (to, status) in statuses(&walked) {
            for producer in &status.producers {
                // Without a stage it is a sink, which is in no graph.
                if let Some(from) = producer.stage {
                    let subscription = GraphSubscription::of_reader(producer, places[&from], to);
                    subscriptions.insert(producer.id, subscription);
                }
            }
        }
        for (from, status) in statuses(&walked) {
            for consumer in &status.consumers {
                let to = consumer.stage.map(|to| places[&to]);
                let subscription = GraphSubscription::of_sender(consumer, from, to);
                // Whether the reader asks or its code may have been decided later: what the reader says counts.
                let mode = subscriptions.get(&consumer.id).map_or(consumer.mode, |reader| reader.mode);
                subscriptions.insert(consumer.id, GraphSubscription { mode, ..subscription });
            }
        }
        let mut subscriptions: Vec<_> = subscriptions.into_values().collect();
        // Those of one stage stay in the order of their identifiers.
        subscriptions.sort_by_key(|subscription| subscription.from);
        Self { stages: walked.into_iter().map(GraphStage::of).collect(), subscriptions }
    }
}

/// The stages that have answered, with their places.
fn statuses(walked: &[Walked]) -> impl Iterator<Item = (usize, &Status)> {
    walked.iter().enumerate().filter_map(|(at, one)| Some((at, one.status.as_ref()?)))
}

impl GraphStage {
    fn of(Walked { stage, state, status }: Walked) -> Self {
        Self {
            id: stage.id(),
            label: stage.label().to_owned(),
            kind: stage.kind(),
            dispatcher: stage.dispatcher(),
            state,
            end: stage.end().filter(|_| state == StageState::Ended),
            counts: status.as_ref().map_or_else(|| stage.counts(), |status| status.counts),
            status,
        }
    }

    /// Items that it holds and has not sent: `buffered`, `dispatching` and `held_back` of its [`Status`]; 0 if it has
    /// not answered.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::stage::{Producer, from_iter};
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().spawn();
    /// let graph = numbers.graph(Duration::from_secs(1)).await;
    /// assert_eq!(graph.stages[0].unsent(), 0); // nothing is asked, nothing is made
    /// # });
    /// ```
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.status.as_ref().map_or(0, |status| status.buffered + status.dispatching + status.held_back)
    }
}

impl GraphSubscription {
    fn of_reader(producer: &ProducerStatus, from: usize, to: usize) -> Self {
        Self {
            id: producer.id,
            from,
            to: Some(to),
            bounds: producer.bounds,
            mode: producer.mode,
            cancel: producer.cancel,
            keeps: producer.keeps,
            demand: producer.demand,
            sent: producer.sent,
            taken: producer.taken,
            undelivered: producer.undelivered,
            dropped: producer.dropped,
            left_out: 0,
            queued: 0,
            lag: 0,
        }
    }

    fn of_sender(consumer: &ConsumerStatus, from: usize, to: Option<usize>) -> Self {
        Self {
            id: consumer.id,
            from,
            to,
            bounds: consumer.bounds,
            mode: consumer.mode,
            cancel: consumer.cancel,
            keeps: consumer.keeps,
            demand: consumer.demand,
            sent: consumer.sent,
            taken: consumer.taken,
            undelivered: consumer.undelivered,
            dropped: consumer.dropped,
            left_out: consumer.left_out,
            queued: consumer.queued,
            lag: consumer.lag,
        }
    }

    /// Items that were sent, and neither taken nor dropped yet.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().spawn();
    /// let mut read = numbers.subscribe().demand(10, 4).await?;
    /// assert_eq!(read.next_batch().await.map(|batch| batch.len()), Some(6));
    /// let graph = numbers.graph(Duration::from_secs(1)).await;
    /// assert_eq!(graph.subscriptions[0].on_their_way(), 4);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn on_their_way(&self) -> u64 {
        self.sent.saturating_sub(self.taken.saturating_add(self.undelivered))
    }
}
