use crate::edge::{Closed, Sender};
use std::ops::ControlFlow;
use std::task::{Context, Poll, Waker};

/// The sending end of an edge with the batch being filled for it.
///
/// It takes one cache line, as a partition goes from one outlet to another with each item.
#[derive(Debug)]
#[repr(align(64))]
pub(in crate::flow) struct Outlet<T> {
    /// `None` once the receiver is gone.
    sender: Option<Sender<T>>,
    batch: Vec<T>,
    /// What the receiver is known to want, with what is in `batch`. It may want more by now.
    wanted: usize,
    /// The batch is sent when it has this many items: at most what is wanted, and a full batch.
    limit: usize,
    rare: Box<Rare>,
}

/// What is looked at once a batch.
#[derive(Debug)]
struct Rare {
    /// The waker that is called when the receiver goes.
    watching: Option<Waker>,
    /// Whether the receiver has ever asked for anything.
    asked: bool,
    /// Whether anything was ever sent.
    served: bool,
    /// The length of a full batch.
    full: usize,
    /// The longest batch for now. It is doubled when a batch has got that long.
    most: usize,
}

/// The first limit of the length of a batch. Demand may be so large that there is no memory for a batch of it.
const FIRST_MOST: usize = 1 << 14;

impl<T> Outlet<T> {
    pub(in crate::flow) fn new(sender: Sender<T>, full: usize) -> Self {
        let rare = Rare { watching: None, asked: false, served: false, full, most: FIRST_MOST };
        Self { sender: Some(sender), batch: Vec::new(), wanted: 0, limit: 0, rare: Box::new(rare) }
    }

    /// One for each of `senders`. Those that make drivers call this, as their own closures would be compiled for each
    /// lane.
    pub(in crate::flow) fn all(senders: Vec<Sender<T>>, full: usize) -> Vec<Self> {
        senders.into_iter().map(|sender| Self::new(sender, full)).collect()
    }

    /// How many more items are wanted.
    pub(in crate::flow) fn open(&self) -> usize {
        // A batch whose receiver is gone stays in hand, and nothing is wanted.
        self.wanted.saturating_sub(self.batch.len())
    }

    pub(in crate::flow) fn has_asked(&self) -> bool {
        self.rare.asked
    }

    pub(in crate::flow) fn was_served(&self) -> bool {
        self.rare.served
    }

    pub(in crate::flow) fn is_closed(&self) -> bool {
        self.sender.is_none()
    }

    #[inline]
    pub(in crate::flow) fn set_full(&mut self, full: usize) {
        if self.rare.full != full {
            self.rare.full = full;
            self.set_wanted(self.wanted);
        }
    }

    fn set_wanted(&mut self, wanted: usize) {
        self.wanted = wanted;
        self.limit = wanted.min(self.rare.full).min(self.rare.most);
    }

