use super::bounds::OpenLayer;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;
use std::fmt;

impl<P> Flow<P> {
    /// Drops an item that equals the one before it in its lane, and passes the others on at once.
    ///
    /// Which item comes before which is known in one [lane](Flow::lanes) only: set one, for the order of the source.
    /// With several, a lane compares those of the items that it happens to get. For the changes of each key, see
    /// [`dedup_by`](Flow::dedup_by).
    ///
    /// A lane keeps a clone of the last item that passed. To drop all items that came before at any time, use
    /// [`uniq`](Flow::uniq), which keeps all different ones.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// A panic in the item's `PartialEq` or `Clone` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let changes = Flow::from_iter(["on", "on", "off", "on", "on"]).lanes(1).dedup();
    /// assert_eq!(changes.collect::<Vec<_>>().await, ["on", "off", "on"]);
    /// # });
    /// ```
    ///
    /// # Source
    /// Elixir's `Stream.dedup/1`, and `Vec::dedup`. Rx calls it `distinctUntilChanged`.
    #[doc(alias = "distinct_until_changed")]
    #[track_caller]
    pub fn dedup(self) -> Flow<Stepped<P, Dedup<P::Item>>>
    where
        P: OpenLayer,
        P::Item: PartialEq + Clone,
    {
        self.operator("dedup", |plan| Stepped::new(plan, Dedup { last: None }))
    }

    /// Drops an item whose key equals that of the item before it in its lane, and passes the others on at once.
    ///
    /// For the order of the source, set one [lane](Flow::lanes). After [`partition_by`](Flow::partition_by), a lane has
    /// items of several keys among each other, and each of them is compared with the one just before it, of whatever
    /// key. For the changes of each key, keep the last of each, as in the second example.
    ///
    /// A lane keeps the key of the last item that passed.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// A panic in `key`, or in the key's `PartialEq`, ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let readings = [(1, 20), (2, 20), (3, 21), (4, 20)];
    /// let changes = Flow::from_iter(readings).lanes(1).dedup_by(|(_time, degrees)| *degrees);
    /// assert_eq!(changes.collect::<Vec<_>>().await, [(1, 20), (3, 21), (4, 20)]);
    /// # });
    /// ```
    ///
    /// The changes of each sensor, on all cores: after a partition, a lane keeps the last of each of its keys.
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::HashMap;
    ///
    /// # tokio_test::block_on(async {
    /// let readings = [("hall", 20), ("attic", 31), ("hall", 20), ("attic", 30), ("hall", 21)];
    /// let changes = Flow::from_iter(readings).partition_by(|reading| reading.0).filter({
    ///     let mut last = HashMap::new();
    ///     move |(sensor, degrees)| last.insert(*sensor, *degrees) != Some(*degrees)
    /// });
    /// let mut changes: Vec<_> = changes.collect().await;
    /// changes.sort();
    /// assert_eq!(changes, [("attic", 30), ("attic", 31), ("hall", 20), ("hall", 21)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// Elixir's `Stream.dedup_by/2`. `Vec::dedup_by` compares two items; `Vec::dedup_by_key` is this. Rx calls it
    /// `distinctUntilChanged` with a key.
    #[doc(alias = "distinct_until_changed")]
    #[doc(alias = "dedup_by_key")]
    #[track_caller]
    pub fn dedup_by<K, F>(self, key: F) -> Flow<Stepped<P, DedupBy<K, F>>>
    where
        P: OpenLayer,
        K: PartialEq,
        F: FnMut(&P::Item) -> K + Clone,
    {
        self.operator("dedup_by", |plan| Stepped::new(plan, DedupBy { key, last: None }))
    }
}

/// The step of [`Flow::dedup`].
pub struct Dedup<T> {
    last: Option<T>,
}

/// The step of [`Flow::dedup_by`].
pub struct DedupBy<K, F> {
    key: F,
    last: Option<K>,
}

/// Each lane begins without an item before.
impl<T> Clone for Dedup<T> {
    fn clone(&self) -> Self {
        Self { last: None }
    }
}

/// Each lane begins without an item before.
impl<K, F: Clone> Clone for DedupBy<K, F> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), last: None }
    }
}

impl<T> Sealed for Dedup<T> {}

impl<T: PartialEq + Clone> Step<T> for Dedup<T> {
    type Out = T;

    #[inline]
    fn step(&mut self, item: T) -> Option<T> {
        if self.last.as_ref() == Some(&item) {
            return None;
        }
        self.last = Some(item.clone());
        Some(item)
    }

    fn size_hint(&self, (least, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
        // The first item has none before it.
        (least.min(usize::from(self.last.is_none())), most)
    }
}

impl<K, F> Sealed for DedupBy<K, F> {}

impl<T, K: PartialEq, F: FnMut(&T) -> K> Step<T> for DedupBy<K, F> {
    type Out = T;

    #[inline]
    fn step(&mut self, item: T) -> Option<T> {
        let key = (self.key)(&item);
        if self.last.as_ref() == Some(&key) {
            return None;
        }
        self.last = Some(key);
        Some(item)
    }

    fn size_hint(&self, (least, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
        (least.min(usize::from(self.last.is_none())), most)
    }
}

impl<T> fmt::Debug for Dedup<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedup").finish_non_exhaustive()
    }
}

opaque_debug!(DedupBy<K, F>);
