use crate::coop::{Pace, give_way};
use crate::lane::{Each, Lane, poll_one};
use crate::reduce::Emit;
use crate::sealed::Sealed;
use crate::window::Info;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::collections::BTreeMap;
use std::fmt;
use std::iter::Fuse;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How to bring together what the lanes emit for one window.
pub trait Gather<Id, T>: Sealed {
    /// What is kept for a window.
    type State;
    /// What comes out for a window.
    type Out;

    #[doc(hidden)]
    fn init(&mut self) -> Self::State;

    #[doc(hidden)]
    fn merge(&mut self, state: &mut Self::State, item: T);

    #[doc(hidden)]
    fn done(&mut self, state: Self::State, window: Id) -> Self::Out;
}

/// What a lane that reduces sends to the lane that brings windows together; the number is that of the sending lane.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LaneReport<Id, T> {
    /// Something that was emitted for a window.
    Item(Id, T),
    /// A lane is done with a window.
    Done(usize, Id),
    /// A lane has ended.
    End(usize),
}

/// Turns what `E` emits into pieces.
#[derive(Debug, Clone)]
pub struct ReportingEmit<E>(pub(in crate::flow) E);

/// What comes out of a trigger, in pieces.
#[derive(Debug)]
pub struct LaneReports<I, Id> {
    /// Fused: items after the end would arrive after [`LaneReport::Done`].
    items: Fuse<I>,
    window: Id,
    /// At the last trigger of a window, the number of the lane, which is done with the window then.
    done: Option<usize>,
}

impl<E> Sealed for ReportingEmit<E> {}

impl<S, P, Id: Clone, E: Emit<S, P, Id>> Emit<S, P, Id> for ReportingEmit<E> {
    type Item = LaneReport<Id, E::Item>;
    type Items = LaneReports<E::Items, Id>;

    fn early(&mut self, state: &mut S, info: Info<Id>) -> Self::Items {
        let window = info.window.clone();
        LaneReports { items: self.0.early(state, info).fuse(), window, done: None }
    }

    fn last(&mut self, state: S, info: Info<Id>) -> Self::Items {
        let (window, done) = (info.window.clone(), Some(info.lane));
        LaneReports { items: self.0.last(state, info).fuse(), window, done }
    }
}

impl<I: Iterator, Id: Clone> Iterator for LaneReports<I, Id> {
    type Item = LaneReport<Id, I::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.items.next() {
            return Some(LaneReport::Item(self.window.clone(), item));
        }
        Some(LaneReport::Done(self.done.take()?, self.window.clone()))
    }
}

pin_project! {
    /// A lane that sends its number at its end.
    #[derive(Debug)]
    #[must_use = "a lane does nothing until it is polled"]
    pub struct Ending<L> {
        #[pin]
        lane: L,
        number: usize,
        ended: bool,
    }
}

impl<L> Ending<L> {
    pub(in crate::flow) fn new(lane: L, number: usize) -> Self {
        Self { lane, number, ended: false }
    }
}

impl<Id, T, L: Lane<Item = LaneReport<Id, T>>> Lane for Ending<L> {
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(LaneReport<Id, T>) -> ControlFlow<()>,
    {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(Each::Ended);
        }
        let polled = this.lane.poll_each(cx, each);
        if polled != Poll::Ready(Each::Ended) {
            return polled;
        }
        *this.ended = true;
        Poll::Ready(match each(LaneReport::End(*this.number)) {
            ControlFlow::Continue(()) => Each::Ended,
            ControlFlow::Break(()) => Each::Stopped,
        })
    }
}

impl<Id, T, L: Lane<Item = LaneReport<Id, T>>> Stream for Ending<L> {
    type Item = LaneReport<Id, T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_one(self, cx)
    }
}

pin_project! {
    /// The lane behind [`Flow::departition`](crate::Flow::departition): brings together what lanes emit for one window.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct DepartitionLane<L, Id, G, A> {
        #[pin]
        lanes: L,
        windows: Windows<Id, A>,
        gather: G,
        pace: Pace,
        ended: bool,
    }
}

/// The windows that at least one lane is not done with.
struct Windows<Id, A> {
    /// In the order of the windows.
    open: BTreeMap<Id, A>,
    lanes: Vec<Progress<Id>>,
    /// The last window that every lane is done with.
    complete: Progress<Id>,
}

