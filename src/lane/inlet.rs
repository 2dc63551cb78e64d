use super::{Each, Lane, Origins, poll_in_turn};
use crate::coop::{Pace, give_way};
use crate::edge::{End, Receiver, read_all};
use futures_core::{FusedStream, Stream};
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::vec;

/// After this many batches in a row by `poll_next`, which cannot know when a turn began, other tasks get a turn.
const STREAK: u32 = 32;

/// The lane at the start of a layer: what arrives over the edges from the layer above, merged.
///
/// # Ordering
/// Per edge in order; edges take turns, batch by batch.
///
/// # Drop
/// Items not yet read are dropped, and counted by the flow as discarded.
///
/// # Examples
/// An inlet is what [`Flow::per_lane`](crate::Flow::per_lane) hands out after a partition.
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::lane::Inlet;
///
/// # tokio_test::block_on(async {
/// let tens = Flow::from_iter(1..=3)
///     .partition()
///     .per_lane(|lane: Inlet<i32>| futures::StreamExt::map(lane, |n| n * 10));
/// let mut tens: Vec<_> = tens.collect().await;
/// tens.sort();
/// assert_eq!(tens, [10, 20, 30]);
/// # });
/// ```
#[must_use = "a lane does nothing until it is polled"]
pub struct Inlet<T> {
    /// Edges that have not ended, each with its number.
    edges: Vec<Edge<T>>,
    /// The edge whose turn it is.
    at: usize,
    pace: Pace,
    /// Batches begun item by item since there was last nothing to read.
    streak: u32,
    /// An edge broke off: this lane must not end as if it were complete.
    broken: bool,
    /// Where this lane writes which edge it reads, if a window wants to know.
    origins: Option<Origins>,
    /// How often in a row the slowest upstream was read before its turn: at most `STREAK` times.
    preferred: u32,
    /// The edge that last had its turn in place of the slowest.
    other: usize,
    discarded: Arc<AtomicU64>,
}

/// The receiver of an edge, and which of the lane's edges it is.
type Edge<T> = (Receiver<T>, usize);

impl<T> Inlet<T> {
    pub(crate) fn new(edges: Vec<Receiver<T>>, discarded: Arc<AtomicU64>) -> Self {
        let edges = edges.into_iter().enumerate().map(|(number, edge)| (edge, number)).collect();
        Self {
            edges,
            at: 0,
            pace: Pace::default(),
            streak: 0,
            broken: false,
            origins: None,
            preferred: 0,
            other: 0,
            discarded,
        }
    }

    /// The next item of the batch being read item by item, if there is one left.
    #[inline]
    pub(crate) fn next_held(&mut self) -> Option<T> {
        self.edges.get_mut(self.at)?.0.next_held()
    }

    /// Items left of the batch being read item by item.
    pub(crate) fn held(&self) -> usize {
        self.edges.get(self.at).map_or(0, |(edge, _)| edge.held())
    }

    /// Waits until there is something to read of the edge whose turn it is: `false` at the end.
    fn poll_fetch(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let polled = self.poll_edges(|edge| match edge.poll_fetch(cx) {
            Poll::Ready(true) => Poll::Ready(Some(())),
            Poll::Ready(false) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        Poll::Ready(ready!(polled).is_some())
    }

    /// Starts with the slowest upstream, so that little is kept for windows that wait for it. Now and then the others
    /// have their turn, as the times of the slowest may not go up at all.
    fn prefer_slowest(&mut self) {
        // A batch in hand, begun or not, is read first.
        if self.edges.get(self.at).is_some_and(|(edge, _)| edge.has_batch()) {
            return;
        }
        if self.preferred == STREAK {
            self.preferred = 0;
            // Not the edge where the last call left off: that is always the one after the slowest.
            self.other = (self.other + 1) % self.edges.len().max(1);
            self.at = self.other;
            return;
        }
        self.preferred += 1;
        let slowest = self.origins.as_ref().map(Origins::slowest);
        if let Some(at) = self.edges.iter().position(|(_, number)| Some(*number) == slowest) {
            self.at = at;
        }
    }

    /// Polls each edge in turn, starting where the last call left off, until one has an answer.
    #[inline(always)]
    fn poll_edges<R>(
        &mut self,
        mut poll: impl FnMut(&mut Receiver<T>) -> Poll<Option<R>>,
    ) -> Poll<Option<R>> {
        if self.origins.is_some() {
            self.prefer_slowest();
        }
        let (origins, broken) = (self.origins.as_ref(), &mut self.broken);
        let poll = |(edge, number): &mut Edge<T>| {
            if let Some(origins) = origins {
                origins.set_current(*number);
            }
            let polled = poll(edge);
            if let (Some(origins), true) = (origins, polled.is_pending()) {
                origins.set_waiting(*number);
            }
            polled
        };
        let ended = |(edge, number): Edge<T>| {
            let finished = edge.end() == Some(End::Finished);
            *broken |= !finished;
            if let (Some(origins), true) = (origins, finished) {
                origins.set_ended(number);
            }
            true
        };
        match poll_in_turn(&mut self.edges, &mut self.at, poll, ended) {
            // The flow hears of it from the task that failed, and drops this lane.
            Poll::Ready(None) if self.broken => Poll::Pending,
            polled => polled,
        }
    }
}

impl<T> Lane for Inlet<T> {
    const LISTS: bool = true;

    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        self.poll_lists(cx, &mut |items| read_all(items, each))
    }

    #[inline(always)]
    fn poll_lists<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(&mut vec::IntoIter<T>) -> ControlFlow<()>,
    {
        let this = self.get_mut();
        this.pace.begin();
        let mut more = ready!(this.poll_fetch(cx));
        while more {
            let Some((edge, _)) = this.edges.get_mut(this.at) else { break };
            let read = edge.read_list(each);
            if edge.held() == 0 {
                // Also when `each` broke off after the last item of the batch.
                this.at += 1;
            }
            if read.is_break() {
                return Poll::Ready(Each::Stopped);
            }
            // With nothing to go on with, giving way is not worth a wake-up.
            more = ready!(this.poll_fetch(cx));
            if more && this.pace.is_over() {
                return give_way(cx);
            }
        }
        Poll::Ready(Each::Ended)
    }

    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<T>>> {
        let this = self.get_mut();
        let polled = this.poll_edges(|edge| Pin::new(edge).poll_batch(cx, limit));
        if this.held() == 0 {
            this.at += 1;
        }
        polled
    }

    fn origins(mut self: Pin<&mut Self>) -> Origins {
        let origins = Origins::with_waiting(self.edges.len());
        self.origins.insert(origins).clone()
    }
}

impl<T> Stream for Inlet<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        if let Some(item) = this.next_held() {
            return Poll::Ready(Some(item));
        }
        // A batch has been read: the next edge's turn, or another task's.
        this.at += 1;
        if this.streak == STREAK {
            this.streak = 0;
            return give_way(cx);
        }
        let polled = this.poll_edges(|edge| Pin::new(edge).poll_next(cx));
        this.streak = if polled.is_pending() { 0 } else { this.streak + 1 };
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ready = self.edges.iter().map(|(edge, _)| edge.size_hint().0).sum();
        (ready, self.is_terminated().then_some(0))
    }
}

