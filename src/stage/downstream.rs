//! The producing side of a stage: its subscriptions, its dispatcher and its buffer. No callback is called from here;
//! what the stage has to do about it is left in a list.

use super::DemandMode;
use super::buffer::{Buffer, Keep};
use super::letter::{Opening, Parcel, Port};
use super::reason::{How, Reason};
use super::status::ConsumerStatus;
use super::tally::Tally;
use crate::dispatch::{Deliveries, Dispatcher, Fence, StageId, SubscriptionId};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// How a stage holds what nobody has asked for yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct BufferOptions {
    pub(super) size: Option<usize>,
    pub(super) keep: Keep,
}

/// What waits its turn behind items.
#[derive(Debug)]
pub(super) enum Mark<M> {
    Message(M),
    Finish,
}

/// What a stage has to do after its producing side has done its part, in order.
pub(super) enum Todo<M> {
    /// So many items are wanted and not buffered.
    Demand(usize),
    /// A mark has come to its turn.
    Mark(Mark<M>),
    /// So many items were thrown away by the buffer.
    Discarded(usize),
    /// The dispatcher asks in the name of a subscription.
    AskFor(SubscriptionId, usize),
}

/// What came while demand was held back.
enum Held<T, M> {
    Demand(usize),
    Items(Vec<T>),
    Mark(Mark<M>),
}

struct Consumer<T> {
    port: Port<T>,
    stage: Option<StageId>,
    /// Asked for and not yet sent, as far as the dispatcher knows: at most [`MOST`].
    demand: usize,
    /// Asked for beyond that.
    beyond: usize,
}

/// The most demand of one subscription that a dispatcher has to count, in items: so much that nobody sees the
/// difference, and so little that the sum over all subscriptions is a number.
const MOST: usize = usize::MAX >> (usize::BITS / 3);

