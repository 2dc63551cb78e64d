use std::sync::atomic::{AtomicU64, Ordering};

/// What has become of the items that a stage made, in items, since it was started.
///
/// Once the stage and all its readers have ended, every item is accounted for: `sent` is `taken` plus `undelivered`,
/// and, under a dispatcher that gives each item to one subscription, `emitted` is `sent` plus `discarded`. (Before
/// that, items are also in the buffer and on their way.)
///
/// # Examples
/// ```
/// use futures::StreamExt;
/// use gen_stage::stage::{Producer, from_iter};
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().spawn();
/// let mut subscription = numbers.subscribe().demand(10, 5).await?;
/// assert_eq!(subscription.next_batch().await, Some(vec![0, 1, 2, 3, 4]));
/// drop(subscription);
/// numbers.shutdown().await;
///
/// let counts = numbers.counts();
/// assert_eq!((counts.emitted, counts.sent, counts.taken, counts.undelivered), (10, 10, 5, 5));
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Emitted by the callbacks.
    pub emitted: u64,
    /// Given to subscriptions: one item given to two of them counts twice.
    pub sent: u64,
    /// Of those sent, handed to the callbacks or readers of the other side.
    pub taken: u64,
    /// Of those sent, dropped unread, because the other side ended.
    pub undelivered: u64,
    /// Never sent: thrown away by a full buffer or by the dispatcher, or left when the stage ended.
    pub discarded: u64,
}

/// The counters behind [`Counts`], added to once a batch.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    emitted: AtomicU64,
    sent: AtomicU64,
    taken: AtomicU64,
    undelivered: AtomicU64,
    discarded: AtomicU64,
}

impl Tally {
    pub(crate) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            emitted: read(&self.emitted),
            sent: read(&self.sent),
            taken: read(&self.taken),
            undelivered: read(&self.undelivered),
            discarded: read(&self.discarded),
        }
    }

    pub(crate) fn add_emitted(&self, items: usize) {
        add(&self.emitted, items);
    }

    pub(crate) fn add_sent(&self, items: usize) {
        add(&self.sent, items);
    }

    pub(crate) fn add_taken(&self, items: usize) {
        add(&self.taken, items);
    }

    pub(crate) fn add_undelivered(&self, items: usize) {
        add(&self.undelivered, items);
    }

    pub(crate) fn add_discarded(&self, items: usize) {
        add(&self.discarded, items);
    }
}

fn add(counter: &AtomicU64, items: usize) {
    counter.fetch_add(items as u64, Ordering::Relaxed);
}
