use super::open_windows::OpenWindows;
use super::spans::{Span, Spans};
use super::time::{EventTime, time_of};
use super::window::{AlignedKind, EventTimed};
use super::windowing::Windowing;
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
}

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
}

impl<F, L> Aligned<F, L> {
    pub(super) fn new(by: F, spans: Spans) -> Self {
        Self { by, spans, last: None }
    }
}

impl<F, L: Lookup> Aligned<F, L> {
    /// Finds the windows of a time that is in other windows than the last item.
    #[inline(never)]
    fn find(&mut self, time: i64, windows: &mut OpenWindows<Span>) -> Option<L::Places> {
        self.last = Some(L::find(time, &mut self.spans, windows)?);
        self.last.as_ref()?.at(time, &self.spans)
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

    #[inline(always)]
    fn place(&mut self, item: &T, windows: &mut OpenWindows<Span>) -> Option<L::Places> {
        let time = time_of((self.by)(item));
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

    #[inline(always)]
    fn close_next(&mut self, windows: &mut OpenWindows<Span>) -> bool {
        let some = self.spans.close_next(windows);
        if some {
            self.last = None;
        }
        some
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<Span>) -> bool {
        self.last = None;
        self.spans.finish_next(windows)
    }

    fn deadline(&self) -> Option<Instant> {
        self.spans.deadline()
    }

    fn on_time(&mut self, now: Instant, windows: &mut OpenWindows<Span>) {
        self.last = None;
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

impl<F, L> fmt::Debug for Aligned<F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aligned").field("spans", &self.spans).finish_non_exhaustive()
    }
}
