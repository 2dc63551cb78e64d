use super::open_windows::OpenWindows;
use super::row::{Aligned, Lookup};
use super::spans::{Span, Spans};
use super::time::{EventTime, whole_millis};
use super::window::Window;
use crate::reduce::Several;
use crate::sealed::Sealed;
use std::ops::Range;
use std::time::Duration;

impl Window<()> {
    /// Windows of `size` each, one at every `step`: an item is in all those that its time falls into.
    ///
    /// Starts are multiples of `step`, times before 0 are rounded down. An item is cloned for each of its windows but
    /// one, after the operators between the window and the `reduce`. All else is as for [`fixed`](Window::fixed).
    ///
    /// Names of windows: [`Span`].
    ///
    /// # Panics
    /// When `size` or `step` is not a whole number of milliseconds, at least 1; when `step` is longer than `size`; or
    /// when an item would be in more than 100 000 windows: `size` is at most that many steps.
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
        assert!(
            size_ms / step_ms <= MOST_WINDOWS,
            "a sliding window must be at most {MOST_WINDOWS} steps long, for an item is in one window for each, given \
             {size:?} with a step of {step:?}"
        );
        Window::custom(Aligned::new(by, Spans::new(size_ms, step_ms)))
    }
}

/// The most windows that an item may be in.
const MOST_WINDOWS: i64 = 100_000;

/// Windows of equal size that overlap: see [`Window::sliding`].
pub type Sliding<F> = Aligned<F, SomeSpans>;

/// The windows of an item, and the times that are in the same ones.
#[derive(Debug, Clone)]
pub struct SomeSpans {
    times: Range<i64>,
    places: Several,
}

impl Sealed for SomeSpans {}

impl Lookup for SomeSpans {
    type Places = Several;

    fn find(time: i64, spans: &mut Spans, windows: &mut OpenWindows<Span>) -> Option<Self> {
        let (size, step) = (spans.size, spans.step);
        let last = spans.last_start(time);
        let first = spans.last_start(time - size) + step;
        let mut slots = Vec::new();
        let mut start = first;
        while start <= last {
            slots.extend(spans.at(start, windows));
            start += step;
        }
        // The next window opens at the next step, and the first of these ends at `first + size`.
        let times = last.max(first - step + size)..(last + step).min(first + size);
        (!slots.is_empty()).then(|| Self { times, places: Several::new(slots) })
    }

    fn times(&self, _: &Spans) -> (i64, i64) {
        (self.times.start, self.times.end)
    }

    fn places(&self) -> Several {
        self.places.clone()
    }

    fn at(&self, time: i64, _: &Spans) -> Option<Several> {
        self.times.contains(&time).then(|| self.places.clone())
    }
}
