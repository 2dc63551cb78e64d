use super::terms::{AskMode, CancelMode, DemandMode};
use crate::demand::Demand;
use crate::dispatch::{StageId, SubscriptionId};

/// What a stage says about itself, as of one moment.
///
/// # Examples
/// ```
/// use gen_stage::stage::{StageKind, Producer, from_iter};
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().label("numbers").spawn();
/// let subscription = numbers.subscribe().demand(10, 5).await?;
///
/// let status = numbers.status().await.expect("it is alive");
/// assert_eq!((status.kind, &*status.label, status.buffered), (StageKind::Producer, "numbers", 0));
/// assert_eq!(status.consumers[0].id, subscription.id());
/// assert_eq!(status.consumers[0].demand, 0);       // not polled yet: nothing is asked
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
///
/// # Source
/// What `:sys.get_status` shows of a GenStage.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// Which of the three kinds it is.
    pub kind: StageKind,
    /// The identifier of the stage.
    pub id: StageId,
    /// Its name in logs, as given when it was set up.
    pub label: String,
    /// Whether it is set to hold demand back.
    pub mode: DemandMode,
    /// Items in its buffer: emitted, and not asked for yet.
    pub buffered: usize,
    /// Items that its dispatcher keeps for subscriptions that have not asked for them.
    pub dispatching: usize,
    /// Items received and not yet handled, because there is no demand for what would be made of them.
    pub waiting: usize,
    /// The producers that it reads from.
    pub producers: Vec<ProducerStatus>,
    /// The subscriptions that read from it.
    pub consumers: Vec<ConsumerStatus>,
}

/// A producer that a stage reads from.
///
/// See [`Status`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProducerStatus {
    /// The identifier of the subscription.
    pub id: SubscriptionId,
    /// The producer's label.
    pub label: String,
    /// The bounds of the demand of this subscription.
    pub bounds: Demand,
    /// What is asked for and not yet handled, in items; in manual mode what was asked for and has not come.
    pub demand: usize,
    /// Whether the stage asks, or its code.
    pub mode: AskMode,
    /// What the producer's end means for the stage.
    pub cancel: CancelMode,
}

/// A subscription that reads from a stage.
///
/// See [`Status`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// The identifier of the subscription.
    pub id: SubscriptionId,
    /// The stage that reads; `None` for a subscription that is read as a stream.
    pub stage: Option<StageId>,
    /// What it has asked for and not yet been sent, in items.
    pub demand: usize,
}

/// The three kinds of stages.
///
/// See [`Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StageKind {
    /// Makes items.
    Producer,
    /// Reads items and makes items.
    ProducerConsumer,
    /// Reads items.
    Consumer,
}
