use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;

impl<P> Flow<P> {
    /// Keeps the items for which `f` returns true.
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
    /// let even = Flow::from_iter(1..=5).lanes(1).filter(|n| n % 2 == 0);
    /// assert_eq!(even.collect::<Vec<_>>().await, [2, 4]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.filter/2`.
    #[track_caller]
    pub fn filter<F>(self, f: F) -> Flow<Stepped<P, Filter<F>>>
    where
        P: Open,
        F: FnMut(&P::Item) -> bool + Clone,
    {
        self.operator("filter", |plan| Stepped::new(plan, Filter(f)))
    }

    /// Drops the items for which `f` returns true.
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
    /// let odd = Flow::from_iter(1..=5).lanes(1).reject(|n| n % 2 == 0);
    /// assert_eq!(odd.collect::<Vec<_>>().await, [1, 3, 5]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.reject/2`.
    #[track_caller]
    pub fn reject<F>(self, f: F) -> Flow<Stepped<P, Reject<F>>>
    where
        P: Open,
        F: FnMut(&P::Item) -> bool + Clone,
    {
        self.operator("reject", |plan| Stepped::new(plan, Reject(f)))
    }
}

/// The step of [`Flow::filter`].
#[derive(Clone)]
pub struct Filter<F>(F);

impl<F> Sealed for Filter<F> {}

impl<T, F: FnMut(&T) -> bool> Step<T> for Filter<F> {
    type Out = T;

    #[inline]
    fn step(&mut self, item: T) -> Option<T> {
        (self.0)(&item).then_some(item)
    }
}

opaque_debug!(Filter);

/// The step of [`Flow::reject`].
#[derive(Clone)]
pub struct Reject<F>(F);

impl<F> Sealed for Reject<F> {}

impl<T, F: FnMut(&T) -> bool> Step<T> for Reject<F> {
    type Out = T;

    #[inline]
    fn step(&mut self, item: T) -> Option<T> {
        (!(self.0)(&item)).then_some(item)
    }
}

opaque_debug!(Reject);
