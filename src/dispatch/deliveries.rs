use super::body::{Body, SharedPart};
use super::ids::SubscriptionId;
use std::fmt;

/// What a dispatcher has decided: which items go to which subscription, and what else its stage has to know.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::{Deliveries, SubscriptionId};
///
/// let (a, b) = (SubscriptionId::next(), SubscriptionId::next());
/// let mut out = Deliveries::new();
/// out.send(a, vec![1, 2]);
/// out.share([a, b], vec![3]);
/// assert_eq!(out.take_sent(), [(a, vec![1, 2]), (a, vec![3]), (b, vec![3])]);
/// ```
pub struct Deliveries<T> {
    sent: Vec<(SubscriptionId, Body<T>)>,
    asks: Vec<(SubscriptionId, usize)>,
    passed: Vec<Fence>,
    discarded: usize,
    dropped_for: Vec<(SubscriptionId, usize)>,
    wanted: usize,
}

/// Stands in a dispatcher's queues behind the items that were there before it; see [`Dispatcher::fence`].
///
/// # Examples
/// ```
/// use gen_stage::dispatch::{Deliveries, Fence};
///
/// let mut out = Deliveries::<u32>::new();
/// out.pass(Fence::new(7));
/// assert_eq!(out.take_passed(), [Fence::new(7)]);
/// ```
///
/// [`Dispatcher::fence`]: super::Dispatcher::fence
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fence(u64);

impl Fence {
    /// Numbers a fence. A stage does that for you; tests of a dispatcher need it.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number)
    }
}

impl<T> Deliveries<T> {
    /// Starts with nothing decided.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sent: Vec::new(),
            asks: Vec::new(),
            passed: Vec::new(),
            discarded: 0,
            dropped_for: Vec::new(),
            wanted: 0,
        }
    }

    /// Sends a batch to one subscription; nothing if it is empty.
    ///
    /// # Examples
    /// See [`Dispatcher`](super::Dispatcher).
    pub fn send(&mut self, to: SubscriptionId, items: Vec<T>) {
        if !items.is_empty() {
            self.sent.push((to, Body::Own(items)));
        }
    }

    /// Sends the same batch to several subscriptions, which share it: items are cloned when they are read, unless they
    /// are read by reference. They are moved if no other part of the batch is left.
    ///
    /// # Examples
    /// See [`Deliveries`].
    pub fn share(&mut self, to: impl IntoIterator<Item = SubscriptionId>, items: Vec<T>)
    where
        T: Clone + Send + Sync + 'static,
    {
        if items.is_empty() {
            return;
        }
        let all = SharedPart::of(items);
        self.sent.extend(to.into_iter().map(|id| (id, Body::Shared(all.clone()))));
    }

    /// Asks in the name of a subscription, for items that it should have got and does not get.
    ///
    /// The stage hands the ask to [`Dispatcher::ask`](super::Dispatcher::ask) when it is done with these deliveries.
    pub fn ask(&mut self, of: SubscriptionId, demand: usize) {
        if demand > 0 {
            self.asks.push((of, demand));
        }
    }

    /// Passes up demand outside of the methods that return it: for items that were handed back and can be taken now.
    ///
    /// The stage looks for them when it is done with these deliveries.
    pub fn look_for(&mut self, demand: usize) {
        self.wanted += demand;
    }

    /// Says that everything in front of a fence was sent.
    ///
    /// # Examples
    /// See [`Deliveries`].
    pub fn pass(&mut self, fence: Fence) {
        self.passed.push(fence);
    }

    /// Counts items that the dispatcher dropped, for all subscriptions.
    pub fn discard(&mut self, items: usize) {
        self.discarded += items;
    }

    /// Counts items that a subscription was to get and does not, though others may: its
    /// [status](crate::stage::ConsumerStatus::left_out) tells of them.
    ///
    /// # Examples
    /// See [`Selector`](super::Selector).
    pub fn drop_for(&mut self, id: SubscriptionId, items: usize) {
        if items > 0 {
            self.dropped_for.push((id, items));
        }
    }

    /// Takes out what was sent, batch by batch, in order: for tests of a dispatcher.
    ///
    /// # Examples
    /// See [`Deliveries`].
    pub fn take_sent(&mut self) -> Vec<(SubscriptionId, Vec<T>)> {
        self.sent.drain(..).map(|(id, body)| (id, body.into_items())).collect()
    }

    /// Takes out what was asked in the name of subscriptions.
    ///
    /// # Examples
    /// See [`Selector`](super::Selector).
    pub fn take_asks(&mut self) -> Vec<(SubscriptionId, usize)> {
        std::mem::take(&mut self.asks)
    }

    /// Takes out the fences that passed.
    ///
    /// # Examples
    /// See [`Deliveries`].
    pub fn take_passed(&mut self) -> Vec<Fence> {
        std::mem::take(&mut self.passed)
    }

    /// Takes out the demand that was passed up by [`look_for`](Self::look_for).
    pub fn take_wanted(&mut self) -> usize {
        std::mem::take(&mut self.wanted)
    }

    /// Takes out how many items were dropped.
    ///
    /// # Examples
    /// See [`Partition::by`](super::Partition::by).
    pub fn take_discarded(&mut self) -> usize {
        std::mem::take(&mut self.discarded)
    }

    /// Takes out how many items were dropped for single subscriptions.
    ///
    /// # Examples
    /// See [`Selector`](super::Selector).
    pub fn take_dropped_for(&mut self) -> Vec<(SubscriptionId, usize)> {
        std::mem::take(&mut self.dropped_for)
    }

    /// Whether nothing was decided, or only what is sent.
    pub(crate) fn is_clear(&self) -> bool {
        let Self { sent: _, asks, passed, discarded, dropped_for, wanted } = self;
        asks.is_empty() && passed.is_empty() && dropped_for.is_empty() && *discarded == 0 && *wanted == 0
    }

    /// Takes out what was sent, without cloning what is shared, and keeps the memory for it.
    pub(crate) fn drain_sent(&mut self) -> impl Iterator<Item = (SubscriptionId, Body<T>)> {
        self.sent.drain(..)
    }
}

impl<T> Default for Deliveries<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Deliveries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent: Vec<_> = self.sent.iter().map(|(id, body)| (id, body.len())).collect();
        f.debug_struct("Deliveries")
            .field("sent", &sent)
            .field("asks", &self.asks)
            .field("passed", &self.passed)
            .field("discarded", &self.discarded)
            .field("dropped_for", &self.dropped_for)
            .field("wanted", &self.wanted)
            .finish()
    }
}
