use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, unpoisoned};
use std::collections::VecDeque;
use std::task::Waker;

/// The most emptied buffers kept for the sender: one for each batch that can be on its way at the default demand, and
/// one for the batch being filled.
const SPARE_BUFFERS: usize = 3;

/// What both sides of an edge see.
pub(super) struct SharedEdge<T> {
    /// Taken about once a batch by each side.
    state: Mutex<EdgeState<T>>,
    /// Asked for and not yet sent, in items. Changed under the lock. Without the lock the sender reads a lower bound,
    /// as only the sender takes away from it, until the receiver goes.
    demand: AtomicUsize,
}

pub(super) struct EdgeState<T> {
    /// Sent and not yet taken, oldest first. Holds at most as many items as the receiver's `max_demand`.
    pub(super) queue: VecDeque<Vec<T>>,
    /// Emptied buffers on their way back to the sender.
    pub(super) spare: Vec<Vec<T>>,
    pub(super) sending: Sending,
    /// False once the receiver is gone.
    pub(super) receiving: bool,
    /// Set while the sender waits for demand, or for the receiver to go.
    pub(super) sender: Option<Waker>,
    /// Set while the sender waits for something other than demand; called when the receiver goes.
    pub(super) closing: Option<Waker>,
    /// Set while the receiver waits for a batch, or for the sender to go.
    pub(super) receiver: Option<Waker>,
    pub(super) counts: EdgeCounts,
    /// The sender is woken when the number of items taken reaches this, whether or not more are asked for.
    pub(super) mark: u64,
}

/// Where the sending side is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    Open,
    Finished,
    /// Gone without having said that it was finished.
    Dropped,
}

/// What has gone over an edge since it was made, in items.
///
/// `asked` is never below `sent`; the difference is the demand still open. `sent` is the sum of `taken`, `discarded`
/// and what is on its way.
///
/// # Examples
/// ```
/// use futures::{FutureExt, StreamExt};
/// use gen_stage::{Demand, edge::edge};
///
/// let (mut sender, mut receiver) = edge(Demand::new(10, 5)?);
/// assert!(receiver.next().now_or_never().is_none());
/// sender.send(&mut vec!['a', 'b', 'c']).unwrap();
/// assert_eq!(receiver.next().now_or_never(), Some(Some('a')));
/// drop(receiver);
///
/// let counts = sender.counts();
/// assert_eq!((counts.asked, counts.sent, counts.taken, counts.discarded), (10, 3, 1, 2));
/// # Ok::<(), gen_stage::DemandError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EdgeCounts {
    /// Asked for by the receiver.
    pub asked: u64,
    /// Put into the edge by the sender.
    pub sent: u64,
    /// Handed out by the receiver; brought up to date once a batch and when the receiver goes.
    pub taken: u64,
    /// Dropped with the receiver.
    pub discarded: u64,
}

impl<T> SharedEdge<T> {
    pub(super) fn new() -> Self {
        let state = EdgeState {
            queue: VecDeque::new(),
            spare: Vec::new(),
            sending: Sending::Open,
            receiving: true,
            sender: None,
            closing: None,
            receiver: None,
            counts: EdgeCounts::default(),
            mark: u64::MAX,
        };
        Self { state: Mutex::new(state), demand: AtomicUsize::new(0) }
    }

    /// Items are neither made, used nor dropped under this lock; wakers are cloned under it, called and dropped after
    /// it (see [`keep_waker`](crate::sync::keep_waker)).
    pub(super) fn lock(&self) -> MutexGuard<'_, EdgeState<T>> {
        unpoisoned(self.state.lock())
    }

    pub(super) fn demand(&self) -> usize {
        // What the receiver did before it asked does not matter to the sender: it needs only the number.
        self.demand.load(Ordering::Relaxed)
    }

    /// Adds to the demand, while there is a sender to see it, and returns the waker to call for that.
    pub(super) fn ask(&self, state: &mut EdgeState<T>, items: usize) -> Option<Waker> {
        if state.sending != Sending::Open {
            return None;
        }
        if items == 0 && state.counts.taken < state.mark {
            return None;
        }
        state.mark = u64::MAX;
        self.demand.fetch_add(items, Ordering::Relaxed);
        state.counts.asked += items as u64;
        state.sender.take()
    }

    /// Takes what was sent off the demand, and returns what is left of it.
    pub(super) fn sent(&self, state: &mut EdgeState<T>, items: usize) -> usize {
        state.counts.sent += items as u64;
        self.demand.fetch_sub(items, Ordering::Relaxed) - items
    }

    /// Takes back all demand: the receiver is gone.
    pub(super) fn close(&self, state: &mut EdgeState<T>) {
        state.receiving = false;
        self.demand.store(0, Ordering::Relaxed);
    }
}

impl<T> EdgeState<T> {
    /// Keeps an emptied buffer for the sender.
    pub(super) fn keep_spare(&mut self, buffer: Vec<T>) {
        if buffer.capacity() > 0 && self.spare.len() < SPARE_BUFFERS && self.sending == Sending::Open {
            self.spare.push(buffer);
        }
    }
}
