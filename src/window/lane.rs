use super::late::LateItems;
use super::placing::{LaneNext, Passed, Placing, WindowWatch, placed};
use super::trigger::Triggering;
use super::window::Window;
use super::windowing::Windowing;
use crate::coop::give_way;
use crate::lane::{Each, Lane, TakesRuns, poll_one};
use crate::meter::LaneMeter;
use crate::reduce::{Places, Signal};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A lane that puts items into windows, and says when these emit.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct InWindowsLane<L, K, C, O, T, P, Id> {
        #[pin]
        upstream: L,
        placing: Placing<K, C, O, T, P, Id>,
        watch: WindowWatch,
        meter: LaneMeter,
    }
}

impl<L, K, C, O, T, P, Id> InWindowsLane<L, K, C, O, T, P, Id>
where
    L: Lane<Item = T>,
    K: Windowing<T, Id = Id, Places = P>,
    Id: Clone,
{
    pub(crate) fn new(upstream: L, window: Window<K, C, O>, meter: LaneMeter) -> Self {
        let (placing, watch) = placed(window);
        Self { upstream, placing, watch, meter }
    }
}

impl<L, K, C, O, T, P, Id> Lane for InWindowsLane<L, K, C, O, T, P, Id>
where
    L: Lane<Item = T>,
    K: Windowing<T, Id = Id, Places = P>,
    C: Triggering<T, P>,
    O: LateItems<T>,
    P: Places,
    Id: Clone,
{
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Signal<T, P, Id>) -> ControlFlow<()>,
    {
        self.poll_runs(cx, &mut Singly(each))
    }

    #[inline]
    fn poll_runs<V>(self: Pin<&mut Self>, cx: &mut Context<'_>, taker: &mut V) -> Poll<Each>
    where
        V: TakesRuns<Signal<T, P, Id>>,
    {
        let mut this = self.project();
        let (placing, watch) = (this.placing, this.watch);
        if watch.begin() {
            placing.start(watch, this.upstream.as_mut().origins());
        }
        let polled = loop {
            match placing.pass(taker) {
                Passed::All => {}
                Passed::Stopped => break Poll::Ready(Each::Stopped),
                Passed::CallTurn => break give_way(cx),
            }
            if placing.poll_late(cx).is_pending() {
                break Poll::Pending;
            }
            match placing.look(watch, cx) {
                LaneNext::Read => {}
                LaneNext::Pass => continue,
                LaneNext::Return(answer) => break answer,
            }
            let mut passed = ControlFlow::Continue(());
            let upstream = this.upstream.as_mut();
            let polled = if L::LISTS && K::RUNS && C::QUIET && V::RUNS {
                upstream.poll_lists(cx, &mut |items| placing.list(items, taker, &mut passed))
            } else {
                upstream.poll_each(cx, &mut |item| placing.item(item, taker, &mut passed))
            };
            if let LaneNext::Return(answer) = placing.has_read(watch, polled, passed.is_break(), cx) {
                break answer;
            }
        };
        placing.show(this.meter);
        polled
    }
}

/// Takes signals one by one, whatever they belong to.
struct Singly<'a, F>(&'a mut F);

impl<F> Sealed for Singly<'_, F> {}

impl<S, F: FnMut(S) -> ControlFlow<()>> TakesRuns<S> for Singly<'_, F> {
    const RUNS: bool = false;

    #[inline]
    fn take(&mut self, signal: S) -> ControlFlow<()> {
        (self.0)(signal)
    }
}

impl<L, K, C, O, T, P, Id> Stream for InWindowsLane<L, K, C, O, T, P, Id>
where
    L: Lane<Item = T>,
    K: Windowing<T, Id = Id, Places = P>,
    C: Triggering<T, P>,
    O: LateItems<T>,
    P: Places,
    Id: Clone,
{
    type Item = Signal<T, P, Id>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_one(self, cx)
    }
}

impl<L, K, C, O, T, P, Id> FusedStream for InWindowsLane<L, K, C, O, T, P, Id>
where
    Self: Stream,
{
    fn is_terminated(&self) -> bool {
        self.watch.has_ended()
    }
}

impl<L: fmt::Debug, K, C, O, T, P, Id> fmt::Debug for InWindowsLane<L, K, C, O, T, P, Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InWindowsLane")
            .field("upstream", &self.upstream)
            .field("watch", &self.watch)
            .finish_non_exhaustive()
    }
}
