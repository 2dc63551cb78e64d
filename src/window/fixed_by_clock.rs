use super::open_windows::OpenWindows;
use super::spans::Span;
use super::time::{EventTime, time_of, whole_millis};
use super::wall_clock::WallClock;
use super::window::{ClockTimed, FillsGaps, Window};
use super::windowing::Windowing;
use crate::reduce::{Single, Slot};
use crate::sealed::Sealed;
use std::time::Duration;
use tokio::time::Instant;

impl Window<()> {
    /// Windows of `size` each by the clock, one after the other: an item is in the one in which it comes.
    ///
    /// The first millisecond of a window is a multiple of `size` since 1970 (UTC): windows of an hour begin with the
    /// hour, in all lanes at the same moment. So what lanes emit for a window can be brought together, by
    /// [`departition`](crate::Flow::departition) for example; windows that begin with their lane are
    /// [`periodic`](Window::periodic).
    ///
    /// A window is opened by its first item, and done when the clock reaches its end, whether or not more comes; at the
    /// end of input it is done at once. With [`fill_gaps`](Window::fill_gaps) windows are open from the start of the
    /// lane to its end, and those that nothing came into emit too. No item is late.
    ///
    /// The system's clock is read when the first lane starts. From then on time is that of tokio's clock, which no
    /// change of the system's clock moves, and which tests can pause; see [`clock_starts_at`](Window::clock_starts_at).
    /// The time of each item is read when it comes: a look at the clock per item.
    ///
    /// Names of windows: [`Span`], in milliseconds since 1970.
    ///
    /// # Panics
    /// When `size` is not a whole number of milliseconds, at least 1; and when the lanes' runtime has no timer.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// let minute = Duration::from_secs(60);
    /// let mut counts = stream::iter(["a", "b"])
    ///     .chain(stream::pending())
    ///     .flow()
    ///     .lanes(1)
    ///     .window(Window::fixed_by_clock(minute).clock_starts_at(90_000))
    ///     .reduce(|| 0, |n, _item| *n += 1)
    ///     .on_trigger(|n, info| [(info.window.start, *n)]);
    /// // At 120 s, half a minute after the start.
    /// assert_eq!(counts.next().await, Some((60_000, 2)));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Source
    /// None in Flow, where it was asked for: windows of `Flow.Window.periodic/2` begin with their stage.
    #[track_caller]
    pub fn fixed_by_clock(size: Duration) -> Window<FixedByClock> {
        let size = whole_millis("the size of a window by the clock", size, 1);
        Window::custom(FixedByClock { size, gaps: false, clock: WallClock::default(), now: 0, open: None })
    }
}

impl<K: ClockTimed, C, O> Window<K, C, O> {
    /// Says what time it is when the first lane starts; by default, that of the system's clock.
    ///
    /// So tests know where windows begin and end. In tokio's paused time all that follows is exact too.
    ///
    /// # Examples
    /// See [`fixed_by_clock`](Window::fixed_by_clock) and [`session_by_clock`](Window::session_by_clock).
    pub fn clock_starts_at(mut self, time: impl EventTime) -> Self {
        self.kind.clock().start_at(time_of(time));
        self
    }
}

/// Windows of equal size by the clock: see [`Window::fixed_by_clock`].
#[derive(Debug, Clone)]
pub struct FixedByClock {
    size: i64,
    /// Windows that nothing came into emit too.
    gaps: bool,
    clock: WallClock,
    /// What time it is, as last read.
    now: i64,
    /// The window that is open, and its end.
    open: Option<(Slot, i64)>,
}

impl FixedByClock {
    fn open(&mut self, windows: &mut OpenWindows<Span>) -> Slot {
        let start = self.now.div_euclid(self.size) * self.size;
        self.open_at(start, windows)
    }

    fn open_at(&mut self, start: i64, windows: &mut OpenWindows<Span>) -> Slot {
        let end = start.saturating_add(self.size);
        let slot = windows.open(Span { start, end }, start);
        self.open = Some((slot, end));
        slot
    }

    /// Closes the window that is open, if its time is over.
    #[inline]
    fn close_if_over(&mut self, windows: &mut OpenWindows<Span>) -> bool {
        let Some((slot, end)) = self.open.filter(|(_, end)| *end <= self.now) else { return false };
        windows.close(slot);
        self.open = None;
        if self.gaps {
            self.open_at(end, windows);
        }
        true
    }
}

impl<T> Windowing<T> for FixedByClock {
    type Id = Span;
    type Places = Single;

    fn start(&mut self, windows: &mut OpenWindows<Span>) {
        self.now = self.clock.now();
        if self.gaps {
            self.open(windows);
        }
    }

    #[inline]
    fn place(&mut self, _: &T, windows: &mut OpenWindows<Span>) -> Option<Single> {
        self.now = self.clock.now();
        // The timer may be late: the lane had no time to look at it.
        while self.close_if_over(windows) {}
        let slot = match self.open {
            Some((slot, _)) => slot,
            None => self.open(windows),
        };
        Some(Single([slot]))
    }

    #[inline]
    fn close_next(&mut self, windows: &mut OpenWindows<Span>) -> bool {
        self.close_if_over(windows)
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<Span>) -> bool {
        self.open.take().map(|(slot, _)| windows.close(slot)).is_some()
    }

    fn deadline(&self) -> Option<Instant> {
        self.open.map(|(_, end)| self.clock.moment(end))
    }

    fn on_time(&mut self, now: Instant, _: &mut OpenWindows<Span>) {
        self.now = self.clock.millis_at(now);
    }
}

impl Sealed for FixedByClock {}

impl ClockTimed for FixedByClock {
    fn clock(&mut self) -> &mut WallClock {
        &mut self.clock
    }
}

impl FillsGaps for FixedByClock {
    fn fill_gaps(&mut self) {
        self.gaps = true;
    }
}
