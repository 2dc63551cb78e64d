use super::desk::Desk;
use super::places::Single;
use super::signal::Slot;
use super::window::Window;
use super::windowing::Windowing;

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

/// What names the only window of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Global;

/// A single window: see [`Window::global`].
#[derive(Debug, Clone)]
pub struct Globally {
    slot: Option<Slot>,
}

impl<T> Windowing<T> for Globally {
    type Id = Global;
    type Places = Single;

    fn start(&mut self, desk: &mut Desk<Global>) {
        self.slot = Some(desk.open(Global, 0));
    }

    #[inline(always)]
    fn place(&mut self, _: &T, _: &mut Desk<Global>) -> Option<Single> {
        Some(Single([self.slot?]))
    }

    fn close_next(&mut self, _: &mut Desk<Global>) -> bool {
        false
    }

    fn finish_next(&mut self, desk: &mut Desk<Global>) -> bool {
        self.slot.take().map(|slot| desk.close(slot)).is_some()
    }
}
