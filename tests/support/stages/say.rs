//! What stages can be told, and what they do then.

use super::{Log, Seen};
use crate::support::settle;
use gen_stage::dispatch::SubscriptionId;
use gen_stage::stage::{Control, Reason, Reply, StageError, Upstream};
use std::fmt;

/// What every stage here can be told.
pub(crate) enum Say {
    /// Emit these, wanted or not.
    Queue(Vec<u64>),
    /// Emit these, and answer when they have gone out or are buffered: what a [`count`] would emit next.
    Call(Vec<u64>, Reply<u64>),
    /// Answer at once, and then emit these.
    CallFirst(Vec<u64>, Reply<u64>),
    /// Write this down.
    Note(char),
    /// Emit these, and send yourself the note behind everything that is buffered.
    QueueAndNote(Vec<u64>, char),
    /// Ask for so many items of the subscription.
    Ask(SubscriptionId, usize),
    /// Cancel the subscription.
    Cancel(SubscriptionId, Reason),
    /// Emit these, and end at once.
    Stop(Vec<u64>, Reason),
    /// Answer, and end at once.
    CallStop(Reason, Reply<u64>),
    /// Emit these, and end when everything has gone out.
    Finish(Vec<u64>),
    /// Return this error.
    Fail(&'static str),
    /// Panic.
    Panic(&'static str),
    /// What [`later`] sends to itself.
    Later(Vec<u64>),
}

impl fmt::Debug for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Say(..)")
    }
}

/// Does what all kinds of stages are told alike, and returns what to emit.
pub(super) async fn obey(
    say: Say,
    log: &Log,
    next: u64,
    upstreams: &[Upstream],
    stage: &mut Control<Say>,
) -> Result<Vec<u64>, StageError> {
    let upstream = |id| upstreams.iter().find(|each| each.id() == id).expect("a subscription of this stage");
    match say {
        Say::Queue(items) => return Ok(items),
        Say::Call(items, reply) => {
            stage.reply(reply, next);
            return Ok(items);
        }
        Say::CallFirst(items, reply) => {
            reply.send(next);
            // Whoever waits for the answer gets it before this callback is over.
            settle().await;
            return Ok(items);
        }
        Say::Note(note) => log.push(Seen::Note(note)),
        Say::QueueAndNote(items, note) => {
            stage.info(Say::Note(note));
            return Ok(items);
        }
        Say::Ask(id, items) => upstream(id).ask(items),
        Say::Cancel(id, reason) => upstream(id).cancel(reason),
        Say::Stop(items, reason) => {
            stage.stop(reason);
            return Ok(items);
        }
        Say::CallStop(reason, reply) => {
            stage.reply(reply, next);
            stage.stop(reason);
        }
        Say::Finish(items) => {
            stage.finish();
            return Ok(items);
        }
        Say::Fail(error) => return Err(error.into()),
        Say::Panic(text) => std::panic::panic_any(text),
        Say::Later(items) => {
            log.push(Seen::Batch(items.clone()));
            return Ok(items);
        }
    }
    Ok(Vec::new())
}
