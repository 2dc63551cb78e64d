use super::child::ChildId;
use super::core::Core;
use super::outcome::Outcome;
use super::shared::Next;
use super::spec::{ChildOutput, ChildSpec, Starting};
use crate::lane::give_way;
use crate::stage::Panic;
use pin_project_lite::pin_project;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
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
        core: Arc<Core<T, S>>,
        id: ChildId,
        // For the next attempt, if there may be one.
        item: Option<T>,
        restarts: u32,
        // `None`: it waits for its next attempt.
        #[pin]
        attempt: Option<S::Future>,
        pause: Option<Pin<Box<Sleep>>>,
        // Nobody is to be told any more.
        gone: bool,
    }

    impl<T, S> PinnedDrop for ChildTask<T, S>
    where
        T: Send,
        T: 'static,
        S: ChildSpec<T>,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if *this.gone {
                return;
            }
            let outcome = if this.attempt.is_some() {
                match catch_unwind(AssertUnwindSafe(|| this.attempt.set(None))) {
                    Ok(()) => Outcome::Aborted,
                    Err(payload) => Outcome::Panicked(Panic::new(payload)),
                }
            } else {
                Outcome::NotRestarted
            };
            let next = this.core.shared.ended(*this.id, outcome);
            if let (Next::Restart(_), Some(item)) = (next, this.item.take()) {
                // It was aborted to be restarted.
                this.core.spawn_again(*this.id, item, *this.restarts + 1);
            }
        }
    }
}

impl<T, S> ChildTask<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    pub(super) fn new(core: Arc<Core<T, S>>, id: ChildId, item: Option<T>, attempt: S::Future) -> Self {
        Self { core, id, item, restarts: 0, attempt: Some(attempt), pause: None, gone: false }
    }

    /// One that begins with a restart.
    pub(super) fn again(core: Arc<Core<T, S>>, id: ChildId, item: T, restarts: u32) -> Self {
        Self { core, id, item: Some(item), restarts, attempt: None, pause: None, gone: false }
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
        let next = if let Some(attempt) = this.attempt.as_mut().as_pin_mut() {
            let outcome = ready!(poll_attempt(attempt, cx));
            // A panic in the drop comes behind what it returned: it did not come to its end.
            let dropped = catch_unwind(AssertUnwindSafe(|| this.attempt.set(None)));
            let outcome = match (outcome, dropped) {
                (Outcome::Completed, Err(payload)) => Outcome::Panicked(Panic::new(payload)),
                (outcome, _) => outcome,
            };
            this.core.shared.ended(*this.id, outcome)
        } else {
            if let Some(pause) = this.pause {
                ready!(pause.as_mut().poll(cx));
                *this.pause = None;
            }
            let starting = Starting { shared: &this.core.shared, id: *this.id, restarts: *this.restarts };
            match this.core.restart(this.item.as_ref(), starting) {
                Ok(Some(attempt)) => {
                    this.attempt.set(Some(attempt));
                    if this.core.shared.with(|registry| registry.restarted(*this.id)) {
                        // Not polled in this turn: a child that always fails at once does not keep others waiting.
                        return give_way(cx);
                    }
                    // Asked to stop meanwhile. It has not begun.
                    *this.gone = true;
                    let _ = catch_unwind(AssertUnwindSafe(|| this.attempt.set(None)));
                    return Poll::Ready(());
                }
                Ok(None) => this.core.shared.restart_failed(*this.id, Outcome::NotRestarted),
                Err(outcome) => this.core.shared.restart_failed(*this.id, outcome),
            }
        };
        match next {
            Next::Gone => {
                *this.gone = true;
                Poll::Ready(())
            }
            Next::Restart(pause) => {
                *this.restarts += 1;
                if pause > Duration::ZERO {
                    *this.pause = Some(Box::pin(sleep(pause)));
                }
                give_way(cx)
            }
        }
    }
}

#[inline]
fn poll_attempt<F: Future<Output: ChildOutput>>(attempt: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Outcome> {
    // The error is made one in here too: that is the user's code.
    let polled =
        catch_unwind(AssertUnwindSafe(|| attempt.poll(cx).map(|output| ChildOutput::into_result(output))));
    Poll::Ready(match polled {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(Ok(()))) => Outcome::Completed,
        Ok(Poll::Ready(Err(error))) => Outcome::Failed(Arc::from(error)),
        Err(payload) => Outcome::Panicked(Panic::new(payload)),
    })
}
