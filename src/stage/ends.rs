//! The two ends of a subscription, and what goes from one to the other.

use super::parcel::Parcel;
use super::reason::{EndKind, Reason};
use super::shelf::Shelf;
use super::status::{ConsumerStatus, StageRef};
use super::tally::SubscriptionTally;
use super::terms::{SubscribeError, Terms};
use crate::dispatch::{Body, Refusal, StageId, Subscriber, SubscriptionId};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_util::sync::DropGuard;

/// A subscription that a new one takes the place of.
pub(crate) type Replaced = (SubscriptionId, Reason);

/// A subscription on its way to its producer.
pub(crate) struct Opening<T, O> {
    pub(crate) port: Port<T>,
    pub(crate) options: O,
    pub(crate) replaces: Option<Replaced>,
    /// Told whether the producer took it.
    pub(crate) answer: Option<Answer>,
}

/// The waiting subscriber. Dropped unanswered, it reports failure, and which side had gone.
pub(crate) struct Answer {
    waiting: Option<oneshot::Sender<Result<(), SubscribeError>>>,
    gone: SubscribeError,
}

impl Answer {
    /// For a subscription on its way to a producer.
    pub(crate) fn of_producer(waiting: oneshot::Sender<Result<(), SubscribeError>>) -> Self {
        Self { waiting: Some(waiting), gone: SubscribeError::Gone }
    }

    /// For a subscription that a stage is to make.
    pub(crate) fn of_consumer(waiting: oneshot::Sender<Result<(), SubscribeError>>) -> Self {
        Self { waiting: Some(waiting), gone: SubscribeError::ConsumerGone }
    }

    /// The stage that is to subscribe has done its part: from now on the side that may be gone is the producer.
    pub(crate) fn for_producer(mut self) -> Self {
        self.gone = SubscribeError::Gone;
        self
    }

    pub(crate) fn say(mut self, taken: Result<(), Refusal>) {
        if let Some(waiting) = self.waiting.take() {
            // A caller that no longer waits has kept the subscription, or dropped it with its future.
            let _ = waiting.send(taken.map_err(SubscribeError::Refused));
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.send(Err(self.gone.clone()));
        }
    }
}

/// Where a producer finds its consumer. Sending to one that has gone does nothing.
pub(crate) trait Downward<T>: Send {
    fn items(&self, id: SubscriptionId, items: Parcel<T>);
    fn end(&self, id: SubscriptionId, how: EndKind, reason: Reason);
}

/// Where a consumer finds its producer. Sending to one that has gone does nothing.
pub(crate) trait Upward: Send + Sync {
    fn ask(&self, id: SubscriptionId, demand: usize);
    fn cancel(&self, id: SubscriptionId, how: EndKind, reason: Reason);
}

/// A producer that can be subscribed to.
pub(crate) trait Target<T, O>: Send + Sync {
    fn open(&self, opening: Opening<T, O>);
}

/// The producer's end of a subscription.
///
/// However it is dropped, the consumer hears that its producer is gone.
pub(crate) struct Port<T> {
    id: SubscriptionId,
    terms: Terms,
    tally: Arc<SubscriptionTally>,
    /// The stage that reads; `None`: it is read as a stream.
    reader: Option<StageRef>,
    consumer: Box<dyn Downward<T>>,
    /// Where items wait, if the subscription may lose some.
    shelf: Option<Arc<Shelf<T>>>,
    /// What the consumer is told when the port is dropped; `None`: nothing, it knows.
    farewell: Option<Reason>,
}

impl<T> Port<T> {
    pub(crate) fn new(
        id: SubscriptionId,
        (terms, tally): (Terms, Arc<SubscriptionTally>),
        reader: Option<StageRef>,
        consumer: Box<dyn Downward<T>>,
    ) -> Self {
        // Until the producer accepts the port, it can only be dropped with the mailbox of a stage that has ended.
        let shelf = terms.keeps.map(|keeps| Arc::new(Shelf::new(keeps, Arc::clone(&tally))));
        Self { id, terms, tally, reader, consumer, shelf, farewell: Some(Reason::Gone) }
    }

    pub(crate) fn subscriber(&self) -> Subscriber {
        let subscriber = Subscriber::new(self.id);
        match &self.reader {
            Some(stage) => subscriber.of_stage(stage.id()),
            None => subscriber,
        }
    }

