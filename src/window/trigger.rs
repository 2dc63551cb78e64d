use super::open_windows::OpenWindows;
use crate::reduce::{Places, Slot, Spread, Trigger};
use crate::sealed::Sealed;
use std::collections::VecDeque;
use std::num::NonZeroUsize;

/// What a trigger makes of items on their way into windows.
pub trait Triggering<T, P>: Sealed {
    /// Takes an item. Gives it back to go in at once, or leaves in `acts` what is to happen instead. What is to happen
    /// after the item goes into `acts` too.
    #[doc(hidden)]
    fn take<Id: Clone>(
        &mut self,
        places: P,
        item: T,
        windows: &mut OpenWindows<Id>,
        acts: &mut VecDeque<Act<T, P>>,
    ) -> Option<(P, T)>;

    /// It gives every item back, and does nothing else.
    #[doc(hidden)]
    const QUIET: bool = false;

    /// It is noted which windows something came into since they last emitted.
    #[doc(hidden)]
    const NOTES_CHANGES: bool = false;
}

/// What a trigger wants to happen.
#[derive(Debug)]
pub enum Act<T, P> {
    #[doc(hidden)]
    Reduce(P, T),
    #[doc(hidden)]
    Fire(Slot, Trigger),
}

/// Windows emit when they are done, and not before.
#[derive(Debug, Clone, Copy)]
pub struct AtEnd;

/// Windows emit each time a number of items has come in: see [`Window::every`](super::Window::every).
#[derive(Debug, Clone, Copy)]
pub struct Every(pub(crate) NonZeroUsize);

/// Windows emit when a function says so: see [`Window::trigger`](super::Window::trigger).
pub struct Custom<A, I, F> {
    init: I,
    f: F,
    /// What the function keeps for the window at each slot, with the number of that window.
    kept: Vec<Option<(u64, A)>>,
}

/// Some periodic triggers pass over windows that nothing came into: see
/// [`Window::periodically_if_changed`](super::Window::periodically_if_changed).
#[derive(Debug, Clone, Copy)]
pub struct NotesChanges<C>(pub(crate) C);

/// What a custom trigger makes of an item: see [`Window::trigger`](super::Window::trigger).
#[derive(Debug)]
pub struct Acts<'a, T, P> {
    slot: Slot,
    acts: &'a mut VecDeque<Act<T, P>>,
}

impl<T, P: Places> Acts<'_, T, P> {
    /// Reduces an item into the window: the item at hand or any other.
    ///
    /// # Examples
    /// See [`Window::trigger`](super::Window::trigger).
    pub fn reduce(&mut self, item: T) {
        self.acts.push_back(Act::Reduce(P::at(self.slot), item));
    }

    /// Makes the window emit what was reduced so far.
    ///
    /// # Examples
    /// See [`Window::trigger`](super::Window::trigger).
    pub fn fire(&mut self, name: &'static str) {
        self.acts.push_back(Act::Fire(self.slot, Trigger::Named(name)));
    }
}

impl Sealed for AtEnd {}

impl<T, P> Triggering<T, P> for AtEnd {
    const QUIET: bool = true;

    #[inline]
    fn take<Id: Clone>(
        &mut self,
        places: P,
        item: T,
        _: &mut OpenWindows<Id>,
        _: &mut VecDeque<Act<T, P>>,
    ) -> Option<(P, T)> {
        Some((places, item))
    }
}

impl Sealed for Every {}

impl<T, P: Places> Triggering<T, P> for Every {
    #[inline]
    fn take<Id: Clone>(
        &mut self,
        places: P,
        item: T,
        windows: &mut OpenWindows<Id>,
        acts: &mut VecDeque<Act<T, P>>,
    ) -> Option<(P, T)> {
        for slot in places.slots() {
            if windows.count(*slot, self.0.get() as u64) {
                acts.push_back(Act::Fire(*slot, Trigger::Every(self.0)));
            }
        }
        Some((places, item))
    }
}

impl<C> Sealed for NotesChanges<C> {}

impl<T, P, C: Triggering<T, P>> Triggering<T, P> for NotesChanges<C> {
    const NOTES_CHANGES: bool = true;

    #[inline]
    fn take<Id: Clone>(
        &mut self,
        places: P,
        item: T,
        windows: &mut OpenWindows<Id>,
        acts: &mut VecDeque<Act<T, P>>,
    ) -> Option<(P, T)> {
        self.0.take(places, item, windows, acts)
    }
}

impl<A, I, F> Custom<A, I, F> {
    pub(crate) fn new(init: I, f: F) -> Self {
        Self { init, f, kept: Vec::new() }
    }
}

impl<A, I, F> Sealed for Custom<A, I, F> {}

impl<T, P, A, I, F> Triggering<T, P> for Custom<A, I, F>
where
    P: Spread<T>,
    I: FnMut() -> A,
    F: FnMut(&mut A, T, &mut Acts<'_, T, P>),
{
    fn take<Id: Clone>(
        &mut self,
        places: P,
        item: T,
        windows: &mut OpenWindows<Id>,
        acts: &mut VecDeque<Act<T, P>>,
    ) -> Option<(P, T)> {
        let Self { init, f, kept } = self;
        places.spread(item, |slot, item| {
            let window = windows.number(slot);
            if kept.len() <= slot.index() {
                kept.resize_with(slot.index() + 1, || None);
            }
            let at = &mut kept[slot.index()];
            if at.as_ref().is_none_or(|(of, _)| *of != window) {
                *at = Some((window, init()));
            }
            if let Some((_, kept)) = at {
                f(kept, item, &mut Acts { slot, acts });
            }
        });
        None
    }
}

/// A clone starts with nothing kept, so what is kept need not be `Clone`.
impl<A, I: Clone, F: Clone> Clone for Custom<A, I, F> {
    fn clone(&self) -> Self {
        Self::new(self.init.clone(), self.f.clone())
    }
}

impl<A, I, F> std::fmt::Debug for Custom<A, I, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Custom").finish_non_exhaustive()
    }
}
