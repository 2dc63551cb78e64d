use super::clock::Period;
use super::late::Counted;
use super::spans::{Lateness, Spans};
use super::time::{period, whole_millis};
use super::trigger::{Acts, AtEnd, Custom, Every, NotesChanges};
use super::triggers::Triggers;
use super::wall_clock::WallClock;
use super::windowing::Windowing;
use crate::reduce::Places;
use crate::sealed::Sealed;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Which windows items belong to, when these emit, and what becomes of items that are too late: given to
/// [`Flow::window`](crate::Flow::window) or [`StreamWindow::window`](super::StreamWindow::window).
///
/// | kind | an item is in | a window is done |
/// |---|---|---|
/// | [`global`](Window::global) | the only one of its lane | at the end of input |
/// | [`count`](Window::count) | the one that is open | after `items` items |
/// | [`periodic`](Window::periodic) | the one that is open | after `length` |
/// | [`fixed_by_clock`](Window::fixed_by_clock) | the one in which it comes | when the clock has reached its end |
/// | [`session_by_clock`](Window::session_by_clock) | that of its key | when nothing has come for the key for `gap` |
/// | [`fixed`](Window::fixed) | the one its time falls into | when the watermark has passed it |
/// | [`sliding`](Window::sliding) | all those its time falls into | when the watermark has passed it |
/// | [`session`](Window::session) | that of its key and time | when the watermark has passed it, and the gap after it |
/// | [`custom`](Window::custom) | what a [`Windowing`] says | when that says so |
///
/// Each lane has windows of its own. At the end of input all windows are done, in order.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::window::Window;
/// use std::time::Duration;
///
/// # tokio_test::block_on(async {
/// // For each second of the items' own time, the sum so far at every second item.
/// let window = Window::fixed(Duration::from_secs(1), |item: &(u64, u32)| item.0).every(2);
/// let sums = Flow::from_iter([(0, 1), (10, 2), (20, 3), (1000, 4)])
///     .lanes(1)
///     .window(window)
///     .reduce(|| 0, |sum, (_, n)| *sum += n)
///     .on_trigger(|sum, info| [(info.window.start, info.trigger.to_string(), *sum)]);
/// let sums: Vec<(i64, String, u32)> = sums.collect().await;
/// assert_eq!(sums, [
///     (0, "every 2 items".into(), 3),
///     (0, "done".into(), 6),
///     (1000, "done".into(), 4),
/// ]);
/// # });
/// ```
///
/// # Source
/// `Flow.Window`.
#[derive(Debug, Clone)]
#[must_use = "a window does nothing until it is given to a flow"]
pub struct Window<K, C = AtEnd, O = Counted> {
    pub(crate) kind: K,
    pub(crate) trigger: C,
    pub(crate) late: O,
    pub(crate) periods: Vec<Period>,
    pub(crate) idle: Option<Duration>,
    /// In milliseconds.
    pub(crate) max_ahead: Option<i64>,
    pub(crate) triggers: Vec<Triggers>,
}

/// Kinds of windows that go by the times of items, up to a watermark.
pub trait EventTimed: Sealed {
    /// Sets for how many milliseconds of event time a window takes items after the watermark has passed its end.
    fn allow_lateness(&mut self, millis: i64);
}

/// Kinds of windows that make a row in event time.
pub trait AlignedKind: EventTimed {
    #[doc(hidden)]
    fn spans(&mut self) -> &mut Spans;
}

/// Kinds of windows that go by the time of day.
pub trait ClockTimed: Sealed {
    #[doc(hidden)]
    fn clock(&mut self) -> &mut WallClock;
}

/// Kinds of windows that make a row, in which windows may stay empty.
pub trait FillsGaps: Sealed {
    #[doc(hidden)]
    fn fill_gaps(&mut self);
}

impl Window<()> {
    /// Windows of a kind of your own.
    ///
    /// # Examples
    /// See [`Windowing`].
    pub fn custom<K>(kind: K) -> Window<K> {
        Window {
            kind,
            trigger: AtEnd,
            late: Counted::default(),
            periods: Vec::new(),
            idle: None,
            max_ahead: None,
            triggers: Vec::new(),
        }
    }
}

