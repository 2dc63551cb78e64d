use super::info::Info;
use super::places::Copies;
use crate::sealed::Sealed;
use std::iter::Flatten;
use std::marker::PhantomData;
use std::{iter, option};

/// What comes out when a trigger goes off.
#[diagnostic::on_unimplemented(
    message = "nothing says what comes out of a state `{S}`",
    label = "here the items of a `{S}` would come out",
    note = "the items of a state are emitted by default, so it must be something to iterate over (and `Clone` with \
            windows, which may emit before they are done); for the states themselves call `emit_state` after the \
            `reduce`, for anything else `on_trigger`"
)]
pub trait Emit<S, P, Id>: Sealed {
    /// What comes out.
    type Item;
    /// All that comes out at one trigger.
    type Items: Iterator<Item = Self::Item>;

    /// A trigger went off, and the state is kept.
    #[doc(hidden)]
    fn early(&mut self, state: &mut S, info: Info<Id>) -> Self::Items;

    /// The window is done.
    #[doc(hidden)]
    fn last(&mut self, state: S, info: Info<Id>) -> Self::Items;
}

/// Emits the items of the state: the default.
#[derive(Debug, Clone, Copy)]
pub struct Items;

/// Emits the state: see [`Flow::emit_state`](crate::Flow::emit_state).
#[derive(Debug, Clone, Copy)]
pub struct EmitState;

/// Emits nothing at triggers: see [`Flow::emit_nothing`](crate::Flow::emit_nothing).
#[derive(Debug)]
pub struct Nothing<U>(pub(crate) PhantomData<fn() -> U>);

/// Emits what a function says: see [`Flow::on_trigger`](crate::Flow::on_trigger).
#[derive(Clone)]
pub struct OnTrigger<F>(pub(crate) F);

impl Sealed for Items {}

// Without this, the compiler says that the state is no iterator, and not what to do about it.
#[diagnostic::do_not_recommend]
impl<S, P, Id> Emit<S, P, Id> for Items
where
    S: IntoIterator,
    P: Copies<S>,
{
    type Item = S::Item;
    type Items = Flatten<option::IntoIter<S>>;

    fn early(&mut self, state: &mut S, _: Info<Id>) -> Self::Items {
        P::copy(state).into_iter().flatten()
    }

    fn last(&mut self, state: S, _: Info<Id>) -> Self::Items {
        Some(state).into_iter().flatten()
    }
}

impl Sealed for EmitState {}

impl<S, P, Id> Emit<S, P, Id> for EmitState
where
    P: Copies<S>,
{
    type Item = S;
    type Items = option::IntoIter<S>;

    fn early(&mut self, state: &mut S, _: Info<Id>) -> Self::Items {
        P::copy(state).into_iter()
    }

    fn last(&mut self, state: S, _: Info<Id>) -> Self::Items {
        Some(state).into_iter()
    }
}

impl<U> Sealed for Nothing<U> {}

impl<S, P, Id, U> Emit<S, P, Id> for Nothing<U> {
    type Item = U;
    type Items = iter::Empty<U>;

    fn early(&mut self, _: &mut S, _: Info<Id>) -> Self::Items {
        iter::empty()
    }

    fn last(&mut self, _: S, _: Info<Id>) -> Self::Items {
        iter::empty()
    }
}

/// Emits what `E` does, each with its window: see [`Flow::with_window`](crate::Flow::with_window).
#[derive(Debug, Clone, Copy)]
pub struct WithWindow<E>(pub(crate) E);

/// What comes out of a trigger, each with the window.
#[derive(Debug, Clone)]
pub struct WindowItems<I, Id> {
    items: I,
    window: Id,
}

impl<I: Iterator, Id: Clone> Iterator for WindowItems<I, Id> {
    type Item = (Id, I::Item);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.items.next().map(|item| (self.window.clone(), item))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<E> Sealed for WithWindow<E> {}

impl<S, P, Id: Clone, E: Emit<S, P, Id>> Emit<S, P, Id> for WithWindow<E> {
    type Item = (Id, E::Item);
    type Items = WindowItems<E::Items, Id>;

    fn early(&mut self, state: &mut S, info: Info<Id>) -> Self::Items {
        let window = info.window.clone();
        WindowItems { items: self.0.early(state, info), window }
    }

    fn last(&mut self, state: S, info: Info<Id>) -> Self::Items {
        let window = info.window.clone();
        WindowItems { items: self.0.last(state, info), window }
    }
}

impl<F> Sealed for OnTrigger<F> {}

impl<S, P, Id, U, F> Emit<S, P, Id> for OnTrigger<F>
where
    U: IntoIterator,
    F: FnMut(&mut S, Info<Id>) -> U,
{
    type Item = U::Item;
    type Items = U::IntoIter;

    fn early(&mut self, state: &mut S, info: Info<Id>) -> Self::Items {
        (self.0)(state, info).into_iter()
    }

    fn last(&mut self, mut state: S, info: Info<Id>) -> Self::Items {
        (self.0)(&mut state, info).into_iter()
    }
}

impl<U> Clone for Nothing<U> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

opaque_debug!(OnTrigger);
