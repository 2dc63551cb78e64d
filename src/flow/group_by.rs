use super::bounds::Reducible;
use super::flow::Flow;
use super::reduce::Reduce;
use crate::reduce::{KeepsState, Reducer};
use crate::sealed::Sealed;
use std::collections::HashMap;
use std::hash::Hash;
use std::iter;
use std::marker::PhantomData;
use std::ops::AddAssign;

/// Reduces by key. Pairs of keys and states come out, at the end of input or of each window. After a partition by the
/// same key, each key comes out once.
impl<P> Flow<P> {
    /// Gathers the items of each key in a vector, oldest first.
    ///
    /// For a key that is a part of the item, `|click| &click.user`, see [`group_by_ref`](Flow::group_by_ref).
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
    /// let by_length: HashMap<usize, Vec<&str>> =
    ///     Flow::from_iter(["the", "quick", "fox"]).lanes(1).group_by(|word| word.len()).collect().await;
    /// assert_eq!(by_length[&3], ["the", "fox"]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.group_by/3`, with the oldest item first instead of last.
    #[track_caller]
    pub fn group_by<K, F>(self, key: F) -> Flow<Reduce<P, Grouping<K, P::Item, F>>>
    where
        P: Reducible,
        K: Hash + Eq,
        F: FnMut(&P::Item) -> K + Clone,
    {
        self.reduce_by("group_by", Grouping { key, kept: PhantomData })
    }

    /// Gathers the values of each key in a vector, oldest first: for items that are pairs of key and value.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::HashMap;
    ///
    /// # tokio_test::block_on(async {
    /// let pairs = [("a", 1), ("b", 2), ("a", 3)];
    /// let by_key: HashMap<&str, Vec<u32>> = Flow::from_iter(pairs).lanes(1).group_by_key().collect().await;
    /// assert_eq!(by_key["a"], [1, 3]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.group_by_key/1`, with the oldest value first instead of last.
    #[track_caller]
    pub fn group_by_key<K, V>(self) -> Flow<Reduce<P, GroupingPairs<K, V>>>
    where
        P: Reducible,
        P: Reducible<Item = (K, V)>,
        K: Hash + Eq,
    {
        self.reduce_by("group_by_key", GroupingPairs(PhantomData))
    }

    /// Counts the items of each key.
    ///
    /// For a key that is a part of the item, `|click| &click.user`, see [`count_by_ref`](Flow::count_by_ref).
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
    /// let counts: HashMap<&str, u64> = Flow::from_iter(["a", "b", "a"]).partition().count_by(|word| *word).collect().await;
    /// assert_eq!((counts["a"], counts["b"]), (2, 1));
    /// # });
    /// ```
    #[track_caller]
    pub fn count_by<K, F>(self, key: F) -> Flow<Reduce<P, Summing<K, u64, PairWith1<F>>>>
    where
        P: Reducible,
        K: Hash + Eq,
        F: FnMut(&P::Item) -> K + Clone,
    {
        self.reduce_by("count_by", Summing { pair: PairWith1(key), sums: PhantomData })
    }

    /// Adds up the values of each key: `pair` makes key and value of an item.
    ///
    /// For a key that is a part of the item, and is cloned only once, see [`sum_by_ref`](Flow::sum_by_ref).
    ///
    /// # Panics
    /// A panic in `pair` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::HashMap;
    ///
    /// # tokio_test::block_on(async {
    /// let sales = [("anna", 3), ("bert", 5), ("anna", 4)];
    /// let sums: HashMap<&str, u32> = Flow::from_iter(sales).partition_by(|sale| sale.0).sum_by(|sale| sale).collect().await;
    /// assert_eq!(sums["anna"], 7);
    /// # });
    /// ```
    #[track_caller]
    pub fn sum_by<K, V, F>(self, pair: F) -> Flow<Reduce<P, Summing<K, V, Pair<F>>>>
    where
        P: Reducible,
        K: Hash + Eq,
        V: Default + AddAssign,
        F: FnMut(P::Item) -> (K, V) + Clone,
    {
        self.reduce_by("sum_by", Summing { pair: Pair(pair), sums: PhantomData })
    }
}

/// The reducer of [`Flow::group_by`].
pub struct Grouping<K, T, F> {
    key: F,
    kept: PhantomData<fn() -> (K, T)>,
}