impl<K, O> Window<K, AtEnd, O> {
    /// Makes a window emit at every `items` items that come into it, at least 1, as well as when it is done.
    ///
    /// Items are counted per window and lane as they come in: before the operators between the window and the
    /// `reduce`, which may drop some.
    ///
    /// # Panics
    /// When `items` is 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    ///
    /// # tokio_test::block_on(async {
    /// let sums = Flow::from_iter(1..=5)
    ///     .lanes(1)
    ///     .window(Window::global().every(2))
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .emit_state();
    /// assert_eq!(sums.collect::<Vec<u32>>().await, [3, 10, 15]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.Window.trigger_every/2`. A window has one trigger of this kind or [`trigger`](Window::trigger): a second
    /// does not compile.
    #[track_caller]
    pub fn every(self, items: usize) -> Window<K, Every, O> {
        let items = NonZeroUsize::new(items);
        let every = Every(items.expect("a window can emit at every 1 item or more, given 0"));
        self.map_trigger(|AtEnd| every)
    }

    /// Makes a window emit when `f` says so, and lets `f` decide which items go in.
    ///
    /// `f` is given each item that comes into a window, with what it keeps for that window, made by `init`. It
    /// [reduces](Acts::reduce) the item, others in its place, or none, and [fires](Acts::fire) before or after them.
    ///
    /// When two sessions become one, what is kept for the session that goes is dropped.
    ///
    /// # Panics
    /// A panic in `init` or `f` ends the flow with that panic.
    ///
    /// # Examples
    /// A window emits whenever the parity of its numbers changes.
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    ///
    /// # tokio_test::block_on(async {
    /// let changes = Window::global().trigger(|| None, |last, n: u32, acts| {
    ///     if last.replace(n % 2).is_some_and(|last| last != n % 2) {
    ///         acts.fire("parity");
    ///     }
    ///     acts.reduce(n);
    /// });
    /// let runs = Flow::from_iter([1, 3, 4, 5])
    ///     .lanes(1)
    ///     .window(changes)
    ///     .reduce(Vec::new, Vec::push)
    ///     .on_trigger(|run, _| [std::mem::take(run)]);
    /// assert_eq!(runs.collect::<Vec<_>>().await, [vec![1, 3], vec![4], vec![5]]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.Window.trigger/3`, item by item instead of by lists: `{:cont, acc}` is `reduce`, `{:cont, events, acc}`
    /// is to reduce others, `{:trigger, name, before, after, acc}` is to reduce and `fire` in that order.
    pub fn trigger<T, A, P, I, F>(self, init: I, f: F) -> Window<K, Custom<A, I, F>, O>
    where
        K: Windowing<T, Places = P>,
        P: Places,
        I: FnMut() -> A,
        F: FnMut(&mut A, T, &mut Acts<'_, T, P>),
    {
        self.map_trigger(|AtEnd| Custom::new(init, f))
    }
}

impl<K, C, O> Window<K, C, O> {
    /// Makes every open window emit at every `period` of tokio's clock, as well as when it is done.
    ///
    /// Each lane has a timer, which starts with the lane. Windows fire in order, whether they changed or not: see
    /// [`periodically_if_changed`](Window::periodically_if_changed). May be called several times. A timer fires between
    /// items, so that a lane that never waits may be late.
    ///
    /// # Panics
    /// When `period` is zero; and in the first poll when the lanes' runtime has no timer.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// let sums = stream::iter(1..=4)
    ///     .chain(stream::pending())
    ///     .flow()
    ///     .lanes(1)
    ///     .window(Window::global().periodically(Duration::from_secs(60)))
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .emit_state();
    /// assert_eq!(sums.into_stream().take(2).collect::<Vec<u32>>().await, [10, 10]);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Source
    /// `Flow.Window.trigger_periodically/3`.
    #[track_caller]
    pub fn periodically(mut self, period_of: Duration) -> Self {
        let length = period("the period of a trigger", period_of);
        self.periods.push(Period { length, only_changed: false });
        self
    }

