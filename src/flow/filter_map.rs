use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;

impl<P> Flow<P> {
    /// Makes at most one item of each item: `None` drops it.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// A panic in `f` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = Flow::from_iter(["1", "x", "3"]).lanes(1).filter_map(|s| s.parse::<u32>().ok());
    /// assert_eq!(numbers.collect::<Vec<_>>().await, [1, 3]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.filter_map/3` of 0.4, which took the test and the mapping as two functions.
    #[track_caller]
    pub fn filter_map<U, F>(self, f: F) -> Flow<Stepped<P, FilterMap<F>>>
    where
        P: Open,
        F: FnMut(P::Item) -> Option<U> + Clone,
    {
        self.operator("filter_map", |plan| Stepped::new(plan, FilterMap(f)))
    }
}

/// The step of [`Flow::filter_map`].
#[derive(Clone)]
pub struct FilterMap<F>(F);

impl<F> Sealed for FilterMap<F> {}

impl<T, U, F: FnMut(T) -> Option<U>> Step<T> for FilterMap<F> {
    type Out = U;

    #[inline]
    fn step(&mut self, item: T) -> Option<U> {
        (self.0)(item)
    }
}

opaque_debug!(FilterMap);
