use super::{Each, Lane};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

/// `poll_next` for lanes whose `poll_each` is the face that is written out.
#[inline]
pub(crate) fn poll_next_by_each<L: Lane>(lane: Pin<&mut L>, cx: &mut Context<'_>) -> Poll<Option<L::Item>> {
    let mut next = None;
    let polled = lane.poll_each(cx, &mut |item| {
        next = Some(item);
        ControlFlow::Break(())
    });
    match polled {
        _ if next.is_some() => Poll::Ready(next),
        Poll::Ready(Each::Ended) => Poll::Ready(None),
        // Without an item the closure was not called, so it cannot have broken.
        Poll::Ready(Each::Stopped) | Poll::Pending => Poll::Pending,
    }
}
