use super::desk::Desk;
use super::places::Single;
use super::signal::Slot;
use super::spans::{Span, Spans};
use super::time::{EventTime, time_of, whole_millis};
use super::window::{EventTimed, Rows, Window};
use super::windowing::Windowing;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

impl Window<()> {
    /// Windows of `size` each, one after the other: an item is in the one that its time falls into.
    ///
    /// `by` says the time of an item. The first millisecond of a window is a multiple of `size`; times before 0 are
    /// rounded down like all others, so that -1 ms and 1 ms are in two windows. A window is opened by its first item.
    ///
    /// It is done when the watermark has got to its end: when each upstream of the lane has sent an item of that time
    /// or later, or has ended, or is [idle](Window::idle_after). See
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
    /// end, and not behind the batch that has this item in it.
    #[track_caller]
    pub fn fixed<T, A, F>(size: Duration, by: F) -> Window<Fixed<F>>
    where
        A: EventTime,
        F: FnMut(&T) -> A,
    {
        let size = whole_millis("the size of a fixed window", size, 1);
        Window::custom(Fixed { by, spans: Spans::new(size, size), last: None })
    }
}

/// Windows of equal size, side by side: see [`Window::fixed`].
#[derive(Clone)]
pub struct Fixed<F> {
    by: F,
    spans: Spans,
    /// The window of the last item, while it is open: most often that of the next.
    last: Option<(i64, Slot)>,
}

impl<F> Fixed<F> {
    /// The window of a time that is in another than the last item's.
    #[inline(never)]
    fn find(&mut self, time: i64, desk: &mut Desk<Span>) -> Option<Single> {
        let start = self.spans.last_start(time);
        let slot = self.spans.at(start, desk)?;
        self.last = Some((start, slot));
        Some(Single([slot]))
    }
}

impl<T, A, F> Windowing<T> for Fixed<F>
where
    A: EventTime,
    F: FnMut(&T) -> A,
{
    type Id = Span;
    type Places = Single;

    #[inline(always)]
    fn place(&mut self, item: &T, desk: &mut Desk<Span>) -> Option<Single> {
        let time = time_of((self.by)(item));
        desk.saw(time);
        if let Some((start, slot)) = self.last {
            // Wraps for times before the start, which are then out of reach.
            if (time.wrapping_sub(start) as u64) < self.spans.size as u64 {
                return Some(Single([slot]));
            }
        }
        self.find(time, desk)
    }

    #[inline(always)]
    fn close_next(&mut self, desk: &mut Desk<Span>) -> bool {
        let some = self.spans.close_next(desk);
        if some {
            self.last = None;
        }
        some
    }

    fn finish_next(&mut self, desk: &mut Desk<Span>) -> bool {
        self.last = None;
        self.spans.finish_next(desk)
    }

    fn deadline(&self) -> Option<Instant> {
        self.spans.deadline()
    }

    fn on_time(&mut self, now: Instant, desk: &mut Desk<Span>) {
        self.last = None;
        self.spans.on_time(now, desk);
    }
}

impl<F> EventTimed for Fixed<F> {
    fn allow_lateness(&mut self, millis: i64) {
        self.spans.allow_lateness(millis);
    }
}

impl<F> Rows for Fixed<F> {
    fn spans(&mut self) -> &mut Spans {
        &mut self.spans
    }
}

impl<F> fmt::Debug for Fixed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixed").field("spans", &self.spans).finish_non_exhaustive()
    }
}
