use super::state::{EdgeCounts, Sending, SharedEdge};
use crate::coop::{Pace, SLICE, give_way};
use crate::demand::Ledger;
use crate::pieces::first;
use crate::sync::{Arc, keep_waker};
use futures_core::{FusedStream, Stream};
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;
use std::vec;

/// The side of an edge that asks, and yields what was sent: a `Stream`.
///
/// # Demand
/// The first poll asks for `max` items. After a batch, the next poll tops the open demand up to `max` if it has
/// fallen to `min`. The edge and the batch that the reader has in hand together hold at most `max` items.
///
/// # Ordering
/// Items come in the order they were sent.
///
/// # Drop
/// Items not yet taken are dropped and counted as [`discarded`](EdgeCounts::discarded); the sender learns that the
/// receiver is gone.
///
/// # Examples
/// See the [module](super).
#[must_use = "an edge asks for nothing until its receiver is polled"]
pub struct Receiver<T> {
    shared: Arc<SharedEdge<T>>,
    ledger: Ledger,
    /// The rest of the batch being read item by item.
    current: vec::IntoIter<T>,
    /// A batch taken off the queue and not begun.
    fetched: Vec<T>,
    /// Length of the last batch taken off the queue, until it is counted as handled. What is not in `fetched` or
    /// `current` has been handed out.
    reading: usize,
    /// The emptied buffer of the last batch, to go back to the sender.
    emptied: Vec<T>,
    pace: Pace,
    /// When the batch being read was taken; kept while the demand grows.
    began: Option<Instant>,
    end: Option<End>,
}

/// How the sender of an edge went.
///
/// # Examples
/// ```
/// use futures::{FutureExt, StreamExt};
/// use gen_stage::{Demand, edge::{End, edge}};
///
/// let (sender, mut receiver) = edge::<u32>(Demand::default());
/// drop(sender);
/// assert_eq!(receiver.next().now_or_never(), Some(None));
/// assert_eq!(receiver.end(), Some(End::Dropped));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// It said that everything was sent.
    Finished,
    /// It was dropped, for example by a panic: there might have been more.
    Dropped,
}

impl<T> Receiver<T> {
    pub(super) fn new(shared: Arc<SharedEdge<T>>, ledger: Ledger) -> Self {
        Self {
            shared,
            ledger,
            current: Vec::new().into_iter(),
            fetched: Vec::new(),
            reading: 0,
            emptied: Vec::new(),
            pace: Pace::default(),
            began: None,
            end: None,
        }
    }

    /// Takes the next batch whole: the rest of one partly read, or one as it was sent.
    ///
    /// A batch counts as handled when the next one is asked for.
    ///
    /// # Cancel safety
    /// A batch is either still in the edge or returned.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{Demand, edge::edge};
    /// use std::task::{Context, Poll, Waker};
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (mut sender, mut receiver) = edge(Demand::new(10, 5)?);
    /// assert!(receiver.poll_batch(&mut cx).is_pending());
    /// sender.send(&mut vec![1, 2, 3]).unwrap();
    /// sender.send(&mut vec![4]).unwrap();
    /// assert_eq!(receiver.poll_batch(&mut cx), Poll::Ready(Some(vec![1, 2, 3])));
    /// assert_eq!(receiver.poll_batch(&mut cx), Poll::Ready(Some(vec![4])));
    /// # Ok::<(), gen_stage::DemandError>(())
    /// ```
    pub fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<T>>> {
        if !ready!(self.poll_fetch(cx)) {
            return Poll::Ready(None);
        }
        if self.current.len() > 0 {
            return Poll::Ready(Some(std::mem::take(&mut self.current).collect()));
        }
        Poll::Ready(Some(std::mem::take(&mut self.fetched)))
    }

    /// How the sender went, once the end has been read or [`close`](Self::close) was called; `None` before.
    ///
    /// After `close` it is [`End::Dropped`], for what the sender would have sent is not known.
    ///
    /// # Examples
    /// See [`End`].
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// What has gone over the edge so far.
    ///
    /// # Examples
    /// See [`EdgeCounts`].
    #[must_use]
    pub fn counts(&self) -> EdgeCounts {
        let mut counts = self.shared.lock().counts;
        counts.taken += self.handed_out() as u64;
        counts
    }

    /// What reads the counters, also when both ends are gone.
    pub(crate) fn counter(&self) -> impl Fn() -> EdgeCounts + Send + Sync + use<T>
    where
        T: Send,
    {
        let shared = Arc::clone(&self.shared);
        move || shared.lock().counts
    }

