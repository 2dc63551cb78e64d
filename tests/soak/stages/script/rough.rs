//! Rough rounds: callbacks fail, and stages are stopped, aborted and dropped.

use super::{Build, Node, Role, Script, on};
use crate::stages::Msg;
use crate::world::{FAULTS, INJECTED, Split};
use futures::future::join_all;
use gen_stage::stage::{BufferKeep, Reason};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

/// What the end of a rough round is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finale {
    Shutdown,
    Abort,
    Drop,
    Finish,
    Runtime,
}

impl Script {
    pub(super) async fn rough(&mut self) -> Finale {
        let stages = self.random.between(2, 18);
        for _ in 0..stages {
            self.start_rough();
            self.yields(2).await;
        }
        for _ in 0..self.random.between(50, 300) {
            self.rough_step().await;
        }
        let finales = [Finale::Shutdown, Finale::Abort, Finale::Drop, Finale::Finish, Finale::Runtime];
        let finale = self.random.pick(&finales);
        self.end(finale).await;
        finale
    }

    fn start_rough(&mut self) {
        let slot = self.slots.len();
        let role = match (slot, self.random.below(10)) {
            (0, _) | (_, 0..=2) => Role::Source,
            (_, 3..=5) => Role::Middle,
            _ => Role::Last,
        };
        let lanes = self.random.between(1, 4);
        let split = if role == Role::Last { Split::None } else { self.split(lanes) };
        let before: Vec<usize> = (0..slot).filter(|stage| self.is_emitter(*stage)).collect();
        let mut subscribe_to = Vec::new();
        for _ in 0..if role == Role::Source { 0 } else { self.random.below(4) } {
            let of = self.random.pick(&before);
            let wants = self.wants(of);
            let cancels = self.cancels();
            subscribe_to.extend(self.terms(of, wants, cancels).map(|terms| terms.to));
        }
        let keep = self.random.pick(&[BufferKeep::First, BufferKeep::Last]);
        let size = self.random.pick(&[0, 1, 5, 100]);
        let buffer = self.random.chance(50).then_some((size, keep));
        let items = self.random.between(0, 2000);
        let (alone, accumulate) = (self.random.chance(20), self.random.chance(15));
        let finite = self.random.chance(50);
        self.start(Build { role, split, subscribe_to, alone, accumulate, items, finite, buffer });
    }

    fn reason(&mut self) -> Reason {
        match self.random.below(4) {
            0 => Reason::Shutdown,
            1 => Reason::shutdown_for("enough"),
            2 => Reason::failed(format!("{INJECTED} stop")),
            _ => Reason::Normal,
        }
    }

    async fn rough_step(&mut self) {
        let slot = self.random.below(self.slots.len());
        match self.random.below(100) {
            0..=24 => self.yields(10).await,
            25..=34 => self.subscribe_stage(slot).await,
            35..=46 => self.start_reader(slot).await,
            47..=50 => {
                let reason = self.reason();
                let _ = self.slots[slot].address.cast(Msg::Leave(reason)).await;
            }
            51..=56 => self.hold_back(slot),
            57 | 58 => drop(self.look(slot).await),
            59 | 60 => self.walk(slot).await,
            61..=66 => self.emit(slot).await,
            67..=70 => {
                let more = self.random.between(1, 500);
                let message =
                    if self.random.chance(50) { Msg::More(more as u64) } else { Msg::Ask(more % 10) };
                let _ = self.slots[slot].address.cast(message).await;
            }
            71..=84 => self.chat(slot).await,
            85 | 86 => {
                if !self.readers.is_empty() {
                    let at = self.random.below(self.readers.len());
                    self.readers[at].abort();
                }
            }
            87 | 88 => {
                if self.slots.len() < 20 {
                    self.start_rough();
                }
            }
            _ if self.random.chance(60) => self.yields(3).await,
            _ => self.hurt(slot).await,
        }
    }

    /// Ends a stage, or has it fail.
    async fn hurt(&mut self, number: usize) {
        let message = match self.random.below(12) {
            0 => Msg::Break(self.random.pick(&FAULTS)),
            1 => match self.reason() {
                Reason::Normal => Msg::Finish,
                reason => Msg::Stop(reason),
            },
            2 => Msg::Finish,
            _ => Msg::Nothing,
        };
        let reason = self.reason();
        let what = self.random.below(10);
        let slot = &mut self.slots[number];
        let Some(node) = slot.node.clone() else { return };
        let mut aside = None;
        match (message, what) {
            (Msg::Nothing, 0) => {
                slot.cut = true;
                on!(node, handle => handle.abort());
            }
            (Msg::Nothing, 1) => {
                // A normal stop and the end of all work would look the same.
                let reason = if matches!(reason, Reason::Normal) { Reason::Shutdown } else { reason };
                aside = Some(tokio::spawn(async move { drop(node.stop(reason).await) }));
            }
            (Msg::Nothing, 2..=4) => {
                slot.book.finish_asked.store(true, SeqCst);
                aside = Some(tokio::spawn(async move { drop(node.finish().await) }));
            }
            (Msg::Nothing, 5) => {
                let (book, world) = (Arc::clone(&slot.book), Arc::clone(&self.world));
                let cut = slot.driver.is_some();
                aside = Some(tokio::spawn(async move {
                    node.shutdown().await;
                    let dropped = book.dropped.load(SeqCst);
                    world.check(cut || dropped, || {
                        format!("stage {} is told to have ended too early", book.stage)
                    });
                }));
            }
            (Msg::Nothing, 6) => slot.node = None,
            (Msg::Nothing, 7) => {
                slot.node = None;
                on!(node, handle => handle.detach());
            }
            (Msg::Nothing, 8) => {
                // A clone lives on: it is only kept twice.
                on!(node, handle => handle.detach());
            }
            (Msg::Nothing, _) => {
                if let Some(driver) = &slot.driver {
                    driver.abort();
                    slot.cut = true;
                }
            }
            (message, _) => drop(slot.address.cast(message).await),
        }
        self.asides.extend(aside);
    }

    async fn end(&mut self, finale: Finale) {
        let world = Arc::clone(&self.world);
        match finale {
            Finale::Runtime => {
                self.yields(10).await;
                self.slots.iter_mut().for_each(|slot| slot.cut = true);
                return;
            }
            Finale::Finish => {
                for slot in &self.slots {
                    if let Some(node) = slot.node.clone() {
                        slot.book.finish_asked.store(true, SeqCst);
                        self.asides.push(tokio::spawn(async move { drop(node.finish().await) }));
                    }
                }
                self.yields(100).await;
                world.stop.cancel();
                self.yields(20).await;
            }
            Finale::Abort => {
                for slot in &mut self.slots {
                    slot.cut = true;
                    if let Some(node) = &slot.node {
                        on!(node, handle => handle.abort());
                    }
                }
            }
            Finale::Drop => {
                for slot in &mut self.slots {
                    slot.node = None;
                }
            }
            Finale::Shutdown => {}
        }
        world.stop.cancel();
        let nodes: Vec<Node> = self.slots.iter().filter_map(|slot| slot.node.clone()).collect();
        join_all(nodes.iter().map(Node::shutdown)).await;
        drop(nodes);
        for slot in &self.slots {
            // Those that live without a handle.
            let _ = slot.address.cast(Msg::Stop(Reason::Shutdown)).await;
        }
    }
}
