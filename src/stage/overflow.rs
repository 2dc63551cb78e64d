//! Says that a buffer throws items away, without flooding the log.

use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The log has at most one line per stage in this time.
const PAUSE: Duration = Duration::from_secs(1);

/// Counts the items that the buffer of one stage has thrown away and that the log does not tell of yet.
#[derive(Debug)]
pub(super) struct Overflow {
    label: Arc<str>,
    last: Option<Instant>,
    unsaid: usize,
}

impl Overflow {
    pub(super) fn new(label: Arc<str>) -> Self {
        Self { label, last: None, unsaid: 0 }
    }

    /// Adds `items` to the count, and logs the count if the last line is old enough.
    pub(super) fn add(&mut self, items: usize) {
        self.unsaid = self.unsaid.saturating_add(items);
        let now = Instant::now();
        if self.last.is_none_or(|last| now - last >= PAUSE) {
            self.last = Some(now);
            self.say();
        }
    }

    fn say(&mut self) {
        let items = std::mem::take(&mut self.unsaid);
        if items > 0 {
            tracing::warn!(stage = %self.label, items, "the buffer is full: items were discarded");
        }
    }
}

impl Drop for Overflow {
    /// Logs the rest, so that the lines of a stage add up.
    fn drop(&mut self) {
        self.say();
    }
}
