use super::deliveries::{Deliveries, Fence};
use super::dispatcher::{Dispatcher, Refusal, Subscriber};
use super::ids::SubscriptionId;
use std::collections::VecDeque;
use std::fmt;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

mod assign;
mod chunks;
mod queue;

use assign::Names;
pub use assign::{Assign, AssignBy, AssignHash, AssignKey, PartitionName};
use queue::PartitionQueue;

/// Gives each item to the one subscription that has its partition.
///
/// The partitions are there from the start: numbers with [`hash`](Self::hash), names with [`by_key`](Self::by_key) and
/// [`by`](Self::by). A subscription says which one it wants with a [`PartitionName`]; a partition has one subscription
/// at a time. Items for a partition that has not asked for them, or has no subscription, wait in its queue, which
/// outlives the subscription: the next one gets them first.
///
/// A queue takes up to [`queue_size`](Self::queue_size) items. When one more comes for a full queue, that item is
/// kept, and all items behind it, for any partition, are handed back until the queue has room. So a partition that
/// nothing reads stalls the others, and never fills the memory.
///
/// # Demand
/// Demand is one sum: what one partition asks for may be filled with items for another, which then wait in a queue.
/// An ask is passed up in full even when the queue fills it, so that the sum is whole again. When a subscription
/// leaves, its open demand is set off against later asks. Demand for as many items as it leaves in its queue is passed
/// up again, so that they do not hold up the others, and is set off against later asks as well.
///
/// # Ordering
/// Within a partition, items keep the order they were dispatched in.
///
/// # Panics
/// Dispatching panics when the function of `by_key` or `by` names a partition that is not there.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::{Deliveries, Dispatcher, Partition, PartitionName, Subscriber, SubscriptionId};
///
/// let parity = |n: &u32| if n % 2 == 0 { "even" } else { "odd" };
/// let (mut partition, mut out) = (Partition::by_key(["even", "odd"], parity), Deliveries::new());
/// let (even, odd) = (SubscriptionId::next(), SubscriptionId::next());
/// partition.subscribe(Subscriber::new(even), PartitionName::new("even"), &mut out).unwrap();
/// assert_eq!(partition.ask(even, 4, &mut out), 4);
/// assert_eq!(partition.dispatch(vec![1, 2, 3, 4, 5], &mut out), [5]);
/// assert_eq!(out.take_sent(), [(even, vec![2, 4])]);
///
/// partition.subscribe(Subscriber::new(odd), PartitionName::new("odd"), &mut out).unwrap();
/// assert_eq!(partition.ask(odd, 4, &mut out), 4);
/// assert_eq!(out.take_sent(), [(odd, vec![1, 3])]);
/// ```
///
/// # Source
/// GenStage's `PartitionDispatcher`. Queues there have no bound, and are lost with their subscription. A subscription
/// that names no partition, an unknown one or a taken one is refused; there, the producer dies. Demand answered with
/// items that the function dropped is asked again; there, it is gone.
#[must_use = "a dispatcher does nothing until it is given to a stage"]
pub struct Partition<T, A = AssignHash> {
    assign: A,
    lanes: Vec<PartitionQueue<T>>,
    queue_size: usize,
    /// Passed up and not yet filled. With `stalled` and what is queued, it adds up to all open demand and `pending`.
    pub(super) waiting: usize,
    /// Passed up for subscriptions that have left, to be set off against later asks.
    pub(super) pending: usize,
    /// Passed up, filled, and handed back because of the full queue; above 0 only while a queue is full.
    pub(super) stalled: usize,
    /// The lane whose queue has one item more than fits.
    pub(super) full: Option<usize>,
    /// In order; each with the lanes it waits for, and how far their queues have to get.
    fences: VecDeque<(Fence, Vec<(usize, u64)>)>,
}

/// With less room than this in some lane, items are taken one by one: to find out again what fits would cost more.
const LITTLE_ROOM: usize = 32;

impl<T: Hash> Partition<T> {
    /// Has the partitions 0 to `partitions - 1`; an item goes to the one [`hash_lane`](super::hash_lane) says.
    ///
    /// # Panics
    /// When `partitions` is 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::{
    ///     Deliveries, Dispatcher, Partition, PartitionName, Subscriber, SubscriptionId, hash_lane,
    /// };
    ///
    /// let (mut four, mut out) = (Partition::hash(4), Deliveries::new());
    /// let fox = SubscriptionId::next();
    /// four.subscribe(Subscriber::new(fox), PartitionName::new(hash_lane("fox", 4)), &mut out).unwrap();
    /// four.ask(fox, 1, &mut out);
    /// four.dispatch(vec!["fox"], &mut out);
    /// assert_eq!(out.take_sent(), [(fox, vec!["fox"])]);
    /// ```
    ///
    /// # Source
    /// The option `partitions` as a number, with the default `hash`.
    #[track_caller]
    pub fn hash(partitions: usize) -> Self {
        Self::new(AssignHash::new(partitions))
    }

