//! The producing side of a stage: its subscriptions, its dispatcher and its buffer. No callback is called from here;
//! what the stage has to do next is put in a list.

use super::buffer::{Buffer, BufferKeep};
use super::ends::{Opening, Port};
use super::letter::Mark;
use super::reason::{EndKind, Reason};
use super::status::ConsumerStatus;
use super::tally::Tally;
use super::terms::DemandMode;
use crate::demand::{Demand, MOST};
use crate::dispatch::{Body, Deliveries, Dispatcher, Fence, SubscriptionId};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// How a stage buffers items that were not asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct BufferOptions {
    pub(super) size: Option<usize>,
    pub(super) keep: BufferKeep,
}

/// What a stage has to do after its producing side has done its part, in order.
pub(super) enum Todo<M> {
    /// This many items are wanted and not buffered.
    Demand(usize),
    /// The turn of this mark has come.
    Mark(Mark<M>),
    /// The buffer threw away this many items.
    Discarded(usize),
    /// The dispatcher asks in the name of a subscription.
    AskFor(SubscriptionId, usize),
    /// The dispatcher asks for items that it had handed back.
    LookFor(usize),
    /// The dispatcher has sent more than was asked for.
    TooMuch(TooMuch),
}

/// A dispatcher sent a subscription more than it had asked for.
#[derive(Debug, thiserror::Error)]
#[error(
    "the dispatcher sent {items} items to subscription {subscription:?}, which had asked for {demand}: \
     the others are kept until it asks for them"
)]
pub(super) struct TooMuch {
    subscription: SubscriptionId,
    items: usize,
    demand: usize,
}

/// What came while demand was held back.
enum Held<T, M> {
    Demand(usize),
    /// Items, and how many of them answer demand.
    Items(Vec<T>, usize),
    Mark(Mark<M>),
}

struct Reached<T> {
    port: Port<T>,
    /// Asked for and not yet sent, as far as the dispatcher knows: at most [`MOST`].
    demand: usize,
    /// Asked for beyond that.
    beyond: usize,
    /// What the dispatcher sent unasked; goes out first when the subscription asks.
    surplus: VecDeque<Body<T>>,
    /// Items that the dispatcher dropped for it, and so did not send.
    left_out: u64,
}

impl<T> Reached<T> {
    /// Counts the surplus, which was never sent, as undelivered.
    fn give_up(&mut self) {
        for body in self.surplus.drain(..) {
            self.port.lose(body);
        }
    }

    fn surplus(&self) -> usize {
        self.surplus.iter().map(Body::len).sum()
    }
}

pub(super) struct Downstream<T: Send + 'static, D: Dispatcher<T>, M> {
    dispatcher: D,
    consumers: HashMap<SubscriptionId, Reached<T>, foldhash::fast::FixedState>,
    buffer: Buffer<T, Mark<M>>,
    /// `Some` while accumulating.
    held: Option<VecDeque<Held<T, M>>>,
    /// Marks that the dispatcher holds, by the number of their fence.
    fences: HashMap<Fence, Mark<M>, foldhash::fast::FixedState>,
    next_fence: u64,
    deliveries: Deliveries<T>,
    todo: VecDeque<Todo<M>>,
    /// Demand covered by buffered items that the dispatcher was not offered: they are behind a mark, and items in front
    /// of that mark could not go. It is added to the next demand.
    unoffered: usize,
    /// How many items the dispatcher holds and is being given, while it runs the user's code, which may panic.
    in_dispatch: Option<usize>,
    /// What was held back is being done now; what comes meanwhile goes behind it.
    forwarding: bool,
    tally: Arc<Tally>,
}