/// The last window that a lane is done with: windows are done in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Progress<Id> {
    Nothing,
    Upto(Id),
    Ended,
}

impl<L, Id, G, A> DepartitionLane<L, Id, G, A> {
    pub(in crate::flow) fn new(lane: L, all: usize, gather: G) -> Self {
        let lanes = std::iter::repeat_with(|| Progress::Nothing).take(all).collect();
        let windows = Windows { open: BTreeMap::new(), lanes, complete: Progress::Nothing };
        Self { lanes: lane, windows, gather, pace: Pace::default(), ended: false }
    }
}

impl<Id: Ord + Clone, A> Windows<Id, A> {
    fn take<T>(&mut self, piece: LaneReport<Id, T>, gather: &mut impl Gather<Id, T, State = A>) {
        let (lane, progress) = match piece {
            LaneReport::Item(window, item) => {
                let state = self.open.entry(window).or_insert_with(|| gather.init());
                return gather.merge(state, item);
            }
            LaneReport::Done(lane, window) => {
                // A window for which nothing was emitted comes out, too.
                self.open.entry(window.clone()).or_insert_with(|| gather.init());
                (lane, Progress::Upto(window))
            }
            LaneReport::End(lane) => (lane, Progress::Ended),
        };
        let known = &mut self.lanes[lane];
        if *known < progress {
            let slowest = *known == self.complete;
            *known = progress;
            if slowest {
                self.complete = self.lanes.iter().min().cloned().unwrap_or(Progress::Ended);
            }
        }
    }

    /// Whether all lanes are done with the first window.
    fn has_complete(&self) -> bool {
        match &self.complete {
            Progress::Nothing => false,
            Progress::Upto(last) => self.open.first_key_value().is_some_and(|(first, _)| first <= last),
            Progress::Ended => !self.open.is_empty(),
        }
    }

    /// The next window that all lanes are done with.
    fn next_complete(&mut self) -> Option<(Id, A)> {
        if self.has_complete() { self.open.pop_first() } else { None }
    }
}

impl<L, Id, T, G> Lane for DepartitionLane<L, Id, G, G::State>
where
    L: Lane<Item = LaneReport<Id, T>>,
    Id: Ord + Clone,
    G: Gather<Id, T>,
{
    fn poll_each<E>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut E) -> Poll<Each>
    where
        E: FnMut(G::Out) -> ControlFlow<()>,
    {
        let mut this = self.project();
        let (windows, gather) = (this.windows, this.gather);
        this.pace.begin();
        loop {
            while let Some((window, state)) = windows.next_complete() {
                if each(gather.done(state, window)).is_break() {
                    return Poll::Ready(Each::Stopped);
                }
                if this.pace.is_over() {
                    return give_way(cx);
                }
            }
            if *this.ended {
                return Poll::Ready(Each::Ended);
            }
            let polled = this.lanes.as_mut().poll_each(cx, &mut |piece| {
                windows.take(piece, gather);
                if windows.has_complete() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            match polled {
                Poll::Ready(Each::Ended) => *this.ended = true,
                Poll::Ready(Each::Stopped) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<L, Id, T, G> Stream for DepartitionLane<L, Id, G, G::State>
where
    L: Lane<Item = LaneReport<Id, T>>,
    Id: Ord + Clone,
    G: Gather<Id, T>,
{
    type Item = G::Out;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<G::Out>> {
        poll_one(self, cx)
    }
}

impl<L: fmt::Debug, Id, G, A> fmt::Debug for DepartitionLane<L, Id, G, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DepartitionLane")
            .field("lanes", &self.lanes)
            .field("windows", &self.windows.open.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_after_the_word_that_a_lane_is_done() {
        let mut at = 0;
        // An iterator that goes on after its end.
        let items = std::iter::from_fn(move || {
            at += 1;
            (at != 2).then_some(at)
        });
        let mut pieces = LaneReports { items: items.fuse(), window: 'w', done: Some(0) };
        assert_eq!(pieces.next(), Some(LaneReport::Item('w', 1)));
        assert_eq!(pieces.next(), Some(LaneReport::Done(0, 'w')));
        assert_eq!([pieces.next(), pieces.next()], [None, None]);
    }
}