pub(super) struct Downstream<T: Send + 'static, D: Dispatcher<T>, M> {
    dispatcher: D,
    consumers: HashMap<SubscriptionId, Consumer<T>, foldhash::fast::FixedState>,
    buffer: Buffer<T, Mark<M>>,
    /// `Some` while accumulating.
    held: Option<VecDeque<Held<T, M>>>,
    /// Marks that the dispatcher holds, by the number of their fence.
    fences: HashMap<Fence, Mark<M>, foldhash::fast::FixedState>,
    next_fence: u64,
    deliveries: Deliveries<T>,
    todo: VecDeque<Todo<M>>,
    /// Items emitted or asked for that the dispatcher was not offered, for a mark stood in front of them in the buffer
    /// and what is in front of the mark could not go. Offered as soon as it can.
    unoffered: usize,
    /// What the dispatcher holds and is being given, while it runs code of the user's that may panic.
    in_dispatch: Option<usize>,
    /// What is held is being done again, and what comes meanwhile goes behind it.
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

    pub(super) fn peek_todo(&self) -> Option<&Todo<M>> {
        self.todo.front()
    }

    pub(super) fn is_alone(&self) -> bool {
        self.consumers.is_empty()
    }

    pub(super) fn has(&self, id: SubscriptionId) -> bool {
        self.consumers.contains_key(&id)
    }

    /// Takes a subscription in, and returns the demand to look for, or sends it away.
    pub(super) fn subscribe(&mut self, opening: Opening<T, D::Options>) -> Option<usize> {
        let Opening { subscriber, mut port, options, answer, .. } = opening;
        let taken = self.dispatcher.subscribe(subscriber, options, &mut self.deliveries);
        if let Some(answer) = answer {
            answer.say(taken.as_ref().map(drop).map_err(Clone::clone));
        }
        match taken {
            Ok(demand) => {
                port.accept();
                let consumer = Consumer { port, stage: subscriber.stage(), demand: 0, beyond: 0 };
                self.consumers.insert(subscriber.id(), consumer);
                Some(demand)
            }
            Err(refusal) => {
                port.end(How::Cancelled, Reason::Refused(refusal));
                None
            }
        }
    }

    /// Ends a subscription towards its consumer. The dispatcher learns of it by [`cancelled`](Self::cancelled).
    pub(super) fn cancel(&mut self, id: SubscriptionId, how: How, reason: Reason) {
        if let Some(consumer) = self.consumers.remove(&id) {
            match how {
                // Confirmed, behind everything that was sent.
                How::Cancelled => consumer.port.end(how, reason),
                How::Down => consumer.port.forget(),
            }
        }
    }

    pub(super) fn cancelled(&mut self, id: SubscriptionId) {
        let demand = self.dispatcher.cancel(id, &mut self.deliveries);
        self.deliver();
        self.demanded(demand);
    }

    pub(super) fn ask(&mut self, id: SubscriptionId, demand: usize) {
        // One that is not known has been cancelled, and will be told, or has been.
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
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

    /// Consumers want so many items more: from the buffer first.
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
        let mut left = demand;
        while left > 0 && self.buffer.len() > 0 {
            let items = self.buffer.take(left);
            left -= items.len();
            let back = self.dispatch(items, true);
            if back > 0 {
                // The dispatcher asks again for those it could not take; what is behind them covers the rest.
                let behind = left.min(self.buffer.len() - back);
                self.unoffered += behind;
                left -= behind;
                break;
            }
            self.pass_marks();
        }
        self.offer();
        if left > 0 {
            self.todo.push_back(Todo::Demand(left));
        }
    }

    /// Offers the dispatcher buffered items that it has not been offered when it could have been.
    fn offer(&mut self) -> bool {
        while self.unoffered > 0 && self.buffer.len() > 0 {
            let items = self.buffer.take(self.unoffered);
            self.unoffered -= items.len();
            if self.dispatch(items, true) > 0 {
                return false;
            }
            self.pass_marks();
        }
        self.unoffered = 0;
        true
    }

    /// Sends items, or buffers them.
    pub(super) fn emit(&mut self, items: Vec<T>) {
        if items.is_empty() {
            return;
        }
        self.tally.add_emitted(items.len());
        match &mut self.held {
            Some(held) => held.push_back(Held::Items(items)),
            None => self.release(items),
        }
    }

    fn release(&mut self, items: Vec<T>) {
        if self.buffer.len() > 0 {
            // Those that were there first go first: as many of them may go as came.
            self.unoffered += items.len();
            if !self.offer() || self.buffer.len() > 0 {
                self.push(items);
                self.pass_marks();
                return;
            }
        }
        self.dispatch(items, false);
        self.pass_marks();
    }

    /// Hands items to the dispatcher, and what it does not take to the buffer: in front of what is there, or behind.
    /// Returns how many were handed back.
    fn dispatch(&mut self, items: Vec<T>, in_front: bool) -> usize {
        self.in_dispatch = Some(self.dispatcher.held() + items.len());
        let left = self.dispatcher.dispatch(items, &mut self.deliveries);
        self.in_dispatch = None;
        self.deliver();
        let back = left.len();
        if back > 0 && in_front {
            self.buffer.put_back(left);
        } else if back > 0 {
            self.push(left);
        }
        back
    }

    fn push(&mut self, items: Vec<T>) {
        let discarded = self.buffer.push(items);
        if discarded > 0 {
            self.tally.add_discarded(discarded);
            self.todo.push_back(Todo::Discarded(discarded));
        }
    }

    /// Hands out what the dispatcher has decided.
    fn deliver(&mut self) {
        for (id, body) in self.deliveries.drain_sent() {
            let items = body.len();
            let parcel = Parcel::new(body, &self.tally);
            // A dispatcher that sends to one who has left: the parcel is dropped, and counted.
            if let Some(consumer) = self.consumers.get_mut(&id) {
                debug_assert!(items <= consumer.demand, "{items} items for a demand of {}", consumer.demand);
                consumer.demand = consumer.demand.saturating_sub(items);
                consumer.port.send(parcel);
                if consumer.beyond > 0 {
                    let more = items.min(consumer.beyond);
                    consumer.beyond -= more;
                    consumer.demand += more;
                    self.todo.push_back(Todo::AskFor(id, more));
                }
            }
        }
        self.tally.add_discarded(self.deliveries.take_discarded());
        for fence in self.deliveries.take_passed() {
            if let Some(mark) = self.fences.remove(&fence) {
                self.todo.push_back(Todo::Mark(mark));
            }
        }
        for (id, demand) in self.deliveries.take_asks() {
            // In its turn, for one such ask may lead to the next.
            self.todo.push_back(Todo::AskFor(id, demand));
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

    /// Does again the next thing that came while demand was held back; `false` when nothing is left, and nothing is held
    /// back any more.
    pub(super) fn forward_next(&mut self) -> bool {
        let next = self.held.as_mut().and_then(VecDeque::pop_front);
        self.forwarding = next.is_some();
        match next {
            Some(Held::Demand(demand)) => self.demanded_now(demand),
            Some(Held::Items(items)) => self.release(items),
            Some(Held::Mark(mark)) => self.mark_now(mark),
            None => self.held = None,
        }
        self.forwarding
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn dispatching(&self) -> usize {
        self.dispatcher.held()
    }

    pub(super) fn statuses(&self) -> Vec<ConsumerStatus> {
        let status = |(id, consumer): (&SubscriptionId, &Consumer<T>)| ConsumerStatus {
            id: *id,
            stage: consumer.stage,
            demand: consumer.demand,
        };
        let mut statuses: Vec<_> = self.consumers.iter().map(status).collect();
        statuses.sort_by_key(|status| status.id);
        statuses
    }

    /// Tells all consumers that the stage has ended.
    pub(super) fn end(&mut self, reason: &Reason) {
        for (_, consumer) in self.consumers.drain() {
            consumer.port.end(How::Down, reason.clone());
        }
    }
}

impl<T: Send + 'static, D: Dispatcher<T>, M> Drop for Downstream<T, D, M> {
    fn drop(&mut self) {
        let held = self.held.iter().flatten();
        let held: usize = held.map(|held| if let Held::Items(items) = held { items.len() } else { 0 }).sum();
        let dispatching = self.in_dispatch.unwrap_or_else(|| self.dispatcher.held());
        self.tally.add_discarded(self.buffer.len() + held + dispatching);
    }
}