    /// Stops asking, drops the items not yet taken, and returns their number.
    ///
    /// # Examples
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use gen_stage::{Demand, edge::{Closed, edge}};
    ///
    /// let (mut sender, mut receiver) = edge(Demand::default());
    /// assert!(receiver.next().now_or_never().is_none());
    /// sender.send(&mut vec![1, 2, 3]).unwrap();
    /// assert_eq!(receiver.close(), 3);
    /// assert_eq!(sender.ready().now_or_never(), Some(Err(Closed)));
    /// ```
    pub fn close(&mut self) -> usize {
        let handed_out = self.handed_out();
        let rest = (std::mem::take(&mut self.fetched), std::mem::take(&mut self.current));
        self.reading = 0;
        let mut state = self.shared.lock();
        if !state.receiving {
            return 0;
        }
        self.shared.close(&mut state);
        state.spare.clear();
        let queue = std::mem::take(&mut state.queue);
        let discarded = queue.iter().map(Vec::len).sum::<usize>() + rest.0.len() + rest.1.len();
        state.counts.taken += handed_out as u64;
        state.counts.discarded += discarded as u64;
        let wakers = [state.sender.take(), state.closing.take()];
        drop(state);
        if self.end.is_none() {
            self.end = Some(End::Dropped);
        }
        wakers.into_iter().flatten().for_each(Waker::wake);
        // Last, for dropping an item runs code of the user's, which may panic.
        drop((queue, rest));
        discarded
    }

    /// The next item of the batch being read item by item, if there is one left.
    #[inline]
    pub(crate) fn next_held(&mut self) -> Option<T> {
        self.current.next()
    }

    /// Waits for an item without taking it: it is the next held item then. `None` at the end.
    pub(crate) fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<Option<&T>> {
        while self.current.len() == 0 {
            if !ready!(self.poll_fetch(cx)) {
                return Poll::Ready(None);
            }
            self.current = std::mem::take(&mut self.fetched).into_iter();
        }
        Poll::Ready(self.current.as_slice().first())
    }

    /// Items left of the batch being read item by item.
    pub(crate) fn held(&self) -> usize {
        self.current.len()
    }

    /// Whether there is a batch in hand, begun or not.
    pub(crate) fn has_batch(&self) -> bool {
        self.current.len() > 0 || !self.fetched.is_empty()
    }

    /// How many items of the batch being read the reader has got.
    fn handed_out(&self) -> usize {
        self.reading - self.fetched.len() - self.current.len()
    }

