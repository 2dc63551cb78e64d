use crate::backoff::{Backoff, Pauses};
use crate::sealed::Sealed;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Tries again what failed, up to a number of times, after pauses that grow.
///
/// [`wrap`](Retry::wrap) puts a retry around a function that makes a future of an item, as
/// [`map_async`](crate::Flow::map_async) and [`try_map_async`](crate::Flow::try_map_async) take it. The pause before
/// the first repetition is 100 ms; each later pause is twice as long as the one before, and never more than 30 seconds,
/// unless [`backoff`](Retry::backoff) and [`max_delay`](Retry::max_delay) say otherwise.
///
/// A [`throttle`](crate::Flow::throttle) before it counts items, and no repetitions. For a rate that all attempts keep,
/// each of them begins with [`Throttle::acquire`](crate::flow::Throttle::acquire).
///
/// # Examples
/// ```
/// use gen_stage::flow::Retry;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use tokio::time::{Duration, Instant};
///
/// # tokio_test::block_on(async {
/// tokio::time::pause();
/// let start = Instant::now();
/// let calls = AtomicU32::new(0);
/// let retry = Retry::times(3).backoff(Duration::from_secs(1), 3.0);
/// let fetch = retry.wrap(|page: u32| {
///     let call = calls.fetch_add(1, Ordering::Relaxed);
///     async move { if call < 2 { Err("busy") } else { Ok(page * 10) } }
/// });
/// assert_eq!(fetch(7).await, Ok(70));
/// assert_eq!(calls.load(Ordering::Relaxed), 3);
/// assert!(start.elapsed() >= Duration::from_secs(1 + 3));
/// # });
/// ```
#[derive(Clone)]
#[must_use = "a retry does nothing until it is wrapped around a function"]
pub struct Retry<W = AnyError> {
    times: u32,
    backoff: Backoff,
    when: W,
}

impl Retry {
    /// Tries again up to `times` times, so that there are `times + 1` attempts at most; 0 for no repetition.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::Retry;
    ///
    /// # tokio_test::block_on(async {
    /// let never = Retry::times(0).wrap(|n: u32| async move { Err::<u32, _>(n) });
    /// assert_eq!(never(5).await, Err(5));
    /// # });
    /// ```
    pub fn times(times: u32) -> Self {
        Self { times, backoff: Backoff::default(), when: AnyError }
    }

    /// Tries again only after errors for which `when` says so; any other error is returned at once. By default it tries
    /// again after every error.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::Retry;
    ///
    /// # tokio_test::block_on(async {
    /// let retry = Retry::times(1000).when(|status: &u16| *status >= 500);
    /// let fetch = retry.wrap(|()| async { Err::<(), _>(404) });
    /// assert_eq!(fetch(()).await, Err(404));
    /// # });
    /// ```
    pub fn when<E, F>(self, when: F) -> Retry<When<F>>
    where
        F: Fn(&E) -> bool,
    {
        Retry { times: self.times, backoff: self.backoff, when: When(when) }
    }
}

impl<W> Retry<W> {
    /// Pauses for `first` before the first repetition; each later pause is `factor` times as long as the one before.
    ///
    /// By default 100 ms and 2. A factor of 1 makes all pauses equal.
    ///
    /// # Panics
    /// When `factor` is below 1, or not finite.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::Retry;
    /// use std::time::Duration;
    ///
    /// let _ = Retry::times(5).backoff(Duration::from_millis(20), 1.5);
    /// ```
    #[track_caller]
    pub fn backoff(mut self, first: Duration, factor: f64) -> Self {
        self.backoff = self.backoff.growing(first, factor);
        self
    }

    /// Pauses for at most `max_delay`; by default 30 seconds.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::Retry;
    /// use std::time::Duration;
    ///
    /// let _ = Retry::times(5).max_delay(Duration::from_secs(2));
    /// ```
    pub fn max_delay(mut self, max_delay: Duration) -> Self {
        self.backoff = self.backoff.max_delay(max_delay);
        self
    }

    /// Makes each pause shorter by a random part of itself, of at most `share`, from 0 (the default) to 1. Then
    /// attempts that failed together are not all repeated together.
    ///
    /// # Panics
    /// When `share` is not in that range.
    ///
    /// # Examples
    /// ```
    /// let _ = gen_stage::flow::Retry::times(5).jitter(0.5);
    /// ```
    #[track_caller]
    pub fn jitter(mut self, share: f64) -> Self {
        self.backoff = self.backoff.jitter(share);
        self
    }

