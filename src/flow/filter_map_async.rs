use super::bounds::OpenLayer;
use super::flow::Flow;
use super::map_async::MapAsync;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;
use std::future::Future;

impl<P> Flow<P> {
    /// Makes one item of each item, or none, by awaiting the future that `f` returns, with at most `n` in flight.
    ///
    /// `n` is at least 1, and counts over all lanes of the layer. All that [`map_async`](Flow::map_async) says holds
    /// here, too.
    ///
    /// # Demand, Ordering
    /// As for [`map_async`](Flow::map_async).
    ///
    /// # Panics
    /// When `n` is 0. A panic in `f` or in a future ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// async fn look_up(key: u32) -> Option<String> {
    ///     tokio::task::yield_now().await;
    ///     (key % 2 == 0).then(|| format!("value of {key}"))
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let mut found: Vec<String> = Flow::from_iter(1..=4).filter_map_async(10, look_up).collect().await;
    /// found.sort();
    /// assert_eq!(found, ["value of 2", "value of 4"]);
    /// # });
    /// ```
    #[track_caller]
    pub fn filter_map_async<U, Fut, F>(self, n: usize, f: F) -> Flow<Stepped<MapAsync<P, Fut, F>, Present>>
    where
        P: OpenLayer,
        F: FnMut(P::Item) -> Fut + Clone,
        Fut: Future<Output = Option<U>> + Send + 'static,
        U: Send,
    {
        self.map_async_named("filter_map_async", n, f).wrap(|plan| Stepped::new(plan, Present))
    }
}

/// The step of [`Flow::filter_map_async`] after its futures: keeps the item of each `Some`.
#[derive(Debug, Clone, Copy)]
pub struct Present;

impl Sealed for Present {}

impl<T> Step<Option<T>> for Present {
    type Out = T;

    #[inline]
    fn step(&mut self, item: Option<T>) -> Option<T> {
        item
    }
}
