use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::{IntoIter, OccupiedEntry};
use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};

/// The table that [`Flow::combine`](crate::Flow::combine) puts items into: from keys to values.
///
/// # Examples
/// See [`combine`](crate::Flow::combine).
pub struct Combiner<K, V> {
    table: HashTable<(K, V)>,
    hasher: RandomState,
}

impl<K, V> Combiner<K, V> {
    pub(in crate::flow) fn with_capacity(keys: usize) -> Self {
        Self { table: HashTable::with_capacity(keys), hasher: RandomState::default() }
    }

    /// How many keys the table has.
    ///
    /// # Examples
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
    /// # Examples
    /// ```
    /// assert!(gen_stage::flow::Combiner::<String, u64>::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(in crate::flow) fn into_pairs(self) -> CombinedPairs<K, V> {
        CombinedPairs(self.table.into_iter())
    }
}

/// The pairs of a [`Combiner`], taken out of it.
pub struct CombinedPairs<K, V>(IntoIter<(K, V)>);

impl<K, V> Iterator for CombinedPairs<K, V> {
    type Item = (K, V);

    #[inline]
    fn next(&mut self) -> Option<(K, V)> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

opaque_debug!(CombinedPairs<K, V>);

impl<K: Hash + Eq, V> Combiner<K, V> {
    /// The value of a borrowed key, to be changed; a key not seen before is made from it, and gets the default value.
    ///
    /// # Examples
    /// ```
    /// let mut counts = gen_stage::flow::Combiner::<String, u64>::default();
    /// *counts.at("fox") += 1;
    /// *counts.at("fox") += 1;
    /// assert_eq!((*counts.at("fox"), counts.len()), (2, 1));
    /// ```
    #[inline]
    pub fn at<Q>(&mut self, key: &Q) -> &mut V
    where
        K: Borrow<Q> + for<'q> From<&'q Q>,
        Q: Hash + Eq + ?Sized,
        V: Default,
    {
        let (hash, found) = self.find(key);
        match found {
            Ok(pair) => &mut pair.into_mut().1,
            Err(absent) => absent.insert(hash, (key.into(), V::default())),
        }
    }

    /// The value of an owned key, to be changed; a key not seen before gets the default value.
    ///
    /// # Examples
    /// ```
    /// let mut counts = gen_stage::flow::Combiner::<u32, u64>::default();
    /// *counts.at_owned(7) += 1;
    /// *counts.at_owned(7) += 1;
    /// assert_eq!(*counts.at_owned(7), 2);
    /// ```
    #[inline]
    pub fn at_owned(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let (hash, found) = self.find(&key);
        match found {
            Ok(pair) => &mut pair.into_mut().1,
            Err(absent) => absent.insert(hash, (key, V::default())),
        }
    }

    /// Puts a value under a key, or merges it into the value that is already there.
    pub(in crate::flow) fn merge(&mut self, key: K, value: V, merge: &mut impl FnMut(&mut V, V)) {
        let (hash, found) = self.find(&key);
        match found {
            Ok(mut pair) => merge(&mut pair.get_mut().1, value),
            Err(absent) => _ = absent.insert(hash, (key, value)),
        }
    }

    /// The hash of a key, and its pair or the table to put it into.
    #[inline]
    fn find<Q>(&mut self, key: &Q) -> (u64, Found<'_, K, V>)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hasher = &self.hasher;
        let hash = hasher.hash_one(key);
        let found = self.table.find_entry(hash, |(k, _)| k.borrow() == key);
        let found = found.map_err(|absent| Absent { table: absent.into_table(), hasher });
        (hash, found)
    }
}

type Found<'a, K, V> = Result<OccupiedEntry<'a, (K, V)>, Absent<'a, K, V>>;

/// A table without the key that was looked for.
struct Absent<'a, K, V> {
    table: &'a mut HashTable<(K, V)>,
    hasher: &'a RandomState,
}

impl<'a, K: Hash, V> Absent<'a, K, V> {
    fn insert(self, hash: u64, pair: (K, V)) -> &'a mut V {
        let hasher = self.hasher;
        let rehash = |(key, _): &(K, V)| hasher.hash_one(key);
        &mut self.table.insert_unique(hash, pair, rehash).into_mut().1
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
