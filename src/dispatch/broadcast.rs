use super::deliveries::Deliveries;
use super::dispatcher::{Dispatcher, Refusal, Subscriber};
use super::ids::{StageId, SubscriptionId};
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// Gives every item to every subscription; the slowest sets the pace, and nothing is dropped.
///
/// A subscription that [may lose items](crate::stage::Subscribe::keep_newest) sets no pace.
///
/// A stage can have only one subscription: with two it would get everything twice. A subscription may bring a
/// [`Selector`]. Subscriptions without one share each batch; its items are cloned when they are read, unless they are
/// read [by reference](crate::stage::Subscription::next_shared).
///
/// # Demand
/// What *all* subscriptions have asked for is passed up, no more: one that asks for nothing holds up the others until
/// it asks or leaves. A new subscription gets nothing it has not asked for: what was passed up for the others waits
/// until it asks, and is not passed up again. The same holds for what was passed up for the last one to leave.
///
/// # Ordering
/// Every subscription gets its items in the order they were dispatched in. After its first item it misses only those
/// that its selector does not want.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::{Broadcast, Deliveries, Dispatcher, Selector, Subscriber, SubscriptionId};
///
/// let (a, b) = (SubscriptionId::next(), SubscriptionId::next());
/// let (mut all, mut out) = (Broadcast::new(), Deliveries::new());
/// all.subscribe(Subscriber::new(a), Selector::default(), &mut out).unwrap();
/// all.subscribe(Subscriber::new(b), Selector::default(), &mut out).unwrap();
/// assert_eq!((all.ask(a, 5, &mut out), all.ask(b, 2, &mut out)), (0, 2));
/// assert_eq!(all.dispatch(vec![1, 2, 3], &mut out), [3]);
/// assert_eq!(out.take_sent(), [(a, vec![1, 2]), (b, vec![1, 2])]);
/// ```
///
/// # Source
/// GenStage's `BroadcastDispatcher`. A refused stage stays refused however often it tries, a selector that matches
/// nothing sends nothing, and items that were handed back are asked for again, where the original waits for ever.
#[must_use = "a dispatcher does nothing until it is given to a stage"]
pub struct Broadcast<T> {
    members: BTreeMap<SubscriptionId, Member<T>>,
    /// How many members have asked for each amount; the lowest amount is what all have asked for.
    amounts: BTreeMap<u128, usize>,
    /// Granted to every member since the start, on the same scale as `Member::asked`.
    granted: u128,
    /// The stages of members.
    stages: HashSet<StageId, FixedState>,
    /// Granted to every member and not yet delivered.
    waiting: usize,
    /// Passed up, and neither delivered nor handed back so far.
    on_way: usize,
    /// Passed up, and handed back because a new member had not asked: the buffer has it.
    returned: usize,
}

struct Member<T> {
    stage: Option<StageId>,
    /// Asked for since the start. A new member begins at what is granted then.
    asked: u128,
    selector: Selector<T>,
}

/// Which items of a [`Broadcast`] a subscription wants; by default all.
///
/// Items that it does not want use up none of the subscription's demand: as many are asked for again in its name. The
/// selector is called in the task of the producer.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::{Broadcast, Deliveries, Dispatcher, Selector, Subscriber, SubscriptionId};
///
/// let (even, mut all, mut out) = (SubscriptionId::next(), Broadcast::new(), Deliveries::new());
/// all.subscribe(Subscriber::new(even), Selector::new(|n| n % 2 == 0), &mut out).unwrap();
/// all.ask(even, 3, &mut out);
/// all.dispatch(vec![1, 2, 3], &mut out);
/// assert_eq!(out.take_sent(), [(even, vec![2])]);
/// assert_eq!(out.take_asks(), [(even, 2)]);
/// assert_eq!(out.take_dropped_for(), [(even, 2)]);
/// ```
///
/// # Source
/// The subscription option `selector`.
pub struct Selector<T>(Option<Wanted<T>>);

type Wanted<T> = Box<dyn Fn(&T) -> bool + Send>;

impl<T> Selector<T> {
    /// Wants the items for which `wanted` is true.
    #[must_use]
    pub fn new(wanted: impl Fn(&T) -> bool + Send + 'static) -> Self {
        Self(Some(Box::new(wanted)))
    }
}

impl<T> Default for Selector<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> fmt::Debug for Selector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Selector(some)" } else { "Selector(all)" })
    }
}

impl<T> Broadcast<T> {
    /// Starts without subscriptions.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::{Broadcast, Deliveries, Dispatcher};
    ///
    /// let mut all = Broadcast::new();
    /// assert_eq!(all.dispatch(vec![1, 2], &mut Deliveries::new()), [1, 2]);
    /// assert!(all.sends_to_all());
    /// ```
    pub fn new() -> Self {
        Self {
            members: BTreeMap::new(),
            amounts: BTreeMap::new(),
            granted: 0,
            stages: HashSet::default(),
            waiting: 0,
            on_way: 0,
            returned: 0,
        }
    }

