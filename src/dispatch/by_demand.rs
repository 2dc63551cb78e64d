use super::deliveries::Deliveries;
use super::dispatcher::{Dispatcher, Refusal, Subscriber, SubscriptionId};
use std::cmp::Reverse;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use tracing::warn;

/// Gives each item to one subscription: the one with the most open demand, until that is filled, then to the next.
///
/// Of equals, the one that has waited longest at that level is first. With [`fair`](Self::fair), all take turns
/// instead.
///
/// # Demand
/// All that is asked is passed up. Demand of a subscription that leaves is pending: later asks are set off against
/// it, until as many items have come and, with nobody to take them, were handed back.
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
/// those behind it. An ask gets items that were handed back at once, also when more are on their way: nothing is
/// overtaken.
#[derive(Debug, Clone, Default)]
pub struct ByDemand {
    /// High to low; when taking turns, in the order of turns.
    wanting: Vec<Wanting>,
    /// Passed up for subscriptions that have left, and still on its way.
    pending: usize,
    /// Items handed back that were pending: the buffer has them, while more are pending.
    returned: usize,
    expected: Option<usize>,
    shuffle: bool,
    fair: bool,
}

#[derive(Debug, Clone, Copy)]
struct Wanting {
    id: SubscriptionId,
    open: usize,
}

impl ByDemand {
    /// Starts without subscriptions.
    ///
    /// ```
    /// use gen_stage::dispatch::{ByDemand, Dispatcher};
    /// assert_eq!(Dispatcher::<u32>::held(&ByDemand::new()), 0);
    /// ```
    #[must_use]
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
    #[must_use]
    pub fn shuffled(self) -> Self {
        Self { shuffle: true, ..self }
    }

    /// Expects asks of at most `items`; a larger one is logged as a warning, and counts like any other.
    ///
    /// Who asks for more than the others gets more than the others. By default the first ask says what to expect.
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
    #[must_use]
    #[track_caller]
    pub fn max_demand(self, items: usize) -> Self {
        assert!(items > 0, "max_demand must be at least 1 item, given 0");
        Self { expected: Some(items), ..self }
    }

    /// Spreads the items of a dispatch as evenly as demand allows, over all that have demand.
    ///
    /// Each gets one piece of consecutive items. Where the items do not divide evenly, those whose turn it is get one
    /// more, and the next dispatch begins behind them. One with a small `max_demand` gets its share beside a greedy
    /// one. Items go to more tasks in smaller batches: that is worth it for slow work per item.
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
    #[must_use]
    pub fn fair(self) -> Self {
        Self { fair: true, ..self }
    }

    fn position(&self, id: SubscriptionId) -> Option<usize> {
        self.wanting.iter().position(|each| each.id == id)
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

    fn shuffle(&mut self) {
        let random = RandomState::new();
        for last in (1..self.wanting.len()).rev() {
            let chosen = random.hash_one(last) % (last as u64 + 1);
            #[allow(clippy::cast_possible_truncation, reason = "at most `last`, a usize")]
            self.wanting.swap(last, chosen as usize);
        }
        // Who wants nothing must not hold up those behind it.
        self.wanting.sort_by_key(|each| each.open == 0);
    }

    /// Fills one after the other, in the order they are in, and orders them anew.
    fn fill<T>(&mut self, items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T> {
        if let Some(first) = self.wanting.first_mut().filter(|first| first.open >= items.len()) {
            first.open -= items.len();
            out.send(first.id, items);
            self.reorder(1);
            return Vec::new();
        }
        let mut items = items.into_iter();
        let mut served = 0;
        for each in &mut self.wanting {
            let piece = each.open.min(items.len());
            if piece == 0 {
                break;
            }
            each.open -= piece;
            out.send(each.id, items.by_ref().take(piece).collect());
            served += 1;
        }
        self.reorder(served);
        items.collect()
    }

    /// Puts the first ones, which were served, behind their equals.
    fn reorder(&mut self, served: usize) {
        self.wanting.rotate_left(served);
        self.wanting.sort_by_key(|each| Reverse(each.open));
    }

    /// Gives each with demand an equal piece, those whose turn it is one more.
    fn spread<T>(&mut self, items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T> {
        let mut left = items.len();
        let mut pieces = vec![0; self.wanting.len()];
        let mut next = 0;
        loop {
            let hungry = self.wanting.iter().zip(&pieces).filter(|(each, piece)| each.open > **piece).count();
            if left == 0 || hungry == 0 {
                break;
            }
            // At least one each, as far as that goes; a round ends early only if it is the last.
            let share = (left / hungry).max(1);
            for (at, (each, piece)) in self.wanting.iter().zip(&mut pieces).enumerate() {
                let more = share.min(each.open - *piece).min(left);
                *piece += more;
                left -= more;
                if more > 0 && left == 0 && share == 1 {
                    next = at + 1;
                }
            }
        }
        let mut items = items.into_iter();
        for (each, piece) in self.wanting.iter_mut().zip(pieces) {
            each.open -= piece;
            out.send(each.id, items.by_ref().take(piece).collect());
        }
        self.wanting.rotate_left(next);
        items.collect()
    }
}

impl<T: Send + 'static> Dispatcher<T> for ByDemand {
    type Options = ();

    fn subscribe(&mut self, new: Subscriber, (): (), _: &mut Deliveries<T>) -> Result<usize, Refusal> {
        self.wanting.push(Wanting { id: new.id(), open: 0 });
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _: &mut Deliveries<T>) -> usize {
        if let Some(at) = self.position(id) {
            self.pending += self.wanting.remove(at).open;
        }
        0
    }

    fn ask(&mut self, id: SubscriptionId, demand: usize, _: &mut Deliveries<T>) -> usize {
        let Some(at) = self.position(id) else { return 0 };
        self.warn_of_greed(id, demand);
        self.wanting[at].open += demand;
        if !self.fair {
            let grown = self.wanting.remove(at);
            let place = self.wanting.partition_point(|each| each.open >= grown.open);
            self.wanting.insert(place, grown);
        }
        // What the buffer has is to be fetched from there; the rest may be on its way already.
        let fetched = demand.min(self.returned);
        let known = self.pending.min(demand - fetched);
        self.returned -= fetched;
        self.pending -= known;
        demand - known
    }

    fn dispatch(&mut self, items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T> {
        if std::mem::take(&mut self.shuffle) {
            self.shuffle();
        }
        let back = if self.fair { self.spread(items, out) } else { self.fill(items, out) };
        // Items that nobody took are no longer on their way.
        let arrived = self.pending.min(back.len());
        self.pending -= arrived;
        self.returned = if self.pending > 0 { self.returned + arrived } else { 0 };
        back
    }
}

#[cfg(test)]
mod tests;
