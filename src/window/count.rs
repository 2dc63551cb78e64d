use super::open_windows::OpenWindows;
use super::window::Window;
use super::windowing::Windowing;
use crate::reduce::{Single, Slot};
use std::num::NonZeroUsize;

impl Window<()> {
    /// Windows of `items` items each, at least 1, one after the other within a lane.
    ///
    /// Items count as they come in, before the operators between the window and the `reduce`. At the end of input the
    /// window that is open is done too, even when nothing is in it.
    ///
    /// Names of windows: 0, 1, 2 … as `u64`.
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
    /// let sums = Flow::from_iter(1..=4)
    ///     .lanes(1)
    ///     .window(Window::count(2))
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .emit_state();
    /// assert_eq!(sums.collect::<Vec<u32>>().await, [3, 7, 0]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.Window.count/1`.
    #[track_caller]
    pub fn count(items: usize) -> Window<Count> {
        let size = NonZeroUsize::new(items).expect("a window must be of at least 1 item, given 0");
        Window::custom(Count { size, items: 0, window: 0, slot: None })
    }
}

/// Windows of equal numbers of items: see [`Window::count`].
#[derive(Debug, Clone)]
pub struct Count {
    size: NonZeroUsize,
    /// Items in the window that is open.
    items: usize,
    window: u64,
    slot: Option<Slot>,
}

impl Count {
    fn open(&mut self, windows: &mut OpenWindows<u64>) {
        let rank = i64::try_from(self.window).unwrap_or(i64::MAX);
        self.slot = Some(windows.open(self.window, rank));
        self.items = 0;
    }
}

impl<T> Windowing<T> for Count {
    type Id = u64;
    type Places = Single;

    fn start(&mut self, windows: &mut OpenWindows<u64>) {
        self.open(windows);
    }

    #[inline]
    fn place(&mut self, _: &T, _: &mut OpenWindows<u64>) -> Option<Single> {
        self.items += 1;
        Some(Single([self.slot?]))
    }

    #[inline]
    fn close_next(&mut self, windows: &mut OpenWindows<u64>) -> bool {
        if self.items < self.size.get() {
            return false;
        }
        Windowing::<T>::finish_next(self, windows);
        self.window += 1;
        self.open(windows);
        true
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<u64>) -> bool {
        self.slot.take().map(|slot| windows.close(slot)).is_some()
    }
}
