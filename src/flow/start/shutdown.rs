//! What flows that run in the background have in common: they are told to stop, and have a deadline for it.

use crate::flow::report::{FlowEnd, FlowError, FlowReport};
use crate::flow::stop_when::Meter;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;

/// The times at which a flow was started and told to stop, and its counters.
#[derive(Debug)]
pub(in crate::flow) struct RunClock {
    pub(in crate::flow) runtime: Handle,
    /// Ends the sources.
    pub(in crate::flow) stop: CancellationToken,
    pub(in crate::flow) meter: Arc<Meter>,
    started: Instant,
    asked_at: OnceLock<Instant>,
}

impl RunClock {
    pub(in crate::flow) fn new(runtime: Handle, stop: CancellationToken, meter: Arc<Meter>) -> Self {
        Self { runtime, stop, meter, started: Instant::now(), asked_at: OnceLock::new() }
    }

    /// Ends the sources.
    pub(in crate::flow) fn request_stop(&self) {
        let _ = self.asked_at.set(Instant::now());
        self.stop.cancel();
    }

    /// How a flow that came to its end has ended.
    pub(in crate::flow) fn end(&self) -> FlowEnd {
        if self.asked_at.get().is_some_and(|asked_at| *asked_at <= self.meter.ended()) {
            FlowEnd::Drained
        } else {
            FlowEnd::Finished
        }
    }

    /// The report of a flow that has ended.
    pub(in crate::flow) fn report(&self, end: Result<FlowEnd, FlowError>) -> FlowReport {
        let ended = self.meter.ended();
        FlowReport {
            end,
            taken: self.meter.taken(),
            discarded: self.meter.discarded(),
            undelivered: 0,
            late: self.meter.late(),
            replaced: self.meter.replaced(),
            ran: ended - self.started,
            drained_for: self
                .asked_at
                .get()
                .filter(|asked_at| **asked_at <= ended)
                .map(|asked_at| ended - *asked_at),
        }
    }

    /// A timer of the flow's runtime, whichever task polls it.
    pub(in crate::flow) fn sleep(&self, duration: Duration) -> Pin<Box<Sleep>> {
        let _context = self.runtime.enter();
        Box::pin(sleep(duration))
    }
}

/// Waits until `ended` is ready, and calls `abort` if the deadline passes first.
pub(in crate::flow) async fn or_abort<R>(
    ended: impl Future<Output = R>,
    mut deadline: Pin<Box<Sleep>>,
    abort: impl FnOnce(),
) -> R {
    let (mut ended, mut abort) = (pin!(ended), Some(abort));
    poll_fn(|cx| {
        // The end first: a flow that has ended in time is not aborted.
        if let Poll::Ready(end) = ended.as_mut().poll(cx) {
            return Poll::Ready(end);
        }
        if abort.is_some() && deadline.as_mut().poll(cx).is_ready() {
            if let Some(abort) = abort.take() {
                abort();
            }
            return ended.as_mut().poll(cx);
        }
        Poll::Pending
    })
    .await
}
