//! A sink that shows what was done to it.

use futures::Sink;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// What a [`Slate`] has seen.
#[derive(Debug)]
pub(crate) struct Seen<T> {
    pub(crate) items: Vec<T>,
    /// How many of the items are flushed.
    pub(crate) flushed: usize,
    pub(crate) closed: bool,
    pub(crate) dropped: bool,
    /// How many more items it has room for; none makes it pend.
    room: usize,
    /// After so many items it fails.
    fails_after: usize,
    waker: Option<Waker>,
}

#[derive(Debug)]
pub(crate) struct Slate<T>(Arc<Mutex<Seen<T>>>);

/// The other side of a [`Slate`].
#[derive(Debug)]
pub(crate) struct View<T>(Arc<Mutex<Seen<T>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

pub(crate) fn slate<T>() -> (Slate<T>, View<T>) {
    let seen = Seen {
        items: Vec::new(),
        flushed: 0,
        closed: false,
        dropped: false,
        room: usize::MAX,
        fails_after: usize::MAX,
        waker: None,
    };
    let seen = Arc::new(Mutex::new(seen));
    (Slate(seen.clone()), View(seen))
}

impl<T> View<T> {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen<T>> {
        self.0.lock().unwrap()
    }

    pub(crate) fn set_room(&self, room: usize) {
        let mut seen = self.seen();
        seen.room = room;
        if let Some(waker) = seen.waker.take() {
            drop(seen);
            waker.wake();
        }
    }

    pub(crate) fn fail_after(&self, items: usize) {
        self.seen().fails_after = items;
    }
}

impl<T> Drop for Slate<T> {
    fn drop(&mut self) {
        self.0.lock().unwrap().dropped = true;
    }
}

impl<T> Sink<T> for Slate<T> {
    type Error = Broken;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let mut seen = self.0.lock().unwrap();
        assert!(!seen.closed, "nothing is sent after it was closed");
        if seen.room == 0 {
            seen.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), Broken> {
        let mut seen = self.0.lock().unwrap();
        assert!(seen.room > 0, "it is asked before it is sent to");
        if seen.items.len() >= seen.fails_after {
            return Err(Broken);
        }
        seen.room -= 1;
        seen.items.push(item);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let mut seen = self.0.lock().unwrap();
        seen.flushed = seen.items.len();
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let mut seen = self.0.lock().unwrap();
        seen.flushed = seen.items.len();
        seen.closed = true;
        Poll::Ready(Ok(()))
    }
}
