use super::ends::{Answer, Lifeline, Link, Opening, Target, Upward};
use super::request::{Request, taken};
use super::status::StageRef;
use super::subscription::Subscription;
use super::tally::{SubscriptionTally, Tally};
use super::terms::{AskMode, CancelMode, Keeps, SubscribeError, Terms};
use super::upstream::Upstream;
use crate::demand::Demand;
use crate::dispatch::{PartitionName, Selector, SubscriptionId};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A producer, as its subscribers see it.
pub(super) struct ProducerEnd<T, O> {
    pub(super) stage: StageRef,
    pub(super) target: Arc<dyn Target<T, O>>,
    pub(super) producer: Arc<dyn Upward>,
    pub(super) lifeline: Lifeline,
    pub(super) label: Arc<str>,
    pub(super) tally: Arc<Tally>,
}

impl<T, O> Clone for ProducerEnd<T, O> {
    fn clone(&self) -> Self {
        Self {
            stage: self.stage.clone(),
            target: Arc::clone(&self.target),
            producer: Arc::clone(&self.producer),
            lifeline: Arc::clone(&self.lifeline),
            label: Arc::clone(&self.label),
            tally: Arc::clone(&self.tally),
        }
    }
}

/// A subscription before it is made: to which producer, with what demand, on what terms.
///
/// `.await` makes it a [`Subscription`], a stream. [`Setup::subscribe_to`](super::Setup::subscribe_to) and
/// [`Handle::subscribe_to`](super::Handle::subscribe_to) give it to a stage. Until then nothing has happened.
///
/// # Demand
/// 1000 and 500 items by default, per subscription.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::Broadcast;
/// use gen_stage::prelude::*;
/// use gen_stage::stage::from_iter;
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..10).spawn(Broadcast::new());
/// let mut odd = numbers.subscribe().demand(4, 2).selector(|n| n % 2 == 1).await?;
/// assert_eq!(odd.next_batch().await, Some(vec![1, 3]));
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
///
/// # Source
/// The options of `sync_subscribe`.
#[must_use = "nothing is subscribed until this is awaited or given to a stage"]
pub struct Subscribe<T, O = ()> {
    source: ProducerEnd<T, O>,
    terms: Terms,
    options: O,
}

impl<T: Send + 'static, O: Send + 'static> Subscribe<T, O> {
    pub(super) fn new(source: ProducerEnd<T, O>) -> Self
    where
        O: Default,
    {
        Self { source, terms: Terms::default(), options: O::default() }
    }

