use super::reason::Reason;
use super::tally::{Counts, SubscriptionTally};
use super::terms::{AskMode, CancelMode, DemandMode, Keeps, Terms};
use crate::demand::Demand;
use crate::dispatch::{StageId, SubscriptionId};
use std::fmt;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::oneshot;

/// What a stage says about itself, as of one moment: between two callbacks.
///
/// Its numbers add up. Under a dispatcher that gives each item to one subscription, `counts.emitted` is `counts.sent`
/// plus `counts.discarded` plus what is not sent yet: `buffered`, `dispatching` and `held_back`. Of each subscription,
/// `sent` is `taken` plus `undelivered` plus what is on its way, which readers go on taking meanwhile.
///
/// # Examples
/// ```
/// use gen_stage::stage::{StageKind, Producer, from_iter};
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().label("numbers").spawn();
/// let mut subscription = numbers.subscribe().demand(10, 5).await?;
///
/// let status = numbers.status().await.expect("it is alive");
/// assert_eq!((status.kind, &*status.label, status.buffered), (StageKind::Producer, "numbers", 0));
/// assert_eq!(status.dispatcher, Some("ByDemand"));
/// assert_eq!(status.consumers[0].id, subscription.id());
/// assert_eq!(status.consumers[0].demand, 0);       // not polled yet: nothing is asked
///
/// assert_eq!(subscription.next_batch().await, Some(vec![0, 1, 2, 3, 4]));
/// let status = numbers.status().await.expect("it is alive");
/// assert_eq!((status.counts.emitted, status.counts.sent), (10, 10));
/// assert_eq!((status.consumers[0].sent, status.consumers[0].taken), (10, 5));
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
    /// The name of the type of its dispatcher, without path and parameters; `None` for a consumer.
    pub dispatcher: Option<&'static str>,
    /// Whether it is set to hold demand back.
    pub mode: DemandMode,
    /// Items in its buffer: emitted, and not asked for yet.
    pub buffered: usize,
    /// Items that its dispatcher keeps for subscriptions that have not asked for them.
    pub dispatching: usize,
    /// Items that it emitted while it [holds demand back](super::Handle::accumulate).
    pub held_back: usize,
    /// Items received and not yet handled, because there is no demand for what would be made of them.
    pub waiting: usize,
    /// What has become of the items that it received and made.
    pub counts: Counts,
    /// The producers that it reads from.
    pub producers: Vec<ProducerStatus>,
    /// The subscriptions that read from it.
    pub consumers: Vec<ConsumerStatus>,
}

impl Status {
    /// The stages that it reads from, and those that read from it.
    pub(super) fn peers(&self) -> impl Iterator<Item = &StageRef> {
        let above = self.producers.iter().filter_map(ProducerStatus::peer);
        above.chain(self.consumers.iter().filter_map(ConsumerStatus::peer))
    }
}

/// A subscription as the side that reads sees it: the producer, and what came from it.
///
/// # Examples
/// See [`Subscription::status`](super::Subscription::status).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProducerStatus {
    /// The identifier of the subscription.
    pub id: SubscriptionId,
    /// The stage that is read from; `None` for the sink in front of a consumer that is [one
    /// itself](super::Consumer::into_sink).
    pub stage: Option<StageId>,
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
    /// How much waits for it at most, if it may lose items; `None`: it loses none.
    pub keeps: Option<Keeps>,
    /// Items that the producer has sent.
    pub sent: u64,
    /// Of those sent, handed to the callbacks or to the reader.
    pub taken: u64,
    /// Of those sent, dropped unread.
    pub undelivered: u64,
    /// Of those undelivered, dropped because the subscription [may lose items](super::Subscribe::keep_newest).
    /// [`ConsumerStatus::dropped`] of the other side has the same number. Items that were never sent, as a selector left
    /// them out, are in its [`left_out`](ConsumerStatus::left_out) only.
    pub dropped: u64,
    peer: Option<StageRef>,
}

