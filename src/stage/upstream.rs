use super::ends::Upward;
use super::reason::{EndKind, Reason};
use super::terms::{AskMode, CancelMode};
use crate::demand::Demand;
use crate::dispatch::SubscriptionId;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A subscription as the stage that reads from it sees it: to ask, to cancel, to know where a batch is from.
///
/// Cheap to clone: stages whose code asks keep one. It keeps neither side alive.
///
/// # Examples
/// Asking for three items, and for no more:
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Control, AskMode, StageError, Upstream, from_iter};
/// use tokio::sync::mpsc;
///
/// struct Three(mpsc::UnboundedSender<Vec<u64>>);
///
/// impl Consumer for Three {
///     type Input = u64;
///     async fn handle_subscribe(&mut self, to: &Upstream, _: &mut Control) -> Result<AskMode, StageError> {
///         to.ask(3);
///         Ok(AskMode::Manual)
///     }
///     async fn handle_items(&mut self, items: Vec<u64>, _: &Upstream, _: &mut Control) -> Result<(), StageError> {
///         self.0.send(items)?;
///         Ok(())
///     }
/// }
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().spawn();
/// let (sender, mut got) = mpsc::unbounded_channel();
/// let three = Three(sender).stage().subscribe_to(numbers.subscribe()).spawn();
/// assert_eq!(got.recv().await, Some(vec![0, 1, 2]));
/// three.shutdown().await;
/// assert_eq!(got.recv().await, None);
/// # });
/// ```
///
/// # Source
/// The `from` of `handle_events`, with `GenStage.ask` and `GenStage.cancel`.
#[derive(Clone)]
pub struct Upstream {
    id: SubscriptionId,
    label: Arc<str>,
    demand: Demand,
    mode: AskMode,
    cancel: CancelMode,
    producer: Arc<dyn Upward>,
    /// Asked for by the stage's code and not yet come.
    asked: Arc<AtomicUsize>,
}

impl Upstream {
    pub(super) fn new(
        id: SubscriptionId,
        label: Arc<str>,
        (demand, mode, cancel): (Demand, AskMode, CancelMode),
        producer: Arc<dyn Upward>,
    ) -> Self {
        Self { id, label, demand, mode, cancel, producer, asked: Arc::default() }
    }

    /// The identifier of the subscription.
    #[must_use]
    pub fn id(&self) -> SubscriptionId {
        self.id
    }

    /// The producer's name.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The bounds given when the subscription was made. In manual mode only the stage's code can keep to them.
    #[must_use]
    pub fn demand(&self) -> Demand {
        self.demand
    }

    /// Whether the stage or its code asks, as set when the subscription was made.
    #[must_use]
    pub fn mode(&self) -> AskMode {
        self.mode
    }

    /// What the producer's end means for the stage.
    #[must_use]
    pub fn cancel_mode(&self) -> CancelMode {
        self.cancel
    }

    /// Asks for `items` more, for subscriptions in manual mode; 0 asks for nothing.
    ///
    /// In automatic mode this is asked for once, in addition to what the stage asks for.
    ///
    /// # Source
    /// `GenStage.ask`.
    pub fn ask(&self, items: usize) {
        if items > 0 {
            let more = |asked: usize| Some(asked.saturating_add(items));
            let _ = self.asked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
            self.producer.ask(self.id, items);
        }
    }

    /// Cancels the subscription. What the producer has sent by then still comes, and then
    /// [`handle_cancel`](super::Consumer::handle_cancel) is called.
    ///
    /// The cancel mode of the subscription decides what `reason` means for this stage.
    ///
    /// # Source
    /// `GenStage.cancel`.
    pub fn cancel(&self, reason: Reason) {
        self.producer.cancel(self.id, EndKind::Cancelled, reason);
    }

    /// Sets the bounds of a subscription that is still to be made.
    pub(super) fn set_demand(&mut self, demand: Demand) {
        self.demand = demand;
    }

    /// Counts items that came, and returns how many of them the reader's code had asked for.
    pub(super) fn came(&self, items: usize) -> usize {
        let asked = self.asked();
        let of_them = asked.min(items);
        if of_them > 0 {
            // Only the reader subtracts, so at least `of_them` are there.
            self.asked.fetch_sub(of_them, Ordering::Relaxed);
        }
        of_them
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("id", &self.id)
            .field("label", &self.label)
            .field("demand", &self.demand)
            .field("cancel", &self.cancel)
            .finish_non_exhaustive()
    }
}
