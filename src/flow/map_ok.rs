use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;

/// # Results
///
/// Items that are `Result`s, as a source or a `map` makes them. They are items like others until one of these operators
/// says what becomes of them.
impl<P, T, E> Flow<P>
where
    P: Open<Item = Result<T, E>>,
{
    /// Makes one item of the value of each `Ok`; errors pass through untouched, in their places.
    ///
    /// A flow of results starts with a source of results, or with a [`map`](Flow::map) that returns one.
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
    /// let halves = Flow::from_iter(["4", "x", "8"])
    ///     .lanes(1)
    ///     .map(|text| text.parse::<u32>().map_err(|_| text))
    ///     .map_ok(|n| n / 2);
    /// assert_eq!(halves.collect::<Vec<_>>().await, [Ok(2), Err("x"), Ok(4)]);
    /// # });
    /// ```
    #[track_caller]
    pub fn map_ok<U, F>(self, f: F) -> Flow<Stepped<P, MapOk<F>>>
    where
        F: FnMut(T) -> U + Clone,
    {
        self.operator("map_ok", |plan| Stepped::new(plan, MapOk(f)))
    }
}

/// The step of [`Flow::map_ok`].
#[derive(Clone)]
pub struct MapOk<F>(F);

impl<F> Sealed for MapOk<F> {}

impl<T, E, U, F: FnMut(T) -> U> Step<Result<T, E>> for MapOk<F> {
    type Out = Result<U, E>;

    #[inline]
    fn step(&mut self, item: Result<T, E>) -> Option<Self::Out> {
        Some(item.map(&mut self.0))
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        upstream
    }
}

opaque_debug!(MapOk);
