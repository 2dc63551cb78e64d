use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;

impl<P, T, E> Flow<P>
where
    P: Open<Item = Result<T, E>>,
{
    /// Makes a result of the value of each `Ok`; errors pass through untouched, in their places.
    ///
    /// Operators further down say what becomes of the errors: [`try_collect`](Flow::try_collect) and
    /// [`try_for_each`](Flow::try_for_each) stop at the first, [`skip_errors`](Flow::skip_errors) counts and drops
    /// them, [`dead_letters`](Flow::dead_letters) sends them elsewhere.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Errors
    /// An error of `f` becomes an item. It has the type of the errors that come in; to make the types equal use
    /// [`map_err`](Flow::map_err).
    ///
    /// # Panics
    /// A panic in `f` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let quotients = Flow::from_iter(["4", "x", "0"])
    ///     .lanes(1)
    ///     .map(|text| text.parse::<u32>().map_err(|_| "no number"))
    ///     .try_map(|n| 100_u32.checked_div(n).ok_or("a division by zero"));
    /// assert_eq!(quotients.collect::<Vec<_>>().await, [Ok(25), Err("no number"), Err("a division by zero")]);
    /// # });
    /// ```
    #[track_caller]
    pub fn try_map<U, F>(self, f: F) -> Flow<Stepped<P, TryMap<F>>>
    where
        F: FnMut(T) -> Result<U, E> + Clone,
    {
        self.operator("try_map", |plan| Stepped::new(plan, TryMap(f)))
    }
}

/// The step of [`Flow::try_map`].
#[derive(Clone)]
pub struct TryMap<F>(F);

impl<F> Sealed for TryMap<F> {}

impl<T, E, U, F: FnMut(T) -> Result<U, E>> Step<Result<T, E>> for TryMap<F> {
    type Out = Result<U, E>;

    #[inline]
    fn step(&mut self, item: Result<T, E>) -> Option<Self::Out> {
        Some(item.and_then(&mut self.0))
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        upstream
    }
}

opaque_debug!(TryMap);