    /// Hashes items with `seed`, any number; by default as [`hash_lane`](super::hash_lane) does.
    ///
    /// See [`Flow::hash_seed`](crate::Flow::hash_seed).
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::dispatch::Partition;
    /// use gen_stage::prelude::*;
    /// use std::hash::{BuildHasher, RandomState};
    ///
    /// # tokio_test::block_on(async {
    /// let two = Partition::hash(2).hash_seed(RandomState::new().hash_one("users"));
    /// let users = gen_stage::stage::from_iter(["anna", "bert"]).stage().dispatcher(two).spawn();
    /// let [zero, one] = [users.subscribe().in_partition(0).await?, users.subscribe().in_partition(1).await?];
    /// let (zero, one): (Vec<_>, Vec<_>) = futures::join!(zero.collect(), one.collect());
    /// assert_eq!(zero.len() + one.len(), 2);
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    pub fn hash_seed(mut self, seed: u64) -> Self {
        self.assign.seed(seed);
        self
    }
}

impl<T, K, F> Partition<T, AssignKey<K, F>>
where
    K: Hash + Eq + Clone + Debug + Send + 'static,
    F: FnMut(&T) -> K + Send + 'static,
{
    /// Has the partitions `names`; an item goes to the one that `key` returns.
    ///
    /// # Panics
    /// When there are no names, or a name comes twice. Dispatching panics when `key` returns an unknown name.
    ///
    /// # Examples
    /// See [`Partition`].
    ///
    /// # Source
    /// The option `partitions` as a list, with a `hash`.
    #[track_caller]
    pub fn by_key(names: impl IntoIterator<Item = K>, key: F) -> Self {
        Self::new(AssignKey::new(Names::new(names), key))
    }
}

impl<T, K, F> Partition<T, AssignBy<K, F>>
where
    K: Hash + Eq + Clone + Debug + Send + 'static,
    F: FnMut(T) -> Option<(T, K)> + Send + 'static,
{
    /// Has the partitions `names`; `assign` returns what to send, and which partition it is for.
    ///
    /// An item for which it returns `None` is dropped, uses up no demand, and counts as discarded.
    ///
    /// # Panics
    /// When there are no names, or a name comes twice. Dispatching panics when `assign` returns an unknown name.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::{Deliveries, Dispatcher, Partition, PartitionName, Subscriber, SubscriptionId};
    ///
    /// // Negative numbers are dropped, the others doubled.
    /// let assign = |n: i32| (n >= 0).then_some((2 * n, if n < 10 { "few" } else { "many" }));
    /// let (mut partition, mut out) = (Partition::by(["few", "many"], assign), Deliveries::new());
    /// let few = SubscriptionId::next();
    /// partition.subscribe(Subscriber::new(few), PartitionName::new("few"), &mut out).unwrap();
    /// partition.ask(few, 2, &mut out);
    /// assert_eq!(partition.dispatch(vec![-1, 1, -2, 2, 3], &mut out), [3]);
    /// assert_eq!(out.take_sent(), [(few, vec![2, 4])]);
    /// assert_eq!(out.take_discarded(), 2);
    /// ```
    ///
    /// # Source
    /// The option `hash` with `{event, partition}` and `:none`.
    #[track_caller]
    pub fn by(names: impl IntoIterator<Item = K>, assign: F) -> Self {
        Self::new(AssignBy::new(Names::new(names), assign))
    }
}

impl<T, A> Partition<T, A> {
    /// Has the partitions of `assign`.
    ///
    /// # Panics
    /// When it has no names.
    ///
    /// # Examples
    /// See [`Assign`].
    #[track_caller]
    pub fn new(assign: A) -> Self
    where
        A: Assign<T>,
    {
        let partitions = assign.names().len();
        assert!(partitions > 0, "Partition needs at least 1 partition, given 0");
        Self {
            assign,
            lanes: (0..partitions).map(|_| PartitionQueue::new()).collect(),
            queue_size: 1000,
            waiting: 0,
            pending: 0,
            stalled: 0,
            full: None,
            fences: VecDeque::new(),
        }
    }

