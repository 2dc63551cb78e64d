use crate::dispatch::route::LaneHash;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::fmt::{self, Debug};
use std::hash::Hash;

/// Which partition of a [`Partition`](super::Partition) a subscription wants; by default it says none, and is refused.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::{Deliveries, Dispatcher, Partition, PartitionName, Subscriber, SubscriptionId};
///
/// let (mut two, mut out) = (Partition::<u64>::hash(2), Deliveries::new());
/// let mut subscribe = |name| two.subscribe(Subscriber::new(SubscriptionId::next()), name, &mut out);
/// let refused = subscribe(PartitionName::default()).unwrap_err();
/// assert_eq!(refused.to_string(), "the option partition is required, one of [0, 1]");
/// assert!(subscribe(PartitionName::new(1)).is_ok());
/// ```
///
/// # Source
/// The subscription option `partition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionName<K>(Option<K>);

impl<K> PartitionName<K> {
    /// Wants the partition of this name.
    ///
    /// # Examples
    /// See [`PartitionName`].
    #[must_use]
    pub fn new(name: K) -> Self {
        Self(Some(name))
    }
}

impl<K> PartitionName<K> {
    pub(super) fn into_name(self) -> Option<K> {
        self.0
    }
}

impl<K> Default for PartitionName<K> {
    fn default() -> Self {
        Self(None)
    }
}

/// Says which partition an item is for: the part in which kinds of [`Partition`](super::Partition) differ.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::{Assign, Deliveries, Dispatcher, Partition};
///
/// /// Fills 3 partitions in turn.
/// struct InTurn { names: [char; 3], next: usize }
///
/// impl<T> Assign<T> for InTurn {
///     type Name = char;
///
///     fn names(&self) -> &[char] { &self.names }
///
///     fn assign(&mut self, item: T) -> Option<(T, usize)> {
///         self.next = (self.next + 1) % 3;
///         Some((item, self.next))
///     }
/// }
///
/// let mut partition = Partition::new(InTurn { names: ['a', 'b', 'c'], next: 0 });
/// // No subscription has asked yet.
/// assert_eq!(partition.dispatch(vec![1, 2], &mut Deliveries::new()), [1, 2]);
/// ```
pub trait Assign<T>: Send + 'static {
    /// What partitions are called.
    type Name: PartialEq + Debug + Send + 'static;

    /// The partitions: at least one, no two of one name, always the same.
    fn names(&self) -> &[Self::Name];

    /// The item, or what is to be sent instead of it, and the place of its partition in `names`; `None` drops it.
    fn assign(&mut self, item: T) -> Option<(T, usize)>;
}

/// Assigns by the hash of the item; see [`Partition::hash`](super::Partition::hash).
#[derive(Clone)]
pub struct AssignHash {
    names: Vec<usize>,
    hash: LaneHash,
}

impl AssignHash {
    pub(super) fn new(partitions: usize) -> Self {
        Self { names: (0..partitions).collect(), hash: LaneHash::default() }
    }

    pub(super) fn seed(&mut self, seed: u64) {
        self.hash = LaneHash::seeded(seed);
    }
}

impl Debug for AssignHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssignHash").field("names", &self.names).finish_non_exhaustive()
    }
}

impl<T: Hash> Assign<T> for AssignHash {
    type Name = usize;

    fn names(&self) -> &[usize] {
        &self.names
    }

    #[inline]
    fn assign(&mut self, item: T) -> Option<(T, usize)> {
        let lane = self.hash.lane(&item, self.names.len());
        Some((item, lane))
    }
}

/// Up to this many names are compared one by one, which takes less time than a hash.
const FEW: usize = 8;

/// Names and their places.
#[derive(Clone)]
pub(super) struct Names<K> {
    names: Vec<K>,
    places: HashMap<K, usize, RandomState>,
}

impl<K: Hash + Eq + Clone + Debug> Names<K> {
    #[track_caller]
    pub(super) fn new(names: impl IntoIterator<Item = K>) -> Self {
        let names: Vec<K> = names.into_iter().collect();
        let mut places = HashMap::default();
        for (place, name) in names.iter().enumerate() {
            let before = places.insert(name.clone(), place);
            assert!(before.is_none(), "partition {name:?} is named twice, in {names:?}");
        }
        Self { names, places }
    }

    #[inline]
    fn place(&self, name: &K) -> usize {
        let found = if self.names.len() <= FEW {
            // The loop is not left early: which name ends it changes from item to item, and a wrong guess costs more.
            let mut found = None;
            for (place, each) in self.names.iter().enumerate() {
                found = if each == name { Some(place) } else { found };
            }
            found
        } else {
            self.places.get(name).copied()
        };
        found.unwrap_or_else(|| unknown(name, &self.names))
    }
}

#[cold]
fn unknown<K: Debug>(name: &K, names: &[K]) -> ! {
    panic!("an item was assigned to the unknown partition {name:?}; the known ones are {names:?}");
}

/// Assigns by a key made from the item; see [`Partition::by_key`](super::Partition::by_key).
#[derive(Clone)]
pub struct AssignKey<K, F> {
    names: Names<K>,
    key: F,
}

impl<K, F> AssignKey<K, F> {
    pub(super) fn new(names: Names<K>, key: F) -> Self {
        Self { names, key }
    }
}

impl<T, K, F> Assign<T> for AssignKey<K, F>
where
    K: Hash + Eq + Clone + Debug + Send + 'static,
    F: FnMut(&T) -> K + Send + 'static,
{
    type Name = K;

    fn names(&self) -> &[K] {
        &self.names.names
    }

    #[inline]
    fn assign(&mut self, item: T) -> Option<(T, usize)> {
        let name = (self.key)(&item);
        Some((item, self.names.place(&name)))
    }
}

/// Assigns by a function that may replace or drop the item; see [`Partition::by`](super::Partition::by).
#[derive(Clone)]
pub struct AssignBy<K, F> {
    names: Names<K>,
    assign: F,
}

impl<K, F> AssignBy<K, F> {
    pub(super) fn new(names: Names<K>, assign: F) -> Self {
        Self { names, assign }
    }
}

impl<T, K, F> Assign<T> for AssignBy<K, F>
where
    K: Hash + Eq + Clone + Debug + Send + 'static,
    F: FnMut(T) -> Option<(T, K)> + Send + 'static,
{
    type Name = K;

    fn names(&self) -> &[K] {
        &self.names.names
    }

    #[inline]
    fn assign(&mut self, item: T) -> Option<(T, usize)> {
        let (item, name) = (self.assign)(item)?;
        Some((item, self.names.place(&name)))
    }
}

macro_rules! debug_names {
    ($($name:ident)*) => {$(
        impl<K: Debug, F> Debug for $name<K, F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("names", &self.names.names).finish_non_exhaustive()
            }
        }
    )*};
}

debug_names!(AssignKey AssignBy);

#[cfg(test)]
mod tests {
    use super::{FEW, Names};

    #[test]
    fn few_names_and_many_have_the_places_that_they_were_given() {
        for count in [1, FEW, FEW + 1, 3 * FEW] {
            let names = Names::new((0..count).map(|name| 7 * name));
            assert!((0..count).all(|place| names.place(&(7 * place)) == place), "{count}");
        }
    }
}
