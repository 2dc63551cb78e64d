use super::event::Event;
use super::shared::SupervisorShared;
use futures_core::{FusedStream, Stream};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

/// What happens to the children of a supervisor, as a stream.
///
/// Made by [`SupervisorHandle::events`](super::SupervisorHandle::events). It ends after the last event, when the
/// supervisor has ended.
///
/// # Ordering
/// As it happened, over all children.
///
/// # Drop
/// From then on, no events are kept for it.
#[must_use = "streams do nothing unless polled"]
pub struct Events {
    shared: Arc<SupervisorShared>,
    at: usize,
    ended: bool,
}

impl Events {
    pub(super) fn new(shared: Arc<SupervisorShared>, capacity: usize) -> Self {
        shared.listening.store(true, Ordering::Relaxed);
        let at = shared.with(|registry| registry.listeners.add(capacity));
        Self { shared, at, ended: false }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let at = self.at;
        // Dropped without the lock: this waker may be the last thing that keeps its task alive.
        let mut old = None;
        let polled = self.shared.with(|registry| {
            let over = registry.is_over();
            registry.listeners.poll(at, over, cx, &mut old)
        });
        drop(old);
        self.ended = matches!(polled, Poll::Ready(None));
        polled
    }
}

impl FusedStream for Events {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let at = self.at;
        // Dropped without the lock: its events hold the user's errors, whose drop may do anything.
        let queue = self.shared.with(|registry| registry.listeners.remove(at));
        drop(queue);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("ended", &self.ended).finish_non_exhaustive()
    }
}
