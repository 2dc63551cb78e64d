use super::flow::Flow;
use super::plan::Plan;

impl<P> Flow<P>
where
    P: Plan<Lane: Send + 'static>,
{
    /// Counts the items that come out, in every lane, and adds up what the lanes counted.
    ///
    /// No item crosses to the task that awaits this. `StreamExt::count` on a flow that is already being read is
    /// called as `flow.by_ref().count()`.
    ///
    /// # Panics
    /// Like every reader of a [`Flow`]; and when the flow is already being read.
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
    pub async fn count(self) -> u64 {
        self.fold_lanes(|| 0_u64, |count, _| *count += 1).await.into_iter().sum()
    }
}
