use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::{Entry, IntoIter};
use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};

/// The table that an item is put into by [`Flow::combine`](crate::Flow::combine): keys to values.
///
/// # Examples
/// See [`combine`](crate::Flow::combine).
pub struct Combiner<K, V> {
    table: HashTable<(K, V)>,
    hasher: RandomState,
}

impl<K, V> Combiner<K, V> {
    pub(super) fn with_capacity(keys: usize) -> Self {
        Self {
            table: HashTable::with_capacity(keys),
            hasher: RandomState::default(),
        }
    }

    /// How many keys the table has.
    ///
    /// ```
    /// let empty = gen_stage::flow::Combiner::<String, u64>::default();
    /// assert_eq!((empty.len(), empty.is_empty()), (0, true));
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether the table has no key.
    ///
    /// ```
    /// assert!(gen_stage::flow::Combiner::<String, u64>::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn into_pairs(self) -> IntoIter<(K, V)> {
        self.table.into_iter()
    }
}

impl<K: Hash + Eq, V> Combiner<K, V> {
    /// The value of a key that is borrowed, to be changed; a key not seen before gets a copy of it and the default.
    ///
    /// ```
    /// let mut counts = gen_stage::flow::Combiner::<String, u64>::default();
    /// *counts.at("fox") += 1;
    /// *counts.at("fox") += 1;
    /// assert_eq!((*counts.at("fox"), counts.len()), (2, 1));
    /// ```
    #[inline]
    pub fn at<Q>(&mut self, key: &Q) -> &mut V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        V: Default,
    {
        match self.entry(key) {
            Entry::Occupied(pair) => &mut pair.into_mut().1,
            Entry::Vacant(place) => &mut place.insert((key.to_owned(), V::default())).into_mut().1,
        }
    }

    /// The value of a key that is given away, to be changed; a key not seen before gets the default.
    ///
    /// ```
    /// let mut counts = gen_stage::flow::Combiner::<String, u64>::default();
    /// *counts.at_owned("fox".to_string()) += 1;
    /// assert_eq!(*counts.at("fox"), 1);
    /// ```
    pub fn at_owned(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        match self.entry(&key) {
            Entry::Occupied(pair) => &mut pair.into_mut().1,
            Entry::Vacant(place) => &mut place.insert((key, V::default())).into_mut().1,
        }
    }

    /// Puts a value under a key, or has it merged with the one that is there.
    pub(super) fn merge(&mut self, key: K, value: V, merge: &mut impl FnMut(&mut V, V)) {
        match self.entry(&key) {
            Entry::Occupied(mut pair) => merge(&mut pair.get_mut().1, value),
            Entry::Vacant(place) => _ = place.insert((key, value)),
        }
    }

    #[inline]
    fn entry<Q>(&mut self, key: &Q) -> Entry<'_, (K, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hasher = &self.hasher;
        self.table.entry(
            hasher.hash_one(key),
            |(k, _)| k.borrow() == key,
            |(k, _)| hasher.hash_one(k.borrow()),
        )
    }
}

impl<K, V> Default for Combiner<K, V> {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Combiner<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.table.iter().map(|(key, value)| (key, value));
        f.debug_map().entries(pairs).finish()
    }
}
