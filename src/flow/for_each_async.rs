use super::bounds::OpenLayer;
use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use std::future::Future;

impl<P> Flow<P> {
    /// Awaits the future that `f` returns for every item that comes out, at most `n` in flight, until all are done.
    ///
    /// `n` is at least 1, and counts over all lanes. `f` runs on the lanes and its futures in tasks, as with
    /// [`map_async`](Flow::map_async): on all cores, and not in the task that awaits this.
    ///
    /// # Ordering
    /// Each lane starts its futures in order; they run at the same time.
    ///
    /// # Panics
    /// When `n` is 0, or the flow is already being read; like every reader of a [`Flow`]; and with a panic of `f` or of
    /// a future.
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow, with the futures in flight.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    ///
    /// # tokio_test::block_on(async {
    /// let sum = Arc::new(AtomicU32::new(0));
    /// let adds = sum.clone();
    /// Flow::from_iter(1..=4)
    ///     .for_each_async(2, move |n| {
    ///         let adds = adds.clone();
    ///         async move {
    ///             tokio::task::yield_now().await;
    ///             adds.fetch_add(n, Ordering::Relaxed);
    ///         }
    ///     })
    ///     .await;
    /// assert_eq!(sum.load(Ordering::Relaxed), 10);
    /// # });
    /// ```
    #[track_caller]
    pub fn for_each_async<Fut, F>(self, n: usize, f: F) -> impl Future<Output = ()>
    where
        P: Build<Bare, Lane: Send + 'static>,
        P: OpenLayer,
        F: FnMut(P::Item) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.map_async_named("for_each_async", n, f).run()
    }
}