    /// Grants what all have asked for, and returns how much of that is to be looked for.
    fn grant(&mut self) -> usize {
        let least = self.amounts.first_key_value().map_or(self.granted, |(asked, _)| *asked);
        let common = usize::try_from(least - self.granted).unwrap_or(usize::MAX);
        self.granted = least;
        self.waiting += common;
        let lack = self.waiting.saturating_sub(self.on_way);
        let fresh = lack.saturating_sub(self.returned);
        // As in the original, what was returned counts as passed up while `fresh` makes the stage look anyway: what
        // is lacking is then seen at the next dispatch. Without `fresh`, the stage has to look into its buffer now.
        let passed = if fresh > 0 { fresh } else { lack.max(common.min(self.returned)) };
        if fresh == 0 {
            self.returned -= passed;
        }
        self.on_way += passed;
        passed
    }

    /// Counts one member less that has asked for `asked`.
    fn forget(&mut self, asked: u128) {
        if let Entry::Occupied(mut members) = self.amounts.entry(asked) {
            *members.get_mut() -= 1;
            if *members.get() == 0 {
                members.remove();
            }
        }
    }

    /// Takes back what was granted and not delivered.
    fn revoke(&mut self) {
        self.granted -= std::mem::take(&mut self.waiting) as u128;
    }

    /// Asks again for what was granted and is not on its way. In the name of no member, for any of them may leave.
    fn regain(&mut self, out: &mut Deliveries<T>) {
        let lack = self.waiting.saturating_sub(self.on_way);
        self.returned -= lack;
        self.on_way += lack;
        out.look_for(lack);
    }
}

impl<T: Clone + Send + Sync + 'static> Dispatcher<T> for Broadcast<T> {
    type Options = Selector<T>;

    fn subscribe(
        &mut self,
        new: Subscriber,
        selector: Selector<T>,
        _: &mut Deliveries<T>,
    ) -> Result<usize, Refusal> {
        let again = self.members.contains_key(&new.id());
        if again || new.stage().is_some_and(|stage| !self.stages.insert(stage)) {
            return Err(Refusal::AlreadySubscribed);
        }
        // The new member has asked for nothing, so nothing can be granted to all.
        self.revoke();
        *self.amounts.entry(self.granted).or_default() += 1;
        self.members.insert(new.id(), Member { stage: new.stage(), asked: self.granted, selector });
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _: &mut Deliveries<T>) -> usize {
        let Some(member) = self.members.remove(&id) else { return 0 };
        self.forget(member.asked);
        if let Some(stage) = member.stage {
            self.stages.remove(&stage);
        }
        if self.members.is_empty() {
            self.revoke();
            return 0;
        }
        self.grant()
    }

    fn ask(&mut self, id: SubscriptionId, demand: usize, _: &mut Deliveries<T>) -> usize {
        let Some(member) = self.members.get_mut(&id) else { return 0 };
        let before = member.asked;
        member.asked += demand as u128;
        *self.amounts.entry(member.asked).or_default() += 1;
        self.forget(before);
        self.grant()
    }

    fn dispatch(&mut self, mut items: Vec<T>, out: &mut Deliveries<T>) -> Vec<T> {
        let count = items.len();
        let now = count.min(self.waiting);
        let requested = self.on_way + self.returned - now;
        self.waiting -= now;
        self.on_way = self.on_way.saturating_sub(count);
        self.returned = requested - self.on_way;
        if now == 0 {
            return items;
        }
        let later = items.split_off(now);
        for (id, each) in &self.members {
            if let Selector(Some(wanted)) = &each.selector {
                let selected: Vec<_> = items.iter().filter(|item| wanted(item)).cloned().collect();
                out.ask(*id, now - selected.len());
                out.drop_for(*id, now - selected.len());
                out.send(*id, selected);
            }
        }
        let all = self.members.iter().filter(|(_, each)| each.selector.0.is_none());
        out.share(all.map(|(id, _)| *id), items);
        self.regain(out);
        later
    }

    fn sends_to_all(&self) -> bool {
        true
    }
}

impl<T> Default for Broadcast<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open: Vec<_> = self.members.iter().map(|(id, each)| (id, each.asked - self.granted)).collect();
        f.debug_struct("Broadcast")
            .field("open", &open)
            .field("waiting", &self.waiting)
            .field("on_way", &self.on_way)
            .field("returned", &self.returned)
            .finish()
    }
}

#[cfg(test)]
mod tests;