    /// The producer has taken the subscription.
    pub(crate) fn accept(&mut self) {
        self.farewell = Some(Reason::Aborted);
    }

    pub(crate) fn send(&self, items: Body<T>) {
        match &self.shelf {
            None => self.consumer.items(self.id, Parcel::new(items, &self.tally)),
            Some(shelf) => self.tell(shelf, shelf.put(items)),
        }
    }

    /// Whether the subscription may lose items: then all that there is may be sent to it, whatever it has asked for.
    pub(crate) fn may_lose(&self) -> bool {
        self.shelf.is_some()
    }

    /// The subscription asks for items that wait on its shelf.
    pub(crate) fn ask_shelf(&self, demand: usize) {
        if let Some(shelf) = &self.shelf {
            self.tell(shelf, shelf.ask(demand));
        }
    }

    /// What is asked for and not taken, if that is known here.
    pub(crate) fn asked(&self) -> Option<usize> {
        self.shelf.as_ref().map(|shelf| shelf.asked())
    }

    /// Tells the reader that there is something on the shelf.
    fn tell(&self, shelf: &Arc<Shelf<T>>, tell: bool) {
        if tell {
            self.consumer.items(self.id, Parcel::of_shelf(Arc::clone(shelf), &self.tally));
        }
    }

    /// Drops items that are not sent any more, and counts them as undelivered.
    pub(crate) fn lose(&self, items: Body<T>) {
        drop(Parcel::new(items, &self.tally));
    }

    /// What is known of the subscription here. What its producer knows is added to it.
    pub(crate) fn status(&self) -> ConsumerStatus {
        ConsumerStatus::new(self.id, self.terms, self.reader.clone(), &self.tally)
    }

    pub(crate) fn end(mut self, how: EndKind, reason: Reason) {
        self.farewell = None;
        self.tell_end(how, reason);
    }

    /// Tells the consumer of the end, after everything that was sent.
    fn tell_end(&self, how: EndKind, reason: Reason) {
        if let Some(shelf) = &self.shelf {
            self.tell(shelf, shelf.end());
        }
        self.consumer.end(self.id, how, reason);
    }

    /// The consumer has gone, and need not be told anything.
    pub(crate) fn forget(mut self) {
        self.farewell = None;
    }
}

impl<T> Drop for Port<T> {
    fn drop(&mut self) {
        if let Some(reason) = self.farewell.take() {
            self.tell_end(EndKind::Down, reason);
        }
    }
}

/// Keeps a stage alive: when the last one is dropped, the stage is aborted.
pub(crate) type Lifeline = Arc<DropGuard>;

/// The consumer's end of a subscription.
///
/// However it is dropped, the producer hears of it.
pub(crate) struct Link {
    id: SubscriptionId,
    /// The producer.
    stage: StageId,
    producer: Arc<dyn Upward>,
    /// A subscription keeps its producer alive.
    _lifeline: Option<Lifeline>,
    open: bool,
    /// What the producer is told when the link is dropped.
    farewell: (EndKind, Reason),
}

impl Link {
    pub(crate) fn new(
        id: SubscriptionId,
        stage: StageId,
        producer: Arc<dyn Upward>,
        lifeline: Option<Lifeline>,
    ) -> Self {
        let farewell = (EndKind::Down, Reason::Aborted);
        Self { id, stage, producer, _lifeline: lifeline, open: true, farewell }
    }

    /// What to tell the producer if this is just dropped.
    pub(crate) fn on_drop(&mut self, how: EndKind, reason: Reason) {
        self.farewell = (how, reason);
    }

    pub(crate) fn is_to_same_as(&self, other: &Self) -> bool {
        self.stage == other.stage
    }

    pub(crate) fn ask(&self, demand: usize) {
        if demand > 0 {
            self.producer.ask(self.id, demand);
        }
    }

    /// Asks the producer to end the subscription, which it confirms.
    pub(crate) fn cancel(&self, reason: Reason) {
        self.producer.cancel(self.id, EndKind::Cancelled, reason);
    }

    /// This side has ended.
    pub(crate) fn down(mut self, reason: Reason) {
        self.farewell = (EndKind::Down, reason);
    }

    /// The producer knows that the subscription has ended.
    pub(crate) fn forget(mut self) {
        self.open = false;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.open {
            let (how, reason) = self.farewell.clone();
            self.producer.cancel(self.id, how, reason);
        }
    }
}
