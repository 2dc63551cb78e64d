use super::deliveries::Deliveries;
use super::dispatcher::{Dispatcher, Refusal, Subscriber};
use super::ids::SubscriptionId;
use crate::pieces::cut;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use tracing::warn;

/// Gives each item to one subscription: the one with the most open demand, until that is filled, then to the next.
///
/// At equal demand, the subscription that has waited longest at that level is first. So a short input may go to one
/// subscription whole, if that asked for as much. With [`fair`](Self::fair), all with demand get equal pieces instead.
///
/// # Demand
/// All demand is passed up. When a subscription leaves, its demand is pending: later asks are set off against it,
/// until as many items have come and were handed back because no subscription wanted them.
///
/// # Ordering
/// A subscription gets its items in the order they were dispatched in.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::{ByDemand, Deliveries, Dispatcher, Subscriber, SubscriptionId};
///
/// let (a, b) = (SubscriptionId::next(), SubscriptionId::next());
/// let (mut by_demand, mut out) = (ByDemand::new(), Deliveries::new());
/// by_demand.subscribe(Subscriber::new(a), (), &mut out).unwrap();
/// by_demand.subscribe(Subscriber::new(b), (), &mut out).unwrap();
/// by_demand.ask(a, 2, &mut out);
/// by_demand.ask(b, 3, &mut out);
/// assert_eq!(by_demand.dispatch(vec![1, 2, 3, 4, 5, 6], &mut out), [6]);
/// assert_eq!(out.take_sent(), [(b, vec![1, 2, 3]), (a, vec![4, 5])]);
/// ```
///
/// # Source
/// GenStage's `DemandDispatcher`. Taking turns is new. After a shuffle a subscription without demand does not hold up
/// those behind it. Items that were handed back go to the next ask at once, even when more are on their way: no item
/// overtakes another.
#[derive(Debug, Clone, Default)]
#[must_use = "a dispatcher does nothing until it is given to a stage"]
pub struct ByDemand {
    open: HashMap<SubscriptionId, OpenDemand, FixedState>,
    /// The places of all subscriptions, first the one whose turn it is; and places that were given up. Empty up to
    /// [`FEW`] subscriptions.
    order: BinaryHeap<(Place, SubscriptionId)>,
    /// The turn in the last place that was given out.
    last_turn: u64,
    /// Passed up for subscriptions that have left, and still on its way.
    pending: usize,
    /// Pending items that were handed back: the buffer has them. 0 once no more are pending.
    returned: usize,
    expected: Option<usize>,
    shuffle: bool,
    fair: bool,
}

/// Up to this many subscriptions are looked over one by one.
const FEW: usize = 16;

/// Places that were given up are dropped when they outnumber the subscriptions by this.
const MOST_GIVEN_UP: usize = 16;

/// What one subscription wants, and where it stands.
#[derive(Debug, Clone, Copy)]
struct OpenDemand {
    demand: usize,
    place: Place,
}

/// Higher levels come first; at the same level, earlier turns do.
type Place = (usize, Reverse<u64>);

impl ByDemand {
    /// Starts without subscriptions.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::{ByDemand, Dispatcher};
    /// assert_eq!(Dispatcher::<u32>::held(&ByDemand::new()), 0);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Shuffles the subscriptions once, at the first dispatch.
    ///
    /// Several producers with the same consumers then do not all begin with the same one.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::{ByDemand, Deliveries, Dispatcher, Subscriber, SubscriptionId};
    ///
    /// let (mut shuffled, mut out) = (ByDemand::new().shuffled(), Deliveries::new());
    /// for _ in 0..9 {
    ///     let id = SubscriptionId::next();
    ///     shuffled.subscribe(Subscriber::new(id), (), &mut out).unwrap();
    ///     shuffled.ask(id, 1, &mut out);
    /// }
    /// shuffled.dispatch((0..9).collect(), &mut out);
    /// // Each has one item; which one is chance.
    /// assert!(out.take_sent().iter().all(|(_, items)| items.len() == 1));
    /// ```
    ///
    /// # Source
    /// The option `shuffle_demands_on_first_dispatch`.
    pub fn shuffled(self) -> Self {
        Self { shuffle: true, ..self }
    }

    /// Expects asks of at most `items`; a larger one is logged as a warning, and counts like any other.
    ///
    /// A subscription that asks for more than the others gets more than they do. By default the first ask says what to
    /// expect.
    ///
    /// # Panics
    /// When `items` is 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::{ByDemand, Deliveries, Dispatcher, Subscriber, SubscriptionId};
    ///
    /// let (id, mut out) = (SubscriptionId::next(), Deliveries::<u32>::new());
    /// let mut by_demand = ByDemand::new().max_demand(100);
    /// by_demand.subscribe(Subscriber::new(id), (), &mut out).unwrap();
    /// assert_eq!(by_demand.ask(id, 1000, &mut out), 1000);      // logged
    /// ```
    ///
    /// # Source
    /// The option `max_demand` of GenStage's `DemandDispatcher`.
    #[track_caller]
    pub fn max_demand(self, items: usize) -> Self {
        assert!(items > 0, "max_demand must be at least 1 item, given 0");
        Self { expected: Some(items), ..self }
    }

