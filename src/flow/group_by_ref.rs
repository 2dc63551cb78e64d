use super::bounds::Reducible;
use super::flow::Flow;
use super::reduce::Reduce;
use crate::reduce::{KeepsState, Reducer};
use crate::sealed::Sealed;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::iter;
use std::marker::PhantomData;
use std::ops::AddAssign;

/// A function that returns a reference into the item cannot be given to `group_by` and its like, whose keys are values:
/// the compiler says that a lifetime may not live long enough. These take it, and clone each key once per table.
impl<P> Flow<P> {
    /// Like [`group_by`](Flow::group_by), with a key that is a part of the item, and is cloned once for each group.
    ///
    /// # Panics
    /// A panic in `key` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::HashMap;
    ///
    /// struct Click { user: String, at: u64 }
    ///
    /// # tokio_test::block_on(async {
    /// let clicks = [("anna", 1), ("bert", 2), ("anna", 3)].map(|(user, at)| Click { user: user.into(), at });
    /// let by_user: HashMap<String, Vec<Click>> = Flow::from_iter(clicks)
    ///     .partition_by_ref(|click| &click.user)
    ///     .group_by_ref(|click| click.user.as_str())
    ///     .collect()
    ///     .await;
    /// assert_eq!(by_user["anna"].iter().map(|click| click.at).collect::<Vec<_>>(), [1, 3]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.group_by/3`, with the oldest item first instead of last.
    #[track_caller]
    pub fn group_by_ref<K, F>(self, key: F) -> Flow<Reduce<P, GroupingByRef<K, P::Item, F>>>
    where
        P: Reducible,
        K: ToOwned<Owned: Hash + Eq> + Hash + Eq + ?Sized,
        F: FnMut(&P::Item) -> &K + Clone,
    {
        self.reduce_by("group_by_ref", GroupingByRef { key, kept: PhantomData })
    }

    /// Like [`count_by`](Flow::count_by), with a key that is a part of the item, and is cloned once for each count.
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
    /// let words = ["a", "b", "a"].map(String::from);
    /// let counts: HashMap<String, u64> =
    ///     Flow::from_iter(words).partition().count_by_ref(|word| word.as_str()).collect().await;
    /// assert_eq!((counts["a"], counts["b"]), (2, 1));
    /// # });
    /// ```
    ///
    /// A reference is no key of `count_by`:
    /// ```compile_fail
    /// use gen_stage::prelude::*;
    ///
    /// let words = ["a", "b", "a"].map(String::from);
    /// let counts = Flow::from_iter(words).partition().count_by(|word| word.as_str());
    /// ```
    ///
    /// # Source
    /// None in Flow: its users count in `Flow.reduce/3`, with `Map.update/4`.
    #[track_caller]
    pub fn count_by_ref<K, F>(self, key: F) -> Flow<Reduce<P, CountingByRef<K, F>>>
    where
        P: Reducible,
        K: ToOwned<Owned: Hash + Eq> + Hash + Eq + ?Sized,
        F: FnMut(&P::Item) -> &K + Clone,
    {
        self.reduce_by("count_by_ref", CountingByRef { key, kept: PhantomData })
    }

    /// Like [`sum_by`](Flow::sum_by), with a key that is a part of the item, and is cloned once for each sum.
    ///
    /// # Panics
    /// A panic in `pair` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::HashMap;
    ///
    /// struct Sale { seller: String, price: u32 }
    ///
    /// # tokio_test::block_on(async {
    /// let sales = [("anna", 3), ("bert", 5), ("anna", 4)];
    /// let sales = sales.map(|(seller, price)| Sale { seller: seller.into(), price });
    /// let sums: HashMap<String, u32> = Flow::from_iter(sales)
    ///     .partition_by_ref(|sale| &sale.seller)
    ///     .sum_by_ref(|sale| (&sale.seller, sale.price))
    ///     .collect()
    ///     .await;
    /// assert_eq!(sums["anna"], 7);
    /// # });
    /// ```
    ///
    /// # Source
    /// None in Flow: its users add up in `Flow.reduce/3`, with `Map.update/4`.
    #[track_caller]
    pub fn sum_by_ref<K, V, F>(self, pair: F) -> Flow<Reduce<P, SummingByRef<K, V, F>>>
    where
        P: Reducible,
        K: ToOwned<Owned: Hash + Eq> + Hash + Eq + ?Sized,
        V: Default + AddAssign,
        F: FnMut(&P::Item) -> (&K, V) + Clone,
    {
        self.reduce_by("sum_by_ref", SummingByRef { pair, kept: PhantomData })
    }
}

