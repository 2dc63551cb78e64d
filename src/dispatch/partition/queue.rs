use super::chunks::Chunks;
use crate::dispatch::{Deliveries, SubscriptionId};

/// One partition.
pub(super) struct PartitionQueue<T> {
    /// The items that the running dispatch has for this lane; otherwise empty.
    pub(super) fresh: Vec<T>,
    /// How many fresh items this lane has room for in the running dispatch.
    pub(super) room: usize,
    pub(super) holder: Option<SubscriptionId>,
    /// Above 0 only with a holder and an empty queue.
    pub(super) open: usize,
    pub(super) queue: Chunks<T>,
    /// Items that have left the queue since the start.
    pub(super) left: u64,
    /// Items of the queue, from its front, whose demand was passed up again when a holder left.
    pub(super) lent: usize,
}

impl<T> PartitionQueue<T> {
    pub(super) fn new() -> Self {
        Self { fresh: Vec::new(), room: 0, holder: None, open: 0, queue: Chunks::new(), left: 0, lent: 0 }
    }

    /// Sends the fresh items as far as demand goes, and queues the rest.
    #[inline]
    pub(super) fn flush(&mut self, out: &mut Deliveries<T>) {
        let now = self.open.min(self.fresh.len());
        self.open -= now;
        if let (1.., Some(holder)) = (now, self.holder) {
            let mut sent = std::mem::take(&mut self.fresh);
            self.queue.push(sent.split_off(now));
            out.send(holder, sent);
        } else {
            self.queue.push(std::mem::take(&mut self.fresh));
        }
    }
}
