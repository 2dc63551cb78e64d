use super::flow::Flow;
use super::plan::Layered;
use crate::demand::Demand;

/// Settings of one layer: from the last source, `partition…` or `shuffle` before the call to the next one after it.
impl<P> Flow<P> {
    /// Sets how many lanes this layer has, each run by a task: 1 to 131 072, by default as many as there are cores.
    ///
    /// After [`partition_with`](Flow::partition_with) it replaces the number of lanes given there.
    ///
    /// # Panics
    /// When `lanes` is 0 or above 131 072, or the flow is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let states: Vec<u32> = Flow::from_iter(0..100u32)
    ///     .lanes(3)                                // of the source layer
    ///     .map(|n| n + 1)
    ///     .partition()
    ///     .lanes(5)                                // of the layer that reduces
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .emit_state()
    ///     .collect()
    ///     .await;
    /// assert_eq!((states.len(), states.iter().sum()), (5, 5050));
    /// # });
    /// ```
    ///
    /// # Source
    /// The option `stages` of Flow.
    #[track_caller]
    pub fn lanes(mut self, lanes: usize) -> Self
    where
        P: Layered,
    {
        self.plan_mut("other lanes").settings().set_lanes(lanes);
        self
    }

    /// Sets the demand of this layer: of each lane with each lane, or source, above, and of the reader of the flow
    /// with each lane if this is the last layer.
    ///
    /// `max` (at least 1, by default 1000) is the most items in flight per edge; `max - min` (`min` is below `max`,
    /// by default half of it) the most that cross at once. Small numbers suit slow or large items.
    ///
    /// # Panics
    /// When the bounds are out of their ranges (see [`with_demand`](Flow::with_demand) for numbers that are not known
    /// before), or the flow is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let flow = Flow::from_iter(1..=3).lanes(1).demand(1, 0).map(|n| n * 2);
    /// assert_eq!(flow.collect::<Vec<_>>().await, [2, 4, 6]);
    /// # });
    /// ```
    ///
    /// # Source
    /// The options `max_demand` and `min_demand` of Flow, which leave the reader of the flow at the defaults; here
    /// what was set for the last layer bounds the last step too.
    #[track_caller]
    pub fn demand(self, max: usize, min: usize) -> Self
    where
        P: Layered,
    {
        match Demand::new(max, min) {
            Ok(demand) => self.with_demand(demand),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sets the demand of this layer to bounds that are checked already.
    ///
    /// # Panics
    /// When the flow is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{Demand, prelude::*};
    ///
    /// # tokio_test::block_on(async {
    /// let demand = Demand::up_to("16".parse()?)?;
    /// let flow = Flow::from_iter(1..=3).lanes(1).with_demand(demand);
    /// assert_eq!(flow.collect::<Vec<_>>().await, [1, 2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # });
    /// ```
    #[track_caller]
    pub fn with_demand(mut self, demand: Demand) -> Self
    where
        P: Layered,
    {
        self.plan_mut("another demand").settings().demand = demand;
        self
    }
}
