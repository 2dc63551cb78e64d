use super::from_iter::STEP;
use super::output::Output;
use super::producer::Producer;
use crate::failure::StageError;
use futures_core::Stream;
use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Makes a producer of a stream: the producer hands out what the stream yields, and finishes when the stream ends.
///
/// # Demand
/// The stream is polled only while items are asked for. What is ready goes out at once, together, without waiting for
/// as many items as were asked for. At most 10,000 are taken at once.
///
/// # Ordering
/// Items are emitted in the order of the stream.
///
/// # Panics
/// A panic of the stream ends the stage with [`Reason::Panicked`](super::Reason::Panicked).
///
/// # Examples
/// ```
/// use futures::{StreamExt, stream};
/// use gen_stage::prelude::*;
/// use gen_stage::stage::from_stream;
///
/// # tokio_test::block_on(async {
/// let letters = from_stream(stream::iter('a'..='c')).stage().spawn();
/// let read: String = letters.subscribe().await?.collect().await;
/// assert_eq!(read, "abc");
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
///
/// # Source
/// `GenStage.from_enumerable`, without its waiting for the full demand.
pub fn from_stream<S>(stream: S) -> FromStream<S>
where
    S: Stream<Item: Send> + Send + 'static,
{
    FromStream { stream: Box::pin(stream), wanted: 0 }
}

/// The producer behind [`from_stream`].
pub struct FromStream<S> {
    stream: Pin<Box<S>>,
    /// Asked for and not yet yielded.
    wanted: usize,
}

impl<S> Producer for FromStream<S>
where
    S: Stream<Item: Send> + Send + 'static,
{
    type Item = S::Item;

    async fn handle_demand(&mut self, demand: usize, _: &mut Output<S::Item>) -> Result<(), StageError> {
        self.wanted = self.wanted.saturating_add(demand);
        Ok(())
    }

    async fn produce(&mut self, out: &mut Output<S::Item>) -> Result<(), StageError> {
        if self.wanted == 0 {
            return pending().await;
        }
        poll_fn(|cx| {
            while self.wanted > 0 && out.emitted() < STEP {
                match self.stream.as_mut().poll_next(cx) {
                    Poll::Ready(Some(item)) => {
                        out.push(item);
                        self.wanted -= 1;
                    }
                    Poll::Ready(None) => {
                        out.finish();
                        self.wanted = 0;
                    }
                    Poll::Pending if out.emitted() == 0 => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}

impl<S> fmt::Debug for FromStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromStream").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}
