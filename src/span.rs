//! The span that a task works in.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing::span::Entered;

/// The span of a task; nothing if no subscriber wants it, which costs a task a word.
#[derive(Default)]
pub(crate) struct TaskSpan(Option<Box<Span>>);

impl TaskSpan {
    /// The span that `make` makes, of level debug. Where no subscriber wants that level, it is not made.
    #[inline]
    pub(crate) fn debug(make: impl FnOnce() -> Span) -> Self {
        if LevelFilter::current() < LevelFilter::DEBUG {
            return Self(None);
        }
        let span = make();
        Self((!span.is_disabled()).then(|| Box::new(span)))
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// To be held during a poll.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        self.0.as_deref().map(Span::enter)
    }
}

/// Polls a future in its span, which `span` finds in it and which is not there meanwhile. Out of the way of those without.
#[cold]
pub(crate) fn poll_in_span<F: Future>(
    mut future: Pin<&mut F>,
    span: fn(Pin<&mut F>) -> &mut TaskSpan,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    let taken = std::mem::take(span(future.as_mut()));
    let entered = taken.enter();
    let polled = future.as_mut().poll(cx);
    drop(entered);
    *span(future) = taken;
    polled
}

impl fmt::Debug for TaskSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskSpan").field(&self.0.is_some()).finish()
    }
}
