use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::hold::{Hold, Holding};
use super::plumbing::plan::Build;
use crate::sealed::Sealed;
use std::task::{Context, Poll};

/// # By the reader's pace, and by the clock
///
/// These open a layer that goes on taking items while its own are not wanted, and hold a bounded part of them. A source
/// that must not wait, and whose items age, is read at its pace.
impl<P> Flow<P> {
    /// Folds items into one that waits, as long as none is wanted; loses nothing that `f` keeps.
    ///
    /// Opens a layer of one lane. While the next layer or the reader is quick, items pass as they are. When it is slow,
    /// an item waits for it, and `f` adds each item that comes meanwhile to the one that waits. To begin with something
    /// else than an item, for example a vector or a table by key, `map` before it.
    ///
    /// # Demand
    /// From the first ask on, items are taken whether or not any is wanted. This layer holds one item, of the size that
    /// `f` makes of it. [`demand`](Flow::demand) after it sets how many items may be on their way to its lane, and, if
    /// it is the last layer, from there to the reader. To these nothing is added any more; so it is 1 and 0 here,
    /// unless set. With other [`lanes`](Flow::lanes), these share the items, each with such a demand.
    ///
    /// # Ordering
    /// In the order of the lane above, or, if there are several, in that in which their items come. After it,
    /// [`ordered`](Flow::ordered) brings items back into the order in which they came out of it.
    ///
    /// # Panics
    /// A panic in `f` ends the flow with that panic.
    ///
    /// # Examples
    /// A reader that is slow gets all bytes in few pieces:
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use tokio::time::{Duration, sleep};
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let lines = tokio_stream::StreamExt::throttle(futures::stream::iter(0..50), Duration::from_millis(1));
    /// let mut pieces = lines.flow().map(|n| vec![n]).conflate(|piece, more| piece.extend(more));
    /// let (mut all, mut count) = (Vec::new(), 0);
    /// while let Some(piece) = pieces.next().await {
    ///     all.extend(piece);
    ///     count += 1;
    ///     sleep(Duration::from_millis(10)).await;
    /// }
    /// assert_eq!(all, Vec::from_iter(0..50));
    /// assert!(count < 20, "{count} pieces");
    /// # });
    /// ```
    ///
    /// # Source
    /// Akka's `conflate`. Flow and GenStage have nothing like it: a producer is told the demand, and may do the same by
    /// hand.
    #[track_caller]
    pub fn conflate<F>(self, f: F) -> Flow<Holding<P, Conflating<P::Item, F>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        F: FnMut(&mut P::Item, P::Item) + Send + 'static,
    {
        self.holding("conflate", Conflating { waiting: None, f })
    }
}

/// What [`Flow::conflate`] holds.
pub struct Conflating<T, F> {
    waiting: Option<T>,
    f: F,
}

impl<T, F> Sealed for Conflating<T, F> {}

impl<T, F: FnMut(&mut T, T)> Hold<T> for Conflating<T, F> {
    const AT_ONCE: bool = true;

    fn add(&mut self, item: T) -> u64 {
        match &mut self.waiting {
            Some(waiting) => (self.f)(waiting, item),
            None => self.waiting = Some(item),
        }
        0
    }

    fn poll_next(&mut self, _ended: bool, _cx: &mut Context<'_>) -> Poll<T> {
        self.waiting.take().map_or(Poll::Pending, Poll::Ready)
    }

    fn held(&self) -> usize {
        usize::from(self.waiting.is_some())
    }
}

opaque_debug!(Conflating<T, F>);
