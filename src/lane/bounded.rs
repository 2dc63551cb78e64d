use super::Each;
use crate::coop::{Turn, give_way};
use std::ops::ControlFlow;
use std::task::{Context, Poll};

/// Bounds what a lane passes on in one call, where the items it takes become others: the lane below counts only those
/// that it passes.
pub(crate) struct Bounded<'a, F> {
    each: &'a mut F,
    left: usize,
    stopped: bool,
}

impl<'a, F> Bounded<'a, F> {
    pub(crate) fn new(turn: &Turn, each: &'a mut F) -> Self {
        Self { each, left: turn.size(), stopped: false }
    }

    /// Passes an item on; breaks when the reader had enough, or the turn is over.
    #[inline(always)]
    pub(crate) fn pass<T>(&mut self, item: T) -> ControlFlow<()>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        if (self.each)(item).is_break() {
            self.stopped = true;
            return ControlFlow::Break(());
        }
        self.left -= 1;
        if self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// What the lane answers when the one below answered this.
    pub(crate) fn answer(self, polled: Poll<Each>, cx: &mut Context<'_>) -> Poll<Each> {
        match polled {
            Poll::Ready(Each::Stopped) if !self.stopped => give_way(cx),
            polled => polled,
        }
    }
}
