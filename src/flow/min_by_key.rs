use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;

impl<P> Flow<P> {
    /// Finds the item with the least key, first in each lane, then among the lanes; `None` if nothing comes out.
    ///
    /// # Ordering
    /// Of several items with the least key, it is any one; with one lane, the first.
    ///
    /// # Panics
    /// Like every reader of a [`Flow`], with the panic of `key` too; and when the flow is already being read.
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow, with the items in flight.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// assert_eq!(Flow::from_iter(["the", "quick", "ox"]).min_by_key(|word| word.len()).await, Some("ox"));
    /// # });
    /// ```
    ///
    /// # Source
    /// `Enum.min_by/2` on a Flow.
    pub async fn min_by_key<K, F>(self, key: F) -> Option<P::Item>
    where
        P: Build<Bare, Item: Send + 'static, Lane: Send + 'static>,
        K: Ord + Send + 'static,
        F: FnMut(&P::Item) -> K + Clone + Send + 'static,
    {
        self.best_by_key(key, |best, key| key < best).await
    }

    /// Finds the item with the greatest key, first in each lane, then among the lanes; `None` if nothing comes out.
    ///
    /// # Ordering
    /// Of several items with the greatest key, it is any one; with one lane, the last.
    ///
    /// # Panics
    /// Like every reader of a [`Flow`], with the panic of `key` too; and when the flow is already being read.
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow, with the items in flight.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// assert_eq!(Flow::from_iter(["the", "quick", "ox"]).max_by_key(|word| word.len()).await, Some("quick"));
    /// # });
    /// ```
    ///
    /// # Source
    /// `Enum.max_by/2` on a Flow, which takes the first of equal ones.
    pub async fn max_by_key<K, F>(self, key: F) -> Option<P::Item>
    where
        P: Build<Bare, Item: Send + 'static, Lane: Send + 'static>,
        K: Ord + Send + 'static,
        F: FnMut(&P::Item) -> K + Clone + Send + 'static,
    {
        self.best_by_key(key, |best, key| key >= best).await
    }

    async fn best_by_key<K, F>(self, mut key: F, better: fn(&K, &K) -> bool) -> Option<P::Item>
    where
        P: Build<Bare, Item: Send + 'static, Lane: Send + 'static>,
        K: Send + 'static,
        F: FnMut(&P::Item) -> K + Clone + Send + 'static,
    {
        let best = move |best: &mut Option<(K, P::Item)>, item: P::Item| {
            let key = key(&item);
            if best.as_ref().is_none_or(|(best, _)| better(best, &key)) {
                *best = Some((key, item));
            }
        };
        let bests = self.fold_lanes(|| None, best).await.into_iter().flatten();
        let best = bests.reduce(|best, next| if better(&best.0, &next.0) { next } else { best });
        best.map(|(_, item)| item)
    }
}
