use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;

/// # Item by item
///
/// Operators of the layer they are in: one loop per lane, in the order of the lane.
impl<P> Flow<P> {
    /// Makes one item of each item.
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
    /// let lengths = Flow::from_iter(["the", "quick"]).lanes(1).map(str::len);
    /// assert_eq!(lengths.collect::<Vec<_>>().await, [3, 5]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.map/2`. `f` is cloned for each lane, so that it may keep a state of its own there.
    #[track_caller]
    pub fn map<U, F>(self, f: F) -> Flow<Stepped<P, Map<F>>>
    where
        P: Open,
        F: FnMut(P::Item) -> U + Clone,
    {
        self.mapped("map", f)
    }

    /// As [`map`](Flow::map), in the name of another method.
    #[track_caller]
    pub(super) fn mapped<U, F>(self, name: &'static str, f: F) -> Flow<Stepped<P, Map<F>>>
    where
        P: Open,
        F: FnMut(P::Item) -> U,
    {
        self.operator(name, |plan| Stepped::new(plan, Map(f)))
    }
}

/// The step of [`Flow::map`].
#[derive(Clone)]
pub struct Map<F>(F);

impl<F> Sealed for Map<F> {}

impl<T, U, F: FnMut(T) -> U> Step<T> for Map<F> {
    type Out = U;

    #[inline]
    fn step(&mut self, item: T) -> Option<U> {
        Some((self.0)(item))
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        upstream
    }
}

opaque_debug!(Map);
