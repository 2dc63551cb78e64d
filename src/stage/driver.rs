use super::behaviour::Behaviour;
use super::core::StageCore;
use super::reason::Reason;
use crate::dispatch::Dispatcher;
use crate::failure::Panic;
use crate::span::TaskSpan;
use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The future that runs a stage: ready when the stage has ended.
///
/// Made by [`Setup::into_parts`](super::Setup::into_parts).
///
/// # Drop
/// Aborts the stage.
#[must_use = "a stage does nothing until its driver is polled"]
pub struct Driver {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    span: TaskSpan,
}

impl Driver {
    /// The driver of the stage with this label.
    pub(super) fn new(label: &str, future: impl Future<Output = ()> + Send + 'static) -> Self {
        let span = TaskSpan::debug(|| tracing::debug_span!("stage", stage = label));
        Self { future: Box::pin(future), span }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let _entered = this.span.enter();
        this.future.as_mut().poll(cx)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

/// Runs a stage to its end, and tells its peers and handles why it ended.
///
/// If this future is dropped, what is dropped with it tells them that the stage was aborted.
pub(super) async fn drive<B: Behaviour, D: Dispatcher<B::Item>>(
    // First, and so dropped last: when this future is dropped, `wait` returns only after all of the stage is gone.
    ended: watch::Sender<Option<Reason>>,
    token: CancellationToken,
    mut core: StageCore<B, D>,
) {
    let itself = core.itself.clone();
    let panicked = |payload| Panic::at(Some(itself.place()), payload);
    let ran = token.run_until_cancelled(unless_panicked(core.run())).await;
    let aborted = ran.is_none();
    let mut reason = match ran {
        Some(Ok(reason)) => reason.at(|| itself.place()),
        Some(Err(payload)) => Reason::Panicked(panicked(payload)),
        None => Reason::Aborted,
    };
    if !aborted {
        let terminated = token.run_until_cancelled(unless_panicked(core.behaviour.terminate(&reason))).await;
        if let Some(Err(payload)) = terminated {
            reason = panicked_late(reason, panicked(payload));
        }
    }
    match &reason {
        Reason::Failed(_) | Reason::Panicked(_) | Reason::Refused(_) => {
            tracing::error!(stage = %core.label, %reason, "a stage has failed");
        }
        reason => tracing::debug!(stage = %core.label, %reason, "a stage has ended"),
    }
    if let Err(payload) = core.end(&reason) {
        reason = panicked_late(reason, panicked(payload));
    }
    ended.send_replace(Some(reason));
}

/// A panic at the end does not hide an earlier failure of the stage.
fn panicked_late(reason: Reason, panic: Panic) -> Reason {
    if reason.is_clean() { Reason::Panicked(panic) } else { reason }
}

/// Polls a future to its end, or to its panic.
async fn unless_panicked<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}
