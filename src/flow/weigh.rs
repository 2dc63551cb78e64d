use crate::sealed::Sealed;
use std::fmt;

/// Says how much an item counts.
pub trait Weigh<T>: Sealed {
    /// How much it counts.
    #[doc(hidden)]
    fn weigh(&mut self, item: &T) -> u64;
}

/// Each item counts 1: the default of [`batch`](crate::Flow::batch) and [`throttle`](crate::Flow::throttle).
#[derive(Debug, Clone, Copy)]
pub struct OneEach;

/// An item counts what a closure says.
#[derive(Clone, Copy)]
pub struct WeighedBy<F>(pub(super) F);

impl Sealed for OneEach {}

impl<T> Weigh<T> for OneEach {
    #[inline]
    fn weigh(&mut self, _: &T) -> u64 {
        1
    }
}

impl<F> Sealed for WeighedBy<F> {}

impl<T, F: FnMut(&T) -> u64> Weigh<T> for WeighedBy<F> {
    #[inline]
    fn weigh(&mut self, item: &T) -> u64 {
        (self.0)(item)
    }
}

impl<F> fmt::Debug for WeighedBy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeighedBy").finish_non_exhaustive()
    }
}
