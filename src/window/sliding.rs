use super::desk::Desk;
use super::places::Several;
use super::spans::{Span, Spans};
use super::time::{EventTime, time_of, whole_millis};
use super::window::{EventTimed, Rows, Window};
use super::windowing::Windowing;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

impl Window<()> {
    /// Windows of `size` each, one at every `step`: an item is in all those that its time falls into.
    ///
    /// Starts are multiples of `step`, times before 0 are rounded down. An item is cloned for each of its windows but
    /// one, behind the operators between the window and the `reduce`. All else is as for [`fixed`](Window::fixed).
    ///
    /// Names of windows: [`Span`].
    ///
    /// # Panics
    /// When `size` or `step` is not a whole number of milliseconds, at least 1, or `step` is longer than `size`.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let (size, step) = (Duration::from_secs(2), Duration::from_secs(1));
    /// let sums = Flow::from_iter([(500, 1), (1500, 10), (2500, 100)])
    ///     .lanes(1)
    ///     .window(Window::sliding(size, step, |item: &(i64, u32)| item.0))
    ///     .map(|(_, n)| n)
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .on_trigger(|sum, info| [(info.window.start, *sum)]);
    /// assert_eq!(sums.collect::<Vec<_>>().await, [(-1000, 1), (0, 11), (1000, 110), (2000, 100)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// Asked for in Flow and not there.
    #[track_caller]
    pub fn sliding<T, A, F>(size: Duration, step: Duration, by: F) -> Window<Sliding<F>>
    where
        A: EventTime,
        F: FnMut(&T) -> A,
    {
        let size_ms = whole_millis("the size of a sliding window", size, 1);
        let step_ms = whole_millis("the step of a sliding window", step, 1);
        assert!(
            step_ms <= size_ms,
            "the step of a sliding window must be at most its size, {size:?}, given {step:?}"
        );
        Window::custom(Sliding { by, spans: Spans::new(size_ms, step_ms), last: None })
    }
}

/// Windows of equal size that overlap: see [`Window::sliding`].
#[derive(Clone)]
pub struct Sliding<F> {
    by: F,
    spans: Spans,
    /// From when to when items are in the same windows as the last one, and which these are.
    last: Option<(i64, i64, Several)>,
}

impl<F> Sliding<F> {
    /// The windows of a time, and from when to when they are the windows of all times.
    fn windows(&mut self, time: i64, desk: &mut Desk<Span>) -> Option<(i64, i64, Several)> {
        let Spans { size, step, .. } = self.spans;
        let last = self.spans.last_start(time);
        let first = self.spans.last_start(time - size) + step;
        let mut slots = Vec::new();
        let mut start = first;
        while start <= last {
            slots.extend(self.spans.at(start, desk));
            start += step;
        }
        // The next window opens at the next step, and the first of these ends at `first + size`.
        let until = (last + step).min(first + size);
        let since = last.max(first - step + size);
        let places = Several::new(slots);
        (!places.0.is_empty()).then_some((since, until, places))
    }
}

impl<T, A, F> Windowing<T> for Sliding<F>
where
    A: EventTime,
    F: FnMut(&T) -> A,
{
    type Id = Span;
    type Places = Several;

    fn place(&mut self, item: &T, desk: &mut Desk<Span>) -> Option<Several> {
        let time = time_of((self.by)(item));
        desk.saw(time);
        if let Some((since, until, places)) = &self.last {
            if (*since..*until).contains(&time) {
                return Some(places.clone());
            }
        }
        let (since, until, places) = self.windows(time, desk)?;
        self.last = Some((since, until, places.clone()));
        Some(places)
    }

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

impl<F> EventTimed for Sliding<F> {
    fn allow_lateness(&mut self, millis: i64) {
        self.spans.allow_lateness(millis);
    }
}

impl<F> Rows for Sliding<F> {
    fn spans(&mut self) -> &mut Spans {
        &mut self.spans
    }
}

impl<F> fmt::Debug for Sliding<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sliding").field("spans", &self.spans).finish_non_exhaustive()
    }
}
