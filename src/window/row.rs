use super::desk::Desk;
use super::places::Places;
use super::spans::{Span, Spans};
use super::time::{EventTime, time_of};
use super::window::{EventTimed, Rows};
use super::windowing::Windowing;
use std::fmt;
use tokio::time::Instant;

/// Windows of equal size at equal steps: what [`Fixed`](super::adapters::Fixed) and [`Sliding`](super::adapters::Sliding) are.
#[derive(Clone)]
pub struct Row<F, L> {
    by: F,
    spans: Spans,
    /// The windows of the last item, while all of them are open: most often the next item is in the same ones.
    last: Option<L>,
}

/// The windows of an item, and which other times are in the same windows.
pub trait Found: Sized {
    /// One window or several.
    type Places: Places;

    /// The windows of a time; `None` if it is too late for all.
    #[doc(hidden)]
    fn find(time: i64, spans: &mut Spans, desk: &mut Desk<Span>) -> Option<Self>;

    /// The places of these windows, if `time` is in the same ones.
    #[doc(hidden)]
    fn at(&self, time: i64, spans: &Spans) -> Option<Self::Places>;
}

impl<F, L> Row<F, L> {
    pub(super) fn new(by: F, spans: Spans) -> Self {
        Self { by, spans, last: None }
    }
}

impl<F, L: Found> Row<F, L> {
    /// Finds the windows of a time that is in other windows than the last item.
    #[inline(never)]
    fn find(&mut self, time: i64, desk: &mut Desk<Span>) -> Option<L::Places> {
        self.last = Some(L::find(time, &mut self.spans, desk)?);
        self.last.as_ref()?.at(time, &self.spans)
    }
}

impl<T, A, F, L> Windowing<T> for Row<F, L>
where
    A: EventTime,
    F: FnMut(&T) -> A,
    L: Found,
{
    type Id = Span;
    type Places = L::Places;

    #[inline(always)]
    fn place(&mut self, item: &T, desk: &mut Desk<Span>) -> Option<L::Places> {
        let time = time_of((self.by)(item));
        if !desk.saw(time) {
            return None;
        }
        if let Some(last) = &self.last {
            if let Some(places) = last.at(time, &self.spans) {
                return Some(places);
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

impl<F, L> EventTimed for Row<F, L> {
    fn allow_lateness(&mut self, millis: i64) {
        self.spans.allow_lateness(millis);
    }
}

impl<F, L> Rows for Row<F, L> {
    fn spans(&mut self) -> &mut Spans {
        &mut self.spans
    }
}

impl<F, L> fmt::Debug for Row<F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("spans", &self.spans).finish_non_exhaustive()
    }
}
