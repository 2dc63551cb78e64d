use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;

impl<P, T, E> Flow<P>
where
    P: Open<Item = Result<T, E>>,
{
    /// Makes at most one result of the value of each `Ok`: `Ok(None)` drops it; errors pass through untouched, in
    /// their places.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Errors
    /// An error of `f` becomes an item, as with [`try_map`](Flow::try_map).
    ///
    /// # Panics
    /// A panic in `f` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = Flow::from_iter(["4", "# a comment", "x"])
    ///     .lanes(1)
    ///     .map(Ok)
    ///     .try_filter_map(|line| match line.strip_prefix('#') {
    ///         Some(_) => Ok(None),
    ///         None => line.parse::<u32>().map(Some).map_err(|_| line),
    ///     });
    /// assert_eq!(numbers.collect::<Vec<_>>().await, [Ok(4), Err("x")]);
    /// # });
    /// ```
    #[track_caller]
    pub fn try_filter_map<U, F>(self, f: F) -> Flow<Stepped<P, TryFilterMap<F>>>
    where
        F: FnMut(T) -> Result<Option<U>, E> + Clone,
    {
        self.operator("try_filter_map", |plan| Stepped::new(plan, TryFilterMap(f)))
    }
}

/// The step of [`Flow::try_filter_map`].
#[derive(Clone)]
pub struct TryFilterMap<F>(F);

impl<F> Sealed for TryFilterMap<F> {}

impl<T, E, U, F: FnMut(T) -> Result<Option<U>, E>> Step<Result<T, E>> for TryFilterMap<F> {
    type Out = Result<U, E>;

    #[inline]
    fn step(&mut self, item: Result<T, E>) -> Option<Self::Out> {
        item.and_then(&mut self.0).transpose()
    }
}

opaque_debug!(TryFilterMap);
