use crate::sealed::Sealed;
/// Says what comes back with the result of an item: the item ([`NoKey`]) or a key ([`Keyed`]).
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot come back with its result: it is not `Clone`",
    note = "give `TaskSupervisor::key` or `Supervised::key` a closure that makes a key of it"
)]
pub trait Naming<T>: Sealed {
    /// What comes back.
    type Name;

    /// Called before the item is given away.
    #[doc(hidden)]
    fn name(&mut self, item: &T) -> Self::Name;
}

/// A clone of the item comes back with its result: the default.
///
/// # Examples
/// See [`TaskSupervisor`](super::TaskSupervisor).
#[derive(Debug, Clone, Copy)]
pub struct NoKey;

/// A key of the item comes back with its result: made by [`TaskSupervisor::key`](super::TaskSupervisor::key).
#[derive(Clone, Copy)]
pub struct Keyed<G>(pub(in crate::supervisor) G);

impl Sealed for NoKey {}

impl<T: Clone> Naming<T> for NoKey {
    type Name = T;

    #[inline]
    fn name(&mut self, item: &T) -> T {
        item.clone()
    }
}

impl<G> Sealed for Keyed<G> {}

impl<T, K, G: FnMut(&T) -> K> Naming<T> for Keyed<G> {
    type Name = K;

    #[inline]
    fn name(&mut self, item: &T) -> K {
        (self.0)(item)
    }
}

opaque_debug!(Keyed);
