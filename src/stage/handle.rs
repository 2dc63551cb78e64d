use super::address::{Address, CallError, CastError, Reply};
use super::ends::{Answer, Lifeline, Target, Upward};
use super::graph::StageGraph;
use super::letter::{Letter, Mailbox};
use super::reason::Reason;
use super::request::{Request, taken};
use super::role::{Consumes, Consuming, Produces, Producing, Role, Transforming};
use super::status::{AnyStage, Ended, StageKind, StageRef, Status};
use super::subscribe::{ProducerEnd, Subscribe};
use super::tally::{Counts, Tally};
use super::terms::DemandMode;
use super::terms::SubscribeError;
use crate::dispatch::{StageId, SubscriptionId};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// A running stage: to subscribe to, to talk to, to end. Cheap to clone.
///
/// `R` says what it reads and makes (see [`ProducerHandle`], [`ConsumerHandle`] and [`ProducerConsumerHandle`]), `M`
/// what messages it takes.
///
/// # Drop
/// A stage lives as long as it has a handle, or a subscription, which a stage holds or which is read as a stream. When
/// the last of these is dropped, the stage is [aborted](Self::abort). So holding the last stage of a pipeline holds all
/// of it. [`detach`](Self::detach) lets a stage live without handles.
///
/// Stages that subscribe to each other in a ring, or hold handles of themselves, keep each other alive: end one of
/// them, or hold a [`WeakHandle`](super::WeakHandle).
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Reason, from_iter};
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().label("numbers").spawn();
/// let same = numbers.clone();
/// assert!(matches!(numbers.shutdown().await, Reason::Shutdown));
/// assert!(matches!(same.wait().await, Reason::Shutdown));
/// # });
/// ```
#[must_use = "the stage is aborted when its last handle is dropped: keep this, `detach` it, or `wait` for it"]
pub struct Handle<R: Role, M: Send + 'static = Infallible> {
    pub(super) running: Arc<RunningStage<R, M>>,
    pub(super) lifeline: Lifeline,
}

/// The handle of a [`Producer`](super::Producer) of `T`, whose dispatcher takes options `O` of subscriptions.
///
/// # Examples
/// See [`Handle`].
pub type ProducerHandle<T, O = (), M = Infallible> = Handle<Producing<T, O>, M>;
/// The handle of a [`Consumer`](super::Consumer) of `I`.
pub type ConsumerHandle<I, M = Infallible> = Handle<Consuming<I>, M>;
/// The handle of a [`ProducerConsumer`](super::ProducerConsumer) that makes `T` of `I`.
pub type ProducerConsumerHandle<I, T, O = (), M = Infallible> = Handle<Transforming<I, T, O>, M>;

/// A mailbox with its types hidden, so that whether a handle is `Send` does not depend on them.
pub(super) trait AnyMailbox<R: Role, M>: Send + Sync {
    /// `false`: the stage has ended.
    fn post(&self, letter: Letter<R::Input, R::Item, R::Options, M>) -> bool;
    fn target(&self) -> Arc<dyn Target<R::Item, R::Options>>;
    fn upward(&self) -> Arc<dyn Upward>;
}

impl<R: Role, M: Send + 'static> AnyMailbox<R, M> for Mailbox<R::Input, R::Item, R::Options, M> {
    fn post(&self, letter: Letter<R::Input, R::Item, R::Options, M>) -> bool {
        Mailbox::post(self, letter).is_ok()
    }

    fn target(&self) -> Arc<dyn Target<R::Item, R::Options>> {
        Arc::new(self.clone())
    }

    fn upward(&self) -> Arc<dyn Upward> {
        Arc::new(self.clone())
    }
}

/// A running stage as its handles see it.
///
/// It does not keep the stage alive: a handle has a lifeline for that.
pub(super) struct RunningStage<R: Role, M> {
    pub(super) id: StageId,
    pub(super) label: Arc<str>,
    /// Whether the label was given, and is not the name of a type.
    pub(super) labelled: bool,
    pub(super) kind: StageKind,
    pub(super) dispatcher: Option<&'static str>,
    pub(super) mailbox: Box<dyn AnyMailbox<R, M>>,
    pub(super) address: Address<M>,
    pub(super) token: CancellationToken,
    pub(super) ended: watch::Receiver<Option<Reason>>,
    pub(super) tally: Arc<Tally>,
}

