//! One strand of a flow: a [`Stream`] that can also push its items in a loop.
//!
//! A flow is a number of lanes, each polled by one task. Every operator wraps each lane in an adapter, so that a
//! chain of operators is one state machine per lane. Users seldom need this module: [`Flow::per_lane`] puts any
//! `Stream` adapter of any crate on every lane. It is public for adapters that want to be as fast as the built-in
//! ones.
//!
//! # Why a second face
//! Taking items one by one with `poll_next` hides the loop from the compiler: between two items, every adapter of
//! the chain goes through its states again. [`Lane::poll_each`] turns that around, as `Iterator::try_fold` does
//! beside `Iterator::next`: the lane runs its own loop and calls a closure with each item, so that a chain of
//! adapters compiles to a loop over a batch.
//!
//! [`Flow::per_lane`]: crate::Flow::per_lane
//! [`Stream`]: futures_core::Stream

mod bounded;
mod gate;
mod in_turn;
mod inlet;
mod iter;
mod leaf;
mod origins;
mod receiver;
mod stream_lane;
mod timer;

pub(crate) use bounded::Bounded;
pub(crate) use gate::SourceGate;
pub(crate) use in_turn::poll_in_turn;
pub use inlet::Inlet;
pub use iter::Iter;
pub use leaf::Leaf;
pub use origins::Origins;
pub use stream_lane::StreamLane;
pub(crate) use timer::Timer;

use crate::sealed::Sealed;
use futures_core::Stream;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

/// Pushes its items into a closure, besides yielding them as a `Stream`.
///
/// # Contract
/// - A lane is fused: after its end it keeps saying so.
/// - `Pending` means that the waker is registered, or has been woken already.
/// - When `each` breaks, the item just passed is taken and no other item is lost.
/// - A call does a bounded amount of work: a lane that is always ready wakes its task and returns `Pending` now and
///   then, even while nothing reaches `each`.
/// - A lane whose upstream failed never ends. It stays pending until its flow, which learns of the failure from the
///   task that failed, drops it: only an input that came to its end may look like one that did. (A bare
///   [`Receiver`](crate::edge::Receiver) ends either way, and tells which by its `end`.)
///
/// With the feature `testing`, `testing::check_lane` tells whether a lane of your own keeps it.
///
/// # Examples
/// ```
/// use gen_stage::lane::{Each, Iter, Lane};
/// use std::ops::ControlFlow;
/// use std::pin::pin;
/// use std::task::{Context, Poll, Waker};
///
/// let mut lane = pin!(Iter::new(1..=10, 500));
/// let mut cx = Context::from_waker(Waker::noop());
/// let mut sum = 0;
///
/// let polled = lane.as_mut().poll_each(&mut cx, &mut |n| {
///     sum += n;
///     if n < 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
/// });
/// assert_eq!((polled, sum), (Poll::Ready(Each::Stopped), 1 + 2 + 3 + 4));
///
/// let polled = lane.as_mut().poll_each(&mut cx, &mut |n| {
///     sum += n;
///     ControlFlow::Continue(())
/// });
/// assert_eq!((polled, sum), (Poll::Ready(Each::Ended), 55));
/// ```
#[must_use = "a lane does nothing until it is polled"]
pub trait Lane: Stream {
    /// Pushes ready items into `each` until it breaks, the lane has none ready, or the lane ends.
    ///
    /// # Panics
    /// When the user's code in the lane does.
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>;

    /// Takes the next items that are ready together, at least one and at most `limit`.
    ///
    /// A lane fed by other tasks answers with the batches as they crossed; any other collects what is ready.
    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<Self::Item>>> {
        let mut batch = Vec::new();
        let polled = self.poll_each(cx, &mut |item| {
            batch.push(item);
            if batch.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        match polled {
            _ if !batch.is_empty() => Poll::Ready(Some(batch)),
            Poll::Ready(Each::Ended) => Poll::Ready(None),
            // Without an item `each` was not called, so it cannot have broken.
            Poll::Ready(Each::Stopped) | Poll::Pending => Poll::Pending,
        }
    }

    /// Whether it has its items in lists, and [`poll_lists`](Self::poll_lists) may be called.
    #[doc(hidden)]
    const LISTS: bool = false;

    /// Pushes ready lists into `each`, which takes their items: all of them, unless it breaks. What it leaves comes
    /// next. Called only where [`LISTS`](Self::LISTS).
    #[doc(hidden)]
    fn poll_lists<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(&mut vec::IntoIter<Self::Item>) -> ControlFlow<()>,
    {
        self.poll_each(cx, &mut |item| {
            let mut list = vec![item].into_iter();
            let flow = each(&mut list);
            debug_assert_eq!(list.len(), 0, "a lane without lists cannot keep what is left of one");
            flow
        })
    }

    /// Pushes ready items into `taker`, which can take those that belong together in runs.
    #[doc(hidden)]
    #[inline]
    fn poll_runs<V>(self: Pin<&mut Self>, cx: &mut Context<'_>, taker: &mut V) -> Poll<Each>
    where
        V: TakesRuns<Self::Item>,
    {
        self.poll_each(cx, &mut |item| taker.take(item))
    }

    /// Tells windows further down from which upstream each item comes: they close when every upstream is past them.
    ///
    /// Called once, before the first poll. A lane that holds items back counts as one upstream, as does one that has
    /// only one.
    #[doc(hidden)]
    #[must_use]
    fn origins(self: Pin<&mut Self>) -> Origins {
        Origins::new(1)
    }
}

/// Takes items one by one, or several that belong together.
#[doc(hidden)]
pub trait TakesRuns<I>: Sealed {
    /// Whether a run costs it less than single items, and [`take_run`](Self::take_run) may be called.
    const RUNS: bool;

    fn take(&mut self, item: I) -> ControlFlow<()>;

    /// Takes items that all go to the same place, every one of them. Called only where [`RUNS`](Self::RUNS).
    fn take_run(&mut self, items: impl Iterator<Item = I>) {
        items.for_each(|item| _ = self.take(item));
    }
}

/// Takes the next item by `poll_each`: the `poll_next` of lanes whose code is written only once.
pub(crate) fn poll_one<L: Lane>(lane: Pin<&mut L>, cx: &mut Context<'_>) -> Poll<Option<L::Item>> {
    let mut taken = None;
    let polled = lane.poll_each(cx, &mut |item| {
        taken = Some(item);
        ControlFlow::Break(())
    });
    match polled {
        _ if taken.is_some() => Poll::Ready(taken),
        Poll::Ready(Each::Ended) => Poll::Ready(None),
        Poll::Ready(Each::Stopped) | Poll::Pending => Poll::Pending,
    }
}

/// Why [`Lane::poll_each`] came back.
///
/// # Examples
/// ```
/// use gen_stage::lane::Each;
/// assert_ne!(Each::Stopped, Each::Ended);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    /// The closure broke; the lane may have more.
    Stopped,
    /// The lane has come to its end.
    Ended,
}

#[doc(hidden)]
#[deprecated(note = "is called `StreamLane` now")]
pub type Foreign<S> = StreamLane<S>;
