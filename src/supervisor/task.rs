use super::child_info::ChildId;
use super::core::Starter;
use super::outcome::Outcome;
use super::registry::Next;
use super::spec::{ChildOutput, ChildSpec, Starting};
use crate::coop::give_way;
use crate::failure::Panic;
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
        let attempt = Some(attempt);
        Self { core, id, item, restarts: 0, attempt, pause: None, waiting: false, gone: false }
    }
}

impl<T, S> Future for ChildTask<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let (shared, id) = (&this.core.shared, *this.id);
        let mut killed =
            shared.kills.load(Ordering::Relaxed) > 0 && shared.with(|registry| registry.is_killed(id));
        let next = loop {
            if killed {
                *this.pause = None;
                break shared.ended(id, &drop_attempt(this.attempt.as_mut()));
            }
            let polled = match (this.attempt.as_mut().as_pin_mut(), &mut *this.pause) {
                (Some(attempt), _) => poll_attempt(attempt, cx).map(Some),
                (None, Some(pause)) => pause.as_mut().poll(cx).map(|()| None),
                (None, None) => Poll::Ready(None),
            };
            match polled {
                Poll::Pending if *this.waiting => return Poll::Pending,
                Poll::Pending => {
                    // Its waker stays the same: this is a task of its own.
                    *this.waiting = true;
                    killed = shared.with(|registry| registry.waits(id, cx.waker()));
                    if !killed {
                        return Poll::Pending;
                    }
                }
                Poll::Ready(Some(outcome)) => {
                    // If dropping it panics after it returned, it did not come to its end.
                    let outcome = match (outcome, drop_attempt(this.attempt.as_mut())) {
                        (Outcome::Completed, Outcome::Panicked(panic)) => Outcome::Panicked(panic),
                        (outcome, _) => outcome,
                    };
                    break shared.ended(id, &outcome);
                }
                Poll::Ready(None) => {
                    *this.pause = None;
                    let starting = Starting { shared, id, restarts: *this.restarts };
                    match this.core.restart(this.item.as_ref(), starting) {
                        Ok(Some(attempt)) => {
                            if shared.with(|registry| registry.restarted(id)) {
                                this.attempt.set(Some(attempt));
                                // Not polled in this turn: a child that always fails at once keeps no others waiting.
                                return give_way(cx);
                            }
                            // Stopped meanwhile. The attempt has not begun, and is dropped before its end is told.
                            let outcome = match catch_unwind(AssertUnwindSafe(|| drop(attempt))) {
                                Ok(()) => Outcome::NotRestarted,
                                Err(payload) => Outcome::Panicked(Panic::new(payload)),
                            };
                            *this.gone = true;
                            shared.with(|registry| registry.lost(id, &outcome));
                            return Poll::Ready(());
                        }
                        Ok(None) => break shared.restart_failed(id, &Outcome::NotRestarted),
                        Err(outcome) => break shared.restart_failed(id, &outcome),
                    }
                }
            }
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
fn poll_attempt<F: Future<Output: ChildOutput>>(attempt: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Outcome> {
    // `into_result` is called in here too: converting the error runs the user's code.
    let polled =
        catch_unwind(AssertUnwindSafe(|| attempt.poll(cx).map(|output| ChildOutput::into_result(output))));
    Poll::Ready(match polled {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(Ok(()))) => Outcome::Completed,
        Ok(Poll::Ready(Err(error))) => Outcome::Failed(Arc::from(error)),
        Err(payload) => Outcome::Panicked(Panic::new(payload)),
    })
}
