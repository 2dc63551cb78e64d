use super::clock::{Clock, Period};
use super::late::LateItems;
use super::open_windows::{OpenWindows, WindowEvent};
use super::trigger::{Act, Triggering};
use super::triggers::{TriggerListener, Triggers};
use super::watermark::Watermark;
use super::window::Window;
use super::windowing::{Sought, Windowing};
use crate::coop::{Pace, give_way};
use crate::lane::{Each, Origins, TakesRuns};
use crate::meter::LaneMeter;
use crate::reduce::{Places, Signal, Trigger};
use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::task::{Context, Poll, ready};
use std::vec;
use tokio::time::Instant;

/// How items are placed, and what waits to be passed on.
pub(super) struct Placing<K, C, O, T, P, Id> {
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

/// What the lane looks after besides its items.
pub(super) struct WindowWatch {
    /// The settings that wait for the first poll: the clock needs a runtime.
    set: Option<Set>,
    clock: Clock,
    listener: TriggerListener,
    /// How often the upstream was read since the clock was last read.
    unlooked: u32,
    stage: Stage,
    turn: CallTurn,
}

/// How long the running call goes on.
#[derive(Default)]
struct CallTurn {
    pace: Pace,
    /// How many windows were finished in this call.
    finished: usize,
    /// How often reading was interrupted in this call.
    interrupted: usize,
}

/// Settings that wait for the first poll.
struct Set {
    periods: Vec<Period>,
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

/// What a window says, as its lane uses it.
pub(super) fn placed<K, C, O, T, P, Id: Clone>(
    window: Window<K, C, O>,
) -> (Placing<K, C, O, T, P, Id>, WindowWatch) {
    let Window { kind, trigger, late, periods, idle, max_ahead, triggers } = window;
    let placing = Placing {
        kind,
        trigger,
        late,
        // Replaced in the first poll, when the upstream tells its origins.
        windows: OpenWindows::new(Watermark::new(Origins::new(1))),
        acts: VecDeque::new(),
        late_item: None,
        due: false,
    };
    let watch = WindowWatch {
        set: Some(Set { periods, idle, max_ahead, triggers }),
        clock: Clock::default(),
        listener: TriggerListener::default(),
        unlooked: 0,
        stage: Stage::Running,
        turn: CallTurn::default(),
    };
    (placing, watch)
}

impl WindowWatch {
    /// Begins a call. Returns true at the first one.
    pub(super) fn begin(&mut self) -> bool {
        self.turn.pace.begin();
        (self.turn.finished, self.turn.interrupted) = (0, 0);
        self.set.is_some()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }
}

impl fmt::Debug for WindowWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowWatch")
            .field("clock", &self.clock)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// How far passing things on got.
pub(super) enum Passed {
    /// Everything that was to be passed on was.
    All,
    /// The reader had enough.
    Stopped,
    /// There is more, and it is another task's turn.
    CallTurn,
}

/// What the lane does next.
pub(super) enum LaneNext {
    /// It reads its upstream.
    Read,
    /// It passes on what there is to pass on, and looks again.
    Pass,
    Return(Poll<Each>),
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
    /// Places an item, and passes on what that causes. Breaks when the lane has something else to do first; `passed` then
    /// says whether that is the reader's wish.
    #[inline]
    pub(super) fn item(
        &mut self,
        item: T,
        taker: &mut impl TakesRuns<Signal<T, P, Id>>,
        passed: &mut ControlFlow<()>,
    ) -> ControlFlow<()> {
        let ended = self.windows.watermark.has_turned() && self.turn();
        let places = match self.kind.seek(&item, &mut self.windows) {
            Sought::Quiet(places) if C::QUIET && !ended => {
                *passed = taker.take(Signal::Item(places, item));
                self.due |= passed.is_break();
                return *passed;
            }
            Sought::Quiet(places) | Sought::Placed(Some(places)) => places,
            Sought::Placed(None) => return self.too_late(item),
        };
        if !self.windows.events.is_empty() {
            // The events come before the item.
            return self.after_events(places, item);
        }
        if let Some((places, item)) = self.trigger.take(places, item, &mut self.windows, &mut self.acts) {
            self.change(&places);
            *passed = taker.take(Signal::Item(places, item));
        }
        // Windows are closed after what goes with the item.
        if passed.is_break() || !self.acts.is_empty() || ended || self.kind.close_next(&mut self.windows) {
            self.due = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Places the items of a list, in runs as far as they belong together. Breaks as `item` does.
    #[inline]
    pub(super) fn list(
        &mut self,
        items: &mut vec::IntoIter<T>,
        taker: &mut impl TakesRuns<Signal<T, P, Id>>,
        passed: &mut ControlFlow<()>,
    ) -> ControlFlow<()> {
        loop {
            if !self.windows.watermark.has_turned() {
                if let Some((run, places)) = self.kind.seek_run(items.as_slice()) {
                    let run = items.by_ref().take(run);
                    taker.take_run(run.map(|item| Signal::Item(places.clone(), item)));
                }
            }
            let Some(item) = items.next() else { return ControlFlow::Continue(()) };
            self.item_alone(item, taker, passed)?;
        }
    }

    /// Places an item in no run: not a part of the loop over runs, which stays short.
    #[inline(never)]
    fn item_alone(
        &mut self,
        item: T,
        taker: &mut impl TakesRuns<Signal<T, P, Id>>,
        passed: &mut ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.item(item, taker, passed)
    }

    /// Notes that an item goes into windows, if a trigger asks about that.
    #[inline]
    fn change(&mut self, places: &P) {
        if C::NOTES_CHANGES {
            self.windows.change(places.slots());
        }
    }

    /// Turns to the upstream that sends now; true if others have ended.
    #[inline(never)]
    fn turn(&mut self) -> bool {
        self.kind.settle(&mut self.windows);
        let ended = self.windows.watermark.turn();
        self.kind.turned(&mut self.windows);
        ended
    }

    /// Keeps an item that is too late, for the lane to hand on.
    #[cold]
    fn too_late(&mut self, item: T) -> ControlFlow<()> {
        self.late_item = Some(item);
        self.due = true;
        ControlFlow::Break(())
    }

    /// Queues an item, after what came before it.
    #[inline(never)]
    fn after_events(&mut self, places: P, item: T) -> ControlFlow<()> {
        self.due = true;
        let mut later = VecDeque::new();
        if let Some((places, item)) = self.trigger.take(places, item, &mut self.windows, &mut later) {
            later.push_front(Act::Reduce(places, item));
        }
        self.acts.append(&mut later);
        ControlFlow::Break(())
    }

    /// Passes on what waits, in order, with the windows that are due after it.
    #[inline(never)]
    pub(super) fn pass(&mut self, taker: &mut impl TakesRuns<Signal<T, P, Id>>) -> Passed {
        for _ in 0..TURN {
            while let Some(signal) = self.next_signal() {
                if taker.take(signal).is_break() {
                    return Passed::Stopped;
                }
            }
            if !self.due {
                return Passed::All;
            }
            self.due = self.kind.close_next(&mut self.windows);
        }
        Passed::CallTurn
    }

    fn next_signal(&mut self) -> Option<Signal<T, P, Id>> {
        if let Some(event) = self.windows.events.pop_front() {
            return Some(match event {
                WindowEvent::Fire(fire) => Signal::Fire(fire),
                WindowEvent::Merge { into, from } => Signal::Merge { into, from },
            });
        }
        Some(match self.acts.pop_front()? {
            Act::Reduce(places, item) => {
                self.change(&places);
                Signal::Item(places, item)
            }
            Act::Fire(slot, trigger) => Signal::Fire(self.windows.fires(slot, trigger)),
        })
    }

    /// Hands a late item on, if there is one.
    pub(super) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.late_item.is_some() {
            ready!(self.late.poll_ready(cx));
            if let Some(item) = self.late_item.take() {
                self.late.take(item);
            }
        }
        Poll::Ready(())
    }

    /// Starts the windows, with what is known only now.
    #[cold]
    pub(super) fn start(&mut self, watch: &mut WindowWatch, origins: Origins) {
        let Some(set) = watch.set.take() else { return };
        self.windows.watermark = Watermark::new(origins);
        if let Some(millis) = set.max_ahead {
            self.windows.watermark.set_max_ahead(millis);
        }
        self.kind.start(&mut self.windows);
        watch.listener.listen(&set.triggers);
        watch.clock = Clock::new(&set.periods, set.idle, self.windows.watermark.upstreams());
    }

    /// Looks after everything that comes before the next item.
    pub(super) fn look(&mut self, watch: &mut WindowWatch, cx: &mut Context<'_>) -> LaneNext {
        match watch.stage {
            Stage::Running => {}
            Stage::Idle | Stage::Finishing => return self.finish(watch, cx),
            Stage::Ended => return LaneNext::Return(Poll::Ready(Each::Ended)),
        }
        if let Some(name) = watch.listener.take(cx) {
            self.windows.fire_all(Trigger::Named(name), false);
            return LaneNext::Pass;
        }
        watch.unlooked += 1;
        if watch.unlooked > LOOKS {
            watch.unlooked = 0;
            if let Some(now) = watch.clock.has_come(self.kind.deadline()) {
                self.on_time(now, &mut watch.clock);
                return LaneNext::Pass;
            }
        }
        if watch.clock.watches_idleness() {
            self.windows.watermark.ask();
        }
        LaneNext::Read
    }

    /// Closes the next of the windows that are open when there is nothing more to come, or nothing for now.
    fn finish(&mut self, watch: &mut WindowWatch, cx: &mut Context<'_>) -> LaneNext {
        watch.turn.finished += 1;
        if watch.turn.finished > TURN {
            return LaneNext::Return(give_way(cx));
        }
        if self.kind.finish_next(&mut self.windows) {
            return LaneNext::Pass;
        }
        if watch.stage == Stage::Idle {
            watch.stage = Stage::Running;
            return LaneNext::Pass;
        }
        watch.stage = Stage::Ended;
        self.late.close();
        LaneNext::Return(Poll::Ready(Each::Ended))
    }

    /// Shows what is open to those who look.
    #[inline]
    pub(super) fn show(&self, meter: &LaneMeter) {
        meter.show_windows(self.windows.len(), self.windows.watermark());
    }

    /// Looks after what the upstream answered; `stopped` when the reader had enough.
    pub(super) fn has_read(
        &mut self,
        watch: &mut WindowWatch,
        polled: Poll<Each>,
        stopped: bool,
        cx: &mut Context<'_>,
    ) -> LaneNext {
        self.kind.settle(&mut self.windows);
        if watch.clock.watches_idleness() {
            watch.clock.stirred(&mut self.windows.watermark.stirred());
            // Where one upstream always has something, the lane never waits for the others.
            if polled == Poll::Ready(Each::Stopped) && self.on_idle(Instant::now(), &mut watch.clock) {
                watch.stage = Stage::Idle;
            }
        }
        match polled {
            Poll::Ready(Each::Ended) => watch.stage = Stage::Finishing,
            Poll::Ready(Each::Stopped) if stopped => return LaneNext::Return(polled),
            Poll::Ready(Each::Stopped) => {
                let CallTurn { pace, interrupted, .. } = &mut watch.turn;
                // The lane below bounds what it passes in one call, but this loop may go on for ever.
                if *interrupted % GOES_ON == 0 && pace.is_over() {
                    return LaneNext::Return(give_way(cx));
                }
                *interrupted += 1;
            }
            Poll::Pending => return self.wait(watch, cx),
        }
        LaneNext::Pass
    }

    /// Waits for the clock, as the upstream has nothing.
    fn wait(&mut self, watch: &mut WindowWatch, cx: &mut Context<'_>) -> LaneNext {
        // An upstream may have ended after its last item.
        let ended = self.windows.watermark.has_turned() && self.turn();
        self.due |= ended;
        if ended && watch.clock.watches_idleness() && self.windows.watermark.all_idle() {
            watch.stage = Stage::Idle;
        }
        if self.due {
            return LaneNext::Pass;
        }
        watch.unlooked = 0;
        let watermark = &self.windows.watermark;
        match watch.clock.poll(cx, self.kind.deadline(), &|number| watermark.is_waiting(number)) {
            None | Some(Poll::Pending) => return LaneNext::Return(Poll::Pending),
            Some(Poll::Ready(now)) => {
                self.on_time(now, &mut watch.clock);
                if self.on_idle(now, &mut watch.clock) {
                    watch.stage = Stage::Idle;
                }
            }
        }
        LaneNext::Pass
    }

    /// Fires the triggers that are due by the clock, and calls the kind's `on_time` when its deadline has come.
    fn on_time(&mut self, now: Instant, clock: &mut Clock) {
        for Period { length, only_changed } in clock.periods(now) {
            self.windows.fire_all(Trigger::Periodically(length), only_changed);
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
        while let Some(upstream) = clock.next_idle(now, &|number| self.windows.watermark.is_waiting(number)) {
            all_idle |= self.windows.watermark.idle(upstream);
            // The others are no longer held back by it.
            self.kind.turned(&mut self.windows);
            self.due = true;
        }
        all_idle
    }
}
