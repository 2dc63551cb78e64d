//! What a stage says of itself while it runs, and what has to hold of that.

use super::{Role, Script, Slot};
use crate::world::{Kind, Split, Sub, lock};
use gen_stage::dispatch::SubscriptionId;
use gen_stage::stage::{AskMode, ConsumerStatus, StageGraph, StageKind, StageState, Status};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// What the test knew of a subscription before it asked.
struct Before {
    id: SubscriptionId,
    sent: u64,
    received: u64,
}

impl Script {
    /// Asks a stage for its status, and checks that.
    pub(super) async fn look(&self, slot: usize) -> Option<Status> {
        let slot = &self.slots[slot];
        let subs: Vec<_> = lock(&self.world.subs).values().cloned().collect();
        let before = |sub: &Sub| Before {
            id: sub.id,
            sent: sub.sent.load(SeqCst),
            received: sub.received.load(SeqCst),
        };
        let before: Vec<_> = subs.iter().map(|sub| before(sub)).collect();
        let got = slot.book.got.load(SeqCst);
        let status = slot.node.as_ref()?.status().await?;
        self.check_bounds(slot, &status);
        self.check_sums(slot, &status);
        let number = slot.book.stage;
        let (received, now) = (status.counts.received, slot.book.got.load(SeqCst));
        self.world.check(got <= received && received <= now, || {
            format!("stage {number}: {received} received, when {got} had come before and {now} after")
        });
        for consumer in &status.consumers {
            if let Some(before) = before.iter().find(|before| before.id == consumer.id) {
                self.check_progress(consumer, before);
            }
        }
        Some(status)
    }

    fn check_bounds(&self, slot: &Slot, status: &Status) {
        let number = slot.book.stage;
        // What was asked for is kept in addition to the size of the buffer.
        let most = |size: usize| size as u64 + slot.book.asked.load(SeqCst);
        self.world.check(slot.buffer.is_none_or(|size| status.buffered as u64 <= most(size)), || {
            format!("stage {number}: {} items in a buffer of {:?}", status.buffered, slot.buffer)
        });
        for consumer in &status.consumers {
            let max = self.world.sub(consumer.id).max.load(SeqCst);
            self.world.check(consumer.demand <= max, || {
                format!("subscription {}: a demand of {} at most {max}", consumer.id, consumer.demand)
            });
        }
        for producer in &status.producers {
            let most = if producer.mode == AskMode::Automatic { producer.bounds.max() } else { usize::MAX };
            self.world.check(producer.demand <= most, || {
                format!("subscription {}: wants {} at most {most}", producer.id, producer.demand)
            });
        }
    }

    /// The numbers of a stage that runs add up.
    fn check_sums(&self, slot: &Slot, status: &Status) {
        let (number, split, counts) = (slot.book.stage, slot.book.split, status.counts);
        let unsent = (status.buffered + status.dispatching + status.held_back) as u64;
        let all = counts.emitted == counts.sent + counts.discarded + unsent;
        self.world.check(all || !split.to_one(), || {
            format!("stage {number} ({split:?}): emitted is not sent, discarded and held: {status:?}")
        });
        let taken: u64 = status.producers.iter().map(|producer| producer.taken).sum();
        self.world.check(taken <= counts.received, || {
            format!("stage {number}: more taken from producers than received: {status:?}")
        });
        let sent: u64 = status.consumers.iter().map(|consumer| consumer.sent).sum();
        self.world.check(sent <= counts.sent, || {
            format!("stage {number}: more sent to subscriptions than sent: {status:?}")
        });
        for consumer in &status.consumers {
            self.world.check(consumer.taken + consumer.undelivered <= consumer.sent, || {
                format!("stage {number}: more came than was sent: {consumer:?}")
            });
            // In a gentle round all are there before the first item is made.
            let known = consumer.sent + consumer.left_out + consumer.lag as u64 + counts.discarded;
            let whole = self.world.kind != Kind::Gentle || split != Split::All || counts.emitted == known;
            self.world.check(whole, || {
                format!("stage {number}: {} emitted, and {known} are known of: {status:?}", counts.emitted)
            });
        }
    }

    /// A subscription has got as far as the test knows.
    fn check_progress(&self, consumer: &ConsumerStatus, before: &Before) {
        let sub = self.world.sub(consumer.id);
        let after = sub.sent.load(SeqCst);
        let watched = sub.made.get().is_some_and(|made| made.watched);
        let sent = !watched || (before.sent..=after).contains(&consumer.sent);
        self.world.check(sent, || {
            format!("{consumer:?}, when {} had been sent before and {after} after", before.sent)
        });
        // Of a reader that has subscribed anew, the test only guesses by which of its subscriptions an item came.
        self.world.check(consumer.stage.is_none() || before.received <= consumer.taken, || {
            format!("{consumer:?}, when {} had been received", before.received)
        });
    }

    /// Walks from a stage, and checks the graph.
    pub(super) async fn walk(&self, slot: usize) {
        let Some(node) = &self.slots[slot].node else { return };
        let id = node.stage_ref().id();
        let graph = StageGraph::walk([node.stage_ref()], Duration::from_secs(1)).await;
        let found = graph.stages.iter().filter(|stage| stage.id == id).count();
        self.world.check(found == 1, || format!("a walk found its first stage {found} times"));
        for stage in &graph.stages {
            let slot: Option<&Slot> =
                stage.label.parse().ok().and_then(|number: usize| self.slots.get(number));
            let right =
                slot.is_some_and(|slot| (slot.role == Role::Last) == (stage.kind == StageKind::Consumer));
            self.world.check(right, || format!("a walk found {stage:?}"));
            let answered = stage.state != StageState::Silent || self.world.kind == Kind::Rough;
            let whole = stage.status.is_some() == (stage.state == StageState::Running);
            self.world.check(answered && whole, || format!("a walk found {stage:?}"));
        }
        for subscription in &graph.subscriptions {
            let kinds =
                [Some(subscription.from), subscription.to].map(|at| at.map(|at| graph.stages[at].kind));
            let right = kinds[0] != Some(StageKind::Consumer) && kinds[1] != Some(StageKind::Producer);
            let sums = subscription.taken + subscription.undelivered <= subscription.sent;
            self.world.check(right && sums, || format!("a walk found {subscription:?}"));
        }
        self.world.check(!graph.to_string().is_empty(), || "a graph has no text".into());
    }
}