impl<R: Role, M: Send + 'static> AnyStage for RunningStage<R, M> {
    fn id(&self) -> StageId {
        self.id
    }

    fn label(&self) -> &str {
        &self.label
    }

    fn kind(&self) -> StageKind {
        self.kind
    }

    fn is_labelled(&self) -> bool {
        self.labelled
    }

    fn dispatcher(&self) -> Option<&'static str> {
        self.dispatcher
    }

    fn counts(&self) -> Counts {
        self.tally.counts()
    }

    fn end(&self) -> Option<Reason> {
        let said = self.ended.borrow().clone();
        // No sender is left: the stage was dropped midway, as by a runtime that shuts down.
        said.or_else(|| self.ended.has_changed().is_err().then_some(Reason::Aborted))
    }

    fn post_status(&self) -> oneshot::Receiver<Status> {
        let (answer, status) = oneshot::channel();
        // If the stage has ended, the answer is dropped with the letter.
        self.mailbox.post(Letter::Status(answer));
        status
    }
}

impl<R: Role, M: Send + 'static> Handle<R, M> {
    pub(super) fn new(running: Arc<RunningStage<R, M>>) -> Self {
        let lifeline = Arc::new(running.token.clone().drop_guard());
        Self { running, lifeline }
    }

    /// The identifier of the stage.
    #[must_use]
    pub fn id(&self) -> StageId {
        self.running.id
    }

    /// Its name in logs, as given when it was set up.
    ///
    /// # Examples
    /// See [`Handle`].
    #[must_use]
    pub fn label(&self) -> &str {
        &self.running.label
    }

    /// Where to send messages to the stage, without keeping it alive.
    ///
    /// # Examples
    /// See [`Control::address`](super::Control::address).
    #[must_use]
    pub fn address(&self) -> Address<M> {
        self.running.address.clone()
    }

    /// Sends a message; see [`Address::cast`].
    ///
    /// # Errors
    /// As [`Address::cast`].
    ///
    /// # Cancel safety
    /// As [`Address::cast`].
    pub async fn cast(&self, message: M) -> Result<(), CastError<M>> {
        self.running.address.cast(message).await
    }

    /// Sends a message if there is room for it; see [`Address::try_cast`].
    ///
    /// # Errors
    /// As [`Address::try_cast`].
    pub fn try_cast(&self, message: M) -> Result<(), CastError<M>> {
        self.running.address.try_cast(message)
    }

    /// Sends a message and waits for the answer; see [`Address::call`].
    ///
    /// # Errors
    /// As [`Address::call`].
    ///
    /// # Cancel safety
    /// As [`Address::call`].
    pub async fn call<A>(&self, message: impl FnOnce(Reply<A>) -> M) -> Result<A, CallError> {
        self.running.address.call(message).await
    }

    /// Sends a message that is handled after everything buffered; see [`Address::info`].
    ///
    /// # Errors
    /// As [`Address::info`].
    ///
    /// # Cancel safety
    /// As [`Address::cast`].
    pub async fn info(&self, message: M) -> Result<(), CastError<M>> {
        self.running.address.info(message).await
    }

    /// What the stage says about itself. It answers between callbacks.
    ///
    /// # Errors
    /// [`Ended`] when the stage has ended.
    ///
    /// # Cancel safety
    /// Nothing is changed by asking.
    ///
    /// # Examples
    /// See [`Status`].
    pub async fn status(&self) -> Result<Status, Ended> {
        self.post_status().await.map_err(|_| Ended)
    }

    /// What has become of the items that the stage made. Works after its end too, and does not wait for the stage.
    ///
    /// # Examples
    /// See [`Counts`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.running.tally.counts()
    }

    /// The same stage without its types, to look at. It does not keep the stage alive.
    ///
    /// # Examples
    /// See [`StageRef`].
    pub fn stage_ref(&self) -> StageRef {
        StageRef::new(Arc::clone(&self.running) as _)
    }

    /// The stages that this one is connected to, up and down their subscriptions, with this one; see
    /// [`StageGraph::walk`] for what `patience` means, and for several stages to begin at.
    ///
    /// # Panics
    /// When it is polled outside of a runtime with timers.
    ///
    /// # Cancel safety
    /// Nothing is changed by asking.
    ///
    /// # Examples
    /// See [`StageGraph`].
    pub fn graph(&self, patience: Duration) -> impl Future<Output = StageGraph> + Send + use<R, M> {
        StageGraph::walk([self.stage_ref()], patience)
    }

    /// Asks for the status without waiting for it.
    pub(super) fn post_status(&self) -> oneshot::Receiver<Status> {
        self.running.post_status()
    }
}

