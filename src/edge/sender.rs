use super::error::{Closed, SendError, SendRefusal};
use super::state::{EdgeCounts, Sending, SharedEdge};
use crate::sync::{Arc, keep_waker};
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// The side of an edge that sends batches, when there is demand for them.
///
/// # Drop
/// What was sent stays readable. The receiver then ends with [`End::Dropped`](super::End::Dropped), unless
/// [`finish`](Self::finish) was called.
///
/// # Examples
/// See the [module](super).
pub struct Sender<T> {
    shared: Arc<SharedEdge<T>>,
}

impl<T> Sender<T> {
    pub(super) fn new(shared: Arc<SharedEdge<T>>) -> Self {
        Self { shared }
    }

    /// Waits until something is asked for and returns how many items may be sent, at least 1.
    ///
    /// # Errors
    /// [`Closed`] when the receiver is gone: final.
    ///
    /// # Examples
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use gen_stage::{Demand, edge::edge};
    ///
    /// let (mut sender, mut receiver) = edge::<u32>(Demand::new(5, 2)?);
    /// assert_eq!(sender.ready().now_or_never(), None);
    /// assert_eq!(receiver.next().now_or_never(), None);      // polling is asking
    /// assert_eq!(sender.ready().now_or_never(), Some(Ok(5)));
    /// # Ok::<(), gen_stage::DemandError>(())
    /// ```
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Closed>> {
        let demand = self.shared.demand();
        if demand > 0 {
            return Poll::Ready(Ok(demand));
        }
        let state = self.shared.lock();
        if !state.receiving {
            return Poll::Ready(Err(Closed));
        }
        match self.shared.demand() {
            0 => {
                keep_waker(state, |state| &mut state.sender, cx.waker());
                Poll::Pending
            }
            demand => Poll::Ready(Ok(demand)),
        }
    }

    /// Waits until something is asked for and returns how many items may be sent, at least 1.
    ///
    /// # Errors
    /// [`Closed`] when the receiver is gone: final.
    ///
    /// # Cancel safety
    /// Nothing is taken or given before [`send`](Self::send): dropping the future loses nothing.
    ///
    /// # Examples
    /// See [`poll_ready`](Self::poll_ready).
    pub async fn ready(&mut self) -> Result<usize, Closed> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// Sends all items of `batch`, which is empty afterwards, and returns how many more may be sent now.
    ///
    /// `batch` comes back as a buffer that the receiver has emptied, when there is one, so that a sender that keeps
    /// using it allocates nothing. An empty batch sends nothing and tells the demand.
    ///
    /// # Demand
    /// Send what [`ready`](Self::ready) or the last `send` allowed, in as many batches as you like. A receiver that
    /// is read by batches gets these very batches.
    ///
    /// # Errors
    /// [`SendError`] when `batch` is longer than the demand, or the receiver is gone: `batch` is then untouched.
    ///
    /// # Examples
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use gen_stage::{Demand, edge::edge};
    ///
    /// let (mut sender, mut receiver) = edge(Demand::new(3, 0)?);
    /// assert!(receiver.next().now_or_never().is_none());
    /// let mut batch = vec!["a", "b"];
    /// assert_eq!(sender.send(&mut batch), Ok(1));
    /// assert!(batch.is_empty());
    /// assert_eq!(receiver.next().now_or_never(), Some(Some("a")));
    /// # Ok::<(), gen_stage::DemandError>(())
    /// ```
    pub fn send(&mut self, batch: &mut Vec<T>) -> Result<usize, SendError> {
        self.send_and_wait(batch, None)
    }

    /// Sends. If this uses up the demand, `waker` is called when there is demand again.
    pub(crate) fn send_and_wait(
        &mut self,
        batch: &mut Vec<T>,
        waker: Option<&Waker>,
    ) -> Result<usize, SendError> {
        let mut state = self.shared.lock();
        let items = batch.len();
        let refusal = if !state.receiving {
            Some(SendRefusal::Closed)
        } else if items > self.shared.demand() {
            let demand = self.shared.demand();
            Some(SendRefusal::NotAsked { demand })
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Err(SendError { items, refusal });
        }
        if items == 0 {
            return Ok(self.shared.demand());
        }
        let buffer = state.spare.pop().unwrap_or_default();
        state.queue.push_back(std::mem::replace(batch, buffer));
        let left = self.shared.sent(&mut state, items);
        let receiver = state.receiver.take();
        match waker {
            Some(waker) if left == 0 => keep_waker(state, |state| &mut state.sender, waker),
            _ => drop(state),
        }
        if let Some(waker) = receiver {
            waker.wake();
        }
        Ok(left)
    }

    /// Waits until fewer than `items` sent items are left to be taken, or the receiver is gone.
    pub(crate) fn poll_taken(&mut self, cx: &mut Context<'_>, items: usize) -> Poll<()> {
        let mut state = self.shared.lock();
        let enough = (state.counts.sent + 1).saturating_sub(items as u64);
        if state.counts.taken >= enough || !state.receiving {
            return Poll::Ready(());
        }
        state.mark = enough;
        keep_waker(state, |state| &mut state.sender, cx.waker());
        Poll::Pending
    }

    /// Whether the receiver is gone. Only for a sender that had demand left: with none, it may be that nothing was
    /// asked for.
    pub(crate) fn demand_was_withdrawn(&self) -> bool {
        self.shared.demand() == 0
    }

    /// Calls `waker` when the receiver goes; at once, if it is gone already.
    pub(crate) fn wake_when_closed(&mut self, waker: &Waker) {
        let state = self.shared.lock();
        if state.receiving {
            keep_waker(state, |state| &mut state.closing, waker);
        } else {
            drop(state);
            waker.wake_by_ref();
        }
    }

    /// Says that everything was sent: the receiver ends, once it has read all, with
    /// [`End::Finished`](super::End::Finished).
    ///
    /// # Examples
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use gen_stage::{Demand, edge::{End, edge}};
    ///
    /// let (sender, mut receiver) = edge::<u32>(Demand::default());
    /// sender.finish();
    /// assert_eq!(receiver.next().now_or_never(), Some(None));
    /// assert_eq!(receiver.end(), Some(End::Finished));
    /// ```
    pub fn finish(self) {
        self.end(Sending::Finished);
    }

    /// What has gone over the edge so far.
    ///
    /// # Examples
    /// See [`EdgeCounts`].
    #[must_use]
    pub fn counts(&self) -> EdgeCounts {
        self.shared.lock().counts
    }

    fn end(&self, how: Sending) {
        let mut state = self.shared.lock();
        if state.sending != Sending::Open {
            return;
        }
        state.sending = how;
        let receiver = state.receiver.take();
        // No sender is left to fill these buffers.
        let spare = std::mem::take(&mut state.spare);
        drop(state);
        drop(spare);
        if let Some(waker) = receiver {
            waker.wake();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.end(Sending::Dropped);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