    /// Spreads the items of a dispatch as evenly as demand allows, over all subscriptions with demand.
    ///
    /// Each gets one piece of consecutive items. Where the items do not divide evenly, those whose turn it is get one
    /// more, and the next dispatch begins after them. A subscription whose demand was used up comes last when it asks
    /// again. One with a small `max_demand` gets its share beside a greedy one. Items go to more tasks in smaller
    /// batches: that is worth it for slow work per item.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::{ByDemand, Deliveries, Dispatcher, Subscriber, SubscriptionId};
    ///
    /// let (a, b) = (SubscriptionId::next(), SubscriptionId::next());
    /// let (mut fair, mut out) = (ByDemand::new().fair(), Deliveries::new());
    /// fair.subscribe(Subscriber::new(a), (), &mut out).unwrap();
    /// fair.subscribe(Subscriber::new(b), (), &mut out).unwrap();
    /// fair.ask(a, 1000, &mut out);
    /// fair.ask(b, 5, &mut out);
    /// fair.dispatch(vec![1, 2, 3], &mut out);
    /// fair.dispatch(vec![4, 5, 6], &mut out);
    /// assert_eq!(out.take_sent(), [(a, vec![1, 2]), (b, vec![3]), (b, vec![4, 5]), (a, vec![6])]);
    /// ```
    pub fn fair(self) -> Self {
        Self { fair: true, ..self }
    }

    fn warn_of_greed(&mut self, id: SubscriptionId, asked: usize) {
        let expected = *self.expected.get_or_insert(asked);
        if asked > expected {
            warn!(
                subscription = %id,
                expected,
                asked,
                "a subscription asks for more than the others: it will get more than its share"
            );
        }
    }

    /// Puts a subscription after its equals. Its former place, if it has one, is given up.
    fn place(&mut self, id: SubscriptionId, demand: usize) {
        // When subscriptions take turns, it only matters whether one has demand at all.
        let level = if self.fair { demand.min(1) } else { demand };
        self.last_turn += 1;
        let place = (level, Reverse(self.last_turn));
        self.put(id, OpenDemand { demand, place });
    }

    fn put(&mut self, id: SubscriptionId, open: OpenDemand) {
        match self.open.get_mut(&id) {
            Some(known) => *known = open,
            None => _ = self.open.insert(id, open),
        }
        if self.open.len() <= FEW {
            return;
        }
        self.order.push((open.place, id));
        if self.order.len() > 2 * self.open.len() + MOST_GIVEN_UP {
            let open = &self.open;
            self.order.retain(|(place, id)| open.get(id).is_some_and(|open| open.place == *place));
        }
    }

    /// Takes the subscription that is next out of the order, to be put into it again; `None` if none has demand.
    fn take_first(&mut self) -> Option<(SubscriptionId, OpenDemand)> {
        if self.open.len() <= FEW {
            let hungry = self.open.iter_mut().filter(|(_, open)| open.demand > 0);
            let (id, open) = hungry.max_by_key(|(_, open)| open.place)?;
            let taken = (*id, *open);
            open.demand = 0;
            return Some(taken);
        }
        while let Some((place, id)) = self.order.peek() {
            match self.open.get(id) {
                Some(open) if open.place == *place => {
                    let first = (open.demand > 0).then_some((*id, *open))?;
                    self.order.pop();
                    return Some(first);
                }
                _ => _ = self.order.pop(),
            }
        }
        None
    }

    /// Puts the subscriptions in random order, those with demand first.
    fn shuffle(&mut self) {
        let mut ids: Vec<_> = self.open.keys().copied().collect();
        let random = RandomState::new();
        for last in (1..ids.len()).rev() {
            let chosen = random.hash_one(last) % (last as u64 + 1);
            #[allow(clippy::cast_possible_truncation, reason = "at most `last`, a usize")]
            ids.swap(last, chosen as usize);
        }
        self.order.clear();
        for id in ids {
            let Some(open) = self.open.get(&id) else { continue };
            self.last_turn += 1;
            let open = OpenDemand { place: (open.demand.min(1), Reverse(self.last_turn)), ..*open };
            self.put(id, open);
        }
    }