/// A subscription as the stage that sends sees it: the reader, and what it was sent.
///
/// # Examples
/// Two read the same items, one of them only those above 2:
/// ```
/// use gen_stage::dispatch::Broadcast;
/// use gen_stage::stage::{Producer, from_iter};
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().dispatcher(Broadcast::new()).accumulate().spawn();
/// let mut all = numbers.subscribe().demand(4, 0).await?;
/// let mut some = numbers.subscribe().demand(4, 0).selector(|n| *n > 2).await?;
/// numbers.forward();
/// futures::join!(all.next_batch(), some.next_batch());
///
/// let consumers = numbers.status().await.expect("it is alive").consumers;
/// assert_eq!((consumers[0].sent, consumers[0].left_out), (4, 0));
/// assert_eq!((consumers[1].sent, consumers[1].left_out), (1, 3));
/// assert_eq!((&*consumers[1].label, consumers[1].bounds.max()), ("a stream", 4));
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// The identifier of the subscription.
    pub id: SubscriptionId,
    /// The stage that reads; `None` for a subscription that is read as a stream.
    pub stage: Option<StageId>,
    /// The label of the stage that reads; `a stream` for a subscription that is read as one.
    pub label: String,
    /// The bounds of the demand of this subscription.
    pub bounds: Demand,
    /// What it has asked for and not yet been sent, in items.
    pub demand: usize,
    /// Whether the reader asks, or its code, as set when the subscription was made. A stage may have
    /// [decided otherwise](super::Consumer::handle_subscribe) since.
    pub mode: AskMode,
    /// What the end of this stage means for the reader.
    pub cancel: CancelMode,
    /// How much waits for it at most, if it may lose items; `None`: it loses none.
    pub keeps: Option<Keeps>,
    /// Items that it was sent.
    pub sent: u64,
    /// Of those sent, handed to the callbacks or to the reader.
    pub taken: u64,
    /// Of those sent, dropped unread.
    pub undelivered: u64,
    /// Of those undelivered, dropped because the subscription [may lose items](super::Subscribe::keep_newest), as in
    /// [`ProducerStatus::dropped`].
    pub dropped: u64,
    /// Items that would have gone to it and were never sent to it: its [selector](crate::dispatch::Selector) left them
    /// out, or a dispatcher of yours [dropped](crate::dispatch::Deliveries::drop_for) them, as for a reader that is slow.
    pub left_out: u64,
    /// Items kept for it until it asks, as in the queue of its [partition](crate::dispatch::Partition).
    pub queued: usize,
    /// Items emitted that it has not been sent yet, as far as they are known to be for it: those `queued` for it,
    /// and, where each item is sent to all, those in the buffer of the stage. Items that may as well go to another
    /// subscription do not count.
    pub lag: usize,
    peer: Option<StageRef>,
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

impl fmt::Display for StageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Producer => "producer",
            Self::ProducerConsumer => "producer-consumer",
            Self::Consumer => "consumer",
        })
    }
}

impl ProducerStatus {
    pub(super) fn new(
        id: SubscriptionId,
        label: &str,
        Terms { bounds, mode, cancel, keeps }: Terms,
        peer: Option<StageRef>,
        tally: &SubscriptionTally,
        demand: usize,
    ) -> Self {
        // What was sent is read last, so that it is not less than what became of it.
        let (taken, dropped, undelivered) = (tally.taken(), tally.dropped(), tally.undelivered());
        let stage = peer.as_ref().map(StageRef::id);
        let (label, sent) = (label.to_owned(), tally.sent());
        Self {
            id,
            stage,
            label,
            bounds,
            demand,
            mode,
            cancel,
            keeps,
            sent,
            taken,
            undelivered,
            dropped,
            peer,
        }
    }

    /// The stage that is read from, to ask it in its turn.
    ///
    /// # Examples
    /// See [`StageRef`].
    #[must_use]
    pub fn peer(&self) -> Option<&StageRef> {
        self.peer.as_ref()
    }
}

impl ConsumerStatus {
    /// With no demand, and nothing queued or left out by the dispatcher.
    pub(super) fn new(
        id: SubscriptionId,
        Terms { bounds, mode, cancel, keeps }: Terms,
        peer: Option<StageRef>,
        tally: &SubscriptionTally,
    ) -> Self {
        let (taken, undelivered) = (tally.taken(), tally.undelivered());
        Self {
            id,
            stage: peer.as_ref().map(StageRef::id),
            label: peer.as_ref().map_or("a stream", StageRef::label).to_owned(),
            bounds,
            demand: 0,
            mode,
            cancel,
            keeps,
            sent: tally.sent(),
            taken,
            undelivered,
            dropped: tally.dropped(),
            left_out: 0,
            queued: 0,
            lag: 0,
            peer,
        }
    }

    /// The stage that reads, to ask it in its turn; `None` for a subscription that is read as a stream.
    ///
    /// # Examples
    /// See [`StageRef`].
    #[must_use]
    pub fn peer(&self) -> Option<&StageRef> {
        self.peer.as_ref()
    }
}

