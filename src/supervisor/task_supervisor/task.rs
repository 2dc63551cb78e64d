//! What drives the future of one item, in a task of its own.

use super::results::Results;
use crate::failure::Panic;
use crate::span::{TaskSpan, poll_in_span};
use crate::supervisor::ChildError;
use pin_project_lite::pin_project;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::coop::{Unconstrained, unconstrained};
use tokio::time::{Sleep, sleep};

pin_project! {
    pub(super) struct TaskRun<Fut: Future> {
        #[pin]
        future: Option<Fut>,
        limit: TimeLimit,
        // After the future, so that a future dropped with its task is gone before its result is told.
        teller: Teller<Fut::Output>,
        span: TaskSpan,
    }
}

/// How long a task may take.
enum TimeLimit {
    None,
    /// Starts at the first poll, for the clock is that of the runtime that runs the task.
    For(Duration),
    /// Unconstrained, so that a task without budget times out nevertheless.
    Until(Unconstrained<Pin<Box<Sleep>>>),
}

/// Tells the result of a task, once, however it ends.
pub(super) struct Teller<O> {
    at: usize,
    results: Option<Arc<Results<O>>>,
}

impl<Fut: Future> TaskRun<Fut> {
    pub(super) fn new(future: Fut, limit: Option<Duration>, teller: Teller<Fut::Output>) -> Self {
        let limit = limit.map_or(TimeLimit::None, TimeLimit::For);
        Self { future: Some(future), limit, teller, span: TaskSpan::debug(|| tracing::debug_span!("task")) }
    }
}

impl TimeLimit {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self {
                Self::None => return Poll::Pending,
                Self::For(limit) => *self = Self::Until(unconstrained(Box::pin(sleep(*limit)))),
                Self::Until(sleep) => return Pin::new(sleep).poll(cx),
            }
        }
    }
}

impl<O> Teller<O> {
    pub(super) fn new(at: usize, results: &Arc<Results<O>>) -> Self {
        Self { at, results: Some(Arc::clone(results)) }
    }

    pub(super) fn tell(&mut self, result: Result<O, ChildError>) {
        if let Some(results) = self.results.take() {
            results.push(self.at, result);
        }
    }
}

impl<O> Drop for Teller<O> {
    fn drop(&mut self) {
        self.tell(Err(ChildError::Aborted));
    }
}

impl<Fut: Future> Future for TaskRun<Fut> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.span.is_none() {
            return poll_in_span(self, |task| task.project().span, cx);
        }
        let mut this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            match future.poll(cx) {
                Poll::Ready(output) => Poll::Ready(Ok(output)),
                Poll::Pending => this.limit.poll(cx).map(|()| Err(ChildError::TimedOut)),
            }
        }));
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => Ok(result),
            Err(payload) => Err(payload),
        };
        let dropped = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
        this.teller.tell(match (result, dropped) {
            (Ok(result), Ok(())) => result,
            // The first panic is the one that is reported.
            (Err(payload), _) => Err(ChildError::Panicked(Panic::new(payload))),
            (Ok(output), Err(payload)) => {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(output)));
                Err(ChildError::Panicked(Panic::new(payload)))
            }
        });
        Poll::Ready(())
    }
}
