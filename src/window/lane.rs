use super::clock::Clock;
use super::late::LateItems;
use super::open_windows::{OpenWindows, WindowEvent};
use super::trigger::{Act, Triggering};
use super::triggers::{TriggerListener, Triggers};
use super::watermark::Watermark;
use super::window::Window;
use super::windowing::Windowing;
use crate::coop::{Pace, give_way};
use crate::lane::{Each, Lane, Origins, poll_one};
use crate::reduce::Places;
use crate::reduce::Trigger;
use crate::reduce::{Fire, Signal};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

pin_project! {
    /// A lane that puts items into windows, and says when these emit.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct InWindowsLane<L, K, C, O, T, P, Id> {
        #[pin]
        upstream: L,
        placing: Placing<K, C, O, T, P, Id>,
        // What the clock is made of in the first poll, when there is a runtime.
        set: Option<Set>,
        clock: Option<Clock>,
        listener: TriggerListener,
        pace: Pace,
        // How often the upstream was read since the clock was last read.
        unlooked: u32,
        stage: Stage,
    }
}

/// How items are placed, and what waits to be passed on.
struct Placing<K, C, O, T, P, Id> {
    kind: K,
    trigger: C,
    late: O,
    windows: OpenWindows<Id>,
    /// What is to happen after what happened to the open windows.
    acts: VecDeque<Act<T, P>>,
    /// An item that is too late, or too far ahead, until `late` takes it.
    late_item: Option<T>,
    /// Windows may have to be closed.
    due: bool,
}

/// Settings that wait for the first poll.
struct Set {
    periods: Vec<std::time::Duration>,
    idle: Option<std::time::Duration>,
    max_ahead: Option<i64>,
    triggers: Vec<Triggers>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The upstream has items, or may have.
    Running,
    /// All upstreams are idle: what is open is being closed.
    Idle,
    /// The input has ended: what is open is being closed.
    Finishing,
    Ended,
}

impl<L, K, C, O, T, P, Id> InWindowsLane<L, K, C, O, T, P, Id>
where
    L: Lane<Item = T>,
    K: Windowing<T, Id = Id, Places = P>,
    Id: Clone,
{
    pub(crate) fn new(upstream: L, window: Window<K, C, O>) -> Self {
        // Replaced in the first poll, when the upstream tells its origins.
        let windows = OpenWindows::new(Watermark::new(Origins::new(1)));
        Self {
            upstream,
            placing: Placing {
                kind: window.kind,
                trigger: window.trigger,
                late: window.late,
                windows,
                acts: VecDeque::new(),
                late_item: None,
                due: false,
            },
            set: Some(Set {
                periods: window.periods,
                idle: window.idle,
                max_ahead: window.max_ahead,
                triggers: window.triggers,
            }),
            clock: None,
            listener: TriggerListener::default(),
            pace: Pace::default(),
            unlooked: 0,
            stage: Stage::Running,
        }
    }
}

/// What became of passing things on.
enum Passed {
    /// Everything that was to be passed on was.
    All,
    /// The reader had enough.
    Stopped,
    /// There is more, and it is another task's turn.
    Turn,
}

/// A turn ends after this many windows in a row were fired or closed: there can be very many empty windows.
const TURN: usize = 500;

/// The lane checks whether its turn is over once in this many interruptions of reading.
const GOES_ON: usize = 8;

/// The upstream is read this many times between two readings of the clock, if it always has something.
const LOOKS: u32 = 32;

