use super::flow::Flow;
use super::source::Source;
use crate::lane::StreamLane;
use futures_core::Stream;

/// Adds [`flow`](StreamFlow::flow) to every `Stream`; nothing else, so that it goes with any other extension trait.
///
/// # Examples
/// See [`flow`](StreamFlow::flow).
pub trait StreamFlow: Stream + Sized {
    /// Spreads the items of this stream over lanes that run on all cores.
    ///
    /// # Demand
    /// The stream is polled, in a task of its own, while a lane wants items: at most [`max_demand`](Flow::demand) items
    /// per lane are in flight. Lanes that want some get them in turn, as soon as the stream has nothing more ready.
    ///
    /// A lane asks for one item at first, and for more as it gets on, so that short inputs are shared by all lanes. If
    /// the stream says how many items are left (`size_hint`), batches get shorter towards its end, and the end is
    /// shared too. Where that is not known, as with a channel, the last batches are as long as any: items that a lane
    /// holds are not taken back, however slow they are. Where an item takes milliseconds, set a small
    /// [`demand`](Flow::demand), for example of 4 and 2.
    ///
    /// # Ordering
    /// Each lane gets its items in order; between lanes there is no order. With one lane ([`lanes(1)`](Flow::lanes))
    /// the stream runs in the lane's own task, and order is kept. With no lanes set and no operators there is no layer:
    /// what comes next, a partition for example, or the reader, takes the items in the order of the stream.
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
    /// `Flow.from_enumerable/2`. There too, a layer with no operators and no number of lanes does not exist.
    #[track_caller]
    fn flow(self) -> Flow<Source<StreamLane<Self>>>
    where
        Self: Send + 'static,
        Self::Item: Send + 'static,
    {
        Flow::source("flow", |layer| Source::new(vec![StreamLane::of(self)], layer))
    }
}

impl<S: Stream> StreamFlow for S {}
