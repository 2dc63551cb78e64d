use super::bounds::OpenLayer;
use super::flow::Flow;
use super::map_async::MapAsync;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

impl<P, T, E> Flow<P>
where
    P: OpenLayer<Item = Result<T, E>>,
{
    /// Makes a result of the value of each `Ok` by awaiting the future that `f` returns, with at most `n` in flight;
    /// errors pass through untouched.
    ///
    /// `n` is at least 1, and counts over all lanes of the layer. All that is said of [`map_async`](Flow::map_async)
    /// holds; an error that comes in counts as a ready future. To try again what failed, wrap `f` in a
    /// [`Retry`](super::Retry).
    ///
    /// # Demand, Ordering
    /// As for [`map_async`](Flow::map_async). An error that comes in overtakes what is in flight, unless
    /// [`ordered`](Flow::ordered) follows.
    ///
    /// # Errors
    /// An error of a future becomes an item, as with [`try_map`](Flow::try_map).
    ///
    /// # Panics
    /// When `n` is 0. A panic in `f` or in a future ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::{flow::Retry, prelude::*};
    ///
    /// async fn look_up(key: u32) -> Result<String, String> {
    ///     tokio::task::yield_now().await;
    ///     if key < 10 { Ok(format!("value of {key}")) } else { Err(format!("no key {key}")) }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// # tokio::time::pause();
    /// let found = Flow::from_iter(["4", "x", "12"])
    ///     .map(|text| text.parse::<u32>().map_err(|_| format!("no number {text}")))
    ///     .try_map_async(100, Retry::times(2).wrap(look_up))
    ///     .ordered();
    /// let expected = [Ok("value of 4"), Err("no number x"), Err("no key 12")];
    /// let expected = expected.map(|result| result.map(String::from).map_err(String::from));
    /// assert_eq!(found.collect::<Vec<_>>().await, expected);
    /// # });
    /// ```
    #[track_caller]
    pub fn try_map_async<U, Fut, F>(
        self,
        n: usize,
        mut f: F,
    ) -> Flow<MapAsync<P, TryJob<Fut, E>, impl FnMut(Result<T, E>) -> TryJob<Fut, E> + Clone>>
    where
        F: FnMut(T) -> Fut + Clone,
        Fut: Future<Output = Result<U, E>> + Send + 'static,
        U: Send,
        E: Send + 'static,
    {
        self.map_async_named("try_map_async", n, move |item: Result<T, E>| match item {
            Ok(value) => TryJob::Running { future: f(value) },
            Err(error) => TryJob::Failed { error: Some(error) },
        })
    }
}

pin_project! {
    /// What becomes of one item in [`Flow::try_map_async`]: a future of its value, or the error it came with.
    #[project = TryJobProjection]
    #[must_use = "futures do nothing unless polled"]
    pub enum TryJob<Fut, E> {
        #[doc(hidden)]
        Running { #[pin] future: Fut },
        #[doc(hidden)]
        Failed { error: Option<E> },
    }
}

impl<U, E, Fut: Future<Output = Result<U, E>>> Future for TryJob<Fut, E> {
    type Output = Result<U, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<U, E>> {
        match self.project() {
            TryJobProjection::Running { future } => future.poll(cx),
            TryJobProjection::Failed { error } => match error.take() {
                Some(error) => Poll::Ready(Err(error)),
                None => panic!("a future is not polled again when it was ready"),
            },
        }
    }
}

impl<Fut, E> fmt::Debug for TryJob<Fut, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryJob").finish_non_exhaustive()
    }
}
