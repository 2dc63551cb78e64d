use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;

impl<P, K, V> Flow<P>
where
    P: Open<Item = (K, V)>,
{
    /// Makes another value of the value of each pair, and leaves its key as it is.
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
    /// let lengths = Flow::from_iter([(1, "the"), (2, "quick")]).lanes(1).map_values(str::len);
    /// assert_eq!(lengths.collect::<Vec<_>>().await, [(1, 3), (2, 5)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.map_values/2`.
    #[track_caller]
    pub fn map_values<U, F>(self, f: F) -> Flow<Stepped<P, MapValues<F>>>
    where
        F: FnMut(V) -> U + Clone,
    {
        self.operator("map_values", |plan| Stepped::new(plan, MapValues(f)))
    }
}

/// The step of [`Flow::map_values`].
#[derive(Clone)]
pub struct MapValues<F>(F);

impl<F> Sealed for MapValues<F> {}

impl<K, V, U, F: FnMut(V) -> U> Step<(K, V)> for MapValues<F> {
    type Out = (K, U);

    #[inline]
    fn step(&mut self, (key, value): (K, V)) -> Option<(K, U)> {
        Some((key, (self.0)(value)))
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        upstream
    }
}

opaque_debug!(MapValues);
