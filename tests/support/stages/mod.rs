//! Stages for tests. Each writes down in a [`Log`] what happens to it, and does what it is [told](Say).
//!
//! Producers: [`count`], [`silent`], [`echo_demand`]. Producer-consumers: [`identity`], [`double`], [`evens`],
//! [`dropping`], [`later`]. Consumers: [`collect`], [`block`]. A protocol spoken by hand is a
//! [`Subscription`] in manual mode, looked at with [`now`].

mod log;
mod middle;
mod reader;
mod say;
mod source;

pub(crate) use log::{Log, Seen, why};
pub(crate) use middle::{Middle, double, dropping, evens, identity, later};
pub(crate) use reader::{Reader, block, collect};
pub(crate) use say::Say;
pub(crate) use source::{Source, count, echo_demand, silent};

use futures::FutureExt;
use gen_stage::stage::{Counts, ProducerHandle, Subscription};

/// Makes a producer emit these, wanted or not, and waits until they have gone out or are buffered.
pub(crate) async fn queue<O: Send + 'static>(
    source: &ProducerHandle<u64, O, Say>,
    items: impl IntoIterator<Item = u64>,
) {
    let items = items.into_iter().collect();
    source.call(|reply| Say::Call(items, reply)).await.expect("it is alive");
}

/// The next batch of a subscription, if it is there without waiting.
pub(crate) fn now(subscription: &mut Subscription<u64>) -> Option<Vec<u64>> {
    subscription.next_batch().now_or_never().map(|batch| batch.expect("the subscription has ended"))
}

/// The batches `from..from + each`, and so on.
pub(crate) fn in_batches(from: u64, lengths: impl IntoIterator<Item = usize>) -> Vec<Vec<u64>> {
    let mut at = from;
    let batch = |length: usize| {
        at += length as u64;
        (at - length as u64..at).collect()
    };
    lengths.into_iter().map(batch).collect()
}

/// Each item twice in a row.
pub(crate) fn doubled(items: impl IntoIterator<Item = u64>) -> Vec<u64> {
    items.into_iter().flat_map(|item| [item, item]).collect()
}

/// Waits until something is so, which it must become.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
        // It may be the turn of another runtime.
        std::thread::yield_now();
    }
    panic!("never: {what}");
}

/// Checks that every item is accounted for, of a stage that has ended with all who read from it.
#[track_caller]
pub(crate) fn adds_up(counts: Counts, of: &str) {
    assert_eq!(counts.emitted, counts.sent + counts.discarded, "{of}: {counts:?}");
    assert_eq!(counts.sent, counts.taken + counts.undelivered, "{of}: {counts:?}");
}
