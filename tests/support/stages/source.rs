//! Producers.

use super::log::{how, why};
use super::say::obey;
use super::{Log, Say, Seen};
use gen_stage::dispatch::Subscriber;
use gen_stage::prelude::*;
use gen_stage::stage::{Cancellation, Output, Reason, StageError};

/// A producer of numbers.
#[derive(Debug)]
pub(crate) struct Source {
    log: Log,
    next: u64,
    answer: Answer,
    log_discarded: bool,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Count,
    Silence,
    Echo,
}

/// COUNT: fills all demand, counting up from `from`.
pub(crate) fn count(from: u64) -> Source {
    Source { log: Log::default(), next: from, answer: Answer::Count, log_discarded: true }
}

/// SILENT: emits only what it is told to.
pub(crate) fn silent() -> Source {
    Source { answer: Answer::Silence, ..count(0) }
}

/// ECHO-DEMAND: for a demand of n emits the one item n.
pub(crate) fn echo_demand() -> Source {
    Source { answer: Answer::Echo, ..count(0) }
}

impl Source {
    /// What it sees.
    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Does not want to have it logged when its buffer throws items away.
    pub(crate) fn quiet(self) -> Self {
        Self { log_discarded: false, ..self }
    }
}

impl Producer<Say> for Source {
    type Item = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Output<u64, Say>) -> Result<(), StageError> {
        self.log.push(Seen::Demand(demand));
        let demand = demand as u64;
        match self.answer {
            Answer::Count => {
                out.extend(self.next..self.next + demand);
                self.next += demand;
            }
            Answer::Silence => {}
            Answer::Echo => out.push(demand),
        }
        Ok(())
    }

    async fn handle_subscribe(
        &mut self,
        consumer: Subscriber,
        _: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::JoinLane(consumer.id()));
        Ok(())
    }

    async fn handle_cancel(
        &mut self,
        end: &Cancellation,
        _: &mut Output<u64, Say>,
    ) -> Result<(), StageError> {
        self.log.push(Seen::Left(end.subscription(), how(end)));
        Ok(())
    }

    async fn handle_message(&mut self, say: Say, out: &mut Output<u64, Say>) -> Result<(), StageError> {
        let items = obey(say, &self.log, self.next, &[], out).await?;
        out.emit(items);
        Ok(())
    }

    fn handle_discarded(&mut self, items: usize) -> bool {
        self.log.push(Seen::Discarded(items));
        self.log_discarded
    }

    async fn terminate(&mut self, reason: &Reason) {
        self.log.push(Seen::Ended(why(reason)));
    }
}
