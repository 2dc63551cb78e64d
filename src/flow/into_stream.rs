use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use futures_core::{FusedStream, Stream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

impl<P> Flow<P> {
    /// Leaves the flow: what comes out is a `Stream` and nothing else, for adapters of other crates.
    ///
    /// A flow is a `Stream` without this. But its own operators hide adapters of the same name, and do not compile
    /// where they are not allowed: `map` after a `reduce`, for example. After this, `map` is that of `StreamExt`, and
    /// runs in the task that reads.
    ///
    /// It is also the fastest way to read item by item, for it keeps the batch that is being read. A `Flow` does not
    /// know the type of what comes out of it before it runs, and looks up its batch for each item.
    ///
    /// # Drop
    /// Items of the batch that is being read are dropped and counted as [`discarded`](Flow::discarded), like those that
    /// are still on their way.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let sums = Flow::from_iter(0..9).lanes(1).reduce(|| 0, |sum, n| *sum += n).emit_state();
    /// assert_eq!(sums.into_stream().map(|sum: u32| sum + 1).collect::<Vec<_>>().await, [37]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.stream/2`.
    pub fn into_stream(self) -> FlowStream<P, P::Item>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    {
        FlowStream { flow: self, batch: Vec::new().into_iter() }
    }
}

/// What comes out of a flow: see [`Flow::into_stream`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct FlowStream<P, T> {
    flow: Flow<P>,
    /// The rest of the batch that is being read.
    batch: vec::IntoIter<T>,
}

impl<P> FlowStream<P, P::Item>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
{
    /// Takes the first item of the next batch. Kept out of `poll_next` to keep that short.
    #[inline(never)]
    fn poll_refill(&mut self, cx: &mut Context<'_>) -> Poll<Option<P::Item>> {
        while let Some(batch) = ready!(self.flow.poll_next_batch(cx)) {
            self.batch = batch.into_iter();
            if let Some(item) = self.batch.next() {
                return Poll::Ready(Some(item));
            }
        }
        Poll::Ready(None)
    }
}

impl<P> Stream for FlowStream<P, P::Item>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
{
    type Item = P::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<P::Item>> {
        let this = self.get_mut();
        match this.batch.next() {
            Some(item) => Poll::Ready(Some(item)),
            None => this.poll_refill(cx),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (held, (least, most)) = (self.batch.len(), self.flow.size_hint());
        (least.saturating_add(held), most.and_then(|most| most.checked_add(held)))
    }
}

impl<P> FusedStream for FlowStream<P, P::Item>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
{
    fn is_terminated(&self) -> bool {
        self.batch.len() == 0 && self.flow.is_terminated()
    }
}

// The flow and the items are owned, never pinned.
impl<P, T> Unpin for FlowStream<P, T> {}

impl<P, T> Drop for FlowStream<P, T> {
    fn drop(&mut self) {
        self.flow.count_unread(self.batch.len());
    }
}
