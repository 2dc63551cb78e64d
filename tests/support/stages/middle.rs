//! Producer-consumers.

use super::log::{how, why};
use super::say::obey;
use super::{Log, Say, Seen};
use gen_stage::dispatch::Subscriber;
use gen_stage::prelude::*;
use gen_stage::stage::{AskMode, Cancellation, Output, Reason, StageError, Upstream};
use std::future::pending;

/// A producer-consumer of numbers.
#[derive(Debug)]
pub(crate) struct Middle {
    log: Log,
    make: fn(u64) -> Vec<u64>,
    later: bool,
    blocks_in: usize,
    upstreams: Vec<Upstream>,
}

/// Emits what it gets.
pub(crate) fn identity() -> Middle {
    let make = |item| vec![item];
    Middle { log: Log::default(), make, later: false, blocks_in: usize::MAX, upstreams: Vec::new() }
}

/// DOUBLE: emits every item twice in a row.
pub(crate) fn double() -> Middle {
    Middle { make: |item| vec![item, item], ..identity() }
}

/// Emits the even ones.
pub(crate) fn evens() -> Middle {
    Middle { make: |item| if item % 2 == 0 { vec![item] } else { vec![] }, ..identity() }
}

/// DROP: emits nothing.
pub(crate) fn dropping() -> Middle {
    Middle { make: |_| vec![], ..identity() }
}

/// LATER: sends each batch to itself, and writes it down and emits it when that arrives.
pub(crate) fn later() -> Middle {
    Middle { later: true, ..identity() }
}

impl Middle {
    /// What it sees.
    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Writes down its `batch`th batch, counted from 1, and never comes back from it.
    pub(crate) fn blocking_in(self, batch: usize) -> Self {
        Self { blocks_in: batch, ..self }
    }
}

impl ProducerConsumer<Say> for Middle {
    type Input = u64;
    type Item = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        out: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        if self.later {
            out.post(Say::Later(items));
            return Ok(());
        }
        self.log.push(Seen::Batch(items.clone()));
        self.blocks_in -= 1;
        if self.blocks_in == 0 {
            return pending().await;
        }
        out.extend(items.into_iter().flat_map(self.make));
        Ok(())
    }

    async fn handle_consumer(
        &mut self,
        consumer: Subscriber,
        _: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::JoinLane(consumer.id()));
        Ok(())
    }

    async fn handle_consumer_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::Left(end.subscription(), how(end)));
        Ok(())
    }

    async fn handle_subscribe(
        &mut self,
        to: &Upstream,
        _: &mut Output<u64, Say>,
    ) -> Result<AskMode, StageError> {
        self.log.push(Seen::Subscribed(to.id()));
        self.upstreams.push(to.clone());
        Ok(to.mode())
    }

    async fn handle_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::Cancelled(end.subscription(), how(end)));
        Ok(())
    }

    async fn handle_message(&mut self, say: Say, out: &mut Output<u64, Say>) -> Result<(), StageError> {
        let items = obey(say, &self.log, 0, &self.upstreams, out).await?;
        out.emit(items);
        Ok(())
    }

    fn handle_discarded(&mut self, items: usize) -> bool {
        self.log.push(Seen::Discarded(items));
        true
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.log.push(Seen::Ended(why(reason)));
    }
}
