use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// Says which lane of the next layer an item goes to.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::adapters::{ByRouter, Route};
///
/// let mut route = ByRouter::new(|n: &u32| (*n != 7).then_some(*n as usize % 2));
/// assert_eq!((route.route(&4, 2), route.route(&5, 2), route.route(&7, 2)), (Some(0), Some(1), None));
/// ```
pub trait Route<T> {
    /// The lane, 0 to `lanes - 1`, that `item` goes to; `None` drops it.
    fn route(&mut self, item: &T, lanes: usize) -> Option<usize>;

    /// Makes the route hash with `seed`; called before the first item. Does nothing by default, for routes without a
    /// hash.
    fn seed(&mut self, seed: u64) {
        let _ = seed;
    }
}

/// Which of `lanes` lanes a key belongs to: the routing of [`Flow::partition`](crate::Flow::partition).
///
/// Equal keys get the same lane, in every run of a program: the hasher (foldhash, 64 bits, fixed seed) has no random
/// state. The numbers may change with the version of this crate, of foldhash, or of a key type's `Hash`, and with
/// the platform: they are for routing, not for storage. Keys chosen by an adversary can be made to meet in one lane,
/// unless the flow has a [seed](crate::Flow::hash_seed) of its own.
///
/// # Panics
/// When `lanes` is 0.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::hash_lane;
///
/// assert_eq!(hash_lane("fox", 4), hash_lane(&String::from("fox"), 4));
/// assert!(hash_lane("fox", 4) < 4);
/// ```
#[track_caller]
pub fn hash_lane<K: Hash + ?Sized>(key: &K, lanes: usize) -> usize {
    assert!(lanes > 0, "a key needs at least 1 lane to belong to");
    LaneHash::default().lane(key, lanes)
}

/// The hash that says which lane a key belongs to: the same in all programs, or with a seed of its own.
///
/// A seed is all that a hasher starts with: with a part of it the same everywhere, keys could still be chosen that meet.
#[derive(Clone)]
pub(crate) struct LaneHash {
    own: u64,
    shared: SharedSeed,
}

impl Default for LaneHash {
    /// As foldhash's `FixedState` with its default seed.
    fn default() -> Self {
        Self { own: 0x082e_fa98_ec4e_6c89, shared: SharedSeed::global_fixed().clone() }
    }
}

impl std::fmt::Debug for LaneHash {
    /// Without the seed, which is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaneHash").finish_non_exhaustive()
    }
}

impl LaneHash {
    pub(crate) fn seeded(seed: u64) -> Self {
        // Mixed first: taken as they are, seeds of all zeros or all ones give hashes that are alike.
        let draw = |number: u8| BuildHasherDefault::<DefaultHasher>::default().hash_one((seed, number));
        Self { own: draw(1), shared: SharedSeed::from_u64(draw(2)) }
    }

    /// The lane of a key, one of `lanes`, which is at least 1.
    #[inline]
    pub(crate) fn lane<K: Hash + ?Sized>(&self, key: &K, lanes: usize) -> usize {
        let mut hasher = FoldHasher::with_seed(self.own, &self.shared);
        key.hash(&mut hasher);
        // The high bits of the product spread 64 bits of hash over the lanes without a division.
        #[allow(clippy::cast_possible_truncation, reason = "below lanes, a usize")]
        let lane = ((u128::from(hasher.finish()) * lanes as u128) >> u64::BITS) as usize;
        lane
    }
}

/// Routes by the hash of the item.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::adapters::{ByHash, Route};
/// use gen_stage::dispatch::hash_lane;
/// assert_eq!(ByHash::default().route(&"fox", 4), Some(hash_lane("fox", 4)));
/// ```
#[derive(Clone, Default)]
pub struct ByHash(LaneHash);

impl<T: Hash> Route<T> for ByHash {
    #[inline]
    fn route(&mut self, item: &T, lanes: usize) -> Option<usize> {
        Some(self.0.lane(item, lanes))
    }

    fn seed(&mut self, seed: u64) {
        self.0 = LaneHash::seeded(seed);
    }
}

/// Routes by the hash of a key made from the item.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::adapters::{ByKey, Route};
/// use gen_stage::dispatch::hash_lane;
/// let mut route = ByKey::new(|pair: &(u32, char)| pair.0);
/// assert_eq!(route.route(&(9, 'x'), 4), Some(hash_lane(&9u32, 4)));
/// ```
#[derive(Clone)]
pub struct ByKey<F> {
    key: F,
    hash: LaneHash,
}

impl<F> ByKey<F> {
    /// Takes the function from an item to its key.
    pub fn new(key: F) -> Self {
        Self { key, hash: LaneHash::default() }
    }
}

impl<T, K: Hash, F: FnMut(&T) -> K> Route<T> for ByKey<F> {
    #[inline]
    fn route(&mut self, item: &T, lanes: usize) -> Option<usize> {
        Some(self.hash.lane(&(self.key)(item), lanes))
    }