/// The reducer of [`Flow::group_by_key`].
pub struct GroupingPairs<K, V>(PhantomData<fn() -> (K, V)>);

/// The reducer of [`Flow::count_by`] and [`Flow::sum_by`].
pub struct Summing<K, V, F> {
    pair: F,
    sums: PhantomData<fn() -> (K, V)>,
}

/// Makes a key and a value of an item.
pub trait Pairs<T>: Sealed {
    #[doc(hidden)]
    type Key;
    #[doc(hidden)]
    type Value;
    #[doc(hidden)]
    fn pair(&mut self, item: T) -> (Self::Key, Self::Value);
}

/// Makes pairs by the function given to [`Flow::sum_by`].
#[derive(Clone)]
pub struct Pair<F>(F);

/// Makes pairs of a key and 1, by the function given to [`Flow::count_by`].
#[derive(Clone)]
pub struct PairWith1<F>(F);

impl<F> Sealed for Pair<F> {}

impl<T, K, V, F: FnMut(T) -> (K, V)> Pairs<T> for Pair<F> {
    type Key = K;
    type Value = V;

    #[inline]
    fn pair(&mut self, item: T) -> (K, V) {
        (self.0)(item)
    }
}

impl<F> Sealed for PairWith1<F> {}

impl<T, K, F: FnMut(&T) -> K> Pairs<T> for PairWith1<F> {
    type Key = K;
    type Value = u64;

    #[inline]
    fn pair(&mut self, item: T) -> (K, u64) {
        ((self.0)(&item), 1)
    }
}

impl<K, T, F> Sealed for Grouping<K, T, F> {}

impl<K, T, F> KeepsState for Grouping<K, T, F> {
    type State = HashMap<K, Vec<T>>;

    fn init(&mut self) -> Self::State {
        HashMap::new()
    }
}

impl<K: Hash + Eq, T, U, F: FnMut(&T) -> K> Reducer<T, U> for Grouping<K, T, F> {
    type Items = iter::Empty<U>;

    const EMITS: bool = false;

    fn take(&mut self, groups: &mut HashMap<K, Vec<T>>, item: T) -> iter::Empty<U> {
        groups.entry((self.key)(&item)).or_default().push(item);
        iter::empty()
    }
}

impl<K, V> Sealed for GroupingPairs<K, V> {}

impl<K, V> KeepsState for GroupingPairs<K, V> {
    type State = HashMap<K, Vec<V>>;

    fn init(&mut self) -> Self::State {
        HashMap::new()
    }
}

impl<K: Hash + Eq, V, U> Reducer<(K, V), U> for GroupingPairs<K, V> {
    type Items = iter::Empty<U>;

    const EMITS: bool = false;

    fn take(&mut self, groups: &mut HashMap<K, Vec<V>>, (key, value): (K, V)) -> iter::Empty<U> {
        groups.entry(key).or_default().push(value);
        iter::empty()
    }
}

impl<K, V, F> Sealed for Summing<K, V, F> {}

impl<K, V, F> KeepsState for Summing<K, V, F> {
    type State = HashMap<K, V>;

    fn init(&mut self) -> Self::State {
        HashMap::new()
    }
}

impl<T, K, V, U, F> Reducer<T, U> for Summing<K, V, F>
where
    K: Hash + Eq,
    V: Default + AddAssign,
    F: Pairs<T, Key = K, Value = V>,
{
    type Items = iter::Empty<U>;

    const EMITS: bool = false;

    fn take(&mut self, sums: &mut HashMap<K, V>, item: T) -> iter::Empty<U> {
        let (key, value) = self.pair.pair(item);
        *sums.entry(key).or_default() += value;
        iter::empty()
    }
}

impl<K, T, F: Clone> Clone for Grouping<K, T, F> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), kept: PhantomData }
    }
}

impl<K, V> Clone for GroupingPairs<K, V> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<K, V, F: Clone> Clone for Summing<K, V, F> {
    fn clone(&self) -> Self {
        Self { pair: self.pair.clone(), sums: PhantomData }
    }
}

opaque_debug!(Pair PairWith1);
opaque_debug!(Grouping<K, T, F> GroupingPairs<K, V> Summing<K, V, F>);
