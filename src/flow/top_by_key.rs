use super::bounds::Reducible;
use super::flow::Flow;
use super::reduce::Reduce;
use super::top::Top;
use crate::reduce::{KeepsState, Reducer};
use crate::sealed::Sealed;
use std::iter;
use std::marker::PhantomData;
use std::num::NonZeroUsize;

impl<P> Flow<P> {
    /// Keeps the `n` items with the greatest keys of each window, or of all that a lane takes; they come out at its
    /// end, with the greatest key first.
    ///
    /// `n` is at least 1, per lane and window: no more items than that are kept, however many come. Of items with equal
    /// keys, the first to come stay. The state is a [`Top`].
    ///
    /// Each lane has a top of its own. To bring them together in one, for each window, put
    /// [`departition`](Flow::departition) or [`take_sort_by`](Flow::take_sort_by) after it; two sessions become one by
    /// `merge_states(Top::merge)`. What must come together first, as counts of words, is counted in a layer of its own,
    /// and its pairs go to `take_sort_by` directly.
    ///
    /// # Demand
    /// Takes all its input once it is asked for anything.
    ///
    /// # Panics
    /// When `n` is 0. A panic in `key` ends the flow with that panic.
    ///
    /// # Examples
    /// The two highest temperatures of each hour, over all lanes.
    /// ```
    /// use gen_stage::flow::Top;
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let hour = Duration::from_secs(3600);
    /// let measured = [(0, 17), (1, 23), (2, 19), (4_000, 5), (4_001, 21), (4_002, 20)];
    /// let hottest = Flow::from_iter(measured)
    ///     .lanes(1)
    ///     .shuffle()
    ///     .lanes(2)
    ///     .window_by(|one| one.0 * 1000, |at| Window::fixed(hour, at))
    ///     .top_by_key(2, |one| one.1)
    ///     .emit_state()
    ///     .departition(|| Top::new(2), Top::merge, |top, hour| {
    ///         (hour.start / 3_600_000, top.into_iter().map(|one| one.1).collect::<Vec<i64>>())
    ///     });
    /// assert_eq!(hottest.collect::<Vec<_>>().await, [(0, vec![23, 19]), (1, vec![21, 20])]);
    /// # });
    /// ```
    ///
    /// # Source
    /// None in Flow: its `take_sort/3` needs all items of a window in a state before it.
    #[track_caller]
    pub fn top_by_key<K, F>(self, n: usize, key: F) -> Flow<Reduce<P, KeepingTop<K, P::Item, F>>>
    where
        P: Reducible,
        K: Ord,
        F: FnMut(&P::Item) -> K + Clone,
    {
        let n = NonZeroUsize::new(n).expect("top_by_key keeps at least 1 item, given 0");
        self.reduce_by("top_by_key", KeepingTop { n, key, kept: PhantomData })
    }
}

/// The reducer of [`Flow::top_by_key`].
pub struct KeepingTop<K, T, F> {
    n: NonZeroUsize,
    key: F,
    kept: PhantomData<fn() -> (K, T)>,
}

impl<K, T, F> Sealed for KeepingTop<K, T, F> {}

impl<K: Ord, T, F> KeepsState for KeepingTop<K, T, F> {
    type State = Top<K, T>;

    fn init(&mut self) -> Top<K, T> {
        Top::new(self.n.get())
    }
}

impl<K: Ord, T, U, F: FnMut(&T) -> K> Reducer<T, U> for KeepingTop<K, T, F> {
    type Items = iter::Empty<U>;

    const EMITS: bool = false;

    #[inline]
    fn take(&mut self, top: &mut Top<K, T>, item: T) -> iter::Empty<U> {
        top.push((self.key)(&item), item);
        iter::empty()
    }
}

impl<K, T, F: Clone> Clone for KeepingTop<K, T, F> {
    fn clone(&self) -> Self {
        Self { n: self.n, key: self.key.clone(), kept: PhantomData }
    }
}

opaque_debug!(KeepingTop<K, T, F>);
