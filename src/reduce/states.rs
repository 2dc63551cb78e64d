use super::signal::Slot;
use crate::sealed::Sealed;

/// The states of open windows, by slot.
pub trait States<S>: Sealed {
    /// The states before the first item; where there is only one, it is made at once.
    fn start(init: impl FnOnce() -> S) -> Self;

    /// The state of a window, made when it is wanted for the first time.
    fn get(&mut self, slot: Slot, init: impl FnOnce() -> S) -> &mut S;

    /// The state of a window that is done, if it was ever made.
    fn take(&mut self, slot: Slot) -> Option<S>;
}

/// The only state of a layer without windows.
#[derive(Debug)]
pub struct One<S>(Option<S>);

impl<S> Sealed for One<S> {}

impl<S> States<S> for One<S> {
    fn start(init: impl FnOnce() -> S) -> Self {
        Self(Some(init()))
    }

    #[inline]
    fn get(&mut self, _: Slot, init: impl FnOnce() -> S) -> &mut S {
        self.0.get_or_insert_with(init)
    }

    fn take(&mut self, _: Slot) -> Option<S> {
        self.0.take()
    }
}

/// A state for each open window.
#[derive(Debug)]
pub struct Slab<S>(Vec<Option<S>>);

impl<S> Sealed for Slab<S> {}

impl<S> States<S> for Slab<S> {
    fn start(_: impl FnOnce() -> S) -> Self {
        Self(Vec::new())
    }

    #[inline]
    fn get(&mut self, slot: Slot, init: impl FnOnce() -> S) -> &mut S {
        if slot.index() >= self.0.len() {
            self.grow(slot);
        }
        let state = &mut self.0[slot.index()];
        state.get_or_insert_with(init)
    }

    fn take(&mut self, slot: Slot) -> Option<S> {
        self.0.get_mut(slot.index())?.take()
    }
}

impl<S> Slab<S> {
    #[cold]
    fn grow(&mut self, slot: Slot) {
        self.0.resize_with(slot.index() + 1, || None);
    }
}
