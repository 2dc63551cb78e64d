use super::clock::later;
use super::open_windows::OpenWindows;
use crate::reduce::{Slot, Trigger};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// The name of a window of event time: its start, and its end, which is not a part of it, in milliseconds.
///
/// # Examples
/// See [`Window::fixed`](super::Window::fixed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first millisecond.
    pub start: i64,
    /// The first millisecond after it.
    pub end: i64,
}

/// How long a window takes items after the watermark has passed its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lateness {
    None,
    /// Until the watermark is this much further, in milliseconds.
    Event(i64),
    /// For this long.
    Clock(Duration),
}

/// The open windows of one lane, of one size, at equal steps: what fixed and sliding windows have in common.
#[derive(Debug, Clone)]
pub struct Spans {
    pub(crate) size: i64,
    pub(crate) step: i64,
    pub(super) lateness: Lateness,
    pub(crate) gaps: bool,
    /// By start.
    open: VecDeque<OpenSpan>,
    /// The starts of the windows that are not marked: with a long lateness most are marked, and need no search.
    unmarked: BTreeSet<i64>,
    /// When windows are done by the clock, with their starts; in the order of the times. Some may be closed already.
    done: VecDeque<(Instant, i64)>,
    /// The next start after the last window that the watermark has passed, or that was closed.
    passed: Option<i64>,
    /// The same for windows closed because all upstreams were idle: they do not come back, however late an item may be.
    shut: Option<i64>,
    /// Nothing is due before the watermark reaches this time.
    next_due: i64,
}

#[derive(Debug, Clone, Copy)]
struct OpenSpan {
    start: i64,
    slot: Slot,
    /// The watermark has passed the end, and the window has fired for it.
    marked: bool,
    /// When it is done by the clock.
    done_at: Option<Instant>,
}

impl Spans {
    pub(crate) fn new(size: i64, step: i64) -> Self {
        Self {
            size,
            step,
            lateness: Lateness::None,
            gaps: false,
            open: VecDeque::new(),
            unmarked: BTreeSet::new(),
            done: VecDeque::new(),
            passed: None,
            shut: None,
            next_due: i64::MAX,
        }
    }

    pub(crate) fn allow_lateness(&mut self, millis: i64) {
        self.lateness = if millis > 0 { Lateness::Event(millis) } else { Lateness::None };
    }

    /// When the next window is due, by the watermark: `i64::MAX` when none is.
    pub(crate) fn next_due(&self) -> i64 {
        self.next_due
    }

    /// The start of the last window that has a time in it.
    pub(crate) fn last_start(&self, time: i64) -> i64 {
        // Rounds down, so that times around 0 are in two windows.
        time.div_euclid(self.step) * self.step
    }

    /// The place of the window that starts there, opened if need be; `None` if it is over.
    pub(crate) fn at(&mut self, start: i64, windows: &mut OpenWindows<Span>) -> Option<Slot> {
        let at = match self.find(start) {
            Ok(at) => return Some(self.open[at].slot),
            Err(at) => at,
        };
        let grace = match self.lateness {
            Lateness::Event(grace) => grace,
            Lateness::None | Lateness::Clock(_) => 0,
        };
        let over = windows.watermark().is_some_and(|now| start + self.size + grace <= now);
        if over || self.shut.is_some_and(|shut| start < shut) {
            return None;
        }
        Some(self.open_at(at, start, windows))
    }

    /// Where the window is in the row, or would be; the last ones are looked at first.
    fn find(&self, start: i64) -> Result<usize, usize> {
        for (at, span) in self.open.iter().enumerate().rev().take(2) {
            if span.start == start {
                return Ok(at);
            }
            if span.start < start {
                return Err(at + 1);
            }
        }
        self.open.binary_search_by_key(&start, |span| span.start)
    }

    fn open_at(&mut self, at: usize, start: i64, windows: &mut OpenWindows<Span>) -> Slot {
        let slot = windows.open(Span { start, end: start + self.size }, start);
        self.open.insert(at, OpenSpan { start, slot, marked: false, done_at: None });
        self.unmarked.insert(start);
        self.next_due = self.due().map_or(i64::MAX, |(due, _)| due);
        slot
    }