    /// Reads the batch in hand in a loop, until `each` breaks or the batch is at its end: the fast face, which gives
    /// buffers back to the sender.
    #[inline(always)]
    pub(crate) fn read_each<F>(&mut self, each: &mut F) -> ControlFlow<()>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        self.read_list(&mut |items| read_all(items, each))
    }

    /// Lets `each` take items of the batch in hand. What it leaves comes next.
    #[inline(always)]
    pub(crate) fn read_list<F>(&mut self, each: &mut F) -> ControlFlow<()>
    where
        F: FnMut(&mut vec::IntoIter<T>) -> ControlFlow<()>,
    {
        if self.current.len() == 0 {
            self.current = std::mem::take(&mut self.fetched).into_iter();
        }
        let mut reading = self.begin_reading();
        let flow = each(&mut reading.items);
        drop(reading);
        if flow.is_break() && self.current.len() == 0 {
            // The reader may not come back until what it made of this batch is wanted: the next batch can be made
            // meanwhile.
            self.ask();
        }
        flow
    }

    /// Reads the batch being read item by item, until `each` breaks, an item is not `wanted`, or the batch is at its end.
    #[inline(always)]
    pub(crate) fn read_while<S, W, F>(&mut self, state: &mut S, wanted: W, mut each: F) -> ControlFlow<()>
    where
        W: Fn(&S, &T) -> bool,
        F: FnMut(&mut S, T) -> ControlFlow<()>,
    {
        let mut reading = self.begin_reading();
        while reading.items.as_slice().first().is_some_and(|item| wanted(state, item)) {
            let Some(item) = reading.items.next() else { break };
            each(state, item)?;
        }
        ControlFlow::Continue(())
    }

    /// Moves the batch being read to the stack, for a loop: what is left of it comes back.
    #[inline(always)]
    fn begin_reading(&mut self) -> Reading<'_, T> {
        let items = std::mem::take(&mut self.current);
        Reading { items, rest: &mut self.current, emptied: &mut self.emptied }
    }

    /// Reads batch after batch in a loop, until `each` breaks, the turn is over, or the end has come: `Continue`.
    #[inline(always)]
    pub(crate) fn poll_batches_each<F>(&mut self, cx: &mut Context<'_>, each: &mut F) -> Poll<ControlFlow<()>>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        self.pace.begin();
        let mut more = ready!(self.poll_fetch(cx));
        while more {
            if self.read_each(each).is_break() {
                return Poll::Ready(ControlFlow::Break(()));
            }
            // With nothing to go on with, giving way is not worth a wake-up.
            more = ready!(self.poll_fetch(cx));
            if more && self.pace.is_over() {
                return give_way(cx);
            }
        }
        Poll::Ready(ControlFlow::Continue(()))
    }

    /// Takes up to `limit` items of a batch.
    pub(crate) fn poll_batch_up_to(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<T>>> {
        if !ready!(self.poll_fetch(cx)) {
            return Poll::Ready(None);
        }
        // A long batch may cost the same as a short one: the time must not keep batches short.
        self.began = None;
        if self.current.len() == 0 {
            self.current = std::mem::take(&mut self.fetched).into_iter();
        }
        Poll::Ready(Some(first(&mut self.current, limit)))
    }

    /// Counts the last batch as handled, and asks for more if it is time to.
    fn ask(&mut self) {
        let ask = self.handled();
        let handed_out = self.handed_out();
        self.reading = 0;
        let mut state = self.shared.lock();
        state.counts.taken += handed_out as u64;
        let sender = self.shared.ask(&mut state, ask);
        drop(state);
        if let Some(waker) = sender {
            waker.wake();
        }
    }

    /// Counts the last batch as handled, and returns how much to ask for now.
    #[inline]
    fn handled(&mut self) -> usize {
        if self.ledger.is_growing() { self.handled_growing() } else { self.ledger.handled(self.reading) }
    }

    #[cold]
    fn handled_growing(&mut self) -> usize {
        // A batch `times` as long takes as long as a turn.
        let times = match self.began.take() {
            Some(began) => SLICE.as_nanos() / began.elapsed().as_nanos().max(1),
            None => 2,
        };
        self.ledger.handled_in(self.reading, usize::try_from(times).unwrap_or(usize::MAX))
    }

    /// Waits until there is something to read: `false` at the end.
    pub(crate) fn poll_fetch(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.fetched.is_empty() && self.current.len() == 0 {
            let Some(batch) = ready!(self.poll_refill(cx)) else {
                return Poll::Ready(false);
            };
            self.fetched = batch;
        }
        Poll::Ready(true)
    }

    /// Counts the last batch as handled, asks, gives its buffer back and takes the next batch: one lock.
    fn poll_refill(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<T>>> {
        if self.end.is_some() {
            return Poll::Ready(None);
        }
        // The first poll finds nothing handled and nothing wanted, and so asks: for max, or for one while demand grows.
        let ask = self.handled();
        let handed_out = self.handed_out();
        self.reading = 0;
        let emptied = std::mem::take(&mut self.emptied);

        let mut state = self.shared.lock();
        state.counts.taken += handed_out as u64;
        state.keep_spare(emptied);
        let sender = self.shared.ask(&mut state, ask);
        let batch = state.queue.pop_front();
        let end = match (&batch, state.sending) {
            (Some(_), _) | (None, Sending::Open) => None,
            (None, Sending::Finished) => Some(End::Finished),
            (None, Sending::Dropped) => Some(End::Dropped),
        };
        if batch.is_none() && end.is_none() {
            keep_waker(state, |state| &mut state.receiver, cx.waker());
        } else {
            drop(state);
        }
        if let Some(waker) = sender {
            waker.wake();
        }
        self.end = end;
        match batch {
            Some(batch) => {
                self.reading = batch.len();
                if self.ledger.is_growing() {
                    self.began = Some(Instant::now());
                }
                Poll::Ready(Some(batch))
            }
            None if self.end.is_some() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// Passes the items of a list on, until `each` breaks.
#[inline(always)]
pub(crate) fn read_all<T, F>(items: &mut vec::IntoIter<T>, each: &mut F) -> ControlFlow<()>
where
    F: FnMut(T) -> ControlFlow<()>,
{
    // A plain loop: `try_for_each` would be compiled once more for each chain of operators.
    for item in items {
        // The only call of `each`, so that it is inlined, however long.
        each(item)?;
    }
    ControlFlow::Continue(())
}

/// A batch being read in a loop that keeps it in registers. What is left when the loop breaks off or unwinds goes back.
struct Reading<'a, T> {
    items: vec::IntoIter<T>,
    rest: &'a mut vec::IntoIter<T>,
    emptied: &'a mut Vec<T>,
}

impl<T> Drop for Reading<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let items = std::mem::take(&mut self.items);
        if items.len() > 0 {
            *self.rest = items;
        } else {
            // Collects no items, in place: that is how to get at the buffer.
            #[allow(clippy::map_identity, reason = "without it what is left has no buffer")]
            let buffer = items.map(std::convert::identity).collect();
            *self.emptied = buffer;
        }
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            if let Some(item) = self.next_held() {
                return Poll::Ready(Some(item));
            }
            if !ready!(self.poll_fetch(cx)) {
                return Poll::Ready(None);
            }
            self.current = std::mem::take(&mut self.fetched).into_iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.end.is_some() { (0, Some(0)) } else { (self.fetched.len() + self.current.len(), None) }
    }
}

impl<T> FusedStream for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.end.is_some()
    }
}

// Items are owned, never pinned.
impl<T> Unpin for Receiver<T> {}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("demand", &self.ledger.demand())
            .field("counts", &self.counts())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
