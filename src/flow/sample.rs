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
    /// Passes on the newest item each time `period` is over, and drops the others; nothing when none has come.
    ///
    /// Opens a layer of one lane. Periods, above 0, follow each other from when the flow starts, by tokio's clock. At
    /// the end of the input the newest item comes out at once. How many were dropped is told by
    /// [`replaced`](Flow::replaced), and by monitors and reports.
    ///
    /// # Demand
    /// From the first ask on, items are taken whether or not any is wanted. This layer holds one item. When none is
    /// wanted as a period ends, the newest goes out as soon as one is wanted. For [`demand`](Flow::demand) and
    /// [`lanes`](Flow::lanes) see [`keep_newest`](Flow::keep_newest).
    ///
    /// # Ordering
    /// As for [`conflate`](Flow::conflate): what comes out is in order, with gaps.
    ///
    /// # Panics
    /// When `period` is 0. The flow panics when the runtime of its lanes has no timers.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let every_30_ms = tokio_stream::StreamExt::throttle(futures::stream::iter(0..10), Duration::from_millis(30));
    /// let mut samples = every_30_ms.flow().sample(Duration::from_millis(100));
    /// let monitor = samples.monitor();
    /// // Items come at 0, 30, 60, 90, 120 ms and so on.
    /// assert_eq!(samples.collect::<Vec<_>>().await, [3, 6, 9]);
    /// assert_eq!(monitor.replaced(), 7);
    /// # });
    /// ```
    ///
    /// # Source
    /// `sample` of Rx, which drops the last item.
    #[doc(alias = "throttle_last")]
    #[track_caller]
    pub fn sample(self, period: Duration) -> Flow<Holding<P, Sampling<P::Item>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    {
        assert!(!period.is_zero(), "the period of a sample must be above 0, given 0");
        self.holding("sample", Sampling { period, start: None, newest: None, timer: Timer::default() })
    }
}

/// What [`Flow::sample`] holds.
pub struct Sampling<T> {
    period: Duration,
    /// When the first period began.
    start: Option<Instant>,
    /// The newest item, and the end of the period in which one first came after the last that went out; `None` for a
    /// time beyond what the clock can tell.
    newest: Option<(Option<Instant>, T)>,
    timer: Timer,
}

impl<T> Sampling<T> {
    /// The end of the period that `now` is in.
    fn end_of(&self, start: Instant, now: Instant) -> Option<Instant> {
        let period = self.period.as_nanos();
        let periods = (now - start).as_nanos() / period + 1;
        let nanos = u64::try_from(periods.checked_mul(period)?).ok()?;
        start.checked_add(Duration::from_nanos(nanos))
    }
}

impl<T> Sealed for Sampling<T> {}

impl<T> Hold<T> for Sampling<T> {
    const AT_ONCE: bool = false;

    fn begin(&mut self) {
        self.start = Some(Instant::now());
    }

    fn add(&mut self, item: T) -> u64 {
        if let Some((_, newest)) = &mut self.newest {
            *newest = item;
            return 1;
        }
        let now = Instant::now();
        let start = *self.start.get_or_insert(now);
        self.newest = Some((self.end_of(start, now), item));
        0
    }

    fn poll_next(&mut self, ended: bool, cx: &mut Context<'_>) -> Poll<T> {
        let due = match &self.newest {
            Some(_) if ended => true,
            Some((Some(at), _)) => self.timer.poll_at(*at, cx).is_ready(),
            Some((None, _)) | None => false,
        };
        let newest = self.newest.take_if(|_| due);
        newest.map_or(Poll::Pending, |(_, item)| Poll::Ready(item))
    }

    fn held(&self) -> usize {
        usize::from(self.newest.is_some())
    }
}

impl<T> fmt::Debug for Sampling<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampling").field("period", &self.period).finish_non_exhaustive()
    }
}
