use super::from_iter::STEP;
use super::output::Output;
use super::producer::Producer;
use super::reason::Cancellation;
use super::wanted::Wanted;
use crate::dispatch::Subscriber;
use crate::failure::StageError;
use futures_core::Stream;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Makes a producer of a stream: the producer hands out what the stream yields, and finishes when the stream ends.
///
/// # Demand
/// The stream is polled only while items are asked for. What is ready goes out at once, together, without waiting for
/// as many items as were asked for. At most 10,000 are taken at once. When one of several consumers asks for 256 items
/// or more and nothing was asked for before, other tasks run first, so that the others ask too.
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
    FromStream { stream: Box::pin(stream), wanted: Wanted::default() }
}

/// The producer behind [`from_stream`].
pub struct FromStream<S> {
    stream: Pin<Box<S>>,
    wanted: Wanted,
}

impl<S> Producer for FromStream<S>
where
    S: Stream<Item: Send> + Send + 'static,
{
    type Item = S::Item;

    async fn handle_subscribe(&mut self, _: Subscriber, _: &mut Output<S::Item>) -> Result<(), StageError> {
        self.wanted.consumer_came();
        Ok(())
    }

    async fn handle_cancel(&mut self, _: &Cancellation, _: &mut Output<S::Item>) -> Result<(), StageError> {
        self.wanted.consumer_left();
        Ok(())
    }

    async fn handle_demand(&mut self, demand: usize, _: &mut Output<S::Item>) -> Result<(), StageError> {
        self.wanted.ask(demand);
        Ok(())
    }

    async fn produce(&mut self, out: &mut Output<S::Item>) -> Result<(), StageError> {
        self.wanted.gather().await;
        let most = self.wanted.items().min(STEP);
        let ended = poll_fn(|cx| {
            while out.emitted() < most {
                match self.stream.as_mut().poll_next(cx) {
                    Poll::Ready(Some(item)) => out.push(item),
                    Poll::Ready(None) => return Poll::Ready(true),
                    Poll::Pending if out.emitted() == 0 => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            Poll::Ready(false)
        })
        .await;
        self.wanted.made(out.emitted());
        if ended {
            self.wanted.end();
            out.finish();
        }
        Ok(())
    }
}

impl<S> fmt::Debug for FromStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromStream").field("wanted", &self.wanted.items()).finish_non_exhaustive()
    }
}
