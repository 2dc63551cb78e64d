//! Busy rounds: consumers and readers come and go, and then nothing may be stuck.

use super::{Build, Node, Role, Script};
use crate::readers::{Reader, Reading, read};
use crate::stages::{Answer, Msg};
use crate::world::{Kind, Split, Wants};
use gen_stage::stage::{CancelMode, Reason};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

impl Script {
    pub(super) async fn busy(&mut self) {
        let (sources, middles) = (self.random.between(1, 4), self.random.between(0, 4));
        let lasts = self.random.between(0, 6);
        for stage in 0..sources + middles + lasts {
            let role = match stage {
                _ if stage < sources => Role::Source,
                _ if stage < sources + middles => Role::Middle,
                _ => Role::Last,
            };
            let lanes = self.random.between(1, 4);
            let split = if role == Role::Last { Split::None } else { self.split(lanes) };
            let items = self.random.pick(&[1, 10, 100, 1000]);
            let items = self.random.between(0, items);
            let accumulate = self.random.chance(20);
            let subscribe_to = Vec::new();
            let (alone, finite, buffer) = (false, true, None);
            self.start(Build { role, split, subscribe_to, alone, accumulate, items, finite, buffer });
        }
        for _ in 0..self.random.between(20, 120) {
            self.busy_step().await;
        }
        self.drain().await;
    }

    async fn busy_step(&mut self) {
        let slot = self.random.below(self.slots.len());
        match self.random.below(13) {
            0..=2 => self.yields(10).await,
            3 | 4 => self.subscribe_stage(slot).await,
            5 | 6 => self.start_reader(slot).await,
            7 => {
                let reason = self.random.pick(&[Reason::Normal, Reason::Shutdown]);
                let _ = self.slots[slot].address.cast(Msg::Leave(reason)).await;
            }
            8 => self.hold_back(slot),
            9 => drop(self.look(slot).await),
            10 => self.walk(slot).await,
            11 if self.slots[slot].role == Role::Middle => self.emit(slot).await,
            _ => self.chat(slot).await,
        }
    }

    /// Ends of producers that a busy stage survives.
    pub(super) fn cancels(&self) -> &'static [CancelMode] {
        match self.world.kind {
            Kind::Rough => &[CancelMode::Permanent, CancelMode::Transient, CancelMode::Temporary],
            // One that has ended before is not a clean end.
            _ => &[CancelMode::Temporary],
        }
    }

    /// A stage that `slot` may read from.
    fn upstream(&mut self, slot: usize) -> Option<usize> {
        let before = (0..slot).filter(|stage| self.is_emitter(*stage)).collect::<Vec<_>>();
        let readable = self.slots[slot].role != Role::Source && !before.is_empty();
        readable.then(|| self.random.pick(&before))
    }

    pub(super) async fn subscribe_stage(&mut self, slot: usize) {
        let Some(of) = self.upstream(slot) else { return };
        let Some(node) = self.slots[slot].node.clone() else { return };
        let wants = self.wants(of);
        let Some(terms) = self.terms(of, wants, self.cancels()) else { return };
        let taken = if !self.slots[slot].ups.is_empty() && self.random.chance(40) {
            let old = self.random.pick(&self.slots[slot].ups);
            node.resubscribe(old, terms.to, Reason::Normal).await
        } else {
            node.subscribe_to(terms.to).await
        };
        if let Ok(id) = taken {
            self.slots[slot].ups.push(id);
        }
    }

    pub(super) async fn start_reader(&mut self, slot: usize) {
        if !self.is_emitter(slot) {
            return;
        }
        let wants = self.wants(slot);
        let Some(terms) = self.terms(slot, wants, &[CancelMode::Permanent, CancelMode::Temporary]) else {
            return;
        };
        let items = self.random.pick(&[0, 1, 5, 50, 500, usize::MAX]);
        let mut plan = self.plan(items);
        plan.by_hand = terms.by_hand.then(|| self.random.between(1, 30));
        if self.random.chance(30) {
            plan.cancel = Some(Reason::Normal);
        }
        if self.random.chance(30) {
            let anew = if self.random.chance(70) { slot } else { self.random.below(self.slots.len()) };
            let wants = self.wants(anew);
            let cancels = [CancelMode::Permanent, CancelMode::Temporary];
            if let Some(terms) = self.terms(anew, wants, &cancels) {
                // By hand or not goes for all of its subscriptions.
                if plan.by_hand.is_some() {
                    plan.resubscribe = Some((terms.to.manual(), usize::MAX, Reason::Normal));
                } else if !terms.by_hand {
                    plan.resubscribe = Some((terms.to, terms.max, Reason::Normal));
                }
            }
        }
        let fallible = self.random.chance(30);
        let Ok(subscription) = terms.to.await else { return };
        let mut reader = Reader::new(&self.world, subscription, terms.max, terms.cancel);
        if fallible {
            let Reading::Plain(reading) = std::mem::replace(&mut reader.reading, Reading::Moving) else {
                return;
            };
            // Nobody could ask by hand.
            plan.by_hand = None;
            reader.reading = Reading::Fallible(reading.fallible());
        }
        self.readers.push(tokio::spawn(read(reader, plan)));
    }

    /// Reads everything to the end: nothing may be stuck.
    async fn drain(&mut self) {
        self.world.stop.cancel();
        for reader in self.readers.drain(..) {
            let _ = reader.await;
        }
        for slot in &self.slots {
            // What it was told has been done.
            let _ = slot.address.call(|reply| Msg::Call(reply, Answer::Now)).await;
        }
        for emitter in 0..self.slots.len() {
            match self.slots[emitter].book.split {
                Split::None => {}
                Split::One | Split::All => drop(self.read_all(emitter, Wants::All).await),
                Split::Lanes(_, lanes) => {
                    for lane in 0..lanes {
                        self.read_all(emitter, Wants::Lane(lane)).await;
                    }
                }
            }
        }
        for slot in &self.slots {
            if let Some(Node::Source(handle)) = &slot.node {
                handle.forward();
            }
        }
        for role in [Role::Source, Role::Middle, Role::Last] {
            for number in 0..self.slots.len() {
                let Some(node) = self.slots[number].node.clone() else { continue };
                if self.slots[number].role != role {
                    continue;
                }
                // Those above have ended; what they have sent is to be read.
                while let Some(status) = self.look(number).await {
                    if role == Role::Source || (status.producers.is_empty() && status.waiting == 0) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let reason = match role {
                    Role::Source => node.wait().await,
                    Role::Middle | Role::Last => {
                        self.slots[number].book.finish_asked.store(true, SeqCst);
                        node.finish().await
                    }
                };
                self.check_all_arrived(&self.slots[number], &reason);
            }
        }
    }
}