/// A stage of any kind, to look at: its types are not known, and it is not kept alive.
///
/// Made by [`Handle::stage_ref`](super::Handle::stage_ref), and found in the [`Status`] of the stages it is connected
/// to. Cheap to clone.
///
/// # Examples
/// From a reader to the stage that it reads from:
/// ```
/// use futures::sink;
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{StageKind, from_iter, from_sink};
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().label("numbers").spawn();
/// let nowhere = from_sink(sink::drain()).stage().subscribe_to(numbers.subscribe()).spawn();
/// let status = nowhere.stage_ref().status().await?;
/// let above = status.producers[0].peer().expect("a stage");
/// assert_eq!((above.id(), above.label(), above.kind()), (numbers.id(), "numbers", StageKind::Producer));
///
/// let consumers = above.status().await?.consumers;
/// assert_eq!(consumers[0].peer().map(|below| below.id()), Some(nowhere.id()));
/// # Ok::<(), gen_stage::stage::Ended>(())
/// # });
/// ```
#[derive(Clone)]
#[must_use = "it is a way to look at a stage, and does nothing by itself"]
pub struct StageRef(Arc<dyn AnyStage>);

/// A running stage with its types hidden.
pub(super) trait AnyStage: Send + Sync {
    fn id(&self) -> StageId;
    fn label(&self) -> &str;
    fn kind(&self) -> StageKind;
    /// Whether it was given its label, which otherwise is the name of its type.
    fn is_labelled(&self) -> bool;
    fn dispatcher(&self) -> Option<&'static str>;
    fn counts(&self) -> Counts;
    fn end(&self) -> Option<Reason>;
    /// Asks for the status without waiting for it. If the stage has ended, the answer is dropped.
    fn post_status(&self) -> oneshot::Receiver<Status>;
}

impl StageRef {
    pub(super) fn new(stage: Arc<dyn AnyStage>) -> Self {
        Self(stage)
    }

    /// The identifier of the stage.
    ///
    /// # Examples
    /// See [`StageRef`].
    #[must_use]
    pub fn id(&self) -> StageId {
        self.0.id()
    }

    /// Its name in logs, as given when it was set up.
    ///
    /// # Examples
    /// See [`StageRef`].
    #[must_use]
    pub fn label(&self) -> &str {
        self.0.label()
    }

    /// Which of the three kinds it is.
    ///
    /// # Examples
    /// See [`StageRef`].
    #[must_use]
    pub fn kind(&self) -> StageKind {
        self.0.kind()
    }

    /// What errors call it: its kind and label. Without a label, of several stages with one type the identifier tells
    /// which it is.
    pub(super) fn place(&self) -> String {
        let (kind, label) = (self.kind(), self.label());
        if self.0.is_labelled() {
            format!("the {kind} `{label}`")
        } else {
            format!("the {kind} `{label}` ({})", self.id())
        }
    }

    /// The name of the type of its dispatcher, without path and parameters; `None` for a consumer.
    ///
    /// # Examples
    /// See [`Status`], which has it too.
    #[must_use]
    pub fn dispatcher(&self) -> Option<&'static str> {
        self.0.dispatcher()
    }

    /// What has become of the items that it received and made; see [`Handle::counts`](super::Handle::counts).
    ///
    /// # Examples
    /// See [`Counts`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }

    /// Why it has ended; `None` while it runs.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::stage::{Producer, Reason, from_iter};
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().spawn();
    /// let stage = numbers.stage_ref();
    /// assert!(stage.end().is_none());
    /// numbers.shutdown().await;
    /// assert!(matches!(stage.end(), Some(Reason::Shutdown)));
    /// # });
    /// ```
    #[must_use]
    pub fn end(&self) -> Option<Reason> {
        self.0.end()
    }

    /// What the stage says about itself; see [`Handle::status`](super::Handle::status).
    ///
    /// # Errors
    /// [`Ended`] when the stage has ended.
    ///
    /// # Cancel safety
    /// Nothing is changed by asking.
    ///
    /// # Examples
    /// See [`StageRef`].
    pub async fn status(&self) -> Result<Status, Ended> {
        self.post_status().await.map_err(|_| Ended)
    }

    pub(super) fn post_status(&self) -> oneshot::Receiver<Status> {
        self.0.post_status()
    }
}

impl fmt::Debug for StageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageRef")
            .field("id", &self.id())
            .field("label", &self.label())
            .finish_non_exhaustive()
    }
}

/// The stage has ended, and answers no questions.
///
/// # Examples
/// ```
/// assert_eq!(gen_stage::stage::Ended.to_string(), "the stage has ended");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the stage has ended")]
pub struct Ended;
