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
    /// What the receiver is known to want, less what is in `batch`. It may want more by now.
    open: usize,
    /// The batch is sent when it has this many items, at the latest: room is made for them at once.
    full: usize,
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
    /// The length of a full batch, without the limit of `most`.
    full: usize,
    /// The longest batch for now. It is doubled when a batch has got that long.
    most: usize,
}

/// The first limit of the length of a batch. Demand may be so large that there is no memory for a batch of it.
const FIRST_MOST: usize = 1 << 14;

impl<T> Outlet<T> {
    pub(in crate::flow) fn new(sender: Sender<T>, full: usize) -> Self {
        let rare = Rare { watching: None, asked: false, served: false, full, most: FIRST_MOST };
        let full = full.min(FIRST_MOST);
        Self { sender: Some(sender), batch: Vec::new(), open: 0, full, rare: Box::new(rare) }
    }

    pub(in crate::flow) fn open(&self) -> usize {
        self.open
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

    pub(in crate::flow) fn set_full(&mut self, full: usize) {
        self.rare.full = full;
        self.full = full.min(self.rare.most);
    }

    /// Waits until the receiver wants at least one item more, or is gone.
    pub(in crate::flow) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sender) = self.sender.as_mut() else {
            return Poll::Ready(());
        };
        if self.open > 0 {
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
                self.open = open;
            }
            Poll::Ready(Err(Closed)) => self.close(),
            Poll::Pending => return Poll::Pending,
        }
        Poll::Ready(())
    }

    /// Returns what is open, or 0 while the receiver has `items` or more that it has not taken.
    pub(in crate::flow) fn poll_open_below(&mut self, cx: &mut Context<'_>, items: usize) -> usize {
        let Some(sender) = self.sender.as_mut().filter(|_| self.open > 0) else {
            return self.open;
        };
        if sender.poll_taken(cx, items).is_pending() { 0 } else { self.open }
    }

    /// How many items may be added before the batch is to be sent: 0 only while the outlet is closed or waits.
    pub(in crate::flow) fn room(&self) -> usize {
        self.open.min(self.full.saturating_sub(self.batch.len()))
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
        let before = self.batch.len();
        let full = before + self.room();
        let mut batch = std::mem::take(&mut self.batch);
        batch.reserve(full - before);
        let mut filling = Filling { batch, full, outlet: self, waker };
        let added = add(&mut filling);
        let batch = filling.batch;
        if !batch.is_empty() {
            self.open -= batch.len() - before;
            self.batch = batch;
        } else if self.batch.capacity() == 0 {
            // Nothing was pushed: only the buffer comes back.
            self.batch = batch;
        }
        added
    }

    #[inline(never)]
    fn send(&mut self, batch: Vec<T>, waker: Option<&Waker>) {
        self.batch = batch;
        self.flush(waker);
    }

    /// Adds one item; breaks when the batch is to be sent. Call it only while there is [`room`](Self::room).
    #[inline]
    pub(in crate::flow) fn push(&mut self, item: T) -> ControlFlow<()> {
        debug_assert!(self.open > 0, "nothing is sent that was not asked for");
        self.batch.push(item);
        self.open -= 1;
        // Not by `room`: this runs for each item.
        if self.open == 0 || self.batch.len() >= self.full {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Sends the batch. If the receiver is gone, the batch stays here, for [`take`](Self::take).
    ///
    /// If this uses the demand up, the `waker`, if any, is called when there is demand again.
    #[inline(never)]
    pub(in crate::flow) fn flush(&mut self, waker: Option<&Waker>) {
        if self.batch.is_empty() {
            return;
        }
        let Some(sender) = self.sender.as_mut() else {
            return;
        };
        self.rare.served = true;
        if self.batch.len() >= self.rare.most {
            self.rare.most = self.rare.most.saturating_mul(2);
            self.full = self.rare.full.min(self.rare.most);
        }
        match sender.send_and_wait(&mut self.batch, waker) {
            Ok(open) => self.open = open,
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

    fn close(&mut self) {
        self.sender = None;
        self.open = 0;
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
