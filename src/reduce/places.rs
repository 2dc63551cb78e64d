use super::reducer::KeepsState;
use super::signal::Slot;
use super::states::{One, Slab, States};
use crate::sealed::Sealed;
use std::sync::Arc;

/// In which windows an item can be: in the only one, in one of many, in several, or in one that may become a part of
/// another.
pub trait Places: Sealed + Clone {
    /// Where the states of the windows are.
    #[doc(hidden)]
    type States<S>: States<S>;

    /// Whether windows with such places may be merged.
    #[doc(hidden)]
    const MERGE: bool = false;

    /// The places, one by one.
    #[doc(hidden)]
    fn slots(&self) -> &[Slot];

    /// The place at one slot, as a value of this kind.
    #[doc(hidden)]
    fn at(slot: Slot) -> Self;
}

/// Places that windows keep until they are done.
///
/// Those of sessions may change: an item between two sessions makes one session of the two.
#[diagnostic::on_unimplemented(
    message = "the windows of this flow may be merged, and nothing says how their states become one",
    label = "needs `merge_states`",
    note = "an item between two sessions makes one of them: call `merge_states` after the `reduce`"
)]
pub trait Settled: Places {}

/// Hands an item to each of its places.
pub trait Spread<T>: Places {
    /// Calls `each` with every place and the item, or a clone of it.
    #[doc(hidden)]
    fn spread(self, item: T, each: impl FnMut(Slot, T));

    /// Hands items, all with the same places, to the states there.
    #[doc(hidden)]
    #[inline]
    fn spread_run<R: KeepsState>(
        items: impl Iterator<Item = (Self, T)>,
        states: &mut Self::States<R::State>,
        reducer: &mut R,
        each: impl Fn(&mut R, &mut R::State, T),
    ) {
        for (places, item) in items {
            places.spread(item, |slot, item| {
                let state = states.get(slot, || reducer.init());
                each(reducer, state, item);
            });
        }
    }
}

/// Copies a state that is emitted before its window is done.
pub trait Copies<S>: Places {
    /// `None` where that never happens.
    #[doc(hidden)]
    fn copy(state: &S) -> Option<S>;
}

/// The place of every item in a layer without windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole;

/// The place of an item that is in one window: for windows that do not overlap.
///
/// # Examples
/// See [`Windowing`](crate::window::Windowing).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Single(pub(crate) [Slot; 1]);

/// The place of an item that is in one window, which may be merged with others: for sessions and their like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merging(pub(crate) [Slot; 1]);

/// The places of an item that is in several windows: for windows that overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Several(pub(crate) Arc<[Slot]>);

impl Single {
    /// The window at that slot.
    #[must_use]
    pub fn new(slot: Slot) -> Self {
        Self([slot])
    }
}

impl Merging {
    /// The window at that slot.
    #[must_use]
    pub fn new(slot: Slot) -> Self {
        Self([slot])
    }
}

impl Several {
    /// The windows at these slots. Worth keeping for the items that follow: a clone is cheap.
    #[must_use]
    pub fn new(slots: impl IntoIterator<Item = Slot>) -> Self {
        Self(slots.into_iter().collect())
    }
}

impl Sealed for Whole {}

impl Places for Whole {
    type States<S> = One<S>;

    fn slots(&self) -> &[Slot] {
        &[Slot(0)]
    }

    fn at(_: Slot) -> Self {
        Self
    }
}

impl Sealed for Single {}

impl Places for Single {
    type States<S> = Slab<S>;

    fn slots(&self) -> &[Slot] {
        &self.0
    }

    fn at(slot: Slot) -> Self {
        Self([slot])
    }
}

impl Sealed for Merging {}

impl Places for Merging {
    type States<S> = Slab<S>;

    const MERGE: bool = true;

    fn slots(&self) -> &[Slot] {
        &self.0
    }

    fn at(slot: Slot) -> Self {
        Self([slot])
    }
}

impl Sealed for Several {}

impl Places for Several {
    type States<S> = Slab<S>;

    fn slots(&self) -> &[Slot] {
        &self.0
    }

    fn at(slot: Slot) -> Self {
        Self([slot].into())
    }
}

impl Settled for Whole {}
impl Settled for Single {}
impl Settled for Several {}

impl<T> Spread<T> for Whole {
    #[inline]
    fn spread(self, item: T, mut each: impl FnMut(Slot, T)) {
        each(Slot(0), item);
    }
}

impl<T> Spread<T> for Single {
    #[inline]
    fn spread(self, item: T, mut each: impl FnMut(Slot, T)) {
        each(self.0[0], item);
    }

    #[inline]
    fn spread_run<R: KeepsState>(
        items: impl Iterator<Item = (Self, T)>,
        states: &mut Self::States<R::State>,
        reducer: &mut R,
        each: impl Fn(&mut R, &mut R::State, T),
    ) {
        // The state is looked up once, at the first item.
        let (mut states, mut state) = (Some(states), None);
        for (Self([slot]), item) in items {
            if let Some(states) = states.take() {
                state = Some(states.get(slot, || reducer.init()));
            }
            // The only call of `each`, so that it is inlined, however long.
            if let Some(state) = &mut state {
                each(reducer, state, item);
            }
        }
    }
}

impl<T> Spread<T> for Merging {
    #[inline]
    fn spread(self, item: T, mut each: impl FnMut(Slot, T)) {
        each(self.0[0], item);
    }
}

impl<T: Clone> Spread<T> for Several {
    #[inline]
    fn spread(self, item: T, mut each: impl FnMut(Slot, T)) {
        if let Some((last, others)) = self.0.split_last() {
            for slot in others {
                each(*slot, item.clone());
            }
            each(*last, item);
        }
    }
}

impl<S> Copies<S> for Whole {
    fn copy(_: &S) -> Option<S> {
        // Without windows there is one emission, at the end, and it takes the state itself.
        None
    }
}

macro_rules! copies {
    ($($places:ty)*) => {$(
        impl<S: Clone> Copies<S> for $places {
            fn copy(state: &S) -> Option<S> {
                Some(state.clone())
            }
        }
    )*};
}

copies!(Single Merging Several);
