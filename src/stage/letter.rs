//! What stages send each other. Each has one mailbox, so that what one sends to another arrives in order.

use super::ends::{Answer, Downward, Lifeline, Opening, Replaced, Target, Upward};
use super::inbox::{Door, Inbox};
use super::parcel::Parcel;
use super::reason::{EndKind, Reason};
use super::request::Request;
use super::status::Status;
use super::terms::DemandMode;
use crate::dispatch::SubscriptionId;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Everything that a stage is told. `I` are the items it reads, `T` those it makes, `O` the options of its
/// dispatcher, `M` its messages.
pub(crate) enum Letter<I, T, O, M> {
    /// From consumers.
    Subscribe(Box<Opening<T, O>>),
    ConsumerAsked(SubscriptionId, usize),
    ConsumerCancelled(SubscriptionId, EndKind, Reason),
    /// From the stage's own producing side: its dispatcher asks in the name of a consumer, or for what it had handed
    /// back; the turn of a mark has come.
    DispatcherAsked(SubscriptionId, usize),
    Redispatch(usize),
    Passed(Mark<M>),
    /// From producers.
    Items(SubscriptionId, Parcel<I>),
    End(SubscriptionId, EndKind, Reason),
    /// From handles.
    SubscribeTo(Box<Request<I>>, Option<Replaced>, Answer),
    AskUpstream(SubscriptionId, usize),
    CancelUpstream(SubscriptionId, Reason),
    Message(M, Option<OwnedSemaphorePermit>),
    Info(M, Option<OwnedSemaphorePermit>),
    Mode(DemandMode),
    Status(oneshot::Sender<Status>),
    Stop(Reason),
    Finish,
    Detach(Lifeline),
}

/// What waits its turn behind items.
#[derive(Debug)]
pub(crate) enum Mark<M> {
    /// With its permit, which bounds how many messages wait.
    Message(M, Option<OwnedSemaphorePermit>),
    Finish,
}

/// The sending side of a stage's mailbox.
pub(crate) struct Mailbox<I, T, O, M>(Door<Letter<I, T, O, M>>);

impl<I, T, O, M> Mailbox<I, T, O, M> {
    /// What is in a mailbox is bounded elsewhere: items and asks by demand, messages by permits, subscriptions by the
    /// callers that wait for an answer.
    pub(crate) fn new() -> (Self, Inbox<Letter<I, T, O, M>>) {
        let (door, inbox) = Inbox::new();
        (Self(door), inbox)
    }

    /// Returns the letter if the stage has ended.
    pub(crate) fn post(&self, letter: Letter<I, T, O, M>) -> Result<(), Letter<I, T, O, M>> {
        self.0.put(letter)
    }
}

impl<I, T, O, M> Clone for Mailbox<I, T, O, M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<I: Send, T: Send, O: Send, M: Send> Upward for Mailbox<I, T, O, M> {
    fn ask(&self, id: SubscriptionId, demand: usize) {
        let _ = self.0.put(Letter::ConsumerAsked(id, demand));
    }

    fn cancel(&self, id: SubscriptionId, how: EndKind, reason: Reason) {
        let _ = self.0.put(Letter::ConsumerCancelled(id, how, reason));
    }
}

impl<I: Send, T: Send, O: Send, M: Send> Target<T, O> for Mailbox<I, T, O, M> {
    fn open(&self, opening: Opening<T, O>) {
        // An opening that cannot be delivered is dropped, which tells the subscriber.
        let _ = self.0.put(Letter::Subscribe(Box::new(opening)));
    }
}

impl<I: Send, T: Send, O: Send, M: Send> Downward<I> for Mailbox<I, T, O, M> {
    fn items(&self, id: SubscriptionId, items: Parcel<I>) {
        let _ = self.0.put(Letter::Items(id, items));
    }

    fn end(&self, id: SubscriptionId, how: EndKind, reason: Reason) {
        let _ = self.0.put(Letter::End(id, how, reason));
    }
}