    /// Lets up to `items` items wait per partition, at least 1, by default 1000.
    ///
    /// # Panics
    /// When `items` is 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::{Deliveries, Dispatcher, Partition, PartitionName, Subscriber, SubscriptionId};
    ///
    /// let (mut partition, mut out) = (Partition::by_key(0..2, |n: &u32| n % 2).queue_size(1), Deliveries::new());
    /// let even = SubscriptionId::next();
    /// partition.subscribe(Subscriber::new(even), PartitionName::new(0), &mut out).unwrap();
    /// partition.ask(even, 9, &mut out);
    /// // 1 waits in the queue of the odd ones, 3 does not fit any more, and stalls all behind it.
    /// assert_eq!(partition.dispatch(vec![1, 2, 3, 4, 5], &mut out), [4, 5]);
    /// assert_eq!(partition.held(), 2);
    ///
    /// // When there is room again, demand for those two is passed up, and they come out of the buffer.
    /// let odd = SubscriptionId::next();
    /// partition.subscribe(Subscriber::new(odd), PartitionName::new(1), &mut out).unwrap();
    /// assert_eq!((partition.held_for(even), partition.held_for(odd)), (0, 2));
    /// assert_eq!(partition.ask(odd, 3, &mut out), 3 + 2);
    /// assert!(partition.dispatch(vec![4, 5], &mut out).is_empty());
    /// let sent = [(even, vec![2]), (odd, vec![1, 3]), (even, vec![4]), (odd, vec![5])];
    /// assert_eq!(out.take_sent(), sent);
    /// ```
    #[track_caller]
    pub fn queue_size(self, items: usize) -> Self {
        assert!(items > 0, "queue_size must be at least 1 item, given 0");
        Self { queue_size: items, ..self }
    }

    fn lane_of(&self, id: SubscriptionId) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.holder == Some(id))
    }

    /// Takes up to `waiting` items, in order, and stops after the first that does not fit. Returns how many were
    /// dropped.
    fn take(&mut self, items: &mut std::vec::IntoIter<T>) -> usize
    where
        A: Assign<T>,
    {
        // An even share and an eighth more, so that a lane's batch seldom has to grow.
        let share = items.len().min(self.waiting) / self.lanes.len();
        for lane in &mut self.lanes {
            lane.room = lane.open + (self.queue_size - lane.queue.len());
            lane.fresh.reserve((share + share / 8).min(lane.room));
        }
        let little = LITTLE_ROOM.max(self.lanes.len());
        let mut dropped = 0;
        while self.waiting > 0 && self.full.is_none() && items.len() > 0 {
            // The lane with the least room takes this many, so that many fit for certain.
            let room = self.lanes.iter().map(|lane| lane.room - lane.fresh.len()).min().unwrap_or(0);
            let fit = room.min(self.waiting).min(items.len());
            dropped +=
                if fit < little { self.take_while_they_fit(items) } else { self.take_fitting(items, fit) };
        }
        dropped
    }

    /// Takes the next `count` items, all of which fit. Returns how many were dropped.
    fn take_fitting(&mut self, items: &mut std::vec::IntoIter<T>, count: usize) -> usize
    where
        A: Assign<T>,
    {
        // Locals, which stay in registers.
        let (lanes, assign) = (self.lanes.as_mut_slice(), &mut self.assign);
        let (mut items, mut dropped) = (items.by_ref().take(count), 0);
        loop {
            // Lists grow outside of this loop: a call in it would move what it counts to memory.
            let unplaced = items.find_map(|item| {
                let Some((item, to)) = assign.assign(item) else {
                    dropped += 1;
                    return None;
                };
                let fresh = &mut lanes[to].fresh;
                if fresh.len() >= fresh.capacity() {
                    return Some((item, to));
                }
                fresh.push(item);
                None
            });
            let Some((item, to)) = unplaced else { break };
            lanes[to].fresh.push(item);
        }
        self.waiting -= count - dropped;
        dropped
    }

    /// Takes items one by one, as long as they are waited for, up to the first that does not fit. Returns how many were
    /// dropped.
    #[inline(never)]
    fn take_while_they_fit(&mut self, items: &mut std::vec::IntoIter<T>) -> usize
    where
        A: Assign<T>,
    {
        let mut dropped = 0;
        while self.waiting > 0 {
            let Some(item) = items.next() else { break };
            let Some((item, to)) = self.assign.assign(item) else {
                dropped += 1;
                continue;
            };
            self.waiting -= 1;
            let lane = &mut self.lanes[to];
            lane.fresh.push(item);
            if lane.fresh.len() > lane.room {
                self.full = Some(to);
                break;
            }
        }
        dropped
    }

    /// Remembers the demand for items that are handed back although they were asked for.
    fn stall(&mut self, items: usize) {
        let asked = self.waiting.min(items);
        self.waiting -= asked;
        self.stalled += asked;
    }

    /// Asks for other items in place of dropped ones that were asked for.
    fn replace(&mut self, dropped: usize, out: &mut Deliveries<T>) {
        out.discard(dropped);
        let mut lack = dropped.min(self.waiting);
        self.waiting -= lack;
        let known = lack.min(self.pending);
        self.pending -= known;
        lack -= known;
        // If demand is still lacking, nothing is pending: so open demand is at least what was waiting.
        for lane in &mut self.lanes {
            let part = lack.min(lane.open);
            if let (1.., Some(holder)) = (part, lane.holder) {
                lack -= part;
                lane.open -= part;
                out.ask(holder, part);
            }
        }
    }

    fn pass_fences(&mut self, out: &mut Deliveries<T>) {
        // In no queue does a later fence stand in front of an earlier one, so only the first has to be looked at.
        while let Some((fence, places)) = self.fences.front() {
            if places.iter().any(|(lane, place)| self.lanes[*lane].left < *place) {
                break;
            }
            out.pass(*fence);
            self.fences.pop_front();
        }
    }
}