impl<K, C, O, T, P, Id> Placing<K, C, O, T, P, Id>
where
    K: Windowing<T, Id = Id, Places = P>,
    C: Triggering<T, P>,
    O: LateItems<T>,
    P: Places,
    Id: Clone,
{
    /// Places an item, and passes on what that causes. Breaks when the lane has something else to do first.
    #[inline(always)]
    fn item(
        &mut self,
        item: T,
        each: &mut impl FnMut(Signal<T, P, Id>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let ended = self.windows.watermark.turn();
        let Some(places) = self.kind.place(&item, &mut self.windows) else {
            return self.too_late(item);
        };
        if !self.windows.events.is_empty() {
            // The events come before the item.
            return self.behind_events(places, item);
        }
        let mut flow = ControlFlow::Continue(());
        if let Some((places, item)) = self.trigger.take(places, item, &mut self.windows, &mut self.acts) {
            flow = each(Signal::Item(places, item));
        }
        // Windows are closed after what goes with the item.
        if flow.is_break() || !self.acts.is_empty() || ended || self.kind.close_next(&mut self.windows) {
            self.due = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Keeps an item that is too late, for the lane to hand on.
    #[cold]
    fn too_late(&mut self, item: T) -> ControlFlow<()> {
        self.late_item = Some(item);
        self.due = true;
        ControlFlow::Break(())
    }

    /// Has an item wait behind what came before it.
    #[inline(never)]
    fn behind_events(&mut self, places: P, item: T) -> ControlFlow<()> {
        self.due = true;
        let mut behind = VecDeque::new();
        if let Some((places, item)) = self.trigger.take(places, item, &mut self.windows, &mut behind) {
            behind.push_front(Act::Reduce(places, item));
        }
        self.acts.append(&mut behind);
        ControlFlow::Break(())
    }

    /// Passes on what waits, in order, with the windows that are due after it.
    #[inline(never)]
    fn pass(&mut self, each: &mut impl FnMut(Signal<T, P, Id>) -> ControlFlow<()>) -> Passed {
        for _ in 0..TURN {
            while let Some(signal) = self.next_signal() {
                if each(signal).is_break() {
                    return Passed::Stopped;
                }
            }
            if !self.due {
                return Passed::All;
            }
            self.due = self.kind.close_next(&mut self.windows);
        }
        Passed::Turn
    }

    fn next_signal(&mut self) -> Option<Signal<T, P, Id>> {
        if let Some(event) = self.windows.events.pop_front() {
            return Some(match event {
                WindowEvent::Fire(fire) => Signal::Fire(fire),
                WindowEvent::Merge { into, from } => Signal::Merge { into, from },
            });
        }
        Some(match self.acts.pop_front()? {
            Act::Reduce(places, item) => Signal::Item(places, item),
            Act::Fire(slot, trigger) => {
                let window = self.windows.id(slot).clone();
                Signal::Fire(Fire { slot, window, trigger })
            }
        })
    }

    /// Hands a late item on, if there is one.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.late_item.is_some() {
            ready!(self.late.poll_ready(cx));
            if let Some(item) = self.late_item.take() {
                self.late.take(item);
            }
        }
        Poll::Ready(())
    }

    /// Fires the triggers that are due by the clock, and calls the kind's `on_time` when its deadline has come.
    fn on_time(&mut self, now: Instant, clock: &mut Clock) {
        for trigger in clock.triggers(now) {
            self.windows.fire_all(trigger);
        }
        if self.kind.deadline().is_some_and(|at| at <= now) {
            self.kind.on_time(now, &mut self.windows);
            self.due = true;
        }
    }

    /// Notes which upstreams have become idle. True when all are idle now.
    fn on_idle(&mut self, now: Instant, clock: &mut Clock) -> bool {
        let mut all_idle = false;
        // An upstream that was not asked, because the lane gave way first, may have something.
        while let Some(upstream) = clock.next_idle(now, |number| self.windows.watermark.is_waiting(number)) {
            all_idle |= self.windows.watermark.idle(upstream);
            self.due = true;
        }
        all_idle
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
    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Signal<T, P, Id>) -> ControlFlow<()>,
    {
        let mut this = self.project();
        let placing = this.placing;
        let (mut finished, mut interrupted) = (0, 0);
        this.pace.begin();
        if let Some(set) = this.set.take() {
            placing.windows.watermark = Watermark::new(this.upstream.as_mut().origins());
            if let Some(millis) = set.max_ahead {
                placing.windows.watermark.set_max_ahead(millis);
            }
            placing.kind.start(&mut placing.windows);
            this.listener.listen(&set.triggers);
            *this.clock = Some(Clock::new(&set.periods, set.idle, placing.windows.watermark.upstreams()));
        }
        loop {
            match placing.pass(each) {
                Passed::All => {}
                Passed::Stopped => return Poll::Ready(Each::Stopped),
                Passed::Turn => return give_way(cx),
            }
            ready!(placing.poll_late(cx));
            match this.stage {
                Stage::Running => {}
                Stage::Idle | Stage::Finishing => {
                    finished += 1;
                    if finished > TURN {
                        return give_way(cx);
                    }
                    if placing.kind.finish_next(&mut placing.windows) {
                        continue;
                    }
                    if *this.stage == Stage::Idle {
                        *this.stage = Stage::Running;
                        continue;
                    }
                    *this.stage = Stage::Ended;
                    placing.late.close();
                    return Poll::Ready(Each::Ended);
                }
                Stage::Ended => return Poll::Ready(Each::Ended),
            }
            if let Some(name) = this.listener.take(cx) {
                placing.windows.fire_all(Trigger::Named(name));
                continue;
            }
            let clock = this.clock.as_mut().expect("made in the first poll");
            *this.unlooked += 1;
            if *this.unlooked > LOOKS {
                *this.unlooked = 0;
                if let Some(now) = clock.has_come(placing.kind.deadline()) {
                    placing.on_time(now, clock);
                    continue;
                }
            }
            if clock.watches_idleness() {
                placing.windows.watermark.ask();
            }
            let mut passed = ControlFlow::Continue(());
            let polled = this.upstream.as_mut().poll_each(cx, &mut |item| {
                placing.item(item, &mut |signal| {
                    passed = each(signal);
                    passed
                })
            });
            if clock.watches_idleness() {
                clock.stirred(placing.windows.watermark.stirred());
                // Where one upstream always has something, the lane never waits for the others.
                if polled == Poll::Ready(Each::Stopped) && placing.on_idle(Instant::now(), clock) {
                    *this.stage = Stage::Idle;
                }
            }
            match polled {
                Poll::Ready(Each::Ended) => *this.stage = Stage::Finishing,
                Poll::Ready(Each::Stopped) if passed.is_break() => return Poll::Ready(Each::Stopped),
                Poll::Ready(Each::Stopped) => {
                    // The lane below bounds what it passes in one call, but this loop may go on for ever.
                    if interrupted % GOES_ON == 0 && this.pace.is_over() {
                        return give_way(cx);
                    }
                    interrupted += 1;
                }
                Poll::Pending => {
                    // An upstream may have ended after its last item.
                    let ended = placing.windows.watermark.turn();
                    placing.due |= ended;
                    if ended && clock.watches_idleness() && placing.windows.watermark.all_idle() {
                        *this.stage = Stage::Idle;
                    }
                    if placing.due {
                        continue;
                    }
                    *this.unlooked = 0;
                    let watermark = &placing.windows.watermark;
                    match clock.poll(cx, placing.kind.deadline(), |number| watermark.is_waiting(number)) {
                        None | Some(Poll::Pending) => return Poll::Pending,
                        Some(Poll::Ready(now)) => {
                            placing.on_time(now, clock);
                            if placing.on_idle(now, clock) {
                                *this.stage = Stage::Idle;
                            }
                        }
                    }
                }
            }
        }
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
        self.stage == Stage::Ended
    }
}

impl<L: fmt::Debug, K, C, O, T, P, Id> fmt::Debug for InWindowsLane<L, K, C, O, T, P, Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InWindowsLane")
            .field("upstream", &self.upstream)
            .field("clock", &self.clock)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
