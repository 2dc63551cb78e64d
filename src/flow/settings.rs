use super::flow::Flow;
use super::plumbing::plan::{Hashed, Layered};
use crate::demand::Demand;
use std::sync::Arc;

/// # Settings
///
/// Settings of one layer. It reaches from the last source, `partition…` or `shuffle` before the call up to the next one
/// after the call.
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
        self.launch.topology.last(|layer| layer.lanes = Some(lanes));
        self
    }

    /// Names this layer in messages: in errors, spans and log lines. Nothing else goes by it.
    ///
    /// A layer without a label is named by the line of code that opened it: the source, `partition…`, `shuffle`, `merge`, a
    /// join or `combine`.
    ///
    /// Which item it was is not kept. Look at the items in [`inspect`](Flow::inspect), or have a span of your own around
    /// what you do with one.
    ///
    /// # Panics
    /// When the flow is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::FlowError;
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let flow = Flow::from_iter(["1", "no number"])
    ///     .lanes(1)
    ///     .label("parse")
    ///     .map(|text| text.parse::<u32>().unwrap())
    ///     .named("ingest");
    /// let Err(FlowError::Panicked(panic)) = flow.start().wait().await else { panic!("it cannot parse that") };
    /// let place = panic.place().unwrap();
    /// assert!(place.starts_with("lane 0 of the layer `parse` ("), "{place}");
    /// assert!(place.ends_with(") of the flow `ingest`"), "{place}");
    /// # });
    /// ```
    #[track_caller]
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self
    where
        P: Layered,
    {
        let label = label.into();
        self.plan_mut("another label").settings().layer.set_label(Arc::clone(&label));
        self.launch.topology.last(|layer| layer.set_label(label));
        self
    }

    /// Sets the demand that each lane of this layer has with each lane or source above, and, in the last layer, the
    /// reader of the flow with each lane.
    ///
    /// `max` (at least 1, by default 1000) is the most items in flight per edge. `min` is below `max`, by default half
    /// of it; at most `max - min` items cross at once. Small numbers suit slow or large items.
    ///
    /// # Panics
    /// When the bounds are out of their ranges (for numbers known only at run time see
    /// [`with_demand`](Flow::with_demand)), or the flow is already being read.
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
    /// the demand of the last layer is that of the reader too.
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

    /// Hashes the keys of this layer with `seed`, any number, which spreads them over the lanes in another way.
    ///
    /// Without a seed the hash is the same in every program: an attacker who chooses the keys can send all of them to
    /// one lane, which then does all the work. For keys from outside, draw a seed at random and keep it secret. Results
    /// are the same with each seed; which lane has which key is not.
    ///
    /// It comes right after `partition`, `partition_by`, `partition_by_ref`, a join or `combine`, for that layer only.
    ///
    /// # Panics
    /// When the flow is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::hash::{BuildHasher, RandomState};
    ///
    /// # tokio_test::block_on(async {
    /// let seed = RandomState::new().hash_one("clicks by user");
    /// let mut counts: Vec<(u32, u64)> = Flow::from_iter([3, 5, 3])
    ///     .partition_by(|user| *user)
    ///     .hash_seed(seed)
    ///     .count_by(|user| *user)
    ///     .collect()
    ///     .await;
    /// counts.sort();
    /// assert_eq!(counts, [(3, 2), (5, 1)]);
    /// # });
    /// ```
    #[track_caller]
    pub fn hash_seed(mut self, seed: u64) -> Self
    where
        P: Hashed,
    {
        self.plan_mut("another seed").settings().set_seed(seed);
        self
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
        self.launch.topology.last(|layer| layer.demand = demand);
        self
    }
}