    /// Sets the bounds of the demand, in items: `max` at least 1, `min` below `max`; by default 1000 and 500.
    ///
    /// # Panics
    /// When the bounds are out of their ranges; see [`with_demand`](Self::with_demand) for numbers that are known only
    /// at run time.
    #[track_caller]
    pub fn demand(self, max: usize, min: usize) -> Self {
        match Demand::new(max, min) {
            Ok(demand) => self.with_demand(demand),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sets the upper bound of the demand, in items, at least 1; the lower one is half of it, rounded down.
    ///
    /// # Panics
    /// When `max` is 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().spawn();
    /// let mut read = numbers.subscribe().demand_up_to(10).await?;
    /// assert_eq!(read.next_batch().await, Some(vec![0, 1, 2, 3, 4]));
    /// assert_eq!(read.status().bounds.min(), 5);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    #[track_caller]
    pub fn demand_up_to(self, max: usize) -> Self {
        match Demand::up_to(max) {
            Ok(demand) => self.with_demand(demand),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sets the demand; see [`demand`](Self::demand).
    pub fn with_demand(self, demand: Demand) -> Self {
        Self { terms: Terms { bounds: demand, ..self.terms }, ..self }
    }

    /// Sets what the producer's end means for the consumer; by default [`CancelMode::Permanent`].
    ///
    /// # Examples
    /// See [`CancelMode`].
    pub fn cancel(self, cancel: CancelMode) -> Self {
        Self { terms: Terms { cancel, ..self.terms }, ..self }
    }

    /// The consumer ends with its producer, unless the reason is clean: [`CancelMode::Transient`].
    ///
    /// # Examples
    /// See [`Handle::subscribe_to`](super::Handle::subscribe_to).
    pub fn transient(self) -> Self {
        self.cancel(CancelMode::Transient)
    }

    /// The consumer lives on when its producer ends: [`CancelMode::Temporary`].
    pub fn temporary(self) -> Self {
        self.cancel(CancelMode::Temporary)
    }

    /// Leaves it to the consumer's code to ask: [`AskMode::Manual`].
    ///
    /// # Examples
    /// See [`Subscription::ask`](super::Subscription::ask).
    pub fn manual(self) -> Self {
        Self { terms: Terms { mode: AskMode::Manual, ..self.terms }, ..self }
    }

    /// Lets this subscription lose items instead of holding others up: at most `items` wait for it, and when more come,
    /// the oldest are dropped.
    ///
    /// # Demand
    /// The producer sends it all there is, whether or not it asks. Of what waits it gets as much as it asks for, at the
    /// moment when it reads: with `keep_newest(1)` that is the last item, as from tokio's `watch`. When the producer has
    /// ended, or the subscription was cancelled, the rest of what waits comes without being asked for. Without other
    /// subscriptions that ask, the producer runs as fast as it can.
    ///
    /// Meant for a [`Broadcast`](crate::dispatch::Broadcast), or a [`Partition`](crate::dispatch::Partition). By demand,
    /// it gets items that others would have asked for later.
    ///
    /// # Ordering
    /// Items come in order, with gaps.
    ///
    /// # Errors
    /// What is dropped is counted: as `dropped` in the [status](super::ConsumerStatus) of the subscription, and as
    /// [`undelivered`](super::Counts::undelivered).
    ///
    /// # Panics
    /// When `items` is 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::Broadcast;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    ///
    /// # tokio_test::block_on(async {
    /// let prices = from_iter(1..=100).stage().dispatcher(Broadcast::new()).accumulate().spawn();
    /// let all = prices.subscribe().demand(10, 5).await?;
    /// let mut last = prices.subscribe().keep_newest(1).await?;
    /// prices.forward();
    /// // Reads nothing meanwhile, and holds nothing up.
    /// assert_eq!(futures::StreamExt::count(all).await, 100);
    /// assert_eq!(last.next_batch().await, Some(vec![100]));
    /// assert_eq!(last.status().dropped, 99);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Source
    /// Nothing in GenStage.
    #[track_caller]
    pub fn keep_newest(self, items: usize) -> Self {
        assert!(items > 0, "keep_newest must be at least 1 item, given 0");
        self.keep(Keeps::Newest(items))
    }

    /// Lets this subscription lose items instead of holding others up: at most `items` wait for it, and what comes when
    /// that many are there is dropped.
    ///
    /// Otherwise as [`keep_newest`](Self::keep_newest).
    ///
    /// # Panics
    /// When `items` is 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::Broadcast;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    ///
    /// # tokio_test::block_on(async {
    /// let prices = from_iter(1..=100).stage().dispatcher(Broadcast::new()).accumulate().spawn();
    /// let all = prices.subscribe().demand(10, 5).await?;
    /// let mut first = prices.subscribe().keep_oldest(3).await?;
    /// prices.forward();
    /// assert_eq!(futures::StreamExt::count(all).await, 100);
    /// assert_eq!(first.next_batch().await, Some(vec![1, 2, 3]));
    /// assert_eq!(first.status().dropped, 97);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn keep_oldest(self, items: usize) -> Self {
        assert!(items > 0, "keep_oldest must be at least 1 item, given 0");
        self.keep(Keeps::Oldest(items))
    }

    fn keep(self, keeps: Keeps) -> Self {
        Self { terms: Terms { keeps: Some(keeps), ..self.terms }, ..self }
    }

    /// Sets the options for the producer's dispatcher.
    pub fn options(self, options: O) -> Self {
        Self { options, ..self }
    }

    /// The label of the producer.
    pub(super) fn producer(&self) -> Arc<str> {
        Arc::clone(&self.source.label)
    }

    /// Makes the subscription for a stage, which does not know the options of its producer's dispatcher.
    pub(crate) fn into_request(self) -> Request<T> {
        let id = SubscriptionId::next();
        let Self { source, terms, options } = self;
        let ProducerEnd { stage, target, producer, lifeline, label, tally } = source;
        let link = Link::new(id, stage.id(), Arc::clone(&producer), Some(lifeline));
        let upstream =
            Upstream::new(id, label, terms, (producer, Some(stage)), SubscriptionTally::new(&tally));
        let open = Box::new(move |port, replaces, answer| {
            target.open(Opening { port, options, replaces, answer });
        });
        Request { upstream, link, open }
    }
}

impl<T> Subscribe<T, Selector<T>> {
    /// Takes only the items for which `selector` returns `true`; the others do not use up demand.
    ///
    /// # Examples
    /// See [`Subscribe`].
    pub fn selector(self, selector: impl Fn(&T) -> bool + Send + 'static) -> Self {
        Self { options: Selector::new(selector), ..self }
    }
}

impl<T, K> Subscribe<T, PartitionName<K>> {
    /// Takes the items of this partition.
    ///
    /// # Examples
    /// See [`Partition::hash_seed`](crate::dispatch::Partition::hash_seed).
    pub fn in_partition(self, partition: K) -> Self {
        Self { options: PartitionName::new(partition), ..self }
    }

    #[doc(hidden)]
    #[deprecated(note = "is called `in_partition` now")]
    pub fn partition(self, partition: K) -> Self {
        self.in_partition(partition)
    }
}

impl<T: Send + 'static, O: Send + 'static> IntoFuture for Subscribe<T, O> {
    type Output = Result<Subscription<T>, SubscribeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Subscribes, and waits until the producer has agreed.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let subscription = Subscription::open(self.into_request(), Some(Answer::of_producer(answer)));
            taken(answered).await?;
            Ok(subscription)
        })
    }
}

impl<T, O: fmt::Debug> fmt::Debug for Subscribe<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
            .field("to", &self.source.label)
            .field("demand", &self.terms.bounds)
            .field("cancel", &self.terms.cancel)
            .field("mode", &self.terms.mode)
            .field("keeps", &self.terms.keeps)
            .field("options", &self.options)
            .finish()
    }
}
