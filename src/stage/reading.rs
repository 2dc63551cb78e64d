//! A stage at work, continued: its upstream side.

use super::behaviour::Behaviour;
use super::core::{Incoming, StageCore, Step};
use super::ends::{Answer, Port, Replaced};
use super::entry::Entry;
use super::letter::Letter;
use super::output::SubscribeLater;
use super::parcel::Parcel;
use super::reason::{Cancellation, EndKind, Reason};
use super::request::Request;
use super::status::StageKind;
use super::terms::AskMode;
use super::upstream::Upstream;
use crate::demand::Ledger;
use crate::dispatch::{Dispatcher, SubscriptionId};
use std::any::type_name;
use tokio::sync::oneshot;

/// A callback asked its stage to read what it cannot read.
#[derive(Debug, thiserror::Error)]
#[error("subscribe_to: the stage reads {reads}, and the producer `{producer}` makes {items}")]
struct WrongProducer {
    reads: &'static str,
    producer: String,
    items: &'static str,
}

fn reads<B: Behaviour>() -> &'static str {
    if B::KIND == StageKind::Producer { "nothing" } else { type_name::<B::Input>() }
}

impl<B: Behaviour, D: Dispatcher<B::Item>> StageCore<B, D> {
    /// Sends a subscription to its producer.
    pub(super) fn open(
        &mut self,
        request: Request<B::Input>,
        replaces: Option<Replaced>,
        answer: Option<Answer>,
        at_start: bool,
    ) -> Upstream {
        let Request { upstream, link, open } = request;
        // Only a subscription of this stage: the identifier of any other is not known here.
        let replaces = replaces.filter(|(old, _)| self.entry(*old).is_some());
        if let Some((old, reason)) = &replaces {
            if let Some(old) = self.entry(*old) {
                old.replaced = true;
                if !old.link.is_to_same_as(&link) {
                    // Another producer: the old one does not see the new subscription.
                    old.link.cancel(reason.clone());
                }
            }
        }
        let (mailbox, reader) = (Box::new(self.mailbox.clone()), Some(self.itself.clone()));
        let port = Port::new(upstream.id(), upstream.terms_and_tally(), reader, mailbox);
        open(port, replaces, answer.map(Answer::for_producer));
        let (mode, ledger) = (upstream.mode(), Ledger::new(upstream.demand()));
        let entry = Entry { upstream: upstream.clone(), link, mode, ledger, at_start, replaced: false };
        self.entries.push(entry);
        upstream
    }

    /// Tells the stage's code of a subscription, and starts to ask. Called after `open`, so that what the code asks for
    /// arrives after the subscription.
    pub(super) async fn begin(&mut self, upstream: &Upstream) -> Step {
        let begun = self.behaviour.producer(upstream, &mut self.out).await.map(|mode| {
            if let Some(entry) = self.entry(upstream.id()) {
                entry.begin(mode);
            }
        });
        self.after(begun).await
    }

    /// Subscribes to a producer while the stage runs.
    pub(super) async fn subscribe_to(
        &mut self,
        request: Request<B::Input>,
        replaces: Option<Replaced>,
        answer: Answer,
    ) -> Step {
        if self.finishing.is_some() {
            // Dropping the answer tells the caller.
            return Ok(());
        }
        let upstream = self.open(request, replaces, Some(answer), false);
        self.begin(&upstream).await
    }

    /// Puts a subscription that a callback asked for among the stage's letters.
    pub(super) fn subscribe_later(&self, wanted: SubscribeLater) -> Step {
        let SubscribeLater { request, producer, items } = wanted;
        let request = match request.downcast() {
            Ok(request) if B::KIND != StageKind::Producer => request,
            _ => {
                let error = WrongProducer { reads: reads::<B>(), producer: producer.to_string(), items };
                return Err(Reason::failed(error));
            }
        };
        // A callback learns of a refusal by the end of the subscription: the answer is not waited for.
        let (answer, _) = oneshot::channel();
        self.to_itself(Letter::SubscribeTo(request, None, Answer::of_consumer(answer)))
    }

    pub(super) fn ask_upstream(&mut self, id: SubscriptionId, demand: usize) {
        if let Some(entry) = self.entry(id) {
            entry.upstream.ask(demand);
        }
    }

    pub(super) fn cancel_upstream(&mut self, id: SubscriptionId, reason: Reason) {
        if let Some(entry) = self.entry(id) {
            entry.link.cancel(reason);
        }
    }

    pub(super) fn entry(&mut self, id: SubscriptionId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.upstream.id() == id)
    }

    pub(super) async fn received(&mut self, id: SubscriptionId, parcel: Parcel<B::Input>) -> Step {
        // An unknown subscription was given up by this stage: its items are counted as undelivered.
        let Some(entry) = self.entry(id) else { return Ok(()) };
        let from = entry.upstream.clone();
        if B::KIND == StageKind::Consumer {
            self.handle_items(&from, parcel).await?;
        } else {
            self.incoming.push_back(Incoming::Items(from, parcel));
        }
        self.settle().await
    }

    /// Handles a received list, batch by batch, and asks for more after each.
    pub(super) async fn handle_items(&mut self, from: &Upstream, mut list: Parcel<B::Input>) -> Step {
        // More may come onto a shelf all the time: that waits for its turn, as letters do.
        let mut length = list.len();
        while length > 0 && self.finishing.is_none() {
            // If the subscription has ended, or the stage's code asks for it, the list is handled whole.
            let (piece, ask) = match self.entry(from.id()) {
                Some(entry) if entry.mode == AskMode::Automatic => {
                    let piece = entry.ledger.piece(length);
                    // What the stage's code has asked for in addition comes first, and is not asked for again.
                    (piece, entry.ledger.handled(piece - from.came(piece)))
                }
                _ => {
                    from.came(length);
                    (length, 0)
                }
            };
            self.tally.add_received(piece);
            let handled = self.behaviour.items(list.piece(piece), from, &mut self.out).await;
            self.take_output(handled)?;
            if let Some(entry) = self.entry(from.id()) {
                entry.link.ask(ask);
            }
            length -= piece;
            if length > 0 {
                self.give_way_when_due().await;
            }
        }
        if self.finishing.is_none() && !list.is_read() {
            self.to_itself(Letter::Items(from.id(), list))?;
        }
        Ok(())
    }

    pub(super) async fn producer_left(&mut self, id: SubscriptionId, how: EndKind, reason: Reason) -> Step {
        if self.incoming.is_empty() {
            self.handle_end(id, how, reason).await?;
        } else {
            // After the items that came before it.
            self.incoming.push_back(Incoming::End(id, how, reason));
        }
        self.settle().await
    }

    pub(super) async fn handle_end(&mut self, id: SubscriptionId, how: EndKind, reason: Reason) -> Step {
        let Some(at) = self.entries.iter().position(|entry| entry.upstream.id() == id) else { return Ok(()) };
        let entry = self.entries.remove(at);
        let ends = entry.ends_with(&reason);
        entry.link.forget();
        let end = Cancellation::new(id, how, reason.clone());
        let handled = self.behaviour.producer_cancel(&end, &mut self.out).await;
        self.take_output(handled)?;
        if ends && !reason.is_clean() {
            return Err(reason);
        }
        if ends {
            self.finish(reason);
            return Ok(());
        }
        // The caller that was refused was told, and may try elsewhere.
        let refused = matches!(reason, Reason::Refused(_));
        if self.stop_when_alone && self.entries.is_empty() && !refused {
            self.finish(Reason::Normal);
        }
        Ok(())
    }
}
