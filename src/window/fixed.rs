use super::open_windows::OpenWindows;
use super::row::{Aligned, Lookup};
use super::spans::{Span, Spans};
use super::time::{EventTime, whole_millis};
use super::window::Window;
use crate::reduce::{Single, Slot};
use crate::sealed::Sealed;
use std::time::Duration;

impl Window<()> {
    /// Windows of `size` each, one after the other: an item is in the one that its time falls into.
    ///
    /// `by` says the time of an item. It is called once for each item, and may be called for several before the first of
    /// them is reduced. The first millisecond of a window is a multiple of `size`; times before 0 are
    /// rounded down like all others, so that -1 ms and 1 ms are in two windows. A window is opened by its first item.
    ///
    /// A window is done when the watermark has reached its end: when each upstream of the lane has sent an item of that
    /// time or later, or has ended, or is [idle](Window::idle_after). See
    /// [`allowed_lateness`](Window::allowed_lateness) for items that come later than that.
    ///
    /// Names of windows: [`Span`].
    ///
    /// # Panics
    /// When `size` is not a whole number of milliseconds, at least 1.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let clicks = [("a", -1), ("b", 0), ("a", 999), ("a", 1000)];
    /// let counts = Flow::from_iter(clicks)
    ///     .lanes(1)
    ///     .window(Window::fixed(Duration::from_secs(1), |click: &(&str, i64)| click.1))
    ///     .reduce(|| 0, |n, _click| *n += 1)
    ///     .on_trigger(|n, info| [(info.window.start, *n)]);
    /// assert_eq!(counts.collect::<Vec<(i64, u32)>>().await, [(-1000, 1), (0, 2), (1000, 1)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.Window.fixed/3`. Differences: windows that nothing came into emit only with
    /// [`fill_gaps`](Window::fill_gaps); times below 0 are rounded down; a window closes at the item that passes its
    /// end, and not after the batch that has this item in it.
    #[track_caller]
    pub fn fixed<T, A, F>(size: Duration, by: F) -> Window<Fixed<F>>
    where
        A: EventTime,
        F: FnMut(&T) -> A,
    {
        let size = whole_millis("the size of a fixed window", size, 1);
        Window::custom(Aligned::new(by, Spans::new(size, size)))
    }
}

/// Windows of equal size, side by side: see [`Window::fixed`].
pub type Fixed<F> = Aligned<F, OneSpan>;

/// The window of an item.
#[derive(Debug, Clone, Copy)]
pub struct OneSpan {
    start: i64,
    slot: Slot,
}

impl Sealed for OneSpan {}

impl Lookup for OneSpan {
    type Places = Single;

    fn find(time: i64, spans: &mut Spans, windows: &mut OpenWindows<Span>) -> Option<Self> {
        let start = spans.last_start(time);
        let slot = spans.at(start, windows)?;
        Some(Self { start, slot })
    }

    fn times(&self, spans: &Spans) -> (i64, i64) {
        (self.start, self.start.saturating_add(spans.size))
    }

    #[inline]
    fn places(&self) -> Single {
        Single([self.slot])
    }

    #[inline]
    fn at(&self, time: i64, spans: &Spans) -> Option<Single> {
        // Wraps for times before the start, which are then out of reach.
        ((time.wrapping_sub(self.start) as u64) < spans.size as u64).then_some(Single([self.slot]))
    }
}
