//! Gentle rounds: every item has to arrive.

use super::{Build, Node, Role, Script};
use crate::readers::{Reader, read};
use crate::world::{Lanes, Made, Split, Wants, is_dropped, lock};
use gen_stage::stage::CancelMode;
use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;

impl Script {
    pub(super) async fn gentle(&mut self) {
        let (sources, middles) = (self.random.between(1, 4), self.random.between(0, 5));
        let lasts = self.random.between(1, 6);
        let emitters = sources + middles;
        let mut ups: Vec<Vec<usize>> = vec![Vec::new(); sources];
        for stage in sources..emitters + lasts {
            let mut from: Vec<usize> = (0..stage.min(emitters)).collect();
            let count = self.random.between(1, from.len().min(3));
            ups.push((0..count).map(|_| from.swap_remove(self.random.below(from.len()))).collect());
        }
        // Everything that is made is read.
        let mut readers = vec![0; emitters];
        for (emitter, readers) in readers.iter_mut().enumerate() {
            let is_read = ups.iter().flatten().any(|up| *up == emitter);
            *readers = usize::from(!is_read) + self.random.below(2);
        }
        // Each reads a lane of its own.
        let mut lanes = vec![0; emitters];
        let mut wants = HashMap::new();
        for (stage, ups) in ups.iter().enumerate() {
            for up in ups {
                wants.insert((stage, *up), lanes[*up]);
                lanes[*up] += 1;
            }
        }
        let splits: Vec<Split> =
            (0..emitters).map(|emitter| self.split(lanes[emitter] + readers[emitter])).collect();
        let wants_of = |script: &mut Self, emitter: usize, lane: usize| match splits[emitter] {
            Split::Lanes(..) => Wants::Lane(lane),
            _ => script.wants(emitter),
        };

        let alone: Vec<bool> =
            ups.iter().map(|ups| !ups.is_empty() && (ups.len() > 1 || self.random.chance(30))).collect();
        let cancel = |stage: usize| if alone[stage] { CancelMode::Transient } else { CancelMode::Permanent };
        let mut at_start = vec![false; ups.len()];
        for stage in 0..ups.len() {
            let role = match stage {
                _ if stage < sources => Role::Source,
                _ if stage < emitters => Role::Middle,
                _ => Role::Last,
            };
            let mut subscribe_to = Vec::new();
            if role == Role::Last && self.random.chance(50) {
                at_start[stage] = true;
                for up in ups[stage].clone() {
                    let wants = wants_of(self, up, wants[&(stage, up)]);
                    subscribe_to.extend(self.terms(up, wants, &[cancel(stage)]).map(|terms| terms.to));
                }
            }
            let items = self.random.pick(&[0, 1, 10, 100, 1000]);
            let items = self.random.between(0, items);
            let split = if role == Role::Last { Split::None } else { splits[stage] };
            let buffer = None;
            let (alone, accumulate) = (alone[stage], true);
            self.start(Build { role, split, subscribe_to, alone, accumulate, items, finite: true, buffer });
        }
        for stage in emitters..ups.len() {
            // Has begun, and so has sent its subscriptions.
            self.look(stage).await;
        }
        // From the end on, so that nothing flows before all have subscribed.
        for emitter in (0..emitters).rev() {
            for stage in 0..ups.len() {
                if !at_start[stage] && ups[stage].contains(&emitter) {
                    let wants = wants_of(self, emitter, wants[&(stage, emitter)]);
                    let terms = self.terms(emitter, wants, &[cancel(stage)]);
                    if let (Some(terms), Some(node)) = (terms, self.slots[stage].node.clone()) {
                        let taken = node.subscribe_to(terms.to).await;
                        self.world.check(taken.is_ok(), || format!("{stage} to {emitter}: {taken:?}"));
                    }
                }
            }
            for reader in 0..readers[emitter] {
                let wants = wants_of(self, emitter, lanes[emitter] + reader);
                self.read_all(emitter, wants).await;
            }
            if self.random.chance(30) {
                self.emit(emitter).await;
            }
            if self.random.chance(30) {
                self.info(emitter, true).await;
            }
        }
        for slot in &self.slots {
            if let Some(Node::Source(handle)) = &slot.node {
                handle.forward();
            }
        }
        for _ in 0..self.random.below(60) {
            let slot = self.random.below(self.slots.len());
            match self.random.below(4) {
                0 => self.yields(5).await,
                1 => drop(self.look(slot).await),
                2 => self.walk(slot).await,
                _ => self.chat(slot).await,
            }
        }
        for slot in &self.slots {
            if let Some(node) = &slot.node {
                self.check_all_arrived(slot, &node.wait().await);
            }
        }
        for reader in self.readers.drain(..) {
            let _ = reader.await;
        }
        self.check_all_read();
    }

    /// Each item of a gentle round has come to whom it is for.
    fn check_all_read(&self) {
        for slot in &self.slots {
            let (made, split) = (slot.book.made.load(SeqCst), slot.book.split);
            let kept = |number: &u64| !matches!(split, Split::Lanes(Lanes::Some, _)) || !is_dropped(*number);
            let mut seen = lock(&slot.book.seen).clone();
            seen.sort_unstable();
            let all = seen.iter().copied().eq((0..made).filter(kept));
            self.world.check(all || !split.to_one(), || {
                format!("stage {} ({split:?}) made {made}, of which {} arrived", slot.book.stage, seen.len())
            });
            if let Some(node) = &slot.node {
                let counts = node.counts();
                self.world
                    .check(counts.undelivered == 0, || format!("stage {}: {counts:?}", slot.book.stage));
            }
        }
        for sub in lock(&self.world.subs).values() {
            if let Some(Made { emitter, wants, .. }) =
                sub.made.get().filter(|made| made.emitter.split == Split::All)
            {
                let wanted = (0..emitter.made.load(SeqCst)).filter(|n| wants.takes(Split::All, *n)).count();
                let received = sub.received.load(SeqCst);
                self.world.check(received == wanted as u64, || {
                    format!("subscription {} got {received} of {wanted} of stage {}", sub.id, emitter.stage)
                });
            }
        }
    }

    /// Reads a stage to its end. Returns false if it was not let.
    pub(super) async fn read_all(&mut self, emitter: usize, wants: Wants) -> bool {
        let mut plan = self.plan(usize::MAX);
        let Some(terms) = self.terms(emitter, wants, &[CancelMode::Permanent, CancelMode::Temporary]) else {
            return false;
        };
        plan.by_hand = terms.by_hand.then(|| self.random.between(1, 30));
        plan.stops = false;
        match terms.to.await {
            Ok(subscription) => {
                let reader = Reader::new(&self.world, subscription, terms.max, terms.cancel);
                self.readers.push(tokio::spawn(read(reader, plan)));
                true
            }
            Err(_) => false,
        }
    }
}
