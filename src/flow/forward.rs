use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use futures_core::Stream;
use futures_sink::Sink;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

impl<P> Flow<P> {
    /// Sends everything that comes out into a `Sink`, and closes it at the end.
    ///
    /// The sink is asked first and then the flow, so that an item is taken only when there is room for it. The sink is
    /// flushed whenever the flow has nothing ready. Unlike `StreamExt::forward` this takes plain items, not `Result`s.
    ///
    /// # Demand
    /// A sink that is not ready stops the lanes, once as many items wait as were asked for, and they stop the source.
    ///
    /// # Errors
    /// The first error of the sink, which ends the flow. A [`monitor`](Flow::monitor) says that the sink failed, and
    /// after which layer it was.
    ///
    /// # Panics
    /// Like every reader of a [`Flow`].
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow and the sink.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, channel::mpsc};
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let (sink, received) = mpsc::channel(8);
    /// let forwarded = Flow::from_iter(1..=3).lanes(1).forward(sink);
    /// let (done, received) = futures::join!(forwarded, received.collect::<Vec<_>>());
    /// assert_eq!((done, received), (Ok(()), vec![1, 2, 3]));
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.into_stages/3` with one consumer.
    pub async fn forward<Si>(mut self, sink: Si) -> Result<(), Si::Error>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        Si: Sink<P::Item>,
    {
        let mut sink = pin!(sink);
        let written = async {
            poll_fn(|cx| {
                loop {
                    ready!(sink.as_mut().poll_ready(cx))?;
                    match Pin::new(&mut self).poll_next(cx) {
                        Poll::Ready(Some(item)) => sink.as_mut().start_send(item)?,
                        Poll::Ready(None) => return Poll::Ready(Ok(())),
                        Poll::Pending => {
                            ready!(sink.as_mut().poll_flush(cx))?;
                            return Poll::Pending;
                        }
                    }
                }
            })
            .await?;
            // Apart: a sink that is being closed is not asked whether it is ready.
            poll_fn(|cx| sink.as_mut().poll_close(cx)).await
        };
        let written: Result<(), Si::Error> = written.await;
        if written.is_err() {
            self.launch.show_failed_sink();
        }
        written
    }
}
