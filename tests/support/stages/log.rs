//! What stages have seen.

use gen_stage::dispatch::SubscriptionId;
use gen_stage::stage::{Cancellation, Reason};
use std::sync::{Arc, Mutex};

/// What a stage has seen, in the order it saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// `handle_demand` was called.
    Demand(usize),
    /// `handle_items` was called.
    Batch(Vec<u64>),
    /// This stage has subscribed.
    Subscribed(SubscriptionId),
    /// A subscription of this stage has ended: "cancel <why>" or "down <why>".
    Cancelled(SubscriptionId, String),
    /// A consumer has subscribed to this stage.
    JoinLane(SubscriptionId),
    /// A consumer's subscription has ended: "cancel <why>" or "down <why>".
    Left(SubscriptionId, String),
    /// The message [`Say::Note`].
    Note(char),
    /// The buffer has thrown away so many items.
    Discarded(usize),
    /// `terminate` was called.
    Ended(String),
}

/// What one stage, or several that share it, have seen; or a list of anything else. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Log<T = Seen>(Arc<Mutex<Vec<T>>>);

impl<T> Log<T> {
    pub(crate) fn push(&self, entry: T) {
        self.0.lock().unwrap().push(entry);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Clone> Log<T> {
    /// Everything so far.
    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl Log {
    fn each<T>(&self, pick: impl Fn(Seen) -> Option<T>) -> Vec<T> {
        self.all().into_iter().filter_map(pick).collect()
    }

    /// The batches handled.
    pub(crate) fn batches(&self) -> Vec<Vec<u64>> {
        self.each(|seen| if let Seen::Batch(items) = seen { Some(items) } else { None })
    }

    /// The items of all batches.
    pub(crate) fn items(&self) -> Vec<u64> {
        self.batches().concat()
    }

    /// The demands of `handle_demand`.
    pub(crate) fn demands(&self) -> Vec<usize> {
        self.each(|seen| if let Seen::Demand(demand) = seen { Some(demand) } else { None })
    }

    /// The subscriptions this stage has made.
    pub(crate) fn subscribed(&self) -> Vec<SubscriptionId> {
        self.each(|seen| if let Seen::Subscribed(id) = seen { Some(id) } else { None })
    }

    /// How subscriptions of this stage have ended.
    pub(crate) fn cancelled(&self) -> Vec<String> {
        self.each(|seen| if let Seen::Cancelled(_, how) = seen { Some(how) } else { None })
    }

    /// The consumers that have subscribed.
    pub(crate) fn joined(&self) -> Vec<SubscriptionId> {
        self.each(|seen| if let Seen::JoinLane(id) = seen { Some(id) } else { None })
    }

    /// How consumers have left.
    pub(crate) fn left(&self) -> Vec<String> {
        self.each(|seen| if let Seen::Left(_, how) = seen { Some(how) } else { None })
    }

    /// The notes.
    pub(crate) fn notes(&self) -> String {
        self.each(|seen| if let Seen::Note(note) = seen { Some(note) } else { None }).into_iter().collect()
    }

    /// How many items were thrown away, each time.
    pub(crate) fn discarded(&self) -> Vec<usize> {
        self.each(|seen| if let Seen::Discarded(items) = seen { Some(items) } else { None })
    }

    /// The reason that `terminate` was called with, if it was; it is called only once.
    #[track_caller]
    pub(crate) fn end(&self) -> Option<String> {
        let mut ends = self.each(|seen| if let Seen::Ended(reason) = seen { Some(reason) } else { None });
        assert!(ends.len() <= 1, "terminated more than once: {ends:?}");
        ends.pop()
    }
}

pub(super) fn how(end: &Cancellation) -> String {
    format!("{} {}", if end.is_down() { "down" } else { "cancel" }, why(end.reason()))
}

/// What a reason says went wrong, in its own words, without the stage where it was.
pub(crate) fn why(reason: &Reason) -> String {
    match reason {
        Reason::Failed(failure) => format!("failed: {failure}"),
        Reason::Panicked(panic) => format!("panicked: {}", panic.message()),
        other => other.to_string(),
    }
}
