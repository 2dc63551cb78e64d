use super::open_windows::OpenWindows;
use super::window::Window;
use super::windowing::Windowing;
use crate::reduce::{Global, Single, Slot};

impl Window<()> {
    /// One window for all items of a lane, done at the end of input; meant for use with triggers.
    ///
    /// Name of the window: [`Global`].
    ///
    /// # Examples
    /// See [`every`](Window::every).
    ///
    /// # Source
    /// `Flow.Window.global/0`.
    pub fn global() -> Window<Globally> {
        Window::custom(Globally { slot: None })
    }
}

/// A single window: see [`Window::global`].
#[derive(Debug, Clone)]
pub struct Globally {
    slot: Option<Slot>,
}

impl<T> Windowing<T> for Globally {
    type Id = Global;
    type Places = Single;

    fn start(&mut self, windows: &mut OpenWindows<Global>) {
        self.slot = Some(windows.open(Global, 0));
    }

    #[inline]
    fn place(&mut self, _: &T, _: &mut OpenWindows<Global>) -> Option<Single> {
        Some(Single([self.slot?]))
    }

    fn close_next(&mut self, _: &mut OpenWindows<Global>) -> bool {
        false
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<Global>) -> bool {
        self.slot.take().map(|slot| windows.close(slot)).is_some()
    }
}
