use super::bounds::OpenLayer;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;
use foldhash::fast::RandomState;
use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;

impl<P> Flow<P> {
    /// Passes on the first of equal items at once, and drops the others.
    ///
    /// Each lane knows its own items only: put [`partition`](Flow::partition) before it, or set one
    /// [lane](Flow::lanes), for equal items to meet.
    ///
    /// A lane keeps a clone of each different item until the flow ends: memory grows with the number of different
    /// items, without a bound.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// A panic in the item's `Hash`, `Eq` or `Clone` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let mut different = Flow::from_iter([3, 1, 3, 2, 1]).partition().uniq().collect::<Vec<_>>().await;
    /// different.sort();
    /// assert_eq!(different, [1, 2, 3]);
    /// # });
    /// ```
    ///
    /// The first of equal items in each window:
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::collections::HashSet;
    ///
    /// # tokio_test::block_on(async {
    /// let different = Flow::from_iter([1, 1, 1, 1, 2])
    ///     .lanes(1)
    ///     .window(Window::count(2))
    ///     .emit_and_reduce(HashSet::new, |seen, n| seen.insert(n).then_some(n))
    ///     .emit_nothing();
    /// assert_eq!(different.collect::<Vec<_>>().await, [1, 1, 2]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.uniq/1`, which alone in a layer holds everything back until the end, and then emits it in reverse. Here
    /// it goes before a window; inside one, the reducer does its work, as above.
    #[track_caller]
    pub fn uniq(self) -> Flow<Stepped<P, Uniq<P::Item>>>
    where
        P: OpenLayer,
        P::Item: Hash + Eq + Clone,
    {
        self.operator("uniq", |plan| Stepped::new(plan, Uniq { seen: HashSet::default() }))
    }

    /// Passes on the first of the items with equal keys at once, and drops the others.
    ///
    /// Each lane knows its own items only: put [`partition_by`](Flow::partition_by) with the same key before it, or
    /// set one [lane](Flow::lanes), for items with equal keys to meet.
    ///
    /// A lane keeps each different key until the flow ends: memory grows with the number of different keys, without
    /// a bound.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// A panic in `key`, or in the key's `Hash` or `Eq`, ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let firsts = Flow::from_iter(["the", "quick", "fox", "jumps", "over"]).lanes(1).uniq_by(|word| word.len());
    /// assert_eq!(firsts.collect::<Vec<_>>().await, ["the", "quick", "over"]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.uniq_by/2`, which alone in a layer holds everything back until the end, and then emits it in reverse.
    #[track_caller]
    pub fn uniq_by<K, F>(self, key: F) -> Flow<Stepped<P, UniqBy<K, F>>>
    where
        P: OpenLayer,
        K: Hash + Eq,
        F: FnMut(&P::Item) -> K + Clone,
    {
        self.operator("uniq_by", |plan| Stepped::new(plan, UniqBy { key, seen: HashSet::default() }))
    }
}

/// The step of [`Flow::uniq`].
pub struct Uniq<T> {
    seen: HashSet<T, RandomState>,
}

/// The step of [`Flow::uniq_by`].
pub struct UniqBy<K, F> {
    key: F,
    seen: HashSet<K, RandomState>,
}

/// Each lane starts with nothing seen.
impl<T> Clone for Uniq<T> {
    fn clone(&self) -> Self {
        Self { seen: HashSet::default() }
    }
}

/// Each lane starts with nothing seen.
impl<K, F: Clone> Clone for UniqBy<K, F> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), seen: HashSet::default() }
    }
}

impl<T> Sealed for Uniq<T> {}

impl<T: Hash + Eq + Clone> Step<T> for Uniq<T> {
    type Out = T;

    #[inline]
    fn step(&mut self, item: T) -> Option<T> {
        // Looked up before it is cloned: most streams that need this have many repetitions.
        if self.seen.contains(&item) {
            return None;
        }
        self.seen.insert(item.clone());
        Some(item)
    }
}

impl<K, F> Sealed for UniqBy<K, F> {}

impl<T, K: Hash + Eq, F: FnMut(&T) -> K> Step<T> for UniqBy<K, F> {
    type Out = T;

    #[inline]
    fn step(&mut self, item: T) -> Option<T> {
        let new = self.seen.insert((self.key)(&item));
        new.then_some(item)
    }
}

impl<T> fmt::Debug for Uniq<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uniq").field("seen", &self.seen.len()).finish()
    }
}

impl<K, F> fmt::Debug for UniqBy<K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UniqBy").field("seen", &self.seen.len()).finish_non_exhaustive()
    }
}
