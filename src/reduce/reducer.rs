use crate::sealed::Sealed;
use std::iter;

/// Something that keeps a state for each window.
pub trait KeepsState: Sealed {
    /// What it keeps.
    type State;

    /// Makes the state of a window.
    #[doc(hidden)]
    fn init(&mut self) -> Self::State;
}

/// Takes items into a state, and may emit `U` at once.
pub trait Reducer<T, U>: KeepsState {
    /// What comes out at once.
    type Items: Iterator<Item = U>;

    /// Whether anything ever comes out at once.
    #[doc(hidden)]
    const EMITS: bool;

    /// Takes an item into a state.
    #[doc(hidden)]
    fn take(&mut self, state: &mut Self::State, item: T) -> Self::Items;
}

/// The reducer of [`Flow::reduce`](crate::Flow::reduce).
#[derive(Clone)]
pub struct Fold<I, F> {
    pub(crate) init: I,
    pub(crate) f: F,
}

/// The reducer of [`Flow::emit_and_reduce`](crate::Flow::emit_and_reduce).
#[derive(Clone)]
pub struct EmitAndFold<I, F> {
    pub(crate) init: I,
    pub(crate) f: F,
}

impl<I, F> Sealed for Fold<I, F> {}

impl<S, I: FnMut() -> S, F> KeepsState for Fold<I, F> {
    type State = S;

    fn init(&mut self) -> S {
        (self.init)()
    }
}

impl<T, U, S, I, F> Reducer<T, U> for Fold<I, F>
where
    I: FnMut() -> S,
    F: FnMut(&mut S, T),
{
    type Items = iter::Empty<U>;

    const EMITS: bool = false;

    #[inline]
    fn take(&mut self, state: &mut S, item: T) -> iter::Empty<U> {
        (self.f)(state, item);
        iter::empty()
    }
}

impl<I, F> Sealed for EmitAndFold<I, F> {}

impl<S, I: FnMut() -> S, F> KeepsState for EmitAndFold<I, F> {
    type State = S;

    fn init(&mut self) -> S {
        (self.init)()
    }
}

impl<T, S, V, I, F> Reducer<T, V::Item> for EmitAndFold<I, F>
where
    V: IntoIterator,
    I: FnMut() -> S,
    F: FnMut(&mut S, T) -> V,
{
    type Items = V::IntoIter;

    const EMITS: bool = true;

    #[inline]
    fn take(&mut self, state: &mut S, item: T) -> V::IntoIter {
        (self.f)(state, item).into_iter()
    }
}

opaque_debug!(Fold<I, F> EmitAndFold<I, F>);