/// The reducer of [`Flow::group_by_ref`].
pub struct GroupingByRef<K: ?Sized, T, F> {
    key: F,
    kept: PhantomData<fn(&K) -> T>,
}

/// The reducer of [`Flow::count_by_ref`].
pub struct CountingByRef<K: ?Sized, F> {
    key: F,
    kept: PhantomData<fn(&K)>,
}

/// The reducer of [`Flow::sum_by_ref`].
pub struct SummingByRef<K: ?Sized, V, F> {
    pair: F,
    kept: PhantomData<fn(&K) -> V>,
}

/// Does `add` to the value of a key. The key is cloned for a new value only, so it is looked up once more for that.
#[inline]
fn add_to<K, V>(table: &mut HashMap<K::Owned, V>, key: &K, add: impl FnOnce(&mut V))
where
    K: ToOwned<Owned: Hash + Eq + Borrow<K>> + Hash + Eq + ?Sized,
    V: Default,
{
    if let Some(value) = table.get_mut(key) {
        return add(value);
    }
    add(table.entry(key.to_owned()).or_default());
}

impl<K: ?Sized, T, F> Sealed for GroupingByRef<K, T, F> {}

impl<K: ToOwned + ?Sized, T, F> KeepsState for GroupingByRef<K, T, F> {
    type State = HashMap<K::Owned, Vec<T>>;

    fn init(&mut self) -> Self::State {
        HashMap::new()
    }
}

impl<K, T, U, F> Reducer<T, U> for GroupingByRef<K, T, F>
where
    K: ToOwned<Owned: Hash + Eq> + Hash + Eq + ?Sized,
    F: FnMut(&T) -> &K,
{
    type Items = iter::Empty<U>;

    const EMITS: bool = false;

    fn take(&mut self, groups: &mut HashMap<K::Owned, Vec<T>>, item: T) -> iter::Empty<U> {
        let key = (self.key)(&item);
        if let Some(group) = groups.get_mut(key) {
            group.push(item);
        } else {
            let key = key.to_owned();
            groups.insert(key, vec![item]);
        }
        iter::empty()
    }
}

impl<K: ?Sized, F> Sealed for CountingByRef<K, F> {}

impl<K: ToOwned + ?Sized, F> KeepsState for CountingByRef<K, F> {
    type State = HashMap<K::Owned, u64>;

    fn init(&mut self) -> Self::State {
        HashMap::new()
    }
}

impl<K, T, U, F> Reducer<T, U> for CountingByRef<K, F>
where
    K: ToOwned<Owned: Hash + Eq> + Hash + Eq + ?Sized,
    F: FnMut(&T) -> &K,
{
    type Items = iter::Empty<U>;

    const EMITS: bool = false;

    fn take(&mut self, counts: &mut HashMap<K::Owned, u64>, item: T) -> iter::Empty<U> {
        add_to(counts, (self.key)(&item), |count| *count += 1);
        iter::empty()
    }
}

impl<K: ?Sized, V, F> Sealed for SummingByRef<K, V, F> {}

impl<K: ToOwned + ?Sized, V, F> KeepsState for SummingByRef<K, V, F> {
    type State = HashMap<K::Owned, V>;

    fn init(&mut self) -> Self::State {
        HashMap::new()
    }
}

impl<K, T, V, U, F> Reducer<T, U> for SummingByRef<K, V, F>
where
    K: ToOwned<Owned: Hash + Eq> + Hash + Eq + ?Sized,
    V: Default + AddAssign,
    F: FnMut(&T) -> (&K, V),
{
    type Items = iter::Empty<U>;

    const EMITS: bool = false;

    fn take(&mut self, sums: &mut HashMap<K::Owned, V>, item: T) -> iter::Empty<U> {
        let (key, value) = (self.pair)(&item);
        add_to(sums, key, |sum| *sum += value);
        iter::empty()
    }
}

impl<K: ?Sized, T, F: Clone> Clone for GroupingByRef<K, T, F> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), kept: PhantomData }
    }
}

impl<K: ?Sized, F: Clone> Clone for CountingByRef<K, F> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), kept: PhantomData }
    }
}

impl<K: ?Sized, V, F: Clone> Clone for SummingByRef<K, V, F> {
    fn clone(&self) -> Self {
        Self { pair: self.pair.clone(), kept: PhantomData }
    }
}

impl<K: ?Sized, T, F> fmt::Debug for GroupingByRef<K, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupingByRef").finish_non_exhaustive()
    }
}

impl<K: ?Sized, F> fmt::Debug for CountingByRef<K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountingByRef").finish_non_exhaustive()
    }
}

impl<K: ?Sized, V, F> fmt::Debug for SummingByRef<K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SummingByRef").finish_non_exhaustive()
    }
}
