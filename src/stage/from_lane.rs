use super::output::Output;
use super::producer::Producer;
use super::reason::{Cancellation, Reason};
use crate::failure::StageError;
use crate::lane::Lane;
use std::any::Any;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Poll, ready};

/// A producer of what a lane pushes: batches go out as they came.
pub struct FromLane<L, W> {
    lane: Pin<Box<L>>,
    /// Asked for and not yet taken from the lane.
    wanted: usize,
    panicked: bool,
    watch: W,
}

/// Decides whether a producer is to end before its lane does.
pub(crate) trait Watch: Send + 'static {
    /// Ready when the producer is to end while nothing is asked of it.
    fn idle(&self) -> impl Future<Output = ()> + Send {
        pending()
    }

    /// Hears that a consumer has left, and says whether the producer is to end.
    fn left(&mut self) -> bool {
        false
    }

    /// Hears that everything there was has been emitted.
    fn ended(&self) {}

    /// Hears of a panic of the lane, and may keep it; nothing comes after that.
    fn panicked(&self, payload: Box<dyn Any + Send>) {
        resume_unwind(payload);
    }
}

impl<L, W> FromLane<L, W> {
    pub(crate) fn new(lane: L, watch: W) -> Self {
        Self { lane: Box::pin(lane), wanted: 0, panicked: false, watch }
    }
}

impl<L, W> Producer for FromLane<L, W>
where
    L: Lane<Item: Send + 'static> + Send + 'static,
    W: Watch + Sync,
{
    type Item = L::Item;

    async fn handle_demand(&mut self, demand: usize, _: &mut Output<L::Item>) -> Result<(), StageError> {
        self.wanted = self.wanted.saturating_add(demand);
        Ok(())
    }

    async fn handle_cancel(&mut self, _: &Cancellation, out: &mut Output<L::Item>) -> Result<(), StageError> {
        if self.watch.left() {
            out.stop(Reason::Normal);
        }
        Ok(())
    }

    async fn produce(&mut self, out: &mut Output<L::Item>) -> Result<(), StageError> {
        if self.wanted == 0 {
            self.watch.idle().await;
            self.watch.ended();
            out.finish();
            return Ok(());
        }
        poll_fn(|cx| {
            if self.panicked {
                return Poll::Pending;
            }
            let lane = self.lane.as_mut();
            let polled = match catch_unwind(AssertUnwindSafe(|| lane.poll_batch(cx, self.wanted))) {
                Ok(polled) => polled,
                Err(payload) => {
                    self.panicked = true;
                    self.watch.panicked(payload);
                    return Poll::Pending;
                }
            };
            match ready!(polled) {
                Some(items) => {
                    self.wanted -= items.len();
                    out.emit(items);
                }
                None => {
                    self.watch.ended();
                    out.finish();
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}

impl<L, W> fmt::Debug for FromLane<L, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromLane").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}
