use super::deliveries::{Deliveries, Fence};
use super::ids::{StageId, SubscriptionId};
use std::sync::Arc;
use thiserror::Error;

/// Decides which subscriptions of a producer get which items.
///
/// A dispatcher is arithmetic. It is told which subscriptions come, ask and leave, and is given items; it answers with
/// [`Deliveries`] and with the demand that its stage has to look for. It knows of no tasks and does no I/O. The stage
/// around it keeps the buffer.
///
/// # Contract
/// With the feature `testing`, `check_dispatcher` of the module of that name tells whether yours keeps it.
///
/// - A subscription is never sent more than it asked for.
/// - [`dispatch`](Self::dispatch) hands back the items that no subscription has asked for, in order. The stage puts
///   them in its buffer.
/// - The demand returned by [`subscribe`](Self::subscribe), [`cancel`](Self::cancel) and [`ask`](Self::ask) is new to
///   the stage, which fills it from its buffer first, and asks the producer for the rest. Demand that was passed up
///   once is not passed up again: when a subscription leaves with demand that was passed up and not yet filled, that
///   much of later asks is set off against it.
/// - When items were handed back although there was demand for them, that demand is passed up again as soon as the
///   dispatcher can take them.
///
/// # Examples
/// A dispatcher that gives the subscriptions one item each, in turn:
/// ```
/// use gen_stage::dispatch::{Deliveries, Dispatcher, Refusal, Subscriber, SubscriptionId};
/// use std::collections::VecDeque;
///
/// #[derive(Default)]
/// struct InTurn {
///     open: VecDeque<(SubscriptionId, usize)>,
///     pending: usize,        // passed up for subscriptions that have left
/// }
///
/// impl<T: Send + 'static> Dispatcher<T> for InTurn {
///     type Options = ();
///
///     fn subscribe(&mut self, new: Subscriber, _: (), _: &mut Deliveries<T>) -> Result<usize, Refusal> {
///         self.open.push_back((new.id(), 0));
///         Ok(0)
///     }
///
///     fn ask(&mut self, id: SubscriptionId, demand: usize, _: &mut Deliveries<T>) -> usize {
///         let open = self.open.iter_mut().find(|(each, _)| *each == id);
///         open.expect("it has subscribed").1 += demand;
///         let known = demand.min(self.pending);
///         self.pending -= known;
///         demand - known
///     }
///
///     fn cancel(&mut self, id: SubscriptionId, _: &mut Deliveries<T>) -> usize {
///         let at = self.open.iter().position(|(each, _)| *each == id).expect("it has subscribed");
///         self.pending += self.open.remove(at).map_or(0, |(_, open)| open);
///         0
///     }
///
///     fn dispatch(&mut self, items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T> {
///         let mut items = items.into_iter();
///         while self.open.iter().any(|(_, open)| *open > 0) {
///             let (id, open) = self.open.pop_front().expect("one is open");
///             let Some(item) = (open > 0).then(|| items.next()).flatten() else {
///                 self.open.push_back((id, open));
///                 if items.len() == 0 { break }
///                 continue;
///             };
///             out.send(id, vec![item]);
///             self.open.push_back((id, open - 1));
///         }
///         // Items that no subscription wants go to the buffer, and are no longer on their way from the producer.
///         self.pending -= self.pending.min(items.len());
///         items.collect()
///     }
/// }
///
/// let (a, b) = (SubscriptionId::next(), SubscriptionId::next());
/// let (mut turns, mut out) = (InTurn::default(), Deliveries::new());
/// turns.subscribe(Subscriber::new(a), (), &mut out).unwrap();
/// turns.subscribe(Subscriber::new(b), (), &mut out).unwrap();
/// assert_eq!(turns.ask(a, 2, &mut out) + turns.ask(b, 1, &mut out), 3);
/// assert_eq!(turns.dispatch(vec![1, 2, 3, 4], &mut out), [4]);
/// assert_eq!(out.take_sent(), [(a, vec![1]), (b, vec![2]), (a, vec![3])]);
/// ```
///
/// # Source
/// The behaviour `GenStage.Dispatcher`. Options are typed; a refused subscriber learns why, and no other subscription
/// notices; items for subscriptions are returned, not sent.
pub trait Dispatcher<T>: Send + 'static {
    /// What a subscription can tell this dispatcher besides its demand; `()` for nothing.
    type Options: Default + Send + 'static;

    /// Takes in a new subscription, which has asked for nothing yet, and returns demand to look for, mostly 0.
    ///
    /// # Errors
    /// A [`Refusal`] goes to the subscriber. The dispatcher is then as it was before.
    fn subscribe(
        &mut self,
        subscriber: Subscriber,
        options: Self::Options,
        out: &mut Deliveries<T>,
    ) -> Result<usize, Refusal>;

    /// Forgets a subscription, and returns demand to look for: the demand that it alone held up.
    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<T>) -> usize;

    /// Adds `demand` items, at least 1, to what a subscription wants, and returns demand to look for.
    fn ask(&mut self, id: SubscriptionId, demand: usize, out: &mut Deliveries<T>) -> usize;

    /// Gives `items`, at least one, to the subscriptions they are for; returns those at the end that none asked for.
    fn dispatch(&mut self, items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T>;

    /// How many items the dispatcher holds, for all subscriptions together, each item once; by default none.
    ///
    /// When the stage ends they are dropped and counted as discarded.
    fn held(&self) -> usize {
        0
    }

    /// How many of the items it holds are for this subscription, also where others get them too; by default none.
    ///
    /// This and [`sends_to_all`](Self::sends_to_all) are asked only for the [status](crate::stage::Status) of a stage.
    ///
    /// # Examples
    /// See [`Partition::queue_size`](super::Partition::queue_size).
    fn held_for(&self, id: SubscriptionId) -> usize {
        let _ = id;
        0
    }

    /// Whether every subscription gets each item that it wants, so that it lags by what its stage has buffered; by
    /// default each item goes to one of them.
    ///
    /// # Examples
    /// See [`Broadcast::new`](super::Broadcast::new).
    fn sends_to_all(&self) -> bool {
        false
    }

    /// Lets a fence [pass](Deliveries::pass) once every item that is held now has been sent; by default at once.
    fn fence(&mut self, fence: Fence, out: &mut Deliveries<T>) {
        out.pass(fence);
    }
}

