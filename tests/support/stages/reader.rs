//! Consumers.

use super::log::{how, why};
use super::say::obey;
use super::{Log, Say, Seen};
use gen_stage::prelude::*;
use gen_stage::stage::{AskMode, Cancellation, Control, Reason, StageError, Upstream};
use std::future::pending;

/// A consumer of numbers.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Log,
    blocks_in: usize,
    manual: bool,
    upstreams: Vec<Upstream>,
}

/// COLLECT: writes down what it gets.
pub(crate) fn collect() -> Reader {
    Reader { log: Log::default(), blocks_in: usize::MAX, manual: false, upstreams: Vec::new() }
}

/// BLOCK: writes down its first batch, and never comes back from it.
pub(crate) fn block() -> Reader {
    collect().blocking_in(1)
}

impl Reader {
    /// What it sees.
    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Writes down its `batch`th batch, counted from 1, and never comes back from it.
    pub(crate) fn blocking_in(self, batch: usize) -> Self {
        Self { blocks_in: batch, ..self }
    }

    /// Writes into this log instead of one of its own.
    pub(crate) fn writing_in(self, log: &Log) -> Self {
        Self { log: log.clone(), ..self }
    }

    /// MANUAL: asks only when [told](Say::Ask) to, whatever its subscriptions say.
    pub(crate) fn asking_by_hand(self) -> Self {
        Self { manual: true, ..self }
    }
}

impl Consumer<Say> for Reader {
    type Input = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        _: &mut Control<Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::Batch(items));
        self.blocks_in -= 1;
        if self.blocks_in == 0 {
            return pending().await;
        }
        Ok(())
    }

    async fn handle_subscribe(&mut self, to: &Upstream, _: &mut Control<Say>) -> Result<AskMode, StageError> {
        self.log.push(Seen::Subscribed(to.id()));
        self.upstreams.push(to.clone());
        Ok(if self.manual { AskMode::Manual } else { to.mode() })
    }

    async fn handle_cancel(&mut self, end: &Cancellation, _: &mut Control<Say>) -> Result<(), StageError> {
        self.log.push(Seen::Cancelled(end.subscription(), how(end)));
        Ok(())
    }

    async fn handle_message(&mut self, say: Say, stage: &mut Control<Say>) -> Result<(), StageError> {
        obey(say, &self.log, 0, &self.upstreams, stage).await.map(drop)
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.log.push(Seen::Ended(why(reason)));
    }
}
