use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use std::future::poll_fn;

impl<P> Flow<P> {
    /// Counts the items that come out, in every lane, and adds up what the lanes counted.
    ///
    /// No item crosses to the task that awaits this, unless the flow is already being read: then that task reads and
    /// counts the items that are left, as `StreamExt::count` does.
    ///
    /// # Panics
    /// Like every reader of a [`Flow`].
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow, with the items in flight.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// assert_eq!(Flow::from_iter(0..1000).filter(|n| n % 3 == 0).count().await, 334);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Enum.count/1` on a Flow.
    pub async fn count(mut self) -> u64
    where
        P: Build<Bare, Item: Send + 'static, Lane: Send + 'static>,
    {
        if self.is_begun() {
            let mut count = 0;
            while let Some(batch) = poll_fn(|cx| self.poll_next_batch(cx)).await {
                count += batch.len() as u64;
            }
            return count;
        }
        self.fold_lanes(|| 0_u64, |count, _| *count += 1).await.into_iter().sum()
    }
}
