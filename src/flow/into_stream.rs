use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use futures_core::{FusedStream, Stream};
use std::pin::Pin;
use std::task::{Context, Poll};

impl<P> Flow<P> {
    /// Leaves the flow: what comes out is a `Stream` and nothing else, for adapters of other crates.
    ///
    /// A flow is a `Stream` without this. But its own operators hide adapters of the same name, and do not compile
    /// where they are not allowed: `map` after a `reduce`, for example. After this, `map` is that of `StreamExt`, and
    /// runs in the task that reads.
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
    pub fn into_stream(self) -> FlowStream<P>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    {
        FlowStream(self)
    }
}

/// What comes out of a flow: see [`Flow::into_stream`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct FlowStream<P>(Flow<P>);

impl<P> Stream for FlowStream<P>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
{
    type Item = P::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<P::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<P> FusedStream for FlowStream<P>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
{
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }
}