impl<T: Send + 'static, A: Assign<T>> Dispatcher<T> for Partition<T, A> {
    type Options = PartitionName<A::Name>;

    fn subscribe(
        &mut self,
        new: Subscriber,
        name: Self::Options,
        _: &mut Deliveries<T>,
    ) -> Result<usize, Refusal> {
        let names = self.assign.names();
        let known = || Arc::from(format!("{names:?}"));
        let name = name.into_name().ok_or_else(|| Refusal::PartitionRequired { known: known() })?;
        let given = || Arc::from(format!("{name:?}"));
        let place = names.iter().position(|each| *each == name);
        let place = place.ok_or_else(|| Refusal::UnknownPartition { known: known(), given: given() })?;
        let lane = &mut self.lanes[place];
        if lane.holder.is_some() {
            return Err(Refusal::PartitionTaken { given: given() });
        }
        lane.holder = Some(new.id());
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _: &mut Deliveries<T>) -> usize {
        let Some(at) = self.lane_of(id) else { return 0 };
        let lane = &mut self.lanes[at];
        lane.holder = None;
        // Items that answered the demand of others wait in this queue, maybe for long. As much demand is passed up
        // again, once, and set off against later asks: the queue stays, so the next reader needs that much less.
        let lent = lane.queue.len() - lane.lent;
        lane.lent = lane.queue.len();
        self.pending += std::mem::take(&mut lane.open) + lent;
        self.waiting += lent;
        lent
    }

    fn ask(&mut self, id: SubscriptionId, demand: usize, out: &mut Deliveries<T>) -> usize {
        let Some(at) = self.lane_of(id) else { return 0 };
        let lane = &mut self.lanes[at];
        let queued = demand.min(lane.queue.len());
        out.send(id, lane.queue.take(queued));
        lane.left += queued as u64;
        lane.lent = lane.lent.saturating_sub(queued);
        lane.open += demand - queued;

        let known = demand.min(self.pending);
        self.pending -= known;
        let mut passed = demand - known;
        if self.full == Some(at) && lane.queue.len() <= self.queue_size {
            self.full = None;
            passed += std::mem::take(&mut self.stalled);
        }
        self.waiting += passed;
        self.pass_fences(out);
        passed
    }

    fn dispatch(&mut self, items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T> {
        if self.full.is_some() || self.waiting == 0 {
            self.stall(items.len());
            return items;
        }
        let mut items = items.into_iter();
        let dropped = self.take(&mut items);
        for lane in &mut self.lanes {
            if !lane.fresh.is_empty() {
                lane.flush(out);
            }
        }
        if self.full.is_some() {
            self.stall(items.len());
        }
        if dropped > 0 {
            self.replace(dropped, out);
        }
        items.collect()
    }

    fn held(&self) -> usize {
        self.lanes.iter().map(|lane| lane.queue.len()).sum()
    }

    fn held_for(&self, id: SubscriptionId) -> usize {
        self.lane_of(id).map_or(0, |at| self.lanes[at].queue.len())
    }

    fn fence(&mut self, fence: Fence, out: &mut Deliveries<T>) {
        let queued = self.lanes.iter().enumerate().filter(|(_, lane)| !lane.queue.is_empty());
        let places = queued.map(|(at, lane)| (at, lane.left + lane.queue.len() as u64)).collect();
        self.fences.push_back((fence, places));
        self.pass_fences(out);
    }
}

impl<T, A: Debug> Debug for Partition<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lanes: Vec<_> =
            self.lanes.iter().map(|lane| (lane.holder, lane.open, lane.queue.len())).collect();
        f.debug_struct("Partition")
            .field("assign", &self.assign)
            .field("lanes", &lanes)
            .field("queue_size", &self.queue_size)
            .field("waiting", &self.waiting)
            .field("pending", &self.pending)
            .field("stalled", &self.stalled)
            .field("fences", &self.fences.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