    /// Makes open windows emit at every `period` of tokio's clock if anything came into them since they last emitted,
    /// by any trigger; as well as when they are done.
    ///
    /// So a window that nothing comes into is not repeated, and of many open windows only those emit that changed.
    /// Items are noted as they come in: before the operators between the window and the `reduce`, which may drop some.
    /// Two sessions that become one are a change. All else is as for [`periodically`](Window::periodically); a window
    /// may have both.
    ///
    /// It comes after [`every`](Window::every) or [`trigger`](Window::trigger), if there is one.
    ///
    /// # Panics
    /// When `period` is zero; and in the first poll when the lanes' runtime has no timer.
    ///
    /// # Examples
    /// ```
    /// use async_stream::stream;
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    /// use tokio::time::sleep;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// let minute = Duration::from_secs(60);
    /// let numbers = stream! {
    ///     yield 1;
    ///     sleep(10 * minute).await;
    ///     yield 2;
    ///     sleep(10 * minute).await;
    /// };
    /// let sums = numbers
    ///     .flow()
    ///     .lanes(1)
    ///     .window(Window::global().periodically_if_changed(minute))
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .on_trigger(|sum, info| [(*sum, info.is_done())]);
    /// assert_eq!(sums.collect::<Vec<(u32, bool)>>().await, [(1, false), (3, false), (3, true)]);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Source
    /// None in Flow, where it was asked for: `Flow.Window.trigger_periodically/3` repeats what has not changed.
    #[track_caller]
    pub fn periodically_if_changed(mut self, period_of: Duration) -> Window<K, NotesChanges<C>, O> {
        let length = period("the period of a trigger", period_of);
        self.periods.push(Period { length, only_changed: true });
        self.map_trigger(NotesChanges)
    }

    /// Makes every open window emit whenever `triggers` is [fired](Triggers::fire).
    ///
    /// # Examples
    /// See [`Triggers`].
    ///
    /// # Source
    /// The message `{:trigger, name}` to a stage of Flow.
    pub fn triggered_by(mut self, triggers: &Triggers) -> Self {
        self.triggers.push(triggers.clone());
        self
    }

    fn map_trigger<D>(self, trigger: impl FnOnce(C) -> D) -> Window<K, D, O> {
        Window {
            kind: self.kind,
            trigger: trigger(self.trigger),
            late: self.late,
            periods: self.periods,
            idle: self.idle,
            max_ahead: self.max_ahead,
            triggers: self.triggers,
        }
    }
}

impl<K: EventTimed, C, O> Window<K, C, O> {
    /// Lets a window take items until the watermark is `grace` past its end; by default, none after its end.
    ///
    /// When the watermark gets to its end, the window emits with [`Trigger::Watermark`](super::Trigger::Watermark) and
    /// keeps its state; late items are reduced into it; then it emits once more with
    /// [`Trigger::Done`](super::Trigger::Done). Items that are later than that are too late. At the end of input
    /// windows are done at once.
    ///
    /// # Panics
    /// When `grace` is not a whole number of milliseconds.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let second = Window::fixed(Duration::from_secs(1), |time: &i64| *time);
    /// let counts = Flow::from_iter([0, 1400, 999, 1500, 998])
    ///     .lanes(1)
    ///     .window(second.allowed_lateness(Duration::from_millis(500)))
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .on_trigger(|n, info| [(info.window.start, info.trigger.to_string(), *n)]);
    /// let counts: Vec<(i64, String, u32)> = counts.collect().await;
    /// assert_eq!(counts, [
    ///     (0, "watermark".into(), 1),
    ///     (0, "done".into(), 2),
    ///     (1000, "done".into(), 2),
    /// ]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.Window.allowed_lateness/3`, which counts processing time: that is
    /// [`allowed_lateness_by_clock`](Window::allowed_lateness_by_clock).
    #[track_caller]
    pub fn allowed_lateness(mut self, grace: Duration) -> Self {
        self.kind.allow_lateness(whole_millis("the allowed lateness", grace, 0));
        self
    }

    /// An upstream that has sent nothing for `after` stops holding the watermark back until it sends again. By default
    /// it holds it back for ever.
    ///
    /// When all upstreams that have not ended are idle, every open window is done: the last window of a stream that
    /// pauses need not wait for the next item. What comes later for these windows is too late. Time is that of tokio's
    /// clock.
    ///
    /// # Panics
    /// When `after` is zero; and in the first poll when the lanes' runtime has no timer.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// let hour = Window::fixed(Duration::from_secs(3600), |time: &i64| *time);
    /// let mut counts = stream::iter([0, 1, 2])
    ///     .chain(stream::pending())
    ///     .flow()
    ///     .lanes(1)
    ///     .window(hour.idle_after(Duration::from_secs(10)))
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .emit_state();
    /// assert_eq!(counts.next().await, Some(3));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Source
    /// Asked for in Flow, where a fixed window is done only when a later item comes.
    #[track_caller]
    pub fn idle_after(mut self, after: Duration) -> Self {
        self.idle = Some(period("the time after which an upstream is idle", after));
        self
    }

