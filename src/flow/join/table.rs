use crate::flow::join::keys::JoinKeys;
use crate::flow::join::mode::{JoinMode, Side};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::fmt;
use std::ops::ControlFlow;
use std::vec;

/// What a join keeps for one window: the items of both sides, by key.
///
/// Items lie in the order they came, and the items of a key are chained. A vector for each key and side would cost an
/// allocation for every item when most keys occur only a few times, plus one more cache miss per lookup.
///
/// `K` is what [`JoinKeys`] say is kept of a key.
pub(in crate::flow) struct Table<K, L, R> {
    keys: HashTable<(K, Ends)>,
    hasher: RandomState,
    lefts: Chains<L>,
    rights: Chains<R>,
}

/// The last item of a key on either side, or [`NONE`].
struct Ends {
    left: usize,
    right: usize,
}

impl Ends {
    /// One of the items of the key: there is at least one, on one of the sides.
    #[inline(always)]
    fn item<'a, L, R>(&self, lefts: &'a Chains<L>, rights: &'a Chains<R>) -> Side<&'a L, &'a R> {
        if self.left == NONE {
            Side::Right(&rights.0[self.right].0)
        } else {
            Side::Left(&lefts.0[self.left].0)
        }
    }
}

/// No item; in place of the next item of a chain, the mark of an item without a partner.
const NONE: usize = usize::MAX;

/// Items, each with the index of the next one in its chain: after the last comes the first.
struct Chains<T>(Vec<(T, usize)>);

/// An item on its way along a chain of the other side.
pub(in crate::flow) struct Meeting {
    own: Side<usize, usize>,
    next: usize,
    last: usize,
}

impl<K, L, R> Table<K, L, R> {
    pub(in crate::flow) fn new() -> Self {
        let hasher = RandomState::default();
        Self { keys: HashTable::new(), hasher, lefts: Chains(Vec::new()), rights: Chains(Vec::new()) }
    }

    /// Keeps an item; returns which items of the other side it is to meet, if there are any.
    #[inline(always)]
    pub(in crate::flow) fn add<N>(&mut self, keys: &mut N, item: Side<L, R>) -> Option<Meeting>
    where
        N: JoinKeys<L, R, Kept = K>,
    {
        let (hash, key) = keys.key(&item, &self.hasher);
        let is_same = |(kept, ends): &(K, Ends)| {
            keys.is_same(kept, || ends.item(&self.lefts, &self.rights), &key, &item)
        };
        let entry = self.keys.entry(hash, is_same, |(kept, _)| N::hash_again(kept, &self.hasher));
        let (_, ends) = entry.or_insert_with(|| (key, Ends { left: NONE, right: NONE })).into_mut();
        match item {
            Side::Left(item) => {
                let own = Side::Left(self.lefts.add(item, &mut ends.left));
                self.rights.first(ends.right).map(|next| Meeting { own, next, last: ends.right })
            }
            Side::Right(item) => {
                let own = Side::Right(self.rights.add(item, &mut ends.right));
                self.lefts.first(ends.left).map(|next| Meeting { own, next, last: ends.left })
            }
        }
    }

    /// Makes rows of an item and those it meets. When `each` breaks, returns which it is still to meet.
    #[inline(always)]
    pub(in crate::flow) fn meet<M>(
        &self,
        Meeting { own, next, last }: Meeting,
        each: &mut impl FnMut(M::Row) -> ControlFlow<()>,
    ) -> ControlFlow<Option<Meeting>>
    where
        M: JoinMode<L, R>,
        L: Clone,
        R: Clone,
    {
        let met = match own {
            Side::Left(at) => {
                let left = &self.lefts.0[at].0;
                self.rights.try_for_each(next, last, |right| each(M::both(left.clone(), right.clone())))
            }
            Side::Right(at) => {
                let right = &self.rights.0[at].0;
                self.lefts.try_for_each(next, last, |left| each(M::both(left.clone(), right.clone())))
            }
        };
        match met {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(next) => ControlFlow::Break(next.map(|next| Meeting { own, next, last })),
        }
    }

    /// The items of both sides without a partner, in the order they came.
    pub(in crate::flow) fn unmatched(mut self) -> (Unmatched<L>, Unmatched<R>) {
        for ends in self.keys.iter().map(|(_, ends)| ends) {
            if ends.right == NONE {
                self.lefts.mark(ends.left);
            } else if ends.left == NONE {
                self.rights.mark(ends.right);
            }
        }
        (Unmatched(self.lefts.0.into_iter()), Unmatched(self.rights.0.into_iter()))
    }
}

impl<T> Chains<T> {
    /// Adds an item to the end of the chain whose last item is at `last`, and makes it the last.
    #[inline(always)]
    fn add(&mut self, item: T, last: &mut usize) -> usize {
        let at = self.0.len();
        let first = if *last == NONE { at } else { std::mem::replace(&mut self.0[*last].1, at) };
        self.0.push((item, first));
        *last = at;
        at
    }

    fn first(&self, last: usize) -> Option<usize> {
        (last != NONE).then(|| self.0[last].1)
    }

    /// Goes along a chain. When `each` breaks, returns where to go on, unless that was at the last item.
    #[inline(always)]
    fn try_for_each(
        &self,
        mut at: usize,
        last: usize,
        mut each: impl FnMut(&T) -> ControlFlow<()>,
    ) -> ControlFlow<Option<usize>> {
        loop {
            let (item, next) = &self.0[at];
            let flow = each(item);
            let rest = (at != last).then_some(*next);
            match (flow, rest) {
                (ControlFlow::Break(()), rest) => return ControlFlow::Break(rest),
                (ControlFlow::Continue(()), None) => return ControlFlow::Continue(()),
                (ControlFlow::Continue(()), Some(next)) => at = next,
            }
        }
    }

    /// Marks the items of a chain as those without a partner.
    fn mark(&mut self, last: usize) {
        let mut at = last;
        loop {
            let next = std::mem::replace(&mut self.0[at].1, NONE);
            if next == last {
                return;
            }
            at = next;
        }
    }
}

/// The items of a side without a partner.
pub(in crate::flow) struct Unmatched<T>(vec::IntoIter<(T, usize)>);

impl<T> Unmatched<T> {
    pub(in crate::flow) fn none() -> Self {
        Self(Vec::new().into_iter())
    }
}

impl<T> Iterator for Unmatched<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.find(|(_, next)| *next == NONE).map(|(item, _)| item)
    }
}

impl<K, L, R> fmt::Debug for Table<K, L, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}
