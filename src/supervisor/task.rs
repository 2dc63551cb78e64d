use super::child_info::ChildId;
use super::core::Starter;
use super::outcome::Outcome;
use super::registry::Next;
use super::spec::{ChildOutput, ChildSpec, Starting};
use crate::coop::give_way;
use crate::failure::Panic;
use crate::span::{TaskSpan, poll_in_span};
use pin_project_lite::pin_project;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

pin_project! {
    /// A child: what it does, one attempt after the other.
    #[project = ChildTaskProjection]
    pub(super) struct ChildTask<T, S>
    where
        T: Send,
        T: 'static,
        S: ChildSpec<T>,
    {
        core: Arc<Starter<T, S>>,
        id: ChildId,
        // For the next attempt, if there may be one.
        item: Option<T>,
        restarts: u32,
        // `None`: it waits for its next attempt.
        #[pin]
        attempt: Option<S::Future>,
        pause: Option<Pin<Box<Sleep>>>,
        // The registry has its waker.
        waiting: bool,
        // The registry knows that it has ended.
        gone: bool,
        span: TaskSpan,
    }

    impl<T, S> PinnedDrop for ChildTask<T, S>
    where
        T: Send,
        T: 'static,
        S: ChildSpec<T>,
    {
        fn drop(this: Pin<&mut Self>) {
            // Not gone: its runtime is being shut down.
            if !this.gone {
                let this = this.project();
                let outcome = drop_attempt(this.attempt);
                this.core.shared.with(|registry| registry.lost(*this.id, &outcome));
            }
        }
    }
}

impl<T, S> ChildTask<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    pub(super) fn new(core: Arc<Starter<T, S>>, id: ChildId, item: Option<T>, attempt: S::Future) -> Self {
        let (attempt, span) = (Some(attempt), TaskSpan::default());
        let mut task =
            Self { core, id, item, restarts: 0, attempt, pause: None, waiting: false, gone: false, span };
        // When the task is there: a subscriber that panics here drops it, and the end of the child is known.
        task.span = task.core.shared.span_of(id);
        task
    }
}

impl<T, S> Future for ChildTask<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.span.is_none() {
            return poll_in_span(self, |task| task.project().span, cx);
        }
        let mut this = self.project();
        let next = match this.poll_event(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(ChildEvent::Completed) => this.complete(),
            Poll::Ready(ChildEvent::Killed) => this.abort(),
            Poll::Ready(ChildEvent::Failed(outcome)) => this.fail(&outcome),
            Poll::Ready(ChildEvent::PauseOver) => match this.restart() {
                Some(next) => next,
                // Not polled in this turn: a child that always fails at once keeps no others waiting.
                None => return give_way(cx),
            },
        };
        match next {
            Next::Gone => {
                *this.gone = true;
                Poll::Ready(())
            }
            Next::Restart(pause, restarts) => {
                *this.restarts = restarts;
                if pause > Duration::ZERO {
                    *this.pause = Some(Box::pin(sleep(pause)));
                }
                give_way(cx)
            }
        }
    }
}

/// What a child does next.
enum ChildEvent {
    /// It is to be dropped in the middle of what it does.
    Killed,
    /// Its attempt has come to its end, and is still to be dropped.
    Completed,
    /// The same for an attempt that failed or panicked.
    Failed(Outcome),
    /// The next attempt is to begin.
    PauseOver,
}

impl<T, S> ChildTaskProjection<'_, T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    /// Waits for the end of the attempt, or of the pause before the next one.
    #[inline]
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<ChildEvent> {
        if self.is_killed() {
            return Poll::Ready(ChildEvent::Killed);
        }
        let polled = match (self.attempt.as_mut().as_pin_mut(), &mut *self.pause) {
            (Some(attempt), _) => poll_attempt(attempt, cx),
            (None, Some(pause)) => pause.as_mut().poll(cx).map(|()| ChildEvent::PauseOver),
            (None, None) => Poll::Ready(ChildEvent::PauseOver),
        };
        if polled.is_pending() && self.waits(cx) {
            return Poll::Ready(ChildEvent::Killed);
        }
        polled
    }

    #[inline]
    fn is_killed(&self) -> bool {
        let shared = &self.core.shared;
        shared.kills.load(Ordering::Relaxed) > 0 && shared.with(|registry| registry.is_killed(*self.id))
    }

    /// Leaves the waker with the registry, the first time; true if the child was killed before it was there.
    #[inline]
    fn waits(&mut self, cx: &Context<'_>) -> bool {
        // Its waker stays the same: this is a task of its own.
        let waited = std::mem::replace(self.waiting, true);
        !waited && self.core.shared.with(|registry| registry.waits(*self.id, cx.waker()))
    }

    fn abort(&mut self) -> Next {
        *self.pause = None;
        let outcome = drop_attempt(self.attempt.as_mut());
        self.core.shared.ended(*self.id, &outcome)
    }

    #[inline]
    fn complete(&mut self) -> Next {
        match drop_attempt(self.attempt.as_mut()) {
            // A future whose drop panics has not come to its end, though it returned.
            Outcome::Panicked(panic) => self.core.shared.ended(*self.id, &Outcome::Panicked(panic)),
            _ => self.core.shared.completed(*self.id),
        }
    }

    #[cold]
    fn fail(&mut self, outcome: &Outcome) -> Next {
        drop_attempt(self.attempt.as_mut());
        self.core.shared.ended(*self.id, outcome)
    }

    /// Makes the next attempt. `None`: it is there, and is polled next.
    fn restart(&mut self) -> Option<Next> {
        *self.pause = None;
        let (shared, id) = (&self.core.shared, *self.id);
        let starting = Starting { shared, id, restarts: *self.restarts };
        let attempt = match self.core.restart(self.item.as_ref(), starting) {
            Ok(Some(attempt)) => attempt,
            Ok(None) => return Some(shared.restart_failed(id, &Outcome::NotRestarted)),
            Err(outcome) => return Some(shared.restart_failed(id, &outcome)),
        };
        if shared.with(|registry| registry.restarted(id)) {
            self.attempt.set(Some(attempt));
            return None;
        }
        // Stopped meanwhile. The attempt has not begun, and is dropped before its end is told.
        let outcome = match catch_unwind(AssertUnwindSafe(|| drop(attempt))) {
            Ok(()) => Outcome::NotRestarted,
            Err(payload) => Outcome::Panicked(Panic::new(payload)),
        };
        shared.with(|registry| registry.lost(id, &outcome));
        Some(Next::Gone)
    }
}

/// Drops an attempt, before or after its end; returns the outcome of the drop.
#[inline]
fn drop_attempt<F>(mut attempt: Pin<&mut Option<F>>) -> Outcome {
    if attempt.is_none() {
        return Outcome::NotRestarted;
    }
    match catch_unwind(AssertUnwindSafe(|| attempt.set(None))) {
        Ok(()) => Outcome::Aborted,
        Err(payload) => Outcome::Panicked(Panic::new(payload)),
    }
}

#[inline]
fn poll_attempt<F>(attempt: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<ChildEvent>
where
    F: Future<Output: ChildOutput>,
{
    // `into_result` is called in here too: converting the error runs the user's code.
    let polled =
        catch_unwind(AssertUnwindSafe(|| attempt.poll(cx).map(|output| ChildOutput::into_result(output))));
    Poll::Ready(match polled {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(Ok(()))) => ChildEvent::Completed,
        Ok(Poll::Ready(Err(error))) => ChildEvent::Failed(Outcome::Failed(Arc::from(error))),
        Err(payload) => ChildEvent::Failed(Outcome::Panicked(Panic::new(payload))),
    })
}
