use super::bounds::Reducible;
use super::departition::Departition;
use super::departition::lane::Gather;
use super::flow::Flow;
use super::reduce::Reduce;
use crate::reduce::{Emit, KeepsState};
use crate::sealed::Sealed;
use crate::window::Info;
use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::vec;

impl<P, R, E, M> Flow<Reduce<P, R, E, M>>
where
    P: Reducible,
{
    /// Brings together the `n` least of the items that all lanes emit for a window, in one sorted vector per window.
    ///
    /// `n` is at least 1. Each lane sends at most `n` items, the least of those it emits; a vector has at most `n` in
    /// all. Without windows there is one vector, at the end of input; when nothing was emitted, it is empty. For
    /// another order see [`take_sort_by`](Flow::take_sort_by).
    ///
    /// All else is as for [`departition`](Flow::departition).
    ///
    /// # Panics
    /// When `n` is 0.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let least = Flow::from_iter([5, 1, 4, 2, 3]).partition().reduce(Vec::new, Vec::push).take_sort(2);
    /// assert_eq!(least.collect::<Vec<_>>().await, [[1, 2]]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.take_sort/3`.
    #[track_caller]
    pub fn take_sort<T>(
        self,
        n: usize,
    ) -> Flow<Departition<P, R, Least<E, fn(&T, &T) -> Ordering>, M, LeastOfAll<T, fn(&T, &T) -> Ordering>>>
    where
        R: KeepsState,
        E: Emit<<R as KeepsState>::State, P::Places, P::Id, Item = T>,
        P::Id: Ord,
        T: Ord,
    {
        self.take_sort_by(n, T::cmp as fn(&T, &T) -> Ordering)
    }

    /// Brings together the first `n`, in the order of `compare`, of the items that all lanes emit for a window.
    ///
    /// Like [`take_sort`](Flow::take_sort). Items that compare equal come in any order.
    ///
    /// # Panics
    /// When `n` is 0. A panic in `compare` ends the flow with that panic.
    ///
    /// # Examples
    /// The most frequent word.
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let top = Flow::from_iter(["foo", "bar", "foo", "foo", "baz"])
    ///     .partition()
    ///     .count_by(|word| *word)
    ///     .take_sort_by(1, |a, b| b.1.cmp(&a.1));
    /// assert_eq!(top.collect::<Vec<_>>().await, [[("foo", 3)]]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.take_sort/3` with a function.
    #[track_caller]
    pub fn take_sort_by<T, C>(
        self,
        n: usize,
        compare: C,
    ) -> Flow<Departition<P, R, Least<E, C>, M, LeastOfAll<T, C>>>
    where
        R: KeepsState,
        E: Emit<<R as KeepsState>::State, P::Places, P::Id, Item = T>,
        P::Id: Ord,
        C: FnMut(&T, &T) -> Ordering + Clone,
    {
        let n = NonZeroUsize::new(n).expect("take_sort takes at least 1 item, given 0").get();
        let all = LeastOfAll { n, compare: compare.clone(), items: PhantomData };
        let of_each = |reduce: Reduce<P, R, E, M>| Reduce {
            upstream: reduce.upstream,
            reducer: reduce.reducer,
            emit: Least { emit: reduce.emit, n, compare },
            merge: reduce.merge,
        };
        self.wrap(of_each).gathered("take_sort", all)
    }
}

/// Emits the first `n` of the items that `emit` would, in any order: in each lane, for [`Flow::take_sort`].
#[derive(Clone)]
pub struct Least<E, C> {
    emit: E,
    n: usize,
    compare: C,
}

/// Brings the first items of all lanes together.
pub struct LeastOfAll<T, C> {
    n: usize,
    compare: C,
    items: PhantomData<fn() -> T>,
}

/// Keeps the first `n` items, in any order.
fn cut<T>(items: &mut Vec<T>, n: usize, compare: &mut impl FnMut(&T, &T) -> Ordering) {
    if items.len() > n {
        items.select_nth_unstable_by(n - 1, &mut *compare);
        items.truncate(n);
    }
}

/// Adds an item to the first `n`; at most `2 n` are kept between cuts.
fn add<T>(items: &mut Vec<T>, item: T, n: usize, compare: &mut impl FnMut(&T, &T) -> Ordering) {
    items.push(item);
    if items.len() >= n.saturating_mul(2) {
        cut(items, n, compare);
    }
}

impl<E, C> Sealed for Least<E, C> {}

impl<S, P, Id, T, E, C> Emit<S, P, Id> for Least<E, C>
where
    E: Emit<S, P, Id, Item = T>,
    C: FnMut(&T, &T) -> Ordering,
{
    type Item = T;
    type Items = vec::IntoIter<T>;

    fn early(&mut self, state: &mut S, info: Info<Id>) -> Self::Items {
        let items = self.emit.early(state, info);
        self.first(items)
    }

    fn last(&mut self, state: S, info: Info<Id>) -> Self::Items {
        let items = self.emit.last(state, info);
        self.first(items)
    }
}

impl<E, C> Least<E, C> {
    fn first<T>(&mut self, items: impl Iterator<Item = T>) -> vec::IntoIter<T>
    where
        C: FnMut(&T, &T) -> Ordering,
    {
        let mut first = Vec::new();
        for item in items {
            add(&mut first, item, self.n, &mut self.compare);
        }
        cut(&mut first, self.n, &mut self.compare);
        first.into_iter()
    }
}

impl<T, C> Sealed for LeastOfAll<T, C> {}

impl<Id, T, C: FnMut(&T, &T) -> Ordering> Gather<Id, T> for LeastOfAll<T, C> {
    type State = Vec<T>;
    type Out = Vec<T>;

    fn init(&mut self) -> Vec<T> {
        Vec::new()
    }

    fn merge(&mut self, items: &mut Vec<T>, item: T) {
        add(items, item, self.n, &mut self.compare);
    }

    fn done(&mut self, mut items: Vec<T>, _: Id) -> Vec<T> {
        cut(&mut items, self.n, &mut self.compare);
        items.sort_by(&mut self.compare);
        items
    }
}

impl<E: fmt::Debug, C> fmt::Debug for Least<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Least").field("emit", &self.emit).field("n", &self.n).finish_non_exhaustive()
    }
}

impl<T, C> fmt::Debug for LeastOfAll<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeastOfAll").field("n", &self.n).finish_non_exhaustive()
    }
}