    /// What is due next by event time, and when: something for an open window, or for an empty one of a gap.
    fn due(&self) -> Option<(i64, Due)> {
        let mark = self.unmarked.first().map(|start| (start + self.size, Due::Mark(*start)));
        let gap = self.gap().map(|start| (start + self.size, Due::Gap(start)));
        let done = match self.lateness {
            Lateness::Event(grace) => {
                let marked = self.open.iter().position(|span| span.marked);
                marked.map(|at| (self.open[at].start + self.size + grace, Due::Done(at)))
            }
            Lateness::None | Lateness::Clock(_) => None,
        };
        // At the same time, the earlier window comes first.
        [done, gap, mark].into_iter().flatten().min_by_key(|(time, _)| *time)
    }

    /// The start of the next window that nothing came into, if gaps are filled.
    fn gap(&self) -> Option<i64> {
        let next = self.passed.filter(|_| self.gaps)?;
        let first = self.open.get(self.open.partition_point(|span| span.start < next))?;
        (first.start > next).then_some(next)
    }

    #[inline]
    pub(crate) fn close_next(&mut self, windows: &mut OpenWindows<Span>) -> bool {
        match windows.watermark() {
            Some(now) if now >= self.next_due => self.do_next(now, windows),
            _ => false,
        }
    }

    #[inline(never)]
    fn do_next(&mut self, now: i64, windows: &mut OpenWindows<Span>) -> bool {
        let Some((_, due)) = self.due().filter(|(time, _)| *time <= now) else {
            return false;
        };
        match due {
            Due::Gap(start) => {
                let (Ok(at) | Err(at)) = self.find(start);
                self.open_at(at, start, windows);
            }
            Due::Mark(start) => {
                let (Ok(at) | Err(at)) = self.find(start);
                if self.lateness == Lateness::None {
                    self.close(at, windows);
                } else {
                    self.mark(at, windows);
                }
            }
            Due::Done(at) => self.close(at, windows),
        }
        self.next_due = self.due().map_or(i64::MAX, |(due, _)| due);
        true
    }

    /// Fires a window that the watermark has passed, and keeps it for late items.
    fn mark(&mut self, at: usize, windows: &mut OpenWindows<Span>) {
        let span = &mut self.open[at];
        span.marked = true;
        self.unmarked.remove(&span.start);
        if let Lateness::Clock(grace) = self.lateness {
            let done = later(Instant::now(), grace);
            span.done_at = Some(done);
            self.done.push_back((done, span.start));
        }
        windows.fire(span.slot, Trigger::Watermark);
        self.passed = self.passed.max(Some(span.start + self.step));
    }

    /// Closes the first window of the row, whatever the time.
    pub(crate) fn finish_next(&mut self, windows: &mut OpenWindows<Span>) -> bool {
        if let Some(start) = self.gap() {
            if self.open.front().is_none_or(|first| first.start > start) {
                self.open_at(0, start, windows);
            }
        }
        if self.open.is_empty() {
            return false;
        }
        self.close(0, windows);
        self.shut = self.passed;
        self.next_due = self.due().map_or(i64::MAX, |(due, _)| due);
        true
    }

    fn close(&mut self, at: usize, windows: &mut OpenWindows<Span>) {
        if let Some(span) = self.open.remove(at) {
            self.unmarked.remove(&span.start);
            windows.close(span.slot);
            self.passed = self.passed.max(Some(span.start + self.step));
        }
    }

    /// When, by the clock, the next window is done.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.done.front().map(|(at, _)| *at)
    }

    pub(crate) fn on_time(&mut self, now: Instant, windows: &mut OpenWindows<Span>) {
        while let Some((done, start)) = self.done.front().copied().filter(|(done, _)| *done <= now) {
            self.done.pop_front();
            // It may have been closed since, when all upstreams were idle.
            if let Some(at) = self.find(start).ok().filter(|at| self.open[*at].done_at == Some(done)) {
                self.close(at, windows);
            }
        }
        self.next_due = self.due().map_or(i64::MAX, |(due, _)| due);
    }
}

/// Something to be done.
#[derive(Debug, Clone, Copy)]
enum Due {
    /// The watermark has passed the window with this start.
    Mark(i64),
    /// The lateness of the window at this place of the row is over.
    Done(usize),
    /// An empty window with this start is to be opened, so that it can be closed.
    Gap(i64),
}
