use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::hold::{Hold, Holding};
use super::plumbing::plan::Build;
use crate::lane::Timer;
use crate::sealed::Sealed;
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

impl<P> Flow<P> {
    /// Passes an item on when no other has come for `silence` after it, and drops those that others followed sooner.
    ///
    /// Opens a layer of one lane. `silence`, above 0, is measured by tokio's clock from when an item comes to this
    /// layer. At the end of the input the last item comes out at once. How many were dropped is told by
    /// [`replaced`](Flow::replaced), and by monitors and reports.
    ///
    /// While each pause is shorter, none comes out: see [`sample`](Flow::sample) for one in a period.
    ///
    /// # Demand
    /// From the first ask on, items are taken whether or not any is wanted. This layer holds one item: when none is
    /// wanted at the end of a silence, the item waits, and gives way to the next that comes. For
    /// [`demand`](Flow::demand) and [`lanes`](Flow::lanes) see [`keep_newest`](Flow::keep_newest).
    ///
    /// # Ordering
    /// As for [`conflate`](Flow::conflate): what comes out is in order, with gaps. With several lanes above, silence is
    /// that of all of them.
    ///
    /// # Panics
    /// When `silence` is 0. The flow panics when the runtime of its lanes has no timers.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::prelude::*;
    /// use tokio::time::{Duration, sleep};
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// // Keys, and after how many milliseconds each is pressed.
    /// let keys = stream::iter([("f", 0), ("fl", 50), ("flo", 70), ("flow", 90), ("flow ", 900), ("flow d", 80)]);
    /// let keys = keys.then(async |(text, after)| {
    ///     sleep(Duration::from_millis(after)).await;
    ///     text
    /// });
    /// let searches = keys.flow().debounce(Duration::from_millis(200));
    /// assert_eq!(searches.collect::<Vec<_>>().await, ["flow", "flow d"]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `debounce` of Rx, which has no demand.
    #[track_caller]
    pub fn debounce(self, silence: Duration) -> Flow<Holding<P, Debouncing<P::Item>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    {
        assert!(!silence.is_zero(), "the silence of a debounce must be above 0, given 0");
        self.holding("debounce", Debouncing { silence, last: None, timer: Timer::default() })
    }
}

/// What [`Flow::debounce`] holds.
pub struct Debouncing<T> {
    silence: Duration,
    /// The last item, and when the silence after it is over; `None` for a time beyond what the clock can tell.
    last: Option<(Option<Instant>, T)>,
    timer: Timer,
}

impl<T> Sealed for Debouncing<T> {}

impl<T> Hold<T> for Debouncing<T> {
    const AT_ONCE: bool = false;

    fn add(&mut self, item: T) -> u64 {
        let over = Instant::now().checked_add(self.silence);
        let followed = self.last.replace((over, item));
        u64::from(followed.is_some())
    }

    fn poll_next(&mut self, ended: bool, cx: &mut Context<'_>) -> Poll<T> {
        let due = match &self.last {
            Some(_) if ended => true,
            Some((Some(at), _)) => self.timer.poll_at(*at, cx).is_ready(),
            Some((None, _)) | None => false,
        };
        let last = self.last.take_if(|_| due);
        last.map_or(Poll::Pending, |(_, item)| Poll::Ready(item))
    }

    fn held(&self) -> usize {
        usize::from(self.last.is_some())
    }
}

impl<T> fmt::Debug for Debouncing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debouncing").field("silence", &self.silence).finish_non_exhaustive()
    }
}
