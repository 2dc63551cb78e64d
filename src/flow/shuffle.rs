use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::exchange::{Exchange, Shuffle};
use super::plumbing::plan::Build;

impl<P> Flow<P> {
    /// Opens a layer whose lanes take items by demand: a batch goes to the next lane in turn that wants some.
    ///
    /// Use it to change the number of lanes, to even out lanes that got unequal shares, or to let two halves of a
    /// chain run on two cores. There are as many lanes as cores, unless [`lanes`](Flow::lanes) says otherwise.
    ///
    /// # Demand
    /// A lane above takes items while any lane of the new layer wants some.
    ///
    /// # Ordering
    /// Each edge keeps its order. With one lane above and one below, all order is kept.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// // Reads on one core, works on another, in order.
    /// let flow = Flow::from_iter(1..=3).lanes(1).shuffle().lanes(1).map(|n| n * 2);
    /// assert_eq!(flow.collect::<Vec<_>>().await, [2, 4, 6]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.shuffle/2`.
    #[track_caller]
    pub fn shuffle(self) -> Flow<Exchange<P, Shuffle>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    {
        self.open("shuffle", |plan, layer| Exchange::new(plan, Shuffle, layer))
    }
}