impl<T> FusedStream for Inlet<T> {
    fn is_terminated(&self) -> bool {
        self.edges.is_empty() && !self.broken
    }
}

impl<T> Drop for Inlet<T> {
    fn drop(&mut self) {
        for (edge, _) in &mut self.edges {
            let discarded = edge.close();
            if discarded > 0 {
                self.discarded.fetch_add(discarded as u64, Ordering::Relaxed);
            }
        }
    }
}

impl<T> fmt::Debug for Inlet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inlet")
            .field("edges", &self.edges)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::Demand;
    use crate::edge::{Sender, edge};
    use std::task::Waker;

    fn send(sender: &mut Sender<usize>, item: usize) {
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(_)) = sender.poll_ready(&mut cx) {
            sender.send(&mut vec![item]).unwrap();
        }
    }

    #[test]
    fn every_edge_has_its_turn_though_the_slowest_always_has_more() {
        let demand = Demand::new(8, 4).unwrap();
        let (mut senders, edges): (Vec<_>, Vec<_>) = (0..4).map(|_| edge(demand)).unzip();
        let mut inlet = Inlet::new(edges, Arc::default());
        let origins = Pin::new(&mut inlet).origins();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut inlet).poll_each(&mut cx, &mut |_| ControlFlow::Continue(())).is_pending());
        for (number, sender) in senders.iter_mut().enumerate() {
            send(sender, number);
            send(sender, number);
        }
        origins.set_slowest(1);
        let mut seen = [0; 4];
        while seen.contains(&0) && seen[1] < 10_000 {
            let _ = Pin::new(&mut inlet).poll_each(&mut cx, &mut |number| {
                seen[number] += 1;
                // Before the next batch is looked for.
                send(&mut senders[number], number);
                if seen[1] < 10_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
        }
        assert!(!seen.contains(&0), "read of each edge: {seen:?}");
        assert!(seen[1] > seen[0] + seen[2] + seen[3], "and the slowest comes first: {seen:?}");
    }

    #[test]
    fn what_is_left_of_a_list_comes_next_and_counts_as_not_taken() {
        let (mut sender, receiver) = edge(Demand::new(8, 4).unwrap());
        let discarded = Arc::default();
        let mut inlet = Inlet::new(vec![receiver], Arc::clone(&discarded));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut inlet).poll_next(&mut cx).is_pending());
        sender.send(&mut (0..8).collect()).unwrap();
        let mut taken = Vec::new();
        for _ in 0..2 {
            let polled = Pin::new(&mut inlet).poll_lists(&mut cx, &mut |items| {
                taken.extend(items.by_ref().take(3));
                ControlFlow::Break(())
            });
            assert_eq!(polled, Poll::Ready(Each::Stopped));
        }
        assert_eq!(taken, [0, 1, 2, 3, 4, 5]);
        assert_eq!(Pin::new(&mut inlet).poll_next(&mut cx), Poll::Ready(Some(6)), "the other faces see it");
        drop(inlet);
        assert_eq!(discarded.load(Ordering::Relaxed), 1);
    }
}