    /// Takes the random parts from the sequence that `seed` starts, the same in every run; by default they differ.
    ///
    /// All futures of one [`wrap`](Retry::wrap) share the sequence, in the order of their failures.
    ///
    /// # Examples
    /// ```
    /// let _ = gen_stage::flow::Retry::times(5).jitter(0.5).seed(42);
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.backoff = self.backoff.seed(seed);
        self
    }

    /// Makes a function that calls `f` with an item, and again with a clone of it after an error.
    ///
    /// # Errors
    /// The future returns the error of the last attempt, as it is; or the first error that [`when`](Retry::when) does
    /// not allow to be tried again.
    ///
    /// # Panics
    /// A panic in `f` or in its future is passed on, and `f` is not called again then. The future also panics when
    /// there is a pause and it is polled outside of a tokio runtime with timers.
    ///
    /// # Cancel safety
    /// Dropping the future drops the attempt, and there is no other.
    ///
    /// # Examples
    /// See [`Retry`].
    pub fn wrap<T, U, E, F, Fut>(self, f: F) -> impl Fn(T) -> Retrying<T, F, Fut, W> + Clone
    where
        T: Clone,
        F: Fn(T) -> Fut,
        Fut: Future<Output = Result<U, E>>,
        W: RetryWhen<E>,
    {
        let Self { times, backoff, when } = self;
        let policy = Arc::new(Policy { times, pauses: backoff.start(), when, f });
        move |item| {
            let kept = (policy.times > 0).then(|| item.clone());
            let future = (policy.f)(item);
            Retrying {
                policy: Arc::clone(&policy),
                item: kept,
                retries: 0,
                state: RetryState::Trying { future },
            }
        }
    }
}

/// Says whether to try again after an error: [`AnyError`] always does, [`When`] asks a closure.
pub trait RetryWhen<E>: Sealed {
    /// Whether to try again.
    #[doc(hidden)]
    fn retry_when(&self, error: &E) -> bool;
}

/// After any error there is another attempt: the default of [`Retry`].
#[derive(Debug, Clone, Copy)]
pub struct AnyError;

/// After some errors there is another attempt: made by [`Retry::when`].
#[derive(Clone, Copy)]
pub struct When<F>(F);

impl Sealed for AnyError {}

impl<E> RetryWhen<E> for AnyError {
    fn retry_when(&self, _: &E) -> bool {
        true
    }
}

impl<F> Sealed for When<F> {}

impl<E, F: Fn(&E) -> bool> RetryWhen<E> for When<F> {
    fn retry_when(&self, error: &E) -> bool {
        (self.0)(error)
    }
}

/// What all futures of one [`Retry::wrap`] share.
struct Policy<F, W> {
    times: u32,
    pauses: Pauses,
    when: W,
    f: F,
}

pin_project! {
    /// The future of one item of [`Retry::wrap`]: one attempt after another.
    #[must_use = "futures do nothing unless polled"]
    pub struct Retrying<T, F, Fut, W> {
        policy: Arc<Policy<F, W>>,
        // For the next attempt, if there may be one.
        item: Option<T>,
        retries: u32,
        #[pin]
        state: RetryState<Fut>,
    }
}

pin_project! {
    #[project = RetryStateProjection]
    enum RetryState<Fut> {
        Trying { #[pin] future: Fut },
        Pausing { #[pin] sleep: Sleep },
    }
}

impl<T, U, E, F, Fut, W> Future for Retrying<T, F, Fut, W>
where
    T: Clone,
    F: Fn(T) -> Fut,
    Fut: Future<Output = Result<U, E>>,
    W: RetryWhen<E>,
{
    type Output = Result<U, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<U, E>> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                RetryStateProjection::Trying { future } => {
                    let error = match ready!(future.poll(cx)) {
                        Ok(made) => return Poll::Ready(Ok(made)),
                        Err(error) => error,
                    };
                    if this.item.is_none() || !this.policy.when.retry_when(&error) {
                        return Poll::Ready(Err(error));
                    }
                    let sleep = sleep(this.policy.pauses.pause(*this.retries));
                    this.state.set(RetryState::Pausing { sleep });
                }
                RetryStateProjection::Pausing { sleep } => {
                    ready!(sleep.poll(cx));
                    *this.retries += 1;
                    let more = *this.retries < this.policy.times;
                    let item = if more { this.item.clone() } else { this.item.take() };
                    let Some(item) = item else {
                        unreachable!("there is a pause only with an item for the next attempt");
                    };
                    this.state.set(RetryState::Trying { future: (this.policy.f)(item) });
                }
            }
        }
    }
}

impl<W> fmt::Debug for Retry<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("times", &self.times)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}

impl<T, F, Fut, W> fmt::Debug for Retrying<T, F, Fut, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrying").field("retries", &self.retries).finish_non_exhaustive()
    }
}

opaque_debug!(When);