    fn seed(&mut self, seed: u64) {
        self.hash = LaneHash::seeded(seed);
    }
}

/// Routes by the hash of a key borrowed from the item.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::adapters::{ByKeyRef, Route};
/// use gen_stage::dispatch::hash_lane;
/// let mut route = ByKeyRef::new(|pair: &(String, u32)| pair.0.as_str());
/// assert_eq!(route.route(&("fox".to_string(), 1), 4), Some(hash_lane("fox", 4)));
/// ```
#[derive(Clone)]
pub struct ByKeyRef<F> {
    key: F,
    hash: LaneHash,
}

impl<F> ByKeyRef<F> {
    /// Takes the function from an item to the part of it that is its key.
    pub fn new<T, K: ?Sized>(key: F) -> Self
    where
        F: FnMut(&T) -> &K,
    {
        Self { key, hash: LaneHash::default() }
    }
}

impl<T, K: Hash + ?Sized, F: FnMut(&T) -> &K> Route<T> for ByKeyRef<F> {
    #[inline]
    fn route(&mut self, item: &T, lanes: usize) -> Option<usize> {
        Some(self.hash.lane((self.key)(item), lanes))
    }

    fn seed(&mut self, seed: u64) {
        self.hash = LaneHash::seeded(seed);
    }
}

/// Routes by a function from the item to the number of a lane, or to none.
///
/// # Examples
/// See [`Route`].
#[derive(Clone)]
pub struct ByRouter<F>(F);

impl<F> ByRouter<F> {
    /// Takes the function from an item to its lane.
    pub const fn new<T>(router: F) -> Self
    where
        F: FnMut(&T) -> Option<usize>,
    {
        Self(router)
    }
}

impl<T, F: FnMut(&T) -> Option<usize>> Route<T> for ByRouter<F> {
    #[inline]
    fn route(&mut self, item: &T, lanes: usize) -> Option<usize> {
        let lane = (self.0)(item)?;
        assert!(
            lane < lanes,
            "the router of partition_with chose lane {lane}, but the lanes are 0 to {}",
            lanes - 1
        );
        Some(lane)
    }
}

impl std::fmt::Debug for ByHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByHash")
    }
}

opaque_debug!(ByKey ByKeyRef ByRouter);

#[cfg(test)]
mod tests {
    use super::{LaneHash, hash_lane};

    /// The share of the busiest of `lanes` lanes, where 1.0 is even.
    fn skew<K: std::hash::Hash>(keys: impl Iterator<Item = K>, lanes: usize) -> f64 {
        let mut counts = vec![0u32; lanes];
        let mut all = 0;
        for key in keys {
            counts[hash_lane(&key, lanes)] += 1;
            all += 1;
        }
        f64::from(*counts.iter().max().unwrap()) * lanes as f64 / f64::from(all)
    }

    #[test]
    fn keys_of_every_shape_spread_evenly() {
        for lanes in [2, 3, 4, 8, 13] {
            assert!(skew(0u64..20_000, lanes) < 1.1, "counting up");
            assert!(skew((0u64..20_000).map(|n| n << 40), lanes) < 1.1, "high bits");
            assert!(skew((0u32..20_000).map(|n| f64::from(n).to_bits()), lanes) < 1.1, "floats");
            assert!(skew((0u64..20_000).map(|n| n.to_string()), lanes) < 1.1, "digits");
            assert!(skew((0u64..20_000).map(|n| (n % 100, n / 100)), lanes) < 1.1, "pairs");
        }
    }

    #[test]
    fn a_key_keeps_its_lane_from_run_to_run() {
        // The answers of an earlier run: the seed is fixed, not random.
        let lanes: Vec<_> = ["the", "quick", "brown", "fox"].iter().map(|w| hash_lane(w, 1000)).collect();
        assert_eq!(lanes, [514, 58, 108, 349]);
    }

    #[test]
    fn keys_that_were_chosen_to_meet_are_apart_with_a_seed() {
        // Whatever the first half: this second half is multiplied away, for it is a constant of the hash without a
        // seed.
        let chosen = |n: u64| (n, 0xc0ac_29b7_c97c_50dd_u64);
        let lanes = |hash: &LaneHash| {
            let mut counts = [0; 8];
            (0..8000).for_each(|n| counts[hash.lane(&chosen(n), 8)] += 1);
            counts
        };
        assert_eq!(lanes(&LaneHash::default()), [8000, 0, 0, 0, 0, 0, 0, 0]);
        let crowd: Vec<u64> = (0..64_000).filter(|n| hash_lane(n, 8) == 0).collect();
        for seed in [0, 1, 7, u64::MAX] {
            let counts = lanes(&LaneHash::seeded(seed));
            assert!(counts.iter().all(|count| (800..1200).contains(count)), "{seed}: {counts:?}");
            let hash = LaneHash::seeded(seed);
            assert!(
                (0..8).all(|lane| crowd.iter().filter(|n| hash.lane(*n, 8) == lane).count() > 800),
                "{seed}"
            );
        }
    }
}
