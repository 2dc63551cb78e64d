//! Starts children of the items of a stage.

use super::end::{StartError, SupervisorEnd};
use super::registry::Registry;
use super::shared::SupervisorShared;
use super::start::Starts;
use crate::stage::{Reason, Subscription};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What a poll of the reader found.
enum Read<T> {
    Items(Vec<T>),
    /// The producer, or the subscription, has ended.
    Ended(Reason),
    /// The supervisor takes no more.
    Stopped,
}

struct StageReader<T> {
    shared: Arc<SupervisorShared>,
    starts: Arc<dyn Starts<T>>,
    subscription: Subscription<T>,
    intake: OpenIntake,
    /// Items that were asked for and have not come.
    on_their_way: usize,
}

/// The place where a reader's children are counted. Closed however the reader ends, even before its first poll.
pub(super) struct OpenIntake {
    shared: Arc<SupervisorShared>,
    at: usize,
    /// The reader came to its end.
    finished: bool,
}

impl OpenIntake {
    pub(super) fn open(shared: &Arc<SupervisorShared>) -> Self {
        let at = shared.with(Registry::open_intake);
        Self { shared: Arc::clone(shared), at, finished: false }
    }
}

impl Drop for OpenIntake {
    fn drop(&mut self) {
        if !self.finished {
            // The runtime is being shut down, or an item panicked when it was dropped: no reader is left.
            self.shared.stop(SupervisorEnd::Aborted);
        }
        self.shared.with(|registry| registry.close_intake(self.at));
    }
}

/// Reads a stage until the stage or the supervisor has ended.
pub(super) async fn read<T: Send + 'static>(
    shared: Arc<SupervisorShared>,
    starts: Arc<dyn Starts<T>>,
    subscription: Subscription<T>,
    intake: OpenIntake,
) {
    let mut reader = StageReader { shared, starts, subscription, intake, on_their_way: 0 };
    loop {
        match poll_fn(|cx| reader.poll(cx)).await {
            Read::Items(items) => reader.start(items),
            Read::Ended(reason) => {
                reader.intake.finished = true;
                if reader.subscription.cancel_mode().ends_on(&reason) {
                    let end = SupervisorEnd::Producer(reason.clone());
                    if reason.is_clean() {
                        reader.shared.drain(end, None);
                    } else {
                        reader.shared.stop(end);
                    }
                }
                return;
            }
            Read::Stopped => {
                reader.intake.finished = true;
                return;
            }
        }
    }
}

impl<T: Send + 'static> StageReader<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Read<T>> {
        let demand = self.subscription.demand();
        let wake_at = demand.min().checked_sub(self.on_their_way);
        let (at, shared) = (self.intake.at, &self.shared);
        let Some(running) = shared.with(|registry| registry.poll_intake(at, wake_at, cx)) else {
            return Poll::Ready(Read::Stopped);
        };
        let wanted = running + self.on_their_way;
        if wanted <= demand.min() {
            self.ask(demand.max() - wanted);
        }
        self.subscription.poll_fallible(cx).map(|read| match read {
            Some(Ok(items)) => Read::Items(items),
            Some(Err(reason)) => Read::Ended(reason),
            None => Read::Ended(self.subscription.end().cloned().unwrap_or(Reason::Normal)),
        })
    }

    fn ask(&mut self, items: usize) {
        self.on_their_way += items;
        self.subscription.ask(items);
    }

    /// Starts a child for each item. For the items without a child, asks for as many other items, all at once.
    fn start(&mut self, items: Vec<T>) {
        // Items beyond what was asked for are started all the same.
        self.on_their_way = self.on_their_way.saturating_sub(items.len());
        let mut gone = 0;
        for item in items {
            match Arc::clone(&self.starts).start(item, self.intake.at) {
                Ok(_) => {}
                Err(StartError::Ignored | StartError::Failed(_) | StartError::Panicked(_)) => gone += 1,
                // The supervisor takes no more: the next poll sees it.
                Err(StartError::Ended { .. } | StartError::MaxChildren { .. }) => {
                    self.shared.with(|registry| registry.counts.refused += 1);
                }
            }
        }
        if gone > 0 {
            self.ask(gone);
        }
    }
}
