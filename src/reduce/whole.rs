use super::info::Trigger;
use super::places::Whole;
use super::signal::{Fire, Signal, Slot};
use crate::lane::{Each, Lane, Origins, poll_one};
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The name of the only window of a lane: see [`Window::global`](crate::window::Window::global).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Global;

pin_project! {
    /// A lane without windows, as a `reduce` reads it: everything belongs together, and is done at the end of input.
    #[derive(Debug)]
    #[must_use = "a lane does nothing until it is polled"]
    pub struct UnwindowedLane<L> {
        #[pin]
        upstream: L,
        done: bool,
    }
}

impl<L: Lane> UnwindowedLane<L> {
    pub(crate) fn new(upstream: L) -> Self {
        Self { upstream, done: false }
    }
}

impl<L: Lane> Lane for UnwindowedLane<L> {
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let this = self.project();
        if *this.done {
            return Poll::Ready(Each::Ended);
        }
        let upstream = this.upstream;
        if ready!(upstream.poll_each(cx, &mut |item| each(Signal::Item(Whole, item)))) == Each::Stopped {
            return Poll::Ready(Each::Stopped);
        }
        *this.done = true;
        let done = Fire { slot: Slot(0), window: Global, trigger: Trigger::Done };
        Poll::Ready(match each(Signal::Fire(done)) {
            ControlFlow::Continue(()) => Each::Ended,
            ControlFlow::Break(()) => Each::Stopped,
        })
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        self.project().upstream.origins()
    }
}

impl<L: Lane> Stream for UnwindowedLane<L> {
    type Item = Signal<L::Item, Whole, Global>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_one(self, cx)
    }
}
