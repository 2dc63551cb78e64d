use super::ends::Upward;
use super::reason::{EndKind, Reason};
use super::status::{ProducerStatus, StageRef};
use super::tally::SubscriptionTally;
use super::terms::{AskMode, CancelMode, Terms};
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
pub struct Upstream(Arc<UpstreamEnd>);

struct UpstreamEnd {
    id: SubscriptionId,
    label: Arc<str>,
    terms: Terms,
    producer: Arc<dyn Upward>,
    /// The stage that is the producer; `None`: it is a sink in front of a consumer.
    stage: Option<StageRef>,
    tally: Arc<SubscriptionTally>,
    /// Asked for by the stage's code and not yet come.
    asked: AtomicUsize,
}

impl Upstream {
    pub(super) fn new(
        id: SubscriptionId,
        label: Arc<str>,
        terms: Terms,
        (producer, stage): (Arc<dyn Upward>, Option<StageRef>),
        tally: SubscriptionTally,
    ) -> Self {
        let (tally, asked) = (Arc::new(tally), AtomicUsize::new(0));
        Self(Arc::new(UpstreamEnd { id, label, terms, producer, stage, tally, asked }))
    }

    /// The identifier of the subscription.
    #[must_use]
    pub fn id(&self) -> SubscriptionId {
        self.0.id
    }

    /// The producer's name.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// Raises the failure of the producer in the task that reads it.
    pub(super) fn raise(&self, reason: &Reason) -> ! {
        match reason {
            Reason::Panicked(panic) => panic.resume(),
            Reason::Failed(failure) if failure.place().is_some() => panic!("{reason}"),
            _ => {
                let producer = self.0.stage.as_ref().map_or_else(|| self.label().to_owned(), StageRef::place);
                panic!("a subscription to {producer} ended before it was done: {reason}")
            }
        }
    }

    /// The bounds given when the subscription was made. In manual mode only the stage's code can keep to them.
    #[must_use]
    pub fn demand(&self) -> Demand {
        self.0.terms.bounds
    }

    /// Whether the stage or its code asks, as set when the subscription was made.
    #[must_use]
    pub fn mode(&self) -> AskMode {
        self.0.terms.mode
    }

    /// What the producer's end means for the stage.
    #[must_use]
    pub fn cancel_mode(&self) -> CancelMode {
        self.0.terms.cancel
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
            let _ = self.0.asked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
            self.0.producer.ask(self.0.id, items);
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
        self.0.producer.cancel(self.0.id, EndKind::Cancelled, reason);
    }

    /// Sets the bounds of a subscription that is still to be made.
    pub(super) fn set_demand(&mut self, demand: Demand) {
        let end = Arc::get_mut(&mut self.0).expect("it is shared only once the subscription is made");
        end.terms.bounds = demand;
    }

    /// What its producer is to know of it.
    pub(super) fn terms_and_tally(&self) -> (Terms, Arc<SubscriptionTally>) {
        (self.0.terms, Arc::clone(&self.0.tally))
    }

    /// What is known of the subscription on this side: `mode` says whether the stage asks or its code,
    /// `wanted` what was asked for in automatic mode and not handled.
    pub(super) fn status(&self, mode: AskMode, wanted: usize) -> ProducerStatus {
        let demand = if mode == AskMode::Automatic { wanted } else { self.asked() };
        let terms = Terms { mode, ..self.0.terms };
        ProducerStatus::new(self.0.id, &self.0.label, terms, self.0.stage.clone(), &self.0.tally, demand)
    }

    /// Counts items that came, and returns how many of them the reader's code had asked for.
    pub(super) fn came(&self, items: usize) -> usize {
        let asked = self.asked();
        let of_them = asked.min(items);
        if of_them > 0 {
            // Only the reader subtracts, so at least `of_them` are there.
            self.0.asked.fetch_sub(of_them, Ordering::Relaxed);
        }
        of_them
    }

    pub(super) fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("id", &self.0.id)
            .field("label", &self.0.label)
            .field("demand", &self.0.terms.bounds)
            .field("cancel", &self.0.terms.cancel)
            .field("keeps", &self.0.terms.keeps)
            .finish_non_exhaustive()
    }
}
