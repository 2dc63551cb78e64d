//! Counts what lanes hold when they are dropped.

use crate::flow::monitor::Losses;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Counts the items that a lane holds when it is dropped while its flow goes on: the lane after it has ended.
///
/// When the flow itself is dropped, or has failed, nothing is counted.
#[derive(Debug, Clone)]
pub(in crate::flow) struct DropCount {
    losses: Losses,
    stopped: Arc<AtomicBool>,
}

impl DropCount {
    pub(in crate::flow) fn new(losses: Losses, stopped: Arc<AtomicBool>) -> Self {
        Self { losses, stopped }
    }

    pub(in crate::flow) fn discard(&self, items: usize) {
        if items > 0 && !self.stopped.load(Ordering::SeqCst) {
            self.losses.discard(items);
        }
    }
}
