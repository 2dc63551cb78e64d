use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;

impl<P, T, E> Flow<P>
where
    P: Open<Item = Result<T, E>>,
{
    /// Makes another error of each error; the values of `Ok` pass through untouched, in their places.
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
    /// let numbers = Flow::from_iter(["4", "x"])
    ///     .lanes(1)
    ///     .map(|text| text.parse::<u32>())
    ///     .map_err(|error| error.to_string());
    /// assert_eq!(numbers.collect::<Vec<_>>().await, [Ok(4), Err("invalid digit found in string".to_string())]);
    /// # });
    /// ```
    #[track_caller]
    pub fn map_err<G, F>(self, f: F) -> Flow<Stepped<P, MapErr<F>>>
    where
        F: FnMut(E) -> G + Clone,
    {
        self.operator("map_err", |plan| Stepped::new(plan, MapErr(f)))
    }
}

/// The step of [`Flow::map_err`].
#[derive(Clone)]
pub struct MapErr<F>(F);

impl<F> Sealed for MapErr<F> {}

impl<T, E, G, F: FnMut(E) -> G> Step<Result<T, E>> for MapErr<F> {
    type Out = Result<T, G>;

    #[inline]
    fn step(&mut self, item: Result<T, E>) -> Option<Self::Out> {
        Some(item.map_err(&mut self.0))
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        upstream
    }
}

opaque_debug!(MapErr);
