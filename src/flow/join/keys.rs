use crate::flow::join::mode::Side;
use crate::sealed::Sealed;
use std::hash::{BuildHasher, Hash};

/// The key functions of both sides of a join, and what its table keeps of a key.
pub trait JoinKeys<L, R>: Sealed {
    /// What is kept for each key, beside its items.
    #[doc(hidden)]
    type Kept;

    /// The hash of an item's key, and what is kept if the key is new.
    #[doc(hidden)]
    fn key(&mut self, item: &Side<L, R>, hasher: &impl BuildHasher) -> (u64, Self::Kept);

    /// Whether a kept key is that of an item: `new` is what would be kept for the item, and `old_item` finds one of the
    /// items of the kept key.
    #[doc(hidden)]
    fn is_same<'a>(
        &self,
        kept: &Self::Kept,
        old_item: impl FnOnce() -> Side<&'a L, &'a R>,
        new: &Self::Kept,
        item: &'a Side<L, R>,
    ) -> bool;

    /// The hash of a kept key, for a table that grows.
    #[doc(hidden)]
    fn hash_again(kept: &Self::Kept, hasher: &impl BuildHasher) -> u64;
}

/// Keys that are made of items, once for each item when it is kept, and then kept themselves.
#[derive(Clone)]
pub struct Keys<F, G> {
    pub(in crate::flow) left: F,
    pub(in crate::flow) right: G,
}

/// Keys that are parts of items, and are looked at where they are. Their hashes are kept.
#[derive(Clone)]
pub struct KeysByRef<F, G> {
    pub(in crate::flow) left: F,
    pub(in crate::flow) right: G,
}

impl<F, G> Sealed for Keys<F, G> {}

impl<L, R, K, F, G> JoinKeys<L, R> for Keys<F, G>
where
    K: Hash + Eq,
    F: FnMut(&L) -> K,
    G: FnMut(&R) -> K,
{
    type Kept = K;

    #[inline(always)]
    fn key(&mut self, item: &Side<L, R>, hasher: &impl BuildHasher) -> (u64, K) {
        let key = match item {
            Side::Left(item) => (self.left)(item),
            Side::Right(item) => (self.right)(item),
        };
        (hasher.hash_one(&key), key)
    }

    #[inline(always)]
    fn is_same<'a>(
        &self,
        kept: &K,
        _: impl FnOnce() -> Side<&'a L, &'a R>,
        new: &K,
        _: &'a Side<L, R>,
    ) -> bool {
        kept == new
    }

    #[inline]
    fn hash_again(kept: &K, hasher: &impl BuildHasher) -> u64 {
        hasher.hash_one(kept)
    }
}

impl<F, G> KeysByRef<F, G> {
    #[inline(always)]
    fn of<'a, L, R, K>(&self, item: &Side<&'a L, &'a R>) -> &'a K
    where
        K: ?Sized,
        F: Fn(&L) -> &K,
        G: Fn(&R) -> &K,
    {
        match item {
            Side::Left(item) => (self.left)(item),
            Side::Right(item) => (self.right)(item),
        }
    }
}

impl<F, G> Sealed for KeysByRef<F, G> {}

impl<L, R, K, F, G> JoinKeys<L, R> for KeysByRef<F, G>
where
    K: Hash + Eq + ?Sized,
    F: Fn(&L) -> &K,
    G: Fn(&R) -> &K,
{
    type Kept = u64;

    #[inline(always)]
    fn key(&mut self, item: &Side<L, R>, hasher: &impl BuildHasher) -> (u64, u64) {
        let hash = hasher.hash_one(self.of(&item.as_ref()));
        (hash, hash)
    }

    #[inline(always)]
    fn is_same<'a>(
        &self,
        kept: &u64,
        old_item: impl FnOnce() -> Side<&'a L, &'a R>,
        new: &u64,
        item: &'a Side<L, R>,
    ) -> bool {
        // Most keys that differ are told apart without a look at an item, which lies elsewhere in memory.
        kept == new && self.of(&old_item()) == self.of(&item.as_ref())
    }

    #[inline]
    fn hash_again(kept: &u64, _: &impl BuildHasher) -> u64 {
        *kept
    }
}

opaque_debug!(Keys<F, G> KeysByRef<F, G>);