    /// Waits until the receiver wants at least one item more, or is gone.
    pub(in crate::flow) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let open = self.open();
        let Some(sender) = self.sender.as_mut() else {
            return Poll::Ready(());
        };
        if open > 0 {
            if sender.demand_was_withdrawn() {
                self.close();
            }
            return Poll::Ready(());
        }
        // Items in hand count as not yet sent: without sending them there is nothing to wait for.
        debug_assert!(self.batch.is_empty(), "a batch is sent before its outlet waits for demand");
        match sender.poll_ready(cx) {
            Poll::Ready(Ok(open)) => {
                self.rare.asked = true;
                self.set_wanted(open);
            }
            Poll::Ready(Err(Closed)) => self.close(),
            Poll::Pending => return Poll::Pending,
        }
        Poll::Ready(())
    }

    /// Returns what is open, or 0 while the receiver has `items` or more that it has not taken.
    pub(in crate::flow) fn poll_open_below(&mut self, cx: &mut Context<'_>, items: usize) -> usize {
        let open = self.open();
        let waits = |sender: &mut Sender<T>| sender.poll_taken(cx, items).is_pending();
        if open > 0 && self.sender.as_mut().is_some_and(waits) { 0 } else { open }
    }

    /// How many items may be added before the batch is to be sent: 0 only while the outlet is closed or waits.
    pub(in crate::flow) fn room(&self) -> usize {
        self.limit.saturating_sub(self.batch.len())
    }

    /// Lets `add` push items, one by one, until the push breaks: then a full batch was sent.
    ///
    /// Call it only while there is [`room`](Self::room). What is left of a batch waits for [`flush`](Self::flush).
    #[inline(always)]
    pub(in crate::flow) fn fill<R>(
        &mut self,
        waker: Option<&Waker>,
        add: impl FnOnce(&mut Filling<'_, T>) -> R,
    ) -> R {
        let room = self.room();
        let mut batch = std::mem::take(&mut self.batch);
        batch.reserve(room);
        let full = batch.len() + room;
        let mut filling = Filling { batch, full, outlet: self, waker };
        let added = add(&mut filling);
        let batch = filling.batch;
        // Empty after it was sent, or when nothing was pushed: then only the buffer comes back.
        if !batch.is_empty() || self.batch.capacity() == 0 {
            self.batch = batch;
        }
        added
    }

    #[inline(never)]
    fn send(&mut self, batch: Vec<T>, waker: Option<&Waker>) {
        self.batch = batch;
        self.flush_batch(waker);
    }

    /// Adds one item if that takes no memory and the batch is not to be sent after it; else the item comes back, for
    /// [`push`](Self::push).
    #[inline(always)]
    pub(in crate::flow) fn add(&mut self, item: T) -> Result<(), T> {
        // Two tests, so that the compiler leaves out the code for growing.
        if self.batch.len() + 1 >= self.limit || self.batch.len() >= self.batch.capacity() {
            return Err(item);
        }
        self.batch.push(item);
        Ok(())
    }

    /// Adds one item; breaks when the batch is to be sent. Call it only while the outlet is [`open`](Self::open).
    pub(in crate::flow) fn push(&mut self, item: T) -> ControlFlow<()> {
        debug_assert!(self.open() > 0, "nothing is sent that was not asked for");
        self.batch.push(item);
        if self.batch.len() < self.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// Sends the batch. If the receiver is gone, the batch stays here, for [`take`](Self::take).
    ///
    /// If this uses the demand up, the `waker`, if any, is called when there is demand again.
    #[inline]
    pub(in crate::flow) fn flush(&mut self, waker: Option<&Waker>) {
        if !self.batch.is_empty() {
            self.flush_batch(waker);
        }
    }

    #[inline(never)]
    fn flush_batch(&mut self, waker: Option<&Waker>) {
        let Some(sender) = self.sender.as_mut() else {
            return;
        };
        self.rare.served = true;
        if self.batch.len() >= self.rare.most {
            self.rare.most = self.rare.most.saturating_mul(2);
        }
        match sender.send_and_wait(&mut self.batch, waker) {
            Ok(open) => self.set_wanted(open),
            Err(refused) => {
                debug_assert_eq!(refused.refusal, crate::edge::SendRefusal::Closed);
                self.close();
            }
        }
    }

    /// Wakes the task when the receiver goes, even while the receiver still wants items. The task may be waiting for a
    /// source that has nothing for long, and once the receiver is gone it waits in vain.
    pub(in crate::flow) fn watch(&mut self, cx: &Context<'_>) {
        let Some(sender) = self.sender.as_mut() else {
            return;
        };
        if self.rare.watching.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return;
        }
        sender.wake_when_closed(cx.waker());
        self.rare.watching = Some(cx.waker().clone());
    }

    pub(in crate::flow) fn watch_all(outlets: &mut [Self], cx: &Context<'_>) {
        for outlet in outlets {
            outlet.watch(cx);
        }
    }

    fn close(&mut self) {
        self.sender = None;
        self.set_wanted(0);
    }

    /// Takes the items that could not be sent, as the receiver is gone.
    pub(in crate::flow) fn take(&mut self) -> Vec<T> {
        std::mem::take(&mut self.batch)
    }

    /// Sends what is left and says that it was all.
    pub(in crate::flow) fn finish(&mut self) {
        self.flush(None);
        if let Some(sender) = self.sender.take() {
            sender.finish();
        }
    }

    pub(in crate::flow) fn finish_all(outlets: &mut [Self]) {
        for outlet in outlets {
            outlet.finish();
        }
    }
}

/// A batch while it is being filled in a loop: it stays in the registers of the loop.
pub(in crate::flow) struct Filling<'a, T> {
    batch: Vec<T>,
    full: usize,
    outlet: &'a mut Outlet<T>,
    waker: Option<&'a Waker>,
}

impl<T> Filling<'_, T> {
    #[inline(always)]
    pub(in crate::flow) fn push(&mut self, item: T) -> ControlFlow<()> {
        // This tells the compiler that the batch need not grow. It leaves out the code for growing, and with that a
        // reason to keep the batch in memory: half the instructions of a short loop.
        assert!(self.batch.len() < self.batch.capacity(), "room was made for all that may be pushed");
        self.batch.push(item);
        if self.batch.len() < self.full {
            return ControlFlow::Continue(());
        }
        // Sent from inside the loop, and so before the loop asks for more: the task below goes first.
        let batch = std::mem::take(&mut self.batch);
        self.outlet.send(batch, self.waker);
        ControlFlow::Break(())
    }
}
