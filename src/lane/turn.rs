use super::Lane;
use crate::demand::Demand;
use std::task::{Context, Poll};

/// What a lane may do before it lets other tasks run: a number of items per poll.
///
/// Only lanes at the start of a layer need one; adapters are bounded by the lane they wrap.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    size: usize,
    left: usize,
}

impl Turn {
    /// Takes the number of items per turn, at least 1.
    pub(crate) fn new(size: usize) -> Self {
        debug_assert!(size > 0, "a turn of no items never gets anywhere");
        Self { size, left: size }
    }

    /// How many items one call may pass.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Counts one item, for faces that are polled item by item: every `size` items it gives way once.
    pub(crate) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.left == 0 {
            self.left = self.size;
            return give_way(cx);
        }
        self.left -= 1;
        Poll::Ready(())
    }
}

impl Default for Turn {
    /// The batch of the default demand.
    fn default() -> Self {
        Self::new(Demand::default().batch())
    }
}

/// A lane where items come in, whose turn follows the demand of its layer.
pub trait Leaf: Lane {
    /// Sets how many items to pass before other tasks get a turn, at least 1.
    #[doc(hidden)]
    fn set_turn(&mut self, turn: usize);
}

/// Wakes the task that is running and pends, so that others get their turn before it goes on.
pub(crate) fn give_way<T>(cx: &mut Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}
