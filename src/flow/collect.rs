use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use std::future::poll_fn;

/// # Ends
///
/// Each of these runs all lanes to their end. A flow is also a `Stream`: every adapter of `StreamExt` reads it.
impl<P> Flow<P> {
    /// Gathers everything that comes out into a collection.
    ///
    /// Like `StreamExt::collect`, but by batches, and `StreamExt` need not be imported.
    ///
    /// # Ordering
    /// The order in which the lanes send: see [`Flow`].
    ///
    /// # Panics
    /// Like every reader of a [`Flow`].
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow and what was gathered.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let letters: String = Flow::from_iter('a'..='e').lanes(1).collect().await;
    /// assert_eq!(letters, "abcde");
    /// # });
    /// ```
    ///
    /// # Source
    /// `Enum.to_list/1` and `Enum.into/2` on a Flow.
    pub async fn collect<C>(mut self) -> C
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        C: Default + Extend<P::Item>,
    {
        let mut gathered = C::default();
        while let Some(batch) = poll_fn(|cx| self.poll_next_batch(cx)).await {
            gathered.extend(batch);
        }
        gathered
    }
}
