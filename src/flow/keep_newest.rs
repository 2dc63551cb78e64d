use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::hold::{Hold, Holding};
use super::plumbing::plan::Build;
use crate::sealed::Sealed;
use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};

impl<P> Flow<P> {
    /// Keeps the `n` newest items that came while none was wanted, at least 1, and drops the older ones.
    ///
    /// Opens a layer of one lane. While the next layer or the reader is quick, all items pass. When it is slow, up to
    /// `n` items wait for it; each that comes when `n` are there takes the place of the oldest. How many were dropped
    /// so is told by [`replaced`](Flow::replaced), and by monitors and reports.
    ///
    /// A subscription to a stage has a [`keep_newest`](crate::stage::Subscribe::keep_newest) with another bound: there
    /// at most `n` items wait in all, here `n` wait in front of the layer, besides those that its demand has let
    /// through.
    ///
    /// # Demand
    /// From the first ask on, items are taken whether or not any is wanted. This layer holds `n` items.
    /// [`demand`](Flow::demand) after it sets how many items may be on their way to its lane, and, if it is the last
    /// layer, from there to the reader. These are not dropped any more, however old they get; so it is 1 and 0 here,
    /// unless set. With other [`lanes`](Flow::lanes), these share the items, each with such a demand.
    ///
    /// # Ordering
    /// As for [`conflate`](Flow::conflate): what comes out is in order, with gaps. The last `n` items of the input
    /// always come out.
    ///
    /// # Panics
    /// When `n` is 0.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use tokio::time::{Duration, sleep};
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let prices = tokio_stream::StreamExt::throttle(futures::stream::iter(0..50), Duration::from_millis(1));
    /// let mut newest = prices.flow().keep_newest(1);
    /// let mut seen = Vec::new();
    /// while let Some(price) = newest.next().await {
    ///     seen.push(price);
    ///     sleep(Duration::from_millis(10)).await;
    /// }
    /// assert!(seen.is_sorted() && seen.len() < 20, "{seen:?}");
    /// assert_eq!(seen.last(), Some(&49));
    /// assert_eq!(seen.len() as u64 + newest.replaced(), 50);
    /// # });
    /// ```
    ///
    /// # Source
    /// The option `buffer_keep: :last` of GenStage's producers, for items that were not asked for. Akka's
    /// `buffer(n, OverflowStrategy.dropHead)`.
    #[track_caller]
    pub fn keep_newest(self, n: usize) -> Flow<Holding<P, Newest<P::Item>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    {
        assert!(n > 0, "keep_newest needs room for at least 1 item, given 0");
        self.holding("keep_newest", Newest { n, items: VecDeque::new() })
    }
}

/// What [`Flow::keep_newest`] holds.
pub struct Newest<T> {
    n: usize,
    items: VecDeque<T>,
}

impl<T> Sealed for Newest<T> {}

impl<T> Hold<T> for Newest<T> {
    const AT_ONCE: bool = true;

    fn add(&mut self, item: T) -> u64 {
        let oldest = if self.items.len() < self.n { None } else { self.items.pop_front() };
        self.items.push_back(item);
        u64::from(oldest.is_some())
    }

    fn poll_next(&mut self, _ended: bool, _cx: &mut Context<'_>) -> Poll<T> {
        self.items.pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    fn held(&self) -> usize {
        self.items.len()
    }
}

impl<T> fmt::Debug for Newest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Newest").field("n", &self.n).field("items", &self.items.len()).finish()
    }
}
