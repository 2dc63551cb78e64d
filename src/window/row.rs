use super::open_windows::OpenWindows;
use super::spans::{Span, Spans};
use super::time::{EventTime, time_of};
use super::window::{AlignedKind, EventTimed, FillsGaps};
use super::windowing::{Sought, Windowing};
use crate::reduce::Places;
use crate::sealed::Sealed;
use std::fmt;
use tokio::time::Instant;

/// Windows of equal size at equal steps: what [`Fixed`](super::adapters::Fixed) and
/// [`Sliding`](super::adapters::Sliding) are.
#[derive(Clone)]
pub struct Aligned<F, L> {
    by: F,
    spans: Spans,
    /// The windows of the last item, while all of them are open: most often the next item is in the same ones.
    last: Option<L>,
    /// Items of `quiet` milliseconds from here on are in the windows of `last`, and nothing comes due by them.
    from: i64,
    quiet: u64,
    /// The highest time among them that the watermark was not told; `NONE` when it knows all.
    high: i64,
    /// The time of the next item, if it was looked at already.
    next_time: Option<i64>,
}

/// Below all times.
const NONE: i64 = i64::MIN;

/// The windows of an item, and which other times are in the same windows.
pub trait Lookup: Sealed + Sized {
    /// One window or several.
    type Places: Places;

    /// The windows of a time; `None` if it is too late for all.
    #[doc(hidden)]
    fn find(time: i64, spans: &mut Spans, windows: &mut OpenWindows<Span>) -> Option<Self>;

    /// The places of these windows, if `time` is in the same ones.
    #[doc(hidden)]
    fn at(&self, time: i64, spans: &Spans) -> Option<Self::Places>;

    /// The times that these windows are the windows of: the first, and the first after them.
    #[doc(hidden)]
    fn times(&self, spans: &Spans) -> (i64, i64);

    /// The windows.
    #[doc(hidden)]
    fn places(&self) -> Self::Places;
}

impl<F, L> Aligned<F, L> {
    pub(super) fn new(by: F, spans: Spans) -> Self {
        Self { by, spans, last: None, from: 0, quiet: 0, high: NONE, next_time: None }
    }

    /// Whether an item of that time is in the windows of `last`, and nothing comes due by it.
    #[inline]
    fn is_quiet(&self, time: i64) -> bool {
        // Wraps for times before `from`, which are then out of reach.
        #[allow(clippy::cast_sign_loss, reason = "a time before is a large number then")]
        let after = time.wrapping_sub(self.from) as u64;
        after < self.quiet
    }
}

impl<F, L: Lookup> Aligned<F, L> {
    /// Finds the windows of a time that is in other windows than the last item.
    #[inline(never)]
    fn find(&mut self, time: i64, windows: &mut OpenWindows<Span>) -> Option<L::Places> {
        self.forget();
        self.last = Some(L::find(time, &mut self.spans, windows)?);
        self.listen(windows);
        self.last.as_ref()?.at(time, &self.spans)
    }

    /// Finds out for which times nothing else happens.
    fn listen(&mut self, windows: &OpenWindows<Span>) {
        let Some(last) = &self.last else { return };
        let (from, mut to) = last.times(&self.spans);
        if windows.watermark.is_guarded() {
            to = from;
        } else if !windows.watermark.is_held_by_others() {
            to = to.min(self.spans.next_due());
        }
        self.from = from;
        self.quiet = u64::try_from(to.saturating_sub(from)).unwrap_or(0);
    }

    /// The windows may be others from now on.
    fn forget(&mut self) {
        self.last = None;
        self.quiet = 0;
    }

    /// Tells the watermark what it was not told.
    #[inline]
    fn settle_high(&mut self, windows: &mut OpenWindows<Span>) {
        if self.high != NONE {
            // What was quiet was believed.
            let _ = windows.saw(std::mem::replace(&mut self.high, NONE));
        }
    }

    /// The place of an item that may change something.
    #[inline]
    fn place_at(&mut self, time: i64, windows: &mut OpenWindows<Span>) -> Option<L::Places> {
        if !windows.saw(time) {
            return None;
        }
        if let Some(last) = &self.last {
            if let Some(places) = last.at(time, &self.spans) {
                return Some(places);
            }
        }
        self.find(time, windows)
    }
}

impl<T, A, F, L> Windowing<T> for Aligned<F, L>
where
    A: EventTime,
    F: FnMut(&T) -> A,
    L: Lookup,
{
    type Id = Span;
    type Places = L::Places;

    const RUNS: bool = true;

    #[inline]
    fn place(&mut self, item: &T, windows: &mut OpenWindows<Span>) -> Option<L::Places> {
        let time = time_of((self.by)(item));
        self.place_at(time, windows)
    }

    #[inline]
    fn seek(&mut self, item: &T, windows: &mut OpenWindows<Span>) -> Sought<L::Places> {
        let time = self.next_time.take().unwrap_or_else(|| time_of((self.by)(item)));
        if let Some(last) = self.last.as_ref().filter(|_| self.is_quiet(time)) {
            self.high = self.high.max(time);
            return Sought::Quiet(last.places());
        }
        self.settle_high(windows);
        Sought::Placed(self.place_at(time, windows))
    }

    #[inline]
    fn seek_run(&mut self, items: &[T]) -> Option<(usize, L::Places)> {
        let (mut run, mut high) = (0, self.high);
        for item in items {
            let time = time_of((self.by)(item));
            if !self.is_quiet(time) {
                self.next_time = Some(time);
                break;
            }
            high = high.max(time);
            run += 1;
        }
        self.high = high;
        let last = self.last.as_ref().filter(|_| run > 0)?;
        Some((run, last.places()))
    }

    #[inline]
    fn settle(&mut self, windows: &mut OpenWindows<Span>) {
        self.settle_high(windows);
    }

    fn turned(&mut self, windows: &mut OpenWindows<Span>) {
        self.listen(windows);
    }

    #[inline]
    fn close_next(&mut self, windows: &mut OpenWindows<Span>) -> bool {
        let some = self.spans.close_next(windows);
        if some {
            self.forget();
        }
        some
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<Span>) -> bool {
        self.forget();
        self.spans.finish_next(windows)
    }

    fn deadline(&self) -> Option<Instant> {
        self.spans.deadline()
    }

    fn on_time(&mut self, now: Instant, windows: &mut OpenWindows<Span>) {
        self.forget();
        self.spans.on_time(now, windows);
    }
}

impl<F, L> Sealed for Aligned<F, L> {}

impl<F, L> EventTimed for Aligned<F, L> {
    fn allow_lateness(&mut self, millis: i64) {
        self.spans.allow_lateness(millis);
    }
}

impl<F, L> AlignedKind for Aligned<F, L> {
    fn spans(&mut self) -> &mut Spans {
        &mut self.spans
    }
}

impl<F, L> FillsGaps for Aligned<F, L> {
    fn fill_gaps(&mut self) {
        self.spans.gaps = true;
    }
}

impl<F, L> fmt::Debug for Aligned<F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aligned").field("spans", &self.spans).finish_non_exhaustive()
    }
}
