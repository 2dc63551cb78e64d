use super::bounds::OpenLayer;
use super::flow::Flow;
use super::map_async::MapAsync;
use crate::span::TaskSpan;
use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::Span;

impl<P: OpenLayer> Flow<P> {
    /// Makes one item of each item with an `f` that blocks its thread, on tokio's threads for that, at most `n` at a time.
    ///
    /// For files, databases and other code that waits without `await`, and for work of many milliseconds that would keep
    /// other tasks from their turns. What only computes, and not for long, is faster in [`map`](Flow::map): here, every
    /// item goes to another thread and back. `n` is at least 1, and counts over all lanes of the layer. The runtime has at
    /// most [`max_blocking_threads`](tokio::runtime::Builder::max_blocking_threads), by default 512, for all its tasks.
    ///
    /// # Demand, Ordering
    /// As for [`map_async`](Flow::map_async): results come as they are ready, unless [`ordered`](Flow::ordered) follows.
    ///
    /// # Panics
    /// When `n` is 0. A panic in `f` ends the flow with that panic.
    ///
    /// # Drop
    /// Dropping the flow does not stop an `f` that has begun: nothing can. It comes to its end, and its result is dropped;
    /// a runtime that is dropped waits for that. A flow that is [shut down](super::FlowHandle::shutdown) waits for it up to
    /// the deadline. An item that waits for a thread is dropped, and its `f` not called, when a thread gets to it.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let sizes = Flow::from_iter(["Cargo.toml", "README.md"])
    ///     .map_blocking(4, |path| std::fs::metadata(path).map(|file| file.len()))
    ///     .ordered();
    /// let sizes = sizes.try_collect::<Vec<u64>>().await?;
    /// assert!(sizes.len() == 2 && sizes.iter().all(|bytes| *bytes > 100));
    /// # Ok::<(), std::io::Error>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// Flow has no such operator: a process of Erlang that blocks holds up no other process.
    #[track_caller]
    pub fn map_blocking<U, F>(
        self,
        n: usize,
        f: F,
    ) -> Flow<MapAsync<P, Blocking<U>, impl FnMut(P::Item) -> Blocking<U> + Clone>>
    where
        P::Item: Send + 'static,
        F: FnOnce(P::Item) -> U + Clone + Send + 'static,
        U: Send + 'static,
    {
        self.map_async_named("map_blocking", n, move |item| {
            let f = f.clone();
            let span = TaskSpan::debug(Span::current);
            let run = move || {
                let _entered = span.enter();
                f(item)
            };
            Blocking { running: spawn_blocking(run) }
        })
    }
}

/// What becomes of one item in [`Flow::map_blocking`].
#[must_use = "futures do nothing unless polled"]
pub struct Blocking<U> {
    running: JoinHandle<U>,
}

impl<U> Future for Blocking<U> {
    type Output = U;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<U> {
        match Pin::new(&mut self.running).poll(cx) {
            Poll::Ready(Ok(made)) => Poll::Ready(made),
            Poll::Ready(Err(error)) => match error.try_into_panic() {
                Ok(payload) => resume_unwind(payload),
                // Its runtime is shut down, and this task with it: the flow learns of that from its own tasks.
                Err(_cancelled) => Poll::Pending,
            },
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<U> Drop for Blocking<U> {
    /// One that waits for a thread need not begin.
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl<U> fmt::Debug for Blocking<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}