    /// Sorts the subscriptions by their demand; equals keep their order.
    fn sort(&mut self) {
        let turns = self.open.iter().map(|(id, open)| (open.place.1, *id, open.demand));
        let mut turns: Vec<_> = turns.collect();
        turns.sort_unstable_by_key(|(turn, ..)| Reverse(*turn));
        self.order.clear();
        for (_, id, demand) in turns {
            self.place(id, demand);
        }
    }

    /// Fills one subscription after the other, in their order, and puts each after its equals.
    fn fill<T>(&mut self, items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T> {
        let Some((id, OpenDemand { demand, .. })) = self.take_first() else { return items };
        let Some(mut left) = items.len().checked_sub(demand).filter(|left| *left > 0) else {
            self.place(id, demand - items.len());
            out.send(id, items);
            return Vec::new();
        };
        let mut served = vec![(id, demand, demand)];
        while left > 0 {
            let Some((id, OpenDemand { demand, .. })) = self.take_first() else { break };
            let piece = demand.min(left);
            left -= piece;
            served.push((id, demand, piece));
        }
        let (pieces, rest) = cut(items, served.iter().map(|(.., piece)| *piece));
        for ((id, demand, piece), items) in served.into_iter().zip(pieces) {
            out.send(id, items);
            self.place(id, demand - piece);
        }
        rest
    }

    /// Gives each subscription with demand an equal piece, and one more to those whose turn it is.
    fn spread<T>(&mut self, items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T> {
        // No more subscriptions than there are items: the others would get none.
        let mut pieces: Vec<(SubscriptionId, OpenDemand, usize)> = Vec::new();
        while pieces.len() < items.len() {
            let Some((id, open)) = self.take_first() else { break };
            pieces.push((id, open, 0));
        }
        let mut left = items.len();
        let mut turns = 0;
        loop {
            let hungry = pieces.iter().filter(|(_, open, piece)| open.demand > *piece).count();
            if left == 0 || hungry == 0 {
                break;
            }
            // At least one each, while items last; a round that ends early is the last.
            let share = (left / hungry).max(1);
            for (at, (_, open, piece)) in pieces.iter_mut().enumerate() {
                let more = share.min(open.demand - *piece).min(left);
                *piece += more;
                left -= more;
                if more > 0 && left == 0 && share == 1 {
                    turns = at + 1;
                }
            }
        }
        let (cuts, rest) = cut(items, pieces.iter().map(|(.., piece)| *piece));
        for (at, ((id, open, piece), items)) in pieces.into_iter().zip(cuts).enumerate() {
            out.send(id, items);
            let demand = open.demand - piece;
            // A subscription goes last when its turn is over, or when it has all that it asked for.
            if at < turns || demand == 0 {
                self.place(id, demand);
            } else {
                self.put(id, OpenDemand { demand, ..open });
            }
        }
        rest
    }
}

impl<T: Send + 'static> Dispatcher<T> for ByDemand {
    type Options = ();

    fn subscribe(&mut self, new: Subscriber, (): (), _: &mut Deliveries<T>) -> Result<usize, Refusal> {
        if self.open.contains_key(&new.id()) {
            return Err(Refusal::AlreadySubscribed);
        }
        self.place(new.id(), 0);
        if self.open.len() == FEW + 1 {
            self.order = self.open.iter().map(|(id, open)| (open.place, *id)).collect();
        }
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _: &mut Deliveries<T>) -> usize {
        if let Some(open) = self.open.remove(&id) {
            self.pending += open.demand;
            if self.open.len() == FEW {
                self.order = BinaryHeap::new();
                // A table is looked over with all its places. There is room for some that come, so that it does not
                // grow and shrink all the time.
                self.open.shrink_to(2 * FEW);
            }
        }
        0
    }

    fn ask(&mut self, id: SubscriptionId, demand: usize, _: &mut Deliveries<T>) -> usize {
        let Some(open) = self.open.get_mut(&id) else { return 0 };
        if self.fair && open.demand > 0 {
            // It keeps its turn.
            open.demand += demand;
        } else {
            let before = open.demand;
            self.place(id, before + demand);
        }
        self.warn_of_greed(id, demand);
        // What the buffer has is to be fetched from there; the rest may be on its way already.
        let fetched = demand.min(self.returned);
        let known = self.pending.min(demand - fetched);
        self.returned -= fetched;
        self.pending -= known;
        demand - known
    }

    fn dispatch(&mut self, items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T> {
        let shuffled = std::mem::take(&mut self.shuffle);
        if shuffled {
            self.shuffle();
        }
        let back = if self.fair { self.spread(items, out) } else { self.fill(items, out) };
        if shuffled {
            self.sort();
        }
        // Items that no subscription took are no longer on their way.
        let arrived = self.pending.min(back.len());
        self.pending -= arrived;
        self.returned = if self.pending > 0 { self.returned + arrived } else { 0 };
        back
    }
}

#[cfg(test)]
mod tests;
