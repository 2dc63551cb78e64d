use super::consumer::Consumer;
use super::output::Control;
use super::reason::Reason;
use super::upstream::Upstream;
use crate::failure::StageError;
use futures_sink::Sink;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;

/// Makes a consumer of a sink: the consumer sends its items into the sink, and flushes after each batch.
///
/// When the stage ends cleanly, the sink is closed.
///
/// # Demand
/// The next batch is handled when the sink has taken the last one.
///
/// # Errors
/// An error of the sink ends the stage with [`Reason::Failed`]. An error in closing it is logged.
///
/// # Examples
/// ```
/// use futures::{SinkExt, StreamExt, channel::mpsc};
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{from_iter, from_sink};
///
/// # tokio_test::block_on(async {
/// let (sink, received) = mpsc::channel::<u32>(1);
/// let numbers = from_iter(0..5).stage().spawn();
/// let _writer = from_sink(sink).stage().subscribe_to(numbers.subscribe()).spawn();
/// assert_eq!(received.collect::<Vec<_>>().await, [0, 1, 2, 3, 4]);
/// # });
/// ```
pub fn from_sink<S, T>(sink: S) -> FromSink<S, T>
where
    S: Sink<T, Error: Into<StageError>> + Send + 'static,
    T: Send + 'static,
{
    FromSink { sink: Box::pin(sink), items: PhantomData }
}

/// The consumer behind [`from_sink`].
pub struct FromSink<S, T> {
    sink: Pin<Box<S>>,
    items: PhantomData<fn(T)>,
}

impl<S, T> Consumer for FromSink<S, T>
where
    S: Sink<T, Error: Into<StageError>> + Send + 'static,
    T: Send + 'static,
{
    type Input = T;

    async fn handle_items(&mut self, items: Vec<T>, _: &Upstream, _: &mut Control) -> Result<(), StageError> {
        for item in items {
            poll_fn(|cx| self.sink.as_mut().poll_ready(cx)).await.map_err(Into::into)?;
            self.sink.as_mut().start_send(item).map_err(Into::into)?;
        }
        poll_fn(|cx| self.sink.as_mut().poll_flush(cx)).await.map_err(Into::into)
    }

    async fn terminate(&mut self, reason: &Reason) {
        if reason.is_clean() {
            if let Err(error) = poll_fn(|cx| self.sink.as_mut().poll_close(cx)).await {
                let error: StageError = error.into();
                tracing::error!(%error, "a sink was not closed");
            }
        }
    }
}

impl<S, T> fmt::Debug for FromSink<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromSink").finish_non_exhaustive()
    }
}
