use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::plumbing::sequence::LastPlace;
use super::plumbing::serial::{Serial, SerialOp, SharedEnd};
use super::plumbing::serial_step::SerialStep;
use super::plumbing::tasks::Tasks;
use crate::sealed::Sealed;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

impl<P> Flow<P> {
    /// Ends the flow at the first item for which `f` returns false: exact right after a source, in one lane, and where
    /// [`ordered`](Flow::ordered) follows; elsewhere, all lanes end as soon as one of them has seen such an item.
    ///
    /// Which items come out in that last case: all that were passed on before a lane saw such an item, and none after
    /// that. An item before it in the source may be missing, if another lane had it and was slower; one after it may be
    /// there, if another lane was faster.
    ///
    /// Right after a source, as [`take`](Flow::take) says what that is, `f` runs in the task that reads the source. Put what
    /// takes long after it.
    ///
    /// # Demand
    /// As for [`take`](Flow::take): what feeds the lanes is dropped, and what was on its way is
    /// [discarded](Flow::discarded), which is counted. The item for which `f` returned false is not counted.
    ///
    /// # Ordering
    /// Each lane keeps its order. If `ordered` follows, no item comes out whose number in the source is higher than that
    /// of the first for which `f` returned false. A [batch](Flow::batch) between the two comes out whole or not at all,
    /// by its last item: put `ordered` before `batch`.
    ///
    /// # Panics
    /// A panic in `f` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let squares = Flow::from_iter(1_u64..).take_while(|n| *n < 4).lanes(2).map(|n| n * n).ordered();
    /// assert_eq!(squares.collect::<Vec<_>>().await, [1, 4, 9]);
    ///
    /// let squares = Flow::from_iter(1_u64..).lanes(2).map(|n| n * n).take_while(|square| *square < 20).ordered();
    /// assert_eq!(squares.collect::<Vec<_>>().await, [1, 4, 9, 16]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Enum.take_while/2` has no counterpart in Flow. rayon has two names for it, `take_while` and `take_any_while`.
    #[track_caller]
    pub fn take_while<F>(self, f: F) -> Flow<Serial<P, TakeWhile<F>>>
    where
        P: Build<Bare>,
        F: FnMut(&P::Item) -> bool + Clone,
    {
        self.operator("take_while", |plan| Serial::new(plan, TakeWhile { f, over: false }))
    }
}

/// The step of [`Flow::take_while`] at a source.
pub struct TakeWhile<F> {
    f: F,
    over: bool,
}

impl<F> Sealed for TakeWhile<F> {}

impl<T, F: FnMut(&T) -> bool> SerialStep<T> for TakeWhile<F> {
    type Out = T;

    #[inline]
    fn step(&mut self, _: Option<u64>, item: T) -> Option<T> {
        self.over = !(self.f)(&item);
        (!self.over).then_some(item)
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.over
    }
}

impl<T, F: FnMut(&T) -> bool + Clone> SerialOp<T> for TakeWhile<F> {
    type Shared = SharedTakeWhile<F>;

    fn shared(self, tasks: &mut Tasks) -> SharedTakeWhile<F> {
        SharedTakeWhile {
            f: self.f,
            last: tasks.last_place(),
            over: false,
            end: SharedEnd::new(),
            discarded: Arc::clone(tasks.discarded()),
        }
    }
}

/// The step of [`Flow::take_while`] in one of several lanes.
#[derive(Clone)]
pub struct SharedTakeWhile<F> {
    f: F,
    /// The lowest number of an item for which `f` returned false. Items without numbers come after every such item.
    last: LastPlace,
    over: bool,
    end: SharedEnd,
    discarded: Arc<AtomicU64>,
}

impl<F> Sealed for SharedTakeWhile<F> {}

impl<T, F: FnMut(&T) -> bool> SerialStep<T> for SharedTakeWhile<F> {
    type Out = T;

    #[inline]
    fn step(&mut self, place: Option<u64>, item: T) -> Option<T> {
        if self.last.is_before(place.unwrap_or(u64::MAX)) {
            self.over = true;
            self.discarded.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        if (self.f)(&item) {
            return Some(item);
        }
        self.over = true;
        self.last.set(place.unwrap_or(0));
        if place.is_none() {
            self.end.end();
        }
        // With numbers, other lanes may still have items that come before this one: `ordered` ends them in time.
        None
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.over
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.end.poll_ended(cx)
    }
}

impl<F> fmt::Debug for TakeWhile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeWhile").field("over", &self.over).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for SharedTakeWhile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTakeWhile").field("last", &self.last).finish_non_exhaustive()
    }
}
