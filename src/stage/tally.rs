use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What has become of the items that a stage received and made, in items, since it was started.
///
/// Every item is accounted for. Of all that was sent, `sent - taken - undelivered` items are [on their
/// way](Self::on_their_way). Under a dispatcher that gives each item to one subscription, `emitted` is `sent` plus
/// `discarded` plus what the stage still holds: `buffered`, `dispatching` and `held_back` of its
/// [`Status`](super::Status). Once the stage and all its readers have ended, nothing is held or on its way.
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
/// let counts = numbers.counts();
/// assert_eq!((counts.sent, counts.taken, counts.on_their_way()), (10, 5, 5));
///
/// drop(subscription);
/// numbers.shutdown().await;
/// let counts = numbers.counts();
/// assert_eq!((counts.emitted, counts.sent, counts.taken, counts.undelivered), (10, 10, 5, 5));
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Handed to its callbacks, from all the producers that it reads from.
    pub received: u64,
    /// Emitted by the callbacks.
    pub emitted: u64,
    /// Given to subscriptions: one item given to two of them counts twice.
    pub sent: u64,
    /// Of those sent, handed to the callbacks or readers of the other side.
    pub taken: u64,
    /// Of those sent, dropped unread: the other side ended, or its subscription
    /// [may lose items](super::Subscribe::keep_newest).
    pub undelivered: u64,
    /// Never sent: thrown away by a full buffer or by the dispatcher, or left when the stage ended.
    pub discarded: u64,
    /// Of those discarded, thrown away by a full buffer.
    pub overflowed: u64,
}

impl Counts {
    /// Items that were sent, and neither taken nor dropped yet.
    ///
    /// # Examples
    /// See [`Counts`].
    #[must_use]
    pub fn on_their_way(&self) -> u64 {
        // Each number is read by itself: while readers take, those taken may already be more than those sent then.
        self.sent.saturating_sub(self.taken.saturating_add(self.undelivered))
    }
}

/// The counters that [`Counts`] are read from, added to once a batch.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    received: AtomicU64,
    emitted: AtomicU64,
    sent: AtomicU64,
    taken: AtomicU64,
    undelivered: AtomicU64,
    discarded: AtomicU64,
    overflowed: AtomicU64,
}

impl Tally {
    pub(crate) fn counts(&self) -> Counts {
        // What was sent is read after what became of it, so that it is not less.
        let (taken, undelivered) = (read(&self.taken), read(&self.undelivered));
        Counts {
            received: read(&self.received),
            emitted: read(&self.emitted),
            sent: read(&self.sent),
            taken,
            undelivered,
            discarded: read(&self.discarded),
            overflowed: read(&self.overflowed),
        }
    }

    // The task of the stage alone calls these.

    pub(crate) fn add_received(&self, items: usize) {
        add_alone(&self.received, items);
    }

    pub(crate) fn add_emitted(&self, items: usize) {
        add_alone(&self.emitted, items);
    }

    pub(crate) fn add_discarded(&self, items: usize) {
        add_alone(&self.discarded, items);
    }

    /// Counts items that a full buffer threw away; they are discarded too.
    pub(crate) fn add_overflowed(&self, items: usize) {
        add_alone(&self.overflowed, items);
        self.add_discarded(items);
    }

    /// Counts items that were sent to a subscription that has left.
    pub(crate) fn add_lost(&self, items: usize) {
        add_alone(&self.sent, items);
        add(&self.undelivered, items);
    }
}

/// The counters of one subscription. What is added to them is added to those of the stage that sends, too.
#[derive(Debug)]
pub(crate) struct SubscriptionTally {
    of_stage: Arc<Tally>,
    sent: AtomicU64,
    taken: AtomicU64,
    undelivered: AtomicU64,
    dropped: AtomicU64,
}

impl SubscriptionTally {
    pub(crate) fn new(of_stage: &Arc<Tally>) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            of_stage: Arc::clone(of_stage),
            sent: zero(),
            taken: zero(),
            undelivered: zero(),
            dropped: zero(),
        }
    }

    pub(crate) fn sent(&self) -> u64 {
        read(&self.sent)
    }

    pub(crate) fn taken(&self) -> u64 {
        read(&self.taken)
    }

    pub(crate) fn undelivered(&self) -> u64 {
        read(&self.undelivered)
    }

    /// Of the undelivered, those that made room for others.
    pub(crate) fn dropped(&self) -> u64 {
        read(&self.dropped)
    }

    /// The task of the stage that sends alone calls this.
    pub(crate) fn add_sent(&self, items: usize) {
        add_alone(&self.sent, items);
        add_alone(&self.of_stage.sent, items);
    }

    /// The reader alone calls this.
    pub(crate) fn add_taken(&self, items: usize) {
        add_alone(&self.taken, items);
        add(&self.of_stage.taken, items);
    }

    pub(crate) fn add_undelivered(&self, items: usize) {
        add(&self.undelivered, items);
        add(&self.of_stage.undelivered, items);
    }

    /// Counts items that made room for others; they are undelivered too. The task of the stage that sends alone calls
    /// this.
    pub(crate) fn add_dropped(&self, items: usize) {
        if items > 0 {
            add_alone(&self.dropped, items);
            self.add_undelivered(items);
        }
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn add(counter: &AtomicU64, items: usize) {
    counter.fetch_add(items as u64, Ordering::Relaxed);
}

/// Adds to a counter that one task at a time adds to, which costs no more than a number that is not shared.
fn add_alone(counter: &AtomicU64, items: usize) {
    counter.store(read(counter) + items as u64, Ordering::Relaxed);
}
