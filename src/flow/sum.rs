use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use std::iter::{self, Sum};

impl<P> Flow<P> {
    /// Adds up the items that come out, in every lane, and then the sums of the lanes.
    ///
    /// `S` is a type that `Iterator::sum` makes of such items, and of such sums. With no items it is the empty sum.
    ///
    /// # Ordering
    /// Items are added in any order, which can show in the last digits of sums of `f64`.
    ///
    /// # Panics
    /// Like every reader of a [`Flow`]; when the flow is already being read; and where `Iterator::sum` would, as at
    /// an overflow in a build with debug assertions.
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow, with the items in flight.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let words = Flow::from_iter(["the", "quick", "fox"]);
    /// assert_eq!(words.map(str::len).sum::<usize>().await, 11);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Enum.sum/1` on a Flow.
    pub async fn sum<S>(self) -> S
    where
        P: Build<Bare, Lane: Send + 'static>,
        S: Sum<P::Item> + Sum<S> + Send + 'static,
    {
        // The state is empty only while it is being added to.
        let state = || Some(iter::empty::<P::Item>().sum::<S>());
        let add = |state: &mut Option<S>, item| {
            let more: S = iter::once(item).sum();
            *state = Some(state.take().into_iter().chain([more]).sum());
        };
        self.fold_lanes(state, add).await.into_iter().flatten().sum()
    }
}