impl<T: Send + 'static, D: Dispatcher<T>, M> Downstream<T, D, M> {
    pub(super) fn new(dispatcher: D, buffer: BufferOptions, mode: DemandMode, tally: Arc<Tally>) -> Self {
        Self {
            dispatcher,
            consumers: HashMap::default(),
            buffer: Buffer::new(buffer.size, buffer.keep),
            held: (mode == DemandMode::Accumulate).then(VecDeque::new),
            fences: HashMap::default(),
            next_fence: 0,
            deliveries: Deliveries::new(),
            todo: VecDeque::new(),
            unoffered: 0,
            in_dispatch: None,
            forwarding: false,
            tally,
        }
    }

    /// The next thing the stage has to do.
    pub(super) fn next_todo(&mut self) -> Option<Todo<M>> {
        self.todo.pop_front()
    }

    pub(super) fn is_alone(&self) -> bool {
        self.consumers.is_empty()
    }

    pub(super) fn has(&self, id: SubscriptionId) -> bool {
        self.consumers.contains_key(&id)
    }

    /// Takes a subscription in, and returns the demand to look for. `None`: the subscription was refused.
    pub(super) fn subscribe(&mut self, opening: Opening<T, D::Options>) -> Option<usize> {
        let Opening { mut port, options, answer, .. } = opening;
        let subscriber = port.subscriber();
        let taken = self.dispatcher.subscribe(subscriber, options, &mut self.deliveries);
        if let Some(answer) = answer {
            answer.say(taken.as_ref().map(drop).map_err(Clone::clone));
        }
        match taken {
            Ok(demand) => {
                port.accept();
                let mut consumer =
                    Reached { port, demand: 0, beyond: 0, surplus: VecDeque::new(), left_out: 0 };
                if consumer.port.may_lose() {
                    // It wants all there is, and is asked for `max` items at a time.
                    (consumer.demand, consumer.beyond) = (Demand::default().max(), usize::MAX);
                    self.todo.push_back(Todo::AskFor(subscriber.id(), consumer.demand));
                }
                self.consumers.insert(subscriber.id(), consumer);
                Some(demand)
            }
            Err(refusal) => {
                port.end(EndKind::Cancelled, Reason::Refused(refusal));
                None
            }
        }
    }

    /// Ends a subscription for its consumer. The dispatcher learns of it by [`cancelled`](Self::cancelled).
    pub(super) fn cancel(&mut self, id: SubscriptionId, how: EndKind, reason: Reason) {
        if let Some(mut consumer) = self.consumers.remove(&id) {
            consumer.give_up();
            match how {
                // Confirmed, after everything that was sent.
                EndKind::Cancelled => consumer.port.end(how, reason),
                EndKind::Down => consumer.port.forget(),
            }
        }
    }

    pub(super) fn cancelled(&mut self, id: SubscriptionId) {
        let demand = self.dispatcher.cancel(id, &mut self.deliveries);
        self.deliver();
        self.demanded(demand);
    }

    pub(super) fn ask(&mut self, id: SubscriptionId, demand: usize) {
        // An unknown subscription was cancelled: its consumer was told, or will be.
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        if consumer.port.may_lose() {
            consumer.port.ask_shelf(demand);
            return;
        }
        let mut demand = demand;
        while let Some(body) = consumer.surplus.front_mut().filter(|_| demand > 0) {
            let rest = (body.len() > demand).then(|| body.split_off(demand));
            let Some(body) = consumer.surplus.pop_front() else { break };
            demand -= body.len();
            consumer.port.send(body);
            if let Some(rest) = rest {
                consumer.surplus.push_front(rest);
            }
        }
        let demand = demand.saturating_add(consumer.beyond);
        let counted = demand.min(MOST - consumer.demand);
        consumer.demand += counted;
        consumer.beyond = demand - counted;
        if counted > 0 {
            let demand = self.dispatcher.ask(id, counted, &mut self.deliveries);
            self.deliver();
            self.demanded(demand);
        }
    }

    /// Consumers want `demand` more items: from the buffer first.
    pub(super) fn demanded(&mut self, demand: usize) {
        if demand == 0 {
            return;
        }
        match &mut self.held {
            Some(held) => held.push_back(Held::Demand(demand)),
            None => self.demanded_now(demand),
        }
    }

    fn demanded_now(&mut self, demand: usize) {
        let mut left = demand.saturating_add(std::mem::take(&mut self.unoffered));
        while left > 0 && self.buffer.len() > 0 {
            let (offered, back) = self.offer(left);
            left -= offered;
            if back > 0 {
                // The dispatcher asks again for items it could not take; those behind them cover the rest.
                self.unoffered = left.min(self.buffer.len() - back);
                left -= self.unoffered;
                break;
            }
            self.pass_marks();
        }
        if left > 0 {
            self.todo.push_back(Todo::Demand(left));
        }
    }

    /// Offers the dispatcher buffered items up to the next mark. Returns how many, and how many of them came back.
    fn offer(&mut self, limit: usize) -> (usize, usize) {
        let demanded = self.buffer.demanded();
        let items = self.buffer.take(limit);
        let offered = items.len();
        let left = self.give(items);
        let back = left.len();
        self.buffer.put_back(left, demanded.saturating_sub(offered - back));
        (offered, back)
    }

    /// Sends items, or buffers them; `answers` of them answer demand.
    pub(super) fn emit(&mut self, items: Vec<T>, answers: usize) {
        if items.is_empty() {
            return;
        }
        self.tally.add_emitted(items.len());
        match &mut self.held {
            Some(held) => held.push_back(Held::Items(items, answers)),
            None => self.release(items, answers),
        }
    }

    /// Offers the dispatcher as many items as came, the oldest first, and buffers what it leaves.
    ///
    /// For each item that comes one item is offered, whatever the buffer throws away after that: dispatchers count
    /// what is on its way to them.
    fn release(&mut self, mut items: Vec<T>, answers: usize) {
        if self.buffer.is_clear() {
            let new = items.len();
            let rest = self.give(items);
            self.keep_back(rest, new, answers);
            return;
        }
        let demanded = self.buffer.demanded();
        // Marks between them pass a little late. That cannot be seen: nothing behind a mark has gone before now.
        let mut offered = self.buffer.take_through(items.len());
        let old = offered.len();
        let behind = items.split_off(items.len() - old);
        let new = items.len();
        offered.append(&mut items);
        let mut left = self.give(offered);
        let back = left.len().saturating_sub(new);
        let mut rest = left.split_off(back);
        self.buffer.put_back(left, demanded.saturating_sub(old - back));
        rest.extend(behind);
        self.keep_back(rest, new + old, answers);
        self.pass_marks();
    }

    /// Buffers what is left of `new` items, of which `answers` answer demand.
    fn keep_back(&mut self, rest: Vec<T>, new: usize, answers: usize) {
        if rest.is_empty() {
            return;
        }
        // A dispatcher might hand back more than it was given.
        let taken = new.saturating_sub(rest.len());
        let discarded = self.buffer.push(rest, answers.saturating_sub(taken));
        if discarded > 0 {
            self.tally.add_overflowed(discarded);
            self.todo.push_back(Todo::Discarded(discarded));
        }
    }

    /// Hands items to the dispatcher and sends what it decides; returns what it does not take.
    fn give(&mut self, items: Vec<T>) -> Vec<T> {
        self.in_dispatch = Some(self.dispatcher.held() + items.len());
        let left = self.dispatcher.dispatch(items, &mut self.deliveries);
        self.in_dispatch = None;
        self.deliver();
        left
    }

    /// Hands out what the dispatcher has decided.
    fn deliver(&mut self) {
        for (id, mut body) in self.deliveries.drain_sent() {
            let Some(consumer) = self.consumers.get_mut(&id) else {
                // The dispatcher sent to a subscription that has left: the items are dropped, and counted.
                self.tally.add_lost(body.len());
                continue;
            };
            if body.len() > consumer.demand {
                let (items, demand) = (body.len(), consumer.demand);
                consumer.surplus.push_back(body.split_off(demand));
                self.todo.push_back(Todo::TooMuch(TooMuch { subscription: id, items, demand }));
            }
            let items = body.len();
            if items > 0 {
                consumer.demand -= items;
                consumer.port.send(body);
                if consumer.beyond > 0 {
                    let more = items.min(consumer.beyond);
                    consumer.beyond -= more;
                    consumer.demand += more;
                    self.todo.push_back(Todo::AskFor(id, more));
                }
            }
        }
        if self.deliveries.is_clear() {
            return;
        }
        self.tally.add_discarded(self.deliveries.take_discarded());
        for (id, items) in self.deliveries.take_dropped_for() {
            if let Some(consumer) = self.consumers.get_mut(&id) {
                consumer.left_out += items as u64;
            }
        }
        for fence in self.deliveries.take_passed() {
            if let Some(mark) = self.fences.remove(&fence) {
                self.todo.push_back(Todo::Mark(mark));
            }
        }
        for (id, demand) in self.deliveries.take_asks() {
            // In its turn, as one such ask may lead to the next.
            self.todo.push_back(Todo::AskFor(id, demand));
        }
        match self.deliveries.take_wanted() {
            0 => {}
            demand => self.todo.push_back(Todo::LookFor(demand)),
        }
    }

    /// The dispatcher asks in the name of a subscription, for items it was not sent.
    pub(super) fn ask_for(&mut self, id: SubscriptionId, demand: usize) {
        if self.consumers.contains_key(&id) {
            let demand = self.dispatcher.ask(id, demand, &mut self.deliveries);
            self.deliver();
            self.demanded(demand);
        }
    }

    /// Puts a mark behind everything that was emitted.
    pub(super) fn mark(&mut self, mark: Mark<M>) {
        match &mut self.held {
            Some(held) => held.push_back(Held::Mark(mark)),
            None => self.mark_now(mark),
        }
    }

    fn mark_now(&mut self, mark: Mark<M>) {
        self.buffer.mark(mark);
        self.pass_marks();
    }

    /// Marks with no buffered item in front of them go on to the dispatcher, which may hold items too.
    fn pass_marks(&mut self) {
        while let Some(mark) = self.buffer.next_mark() {
            self.next_fence += 1;
            let fence = Fence::new(self.next_fence);
            self.fences.insert(fence, mark);
            self.dispatcher.fence(fence, &mut self.deliveries);
            self.deliver();
        }
    }

    pub(super) fn mode(&self) -> DemandMode {
        if self.held.is_some() && !self.forwarding { DemandMode::Accumulate } else { DemandMode::Forward }
    }

    pub(super) fn accumulate(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Does the next thing that was held back. `false`: nothing is left, and from now on nothing is held back.
    pub(super) fn forward_next(&mut self) -> bool {
        let next = self.held.as_mut().and_then(VecDeque::pop_front);
        self.forwarding = next.is_some();
        match next {
            Some(Held::Demand(demand)) => self.demanded_now(demand),
            Some(Held::Items(items, answers)) => self.release(items, answers),
            Some(Held::Mark(mark)) => self.mark_now(mark),
            None => self.held = None,
        }
        self.forwarding
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn dispatching(&self) -> usize {
        self.dispatcher.held() + self.consumers.values().map(Reached::surplus).sum::<usize>()
    }

    pub(super) fn held_back(&self) -> usize {
        let items = |held: &Held<T, M>| if let Held::Items(items, _) = held { items.len() } else { 0 };
        self.held.iter().flatten().map(items).sum()
    }

    pub(super) fn statuses(&self) -> Vec<ConsumerStatus> {
        let for_all = if self.dispatcher.sends_to_all() { self.buffered() + self.held_back() } else { 0 };
        let status = |(id, consumer): (&SubscriptionId, &Reached<T>)| {
            let mut status = consumer.port.status();
            status.demand = consumer.port.asked().unwrap_or(consumer.demand);
            status.left_out = consumer.left_out;
            status.queued = self.dispatcher.held_for(*id) + consumer.surplus();
            status.lag = status.queued + for_all;
            status
        };
        let mut statuses: Vec<_> = self.consumers.iter().map(status).collect();
        statuses.sort_by_key(|status| status.id);
        statuses
    }

    /// Tells all consumers that the stage has ended.
    pub(super) fn end(&mut self, reason: &Reason) {
        for (_, mut consumer) in self.consumers.drain() {
            consumer.give_up();
            consumer.port.end(EndKind::Down, reason.clone());
        }
    }
}

impl<T: Send + 'static, D: Dispatcher<T>, M> Drop for Downstream<T, D, M> {
    fn drop(&mut self) {
        for consumer in self.consumers.values_mut() {
            consumer.give_up();
        }
        let dispatching = self.in_dispatch.unwrap_or_else(|| self.dispatcher.held());
        self.tally.add_discarded(self.buffer.len() + self.held_back() + dispatching);
    }
}
