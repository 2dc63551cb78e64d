use super::flow::Flow;
use super::source::Source;
use crate::lane::Foreign;
use futures_core::Stream;

/// Adds [`flow`](StreamFlow::flow) to every `Stream`; nothing else, so that it goes with any other extension trait.
///
/// # Examples
/// See [`flow`](StreamFlow::flow).
pub trait StreamFlow: Stream + Sized {
    /// Spreads the items of this stream over lanes that run on all cores.
    ///
    /// # Demand
    /// The stream is polled, in a task of its own, while a lane wants items: at most [`max_demand`](Flow::demand)
    /// items per lane are in flight. A batch goes to the lane with the most open demand, as soon as the stream has
    /// nothing more ready. The first batches are short, so that short inputs are shared too.
    ///
    /// # Ordering
    /// Each lane gets its items in order. With one lane ([`lanes(1)`](Flow::lanes)) the stream runs in the lane's own
    /// task, and order is kept.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::HashMap;
    ///
    /// # tokio_test::block_on(async {
    /// let lines = futures::stream::iter(["the quick fox", "the lazy dog"]);
    /// let counts: HashMap<&str, u64> = lines
    ///     .flow()
    ///     .flat_map(|line| line.split(' '))
    ///     .partition()
    ///     .reduce(HashMap::new, |counts, word| *counts.entry(word).or_insert(0) += 1)
    ///     .collect()
    ///     .await;
    /// assert_eq!((counts["the"], counts["fox"]), (2, 1));
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.from_enumerable/2`. A layer without operators costs no task here either.
    fn flow(self) -> Flow<Source<Foreign<Self>>>
    where
        Self: Send + 'static,
        Self::Item: Send + 'static,
    {
        Flow::new(Source::new(vec![Foreign::of(self)]))
    }
}

impl<S: Stream> StreamFlow for S {}