    /// Refuses items whose time is more than `most` ahead of all that came from the same upstream of the lane before;
    /// by default, refuses none.
    ///
    /// So a wrong clock somewhere cannot move the watermark so far that all items after it are too late. Refused items
    /// go where late items go: they are counted ([`Flow::late`](crate::Flow::late),
    /// [`count_late`](Window::count_late)), or sent to the [`late_output`](Window::late_output).
    ///
    /// The first item of an upstream is believed, whatever its time, and so is the first that goes ahead after a pause
    /// in which the upstream was [idle](Window::idle_after). Where the input may pause for longer than `most`, set that
    /// too, to less than `most`: or all that comes after the pause is refused. Where times jump without a pause, as
    /// when an old log with gaps is read, `most` must be longer than the longest gap.
    ///
    /// # Panics
    /// When `most` is not a whole number of milliseconds, at least 1.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let second = Window::fixed(Duration::from_secs(1), |time: &i64| *time);
    /// let counts = Flow::from_iter([0, 700, i64::MAX, 800, 1000])
    ///     .lanes(1)
    ///     .window(second.max_ahead(Duration::from_secs(3600)))
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .emit_state();
    /// assert_eq!(counts.collect::<Vec<u32>>().await, [3, 1]);
    /// # });
    /// ```
    #[track_caller]
    pub fn max_ahead(mut self, most: Duration) -> Self {
        self.max_ahead = Some(whole_millis("what an item may be ahead", most, 1));
        self
    }
}

impl<K: AlignedKind, C, O> Window<K, C, O> {
    /// Lets a window take items for `grace` of tokio's clock after the watermark has passed its end.
    ///
    /// Like [`allowed_lateness`](Window::allowed_lateness), which it replaces, with the lateness counted from when the
    /// window emits with [`Trigger::Watermark`](super::Trigger::Watermark). A window that nothing had come into by then
    /// takes nothing later, unless gaps are [filled](Window::fill_gaps): empty windows are then kept for `grace` too,
    /// and memory grows with the gap.
    ///
    /// # Panics
    /// When `grace` is zero; and when the lanes' runtime has no timer.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let second = Window::fixed(Duration::from_secs(1), |time: &i64| *time);
    /// let counts = Flow::from_iter([0, 5000, 999])
    ///     .lanes(1)
    ///     .window(second.allowed_lateness_by_clock(Duration::from_secs(60)))
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .on_trigger(|n, info| [(info.window.start, *n)]);
    /// assert_eq!(counts.collect::<Vec<(i64, u32)>>().await, [(0, 1), (0, 2), (5000, 1)]);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Source
    /// `Flow.Window.allowed_lateness/3`.
    #[track_caller]
    pub fn allowed_lateness_by_clock(mut self, grace: Duration) -> Self {
        self.kind.spans().lateness = Lateness::Clock(period("the allowed lateness", grace));
        self
    }
}

impl<K: FillsGaps, C, O> Window<K, C, O> {
    /// Makes empty windows emit too, if windows before and after them do; by default they do not.
    ///
    /// Windows [by the clock](Window::fixed_by_clock) all emit then, from the start of their lane to its end.
    ///
    /// Mind that a single item with a time far off makes very many of them. When a late item opens a window earlier
    /// than all that have emitted, the gap after that window is not filled.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let second = Window::fixed(Duration::from_secs(1), |time: &i64| *time);
    /// let counts = Flow::from_iter([0, 2000])
    ///     .lanes(1)
    ///     .window(second.fill_gaps())
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .emit_state();
    /// assert_eq!(counts.collect::<Vec<u32>>().await, [1, 0, 1]);
    /// # });
    /// ```
    ///
    /// # Source
    /// Flow always does this for fixed windows.
    pub fn fill_gaps(mut self) -> Self {
        self.kind.fill_gaps();
        self
    }
}
