use super::{Each, Lane};
use crate::edge::Receiver;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The receiving end of an edge is a lane.
impl<T> Lane for Receiver<T> {
    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        self.get_mut().poll_batches_each(cx, each).map(|read| match read {
            ControlFlow::Continue(()) => Each::Ended,
            ControlFlow::Break(()) => Each::Stopped,
        })
    }

    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<T>>> {
        self.get_mut().poll_batch_up_to(cx, limit)
    }
}
