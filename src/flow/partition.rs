use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::exchange::{Exchange, Routed};
use super::plumbing::plan::Build;
use crate::dispatch::adapters::{ByHash, ByKey, ByKeyRef, ByRouter};
use std::hash::Hash;

/// # The next layer
///
/// Partitions: each opens a layer in which equal keys meet in one lane.
///
/// # Demand
/// Every lane above takes an item only while *each* lane of the new layer wants one, as the next item may be for any
/// of them. So a lane that lags holds up what feeds it, and nothing grows: at most
/// [`max_demand`](Flow::demand) items wait between each lane above and each lane below.
///
/// # Ordering
/// Items with one key keep the order that they had in their lane above. Right after a source, with neither operators
/// nor [`lanes`](Flow::lanes) between, that is the order of the source, and so it is with one lane above. With several
/// lanes above, items with one key come by different ways. To keep their order, partition first and do the work after
/// that, or put [`ordered`](Flow::ordered) before the partition.
impl<P> Flow<P> {
    /// Sends each item to the lane that its hash says, so that equal items meet in one lane.
    ///
    /// The number of lanes is that of the cores, unless [`lanes`](Flow::lanes) says otherwise. The hash is the same in
    /// every run of a program, see [`hash_lane`](crate::dispatch::hash_lane), unless it is given a
    /// [seed](Flow::hash_seed).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::HashSet;
    ///
    /// # tokio_test::block_on(async {
    /// let different = Flow::from_iter(["a", "b", "a", "a"])
    ///     .partition()
    ///     .reduce(HashSet::new, |seen, item| _ = seen.insert(item))
    ///     .collect::<Vec<_>>()
    ///     .await;
    /// assert_eq!(different.len(), 2);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.partition/2`. Two differences: the queue between two lanes is bounded, and the hash is computed also for
    /// a single lane.
    #[track_caller]
    pub fn partition(self) -> Flow<Exchange<P, Routed<ByHash>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        P::Item: Hash,
    {
        self.open("partition", |plan, layer| Exchange::new(plan, Routed(ByHash::default()), layer))
    }

    /// Sends each item to the lane that the hash of its key says, so that items with equal keys meet in one lane.
    ///
    /// For a key that is a part of the item, `|click| &click.user`, see [`partition_by_ref`](Flow::partition_by_ref):
    /// here the compiler says of such a function that a lifetime may not live long enough.
    ///
    /// # Panics
    /// A panic in `key` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::HashMap;
    ///
    /// # tokio_test::block_on(async {
    /// let sales = [("anna", 3), ("bert", 5), ("anna", 4)];
    /// let sums: HashMap<&str, u32> = Flow::from_iter(sales)
    ///     .partition_by(|sale| sale.0)
    ///     .reduce(HashMap::new, |sums, (who, n)| *sums.entry(who).or_insert(0) += n)
    ///     .collect()
    ///     .await;
    /// assert_eq!((sums["anna"], sums["bert"]), (7, 5));
    /// # });
    /// ```
    ///
    /// # Source
    /// The option `key` of `Flow.partition/2`.
    #[track_caller]
    pub fn partition_by<K, F>(self, key: F) -> Flow<Exchange<P, Routed<ByKey<F>>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        K: Hash,
        F: FnMut(&P::Item) -> K + Clone + Send + 'static,
    {
        self.open("partition_by", |plan, layer| Exchange::new(plan, Routed(ByKey::new(key)), layer))
    }

    /// Like [`partition_by`](Flow::partition_by), with a key that is a part of the item and is not cloned.
    ///
    /// # Panics
    /// A panic in `key` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// struct Click { user: String, at: u64 }
    ///
    /// let clicks = ["anna", "bert", "anna"].map(|user| Click { user: user.into(), at: 1 });
    /// let busiest: Option<u64> = Flow::from_iter(clicks)
    ///     .partition_by_ref(|click| click.user.as_str())
    ///     .reduce(|| 0, |n, click| *n += click.at)
    ///     .emit_state()
    ///     .collect::<Vec<_>>()
    ///     .await
    ///     .into_iter()
    ///     .max();
    /// assert!(busiest >= Some(2));
    /// # });
    /// ```
    ///
    /// # Source
    /// The option `key` of `Flow.partition/2`.
    #[track_caller]
    pub fn partition_by_ref<K, F>(self, key: F) -> Flow<Exchange<P, Routed<ByKeyRef<F>>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        K: Hash + ?Sized,
        F: FnMut(&P::Item) -> &K + Clone + Send + 'static,
    {
        self.open("partition_by_ref", |plan, layer| Exchange::new(plan, Routed(ByKeyRef::new(key)), layer))
    }

    /// Sends each item to the lane that `router` says, 0 to `lanes - 1`; `None` drops the item.
    ///
    /// `lanes` is at least 1.
    ///
    /// # Panics
    /// When `lanes` is 0. When `router` answers a number that is no lane, or panics, the flow ends with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let mut sums: Vec<u32> = Flow::from_iter(1..=10)
    ///     .partition_with(2, |n| (*n != 10).then_some((n % 2) as usize))
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .emit_state()
    ///     .collect()
    ///     .await;
    /// sums.sort();
    /// assert_eq!(sums, [2 + 4 + 6 + 8, 1 + 3 + 5 + 7 + 9]);
    /// # });
    /// ```
    ///
    /// # Source
    /// The option `hash` of `Flow.partition/2`. The router sees the item and does not replace it: that is
    /// [`map`](Flow::map).
    #[track_caller]
    pub fn partition_with<F>(self, lanes: usize, router: F) -> Flow<Exchange<P, Routed<ByRouter<F>>>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        F: FnMut(&P::Item) -> Option<usize> + Clone + Send + 'static,
    {
        self.open("partition_with", |plan, layer| Exchange::new(plan, Routed(ByRouter::new(router)), layer))
            .lanes(lanes)
    }
}