impl<R: Produces, M: Send + 'static> Handle<R, M> {
    /// Begins a subscription to this stage: await it for a stream, or give it to another stage.
    ///
    /// # Examples
    /// See [`Subscribe`].
    pub fn subscribe(&self) -> Subscribe<R::Item, R::Options>
    where
        R::Options: Default,
    {
        Subscribe::new(self.producer_end())
    }

    /// The stage, as its subscribers see it.
    pub(super) fn producer_end(&self) -> ProducerEnd<R::Item, R::Options> {
        ProducerEnd {
            stage: self.stage_ref(),
            target: self.running.mailbox.target(),
            producer: self.running.mailbox.upward(),
            lifeline: Arc::clone(&self.lifeline),
            label: Arc::clone(&self.running.label),
            tally: Arc::clone(&self.running.tally),
        }
    }

    /// How many items are buffered: emitted, and not asked for yet.
    ///
    /// Messages that wait between them do not count, nor does what is held back by [`accumulate`](Handle::accumulate).
    ///
    /// # Errors
    /// [`Ended`] when the stage has ended.
    ///
    /// # Cancel safety
    /// Nothing is changed by asking.
    ///
    /// # Source
    /// `GenStage.estimate_buffered_count`.
    pub async fn estimate_buffered_count(&self) -> Result<usize, Ended> {
        Ok(self.status().await?.buffered)
    }
}

impl<T: Send + 'static, O: Send + 'static, M: Send + 'static> Handle<Producing<T, O>, M> {
    /// Holds back demand, and what is emitted, until [`forward`](Self::forward) is called: so that all consumers are
    /// there before the first item goes out.
    ///
    /// # Examples
    /// See [`forward`](Self::forward).
    ///
    /// # Source
    /// `GenStage.demand(stage, :accumulate)`.
    pub fn accumulate(&self) {
        self.running.mailbox.post(Letter::Mode(DemandMode::Accumulate));
    }

    /// Passes on the demand that was held back, each ask by itself, and what was emitted meanwhile, in order; and
    /// holds nothing back from now on.
    ///
    /// # Examples
    /// ```
    /// use futures::FutureExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::{dispatch::Broadcast, stage::from_iter};
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().dispatcher(Broadcast::new()).accumulate().spawn();
    /// let mut first = numbers.subscribe().demand(2, 0).await?;
    /// assert_eq!(first.next_batch().now_or_never(), None);
    /// let mut second = numbers.subscribe().demand(2, 0).await?;
    /// numbers.forward();
    /// let batches = futures::join!(first.next_batch(), second.next_batch());
    /// assert_eq!(batches, (Some(vec![0, 1]), Some(vec![0, 1])));
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `GenStage.demand(stage, :forward)`.
    pub fn forward(&self) {
        self.running.mailbox.post(Letter::Mode(DemandMode::Forward));
    }

    /// Whether demand is held back.
    ///
    /// # Errors
    /// [`Ended`] when the stage has ended.
    ///
    /// # Cancel safety
    /// Nothing is changed by asking.
    ///
    /// # Source
    /// `GenStage.demand(stage)`.
    pub async fn demand_mode(&self) -> Result<DemandMode, Ended> {
        Ok(self.status().await?.mode)
    }
}

