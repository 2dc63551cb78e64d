use crate::sealed::Sealed;
use futures_core::Stream;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

/// Where items go when they come too late for all their windows, or too far ahead.
pub trait LateItems<T>: Sealed {
    /// Waits until there is room for one more.
    #[doc(hidden)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Takes a late item; after `poll_ready`.
    #[doc(hidden)]
    fn take(&mut self, item: T);

    /// No more late items come.
    #[doc(hidden)]
    fn close(&mut self);

    /// Counts in `count` what is dropped, unless it is counted elsewhere.
    #[doc(hidden)]
    fn count_in(&mut self, count: &Arc<AtomicU64>);
}

/// Late items are dropped and counted.
#[derive(Debug, Clone, Default)]
pub struct Counted(pub(crate) Option<Arc<AtomicU64>>);

/// Late items go to a [`Late`] stream; once that is dropped, they are dropped and counted.
pub struct SideOutput<T> {
    sender: PollSender<T>,
    counted: Counted,
}

/// The items that came too late for all their windows, or too far [ahead](super::Window::max_ahead), from all lanes, as
/// a `Stream`.
///
/// Made by [`Window::late_output`](super::Window::late_output). Ends when all lanes have ended, or were dropped.
///
/// # Drop
/// Late items are dropped from then on, and counted: where [`count_late`](super::Window::count_late) says, or by the
/// flow, see [`Flow::late`](crate::Flow::late).
#[must_use = "lanes wait when nobody reads the late items"]
pub struct Late<T> {
    receiver: mpsc::Receiver<T>,
}

/// A side output, and what reads it.
pub(crate) fn side_output<T: Send + 'static>(capacity: usize, counted: Counted) -> (SideOutput<T>, Late<T>) {
    let (sender, receiver) = mpsc::channel(capacity);
    (SideOutput { sender: PollSender::new(sender), counted }, Late { receiver })
}

impl Sealed for Counted {}

impl<T> LateItems<T> for Counted {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn take(&mut self, item: T) {
        drop(item);
        match &self.0 {
            Some(count) => _ = count.fetch_add(1, Ordering::Relaxed),
            None => {
                tracing::debug!("an item came too late for its windows, or too far ahead, and was dropped");
            }
        }
    }

    fn close(&mut self) {}

    fn count_in(&mut self, count: &Arc<AtomicU64>) {
        self.0.get_or_insert_with(|| count.clone());
    }
}

impl<T> Sealed for SideOutput<T> {}

impl<T: Send + 'static> LateItems<T> for SideOutput<T> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // An error means that no reader is left: then there is always room.
        let _ = ready!(self.sender.poll_reserve(cx));
        Poll::Ready(())
    }

    fn take(&mut self, item: T) {
        if let Err(refused) = self.sender.send_item(item) {
            if let Some(item) = refused.into_inner() {
                self.counted.take(item);
            }
        }
    }

    fn close(&mut self) {
        self.sender.close();
    }

    fn count_in(&mut self, count: &Arc<AtomicU64>) {
        LateItems::<T>::count_in(&mut self.counted, count);
    }
}

impl<T: Send + 'static> Clone for SideOutput<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), counted: self.counted.clone() }
    }
}

impl<T> Stream for Late<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.receiver.poll_recv(cx)
    }
}

impl<T> fmt::Debug for Late<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Late").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SideOutput<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SideOutput").field("counted", &self.counted).finish_non_exhaustive()
    }
}
