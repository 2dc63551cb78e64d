use super::clock::later;
use super::open_windows::OpenWindows;
use super::time::period;
use super::window::Window;
use super::windowing::Windowing;
use crate::reduce::{Single, Slot};
use std::time::Duration;
use tokio::time::Instant;

impl Window<()> {
    /// Windows of `length` each by tokio's clock, one after the other: an item is in the one that is open when it
    /// comes.
    ///
    /// Each lane has a timer, which starts with the lane, and again with each window. A window is done even when
    /// nothing came into it, also at the end of input.
    ///
    /// Names of windows: 0, 1, 2 … as `u64`.
    ///
    /// # Panics
    /// When `length` is zero; and in the first poll when the lanes' runtime has no timer.
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
    ///     .window(Window::periodic(Duration::from_secs(60)))
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .emit_state();
    /// assert_eq!(sums.into_stream().take(2).collect::<Vec<u32>>().await, [10, 0]);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Source
    /// `Flow.Window.periodic/2`.
    #[track_caller]
    pub fn periodic(length: Duration) -> Window<Periodic> {
        let length = period("the length of a periodic window", length);
        Window::custom(Periodic { length, window: 0, open: None })
    }
}

/// Windows of equal length in processing time: see [`Window::periodic`].
#[derive(Debug, Clone)]
pub struct Periodic {
    length: Duration,
    window: u64,
    /// The window that is open, and until when it is.
    open: Option<(Slot, Instant)>,
}

impl Periodic {
    fn open(&mut self, now: Instant, windows: &mut OpenWindows<u64>) {
        let rank = i64::try_from(self.window).unwrap_or(i64::MAX);
        self.open = Some((windows.open(self.window, rank), later(now, self.length)));
    }
}

impl<T> Windowing<T> for Periodic {
    type Id = u64;
    type Places = Single;

    fn start(&mut self, windows: &mut OpenWindows<u64>) {
        self.open(Instant::now(), windows);
    }

    #[inline]
    fn place(&mut self, _: &T, _: &mut OpenWindows<u64>) -> Option<Single> {
        let (slot, _) = self.open?;
        Some(Single([slot]))
    }

    fn close_next(&mut self, _: &mut OpenWindows<u64>) -> bool {
        false
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<u64>) -> bool {
        self.open.take().map(|(slot, _)| windows.close(slot)).is_some()
    }

    fn deadline(&self) -> Option<Instant> {
        self.open.map(|(_, until)| until)
    }

    fn on_time(&mut self, now: Instant, windows: &mut OpenWindows<u64>) {
        if Windowing::<T>::finish_next(self, windows) {
            self.window += 1;
            self.open(now, windows);
        }
    }
}