/// A new subscription, and the stage that holds it, if any.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::{StageId, Subscriber, SubscriptionId};
///
/// let (id, stage) = (SubscriptionId::next(), StageId::next());
/// let subscriber = Subscriber::new(id).of_stage(stage);
/// assert_eq!((subscriber.id(), subscriber.stage()), (id, Some(stage)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a subscriber is nothing until a dispatcher is told of it"]
pub struct Subscriber {
    id: SubscriptionId,
    stage: Option<StageId>,
}

impl Subscriber {
    /// A subscription that no stage holds.
    pub fn new(id: SubscriptionId) -> Self {
        Self { id, stage: None }
    }

    /// The same, held by `stage`.
    ///
    /// # Examples
    /// See [`Subscriber`].
    pub fn of_stage(self, stage: StageId) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// The subscription.
    ///
    /// # Examples
    /// See [`Subscriber`].
    #[must_use]
    pub fn id(self) -> SubscriptionId {
        self.id
    }

    /// The stage that subscribes; `None` for a subscription that is read as a stream.
    #[must_use]
    pub fn stage(self) -> Option<StageId> {
        self.stage
    }
}

/// Why a dispatcher does not take a subscription.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::Refusal;
///
/// let refusal = Refusal::other("closed on Sundays");
/// assert_eq!(refusal.to_string(), "closed on Sundays");
/// ```
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The stage has a subscription already, and can have only one: items would come twice.
    #[error("the stage is already subscribed")]
    AlreadySubscribed,
    /// The subscription does not say which partition it wants.
    #[error("the option partition is required, one of {known}")]
    PartitionRequired {
        /// The partitions there are.
        known: Arc<str>,
    },
    /// There is no such partition.
    #[error("partition must be one of {known}, given {given}")]
    UnknownPartition {
        /// The partitions there are.
        known: Arc<str>,
        /// What was given.
        given: Arc<str>,
    },
    /// Another subscription has this partition, which is free again when that subscription leaves.
    #[error("partition {given} is already taken")]
    PartitionTaken {
        /// What was given.
        given: Arc<str>,
    },
    /// A reason of a dispatcher of your own.
    #[error("{0}")]
    Other(Arc<dyn std::error::Error + Send + Sync>),
}

impl Refusal {
    /// Refuses for a reason of your own: a text or any error.
    ///
    /// # Examples
    /// See [`Refusal`].
    pub fn other(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(Arc::from(reason.into()))
    }
}