impl<R: Consumes, M: Send + 'static> Handle<R, M> {
    /// Makes this stage subscribe to a producer, and waits until both have agreed.
    ///
    /// # Errors
    /// [`SubscribeError`]. This stage lives on when the subscription was refused. If the producer had ended, the cancel
    /// mode of the subscription decides, as if the producer had ended later.
    ///
    /// # Cancel safety
    /// The stage is told at once, and subscribes whether this is waited for or not.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Control, StageError, Upstream, from_iter};
    /// use tokio::sync::mpsc;
    ///
    /// struct Send(mpsc::UnboundedSender<u64>);
    /// impl Consumer for Send {
    ///     type Input = u64;
    ///     async fn handle_items(&mut self, items: Vec<u64>, _: &Upstream, _: &mut Control) -> Result<(), StageError> {
    ///         Ok(items.into_iter().try_for_each(|item| self.0.send(item))?)
    ///     }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let (sender, mut receiver) = mpsc::unbounded_channel();
    /// let consumer = Send(sender).stage().spawn();
    /// for from in [10, 20] {
    ///     let numbers = from_iter(from..from + 2).stage().spawn();
    ///     consumer.subscribe_to(numbers.subscribe().transient()).await?;
    ///     assert_eq!((receiver.recv().await, receiver.recv().await), (Some(from), Some(from + 1)));
    /// }
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `GenStage.sync_subscribe`.
    pub fn subscribe_to<O: Send + 'static>(
        &self,
        to: Subscribe<R::Input, O>,
    ) -> impl Future<Output = Result<SubscriptionId, SubscribeError>> + Send + use<R, M, O> {
        self.request(to.into_request(), None)
    }

    /// Makes this stage subscribe anew in place of the subscription `old`, which ends, with `reason`, just before.
    ///
    /// The end of the old one never ends this stage. An `old` that is not known is no error.
    ///
    /// # Errors
    /// As [`subscribe_to`](Self::subscribe_to).
    ///
    /// # Cancel safety
    /// The stage is told at once, and subscribes whether this is waited for or not.
    ///
    /// # Source
    /// `GenStage.sync_resubscribe`, which ends a consumer whose old subscription was permanent.
    pub fn resubscribe<O: Send + 'static>(
        &self,
        old: SubscriptionId,
        to: Subscribe<R::Input, O>,
        reason: Reason,
    ) -> impl Future<Output = Result<SubscriptionId, SubscribeError>> + Send + use<R, M, O> {
        self.request(to.into_request(), Some((old, reason)))
    }

    /// Asks for `items` more on a subscription of this stage that is in manual mode; see [`Upstream::ask`].
    ///
    /// Nothing happens when the stage has no such subscription.
    ///
    /// # Source
    /// `GenStage.ask`.
    ///
    /// [`Upstream::ask`]: super::Upstream::ask
    pub fn ask(&self, subscription: SubscriptionId, items: usize) {
        self.running.mailbox.post(Letter::AskUpstream(subscription, items));
    }

    /// Cancels a subscription of this stage; see [`Upstream::cancel`].
    ///
    /// Nothing happens when the stage has no such subscription.
    ///
    /// # Examples
    /// ```
    /// use futures::sink;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Reason, from_iter, from_sink};
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().spawn();
    /// let nowhere = from_sink(sink::drain()).stage().spawn();
    /// let id = nowhere.subscribe_to(numbers.subscribe()).await?;
    /// nowhere.cancel(id, Reason::Shutdown);
    /// // The subscription was permanent.
    /// assert!(matches!(nowhere.wait().await, Reason::Shutdown));
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `GenStage.cancel`.
    ///
    /// [`Upstream::cancel`]: super::Upstream::cancel
    pub fn cancel(&self, subscription: SubscriptionId, reason: Reason) {
        self.running.mailbox.post(Letter::CancelUpstream(subscription, reason));
    }

    pub(super) fn request(
        &self,
        request: Request<R::Input>,
        replaces: Option<(SubscriptionId, Reason)>,
    ) -> impl Future<Output = Result<SubscriptionId, SubscribeError>> + Send + use<R, M> {
        let (answer, answered) = oneshot::channel();
        let id = request.upstream.id();
        let letter = Letter::SubscribeTo(Box::new(request), replaces, Answer::of_consumer(answer));
        // A letter that is not delivered is dropped, and with it the answer, which says why.
        self.running.mailbox.post(letter);
        async move { taken(answered).await.map(|()| id) }
    }
}

impl<R: Role, M: Send + 'static> Clone for Handle<R, M> {
    fn clone(&self) -> Self {
        Self { running: Arc::clone(&self.running), lifeline: Arc::clone(&self.lifeline) }
    }
}

impl<R: Role, M: Send + 'static> fmt::Debug for Handle<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("id", &self.running.id)
            .field("label", &self.running.label)
            .field("ended", &*self.running.ended.borrow())
            .finish_non_exhaustive()
    }
}
