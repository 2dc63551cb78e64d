use super::limiter::{Limiter, Waiter};
use crate::coop::poll_budgeted;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A rate and a burst: how many items pass in a time, and how many at once. Clones are one throttle.
///
/// It is a bucket of tokens, full at the start. Tokens come in at the rate while there is room; each item takes out
/// what it costs, by default 1. In any span of time, at most the burst passes, plus what the rate gives in that span. When
/// a runtime was held up, what came due meanwhile passes at once, as if its timers had been on time.
///
/// Flows that were given clones of one throttle share its rate, by [`throttle`](crate::Flow::throttle); so do futures,
/// by [`acquire`](Throttle::acquire). All of them are served in the order in which they come. It goes by tokio's clock.
///
/// # Examples
/// ```
/// use gen_stage::{flow::Throttle, prelude::*};
/// use tokio::time::{Duration, Instant};
///
/// # tokio_test::block_on(async {
/// tokio::time::pause();
/// let start = Instant::now();
/// let ten = Throttle::new(10, Duration::from_secs(1)).burst(1);
/// let one = Flow::from_iter(0..20).throttle(ten.clone());
/// let other = Flow::from_iter(0..10).throttle(ten);
/// assert_eq!(tokio::join!(one.count(), other.count()), (20, 10));
/// assert_eq!(start.elapsed().as_millis() / 10, 290, "the first at once, and 29 at 10 per second");
/// # });
/// ```
#[derive(Clone)]
#[must_use = "a throttle does nothing until it is given to a flow, or tokens are acquired from it"]
pub struct Throttle {
    amount: u64,
    per: Duration,
    burst: u64,
    limiter: Arc<Limiter>,
}

/// The default burst is what comes due in this time. Timers go by the millisecond, so with a burst of 1 a high rate
/// would not be reached.
const DEFAULT_BURST: Duration = Duration::from_millis(10);

impl Throttle {
    /// Lets `amount` items through in a second, at least 1.
    ///
    /// # Panics
    /// When `amount` is 0.
    ///
    /// # Examples
    /// ```
    /// let _ = gen_stage::flow::Throttle::per_second(100);
    /// ```
    #[track_caller]
    pub fn per_second(amount: u64) -> Self {
        Self::new(amount, Duration::from_secs(1))
    }

    /// Lets `amount` items through, at least 1, in the time `per`, which is above 0.
    ///
    /// # Panics
    /// When one of them is 0.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// let _ = gen_stage::flow::Throttle::new(5000, Duration::from_secs(3600));
    /// ```
    #[track_caller]
    pub fn new(amount: u64, per: Duration) -> Self {
        assert!(amount > 0, "a throttle must let at least 1 item through, given 0");
        assert!(!per.is_zero(), "the time of a throttle must be above 0, given 0");
        let due = u128::from(amount).saturating_mul(DEFAULT_BURST.as_nanos()) / per.as_nanos();
        let burst = u64::try_from(due).unwrap_or(u64::MAX).max(1);
        Self { amount, per, burst, limiter: Arc::new(Limiter::new(amount, per, burst)) }
    }

    /// Lets up to `burst` items through at once after a pause, at least 1; by default as many as come due in 10 ms.
    ///
    /// A burst of 1 spaces items evenly. Timers go by the millisecond: a rate of more than 1000 per second is reached
    /// only with a burst of at least what comes due in a few milliseconds.
    ///
    /// This makes a throttle of its own: clones made before are not changed, and not shared with.
    ///
    /// # Panics
    /// When `burst` is 0.
    ///
    /// # Examples
    /// ```
    /// let _ = gen_stage::flow::Throttle::per_second(100).burst(10);
    /// ```
    #[track_caller]
    pub fn burst(mut self, burst: u64) -> Self {
        assert!(burst > 0, "the burst of a throttle must be at least 1 item, given 0");
        self.burst = burst;
        self.limiter = Arc::new(Limiter::new(self.amount, self.per, burst));
        self
    }

    /// Waits until 1 token is there, and takes it: for each attempt of something that is tried again.
    ///
    /// [`Flow::throttle`](crate::Flow::throttle) counts items. A repetition by [`Retry`](crate::flow::Retry) is no
    /// item: for the rate to hold for attempts, the future of each attempt begins with this.
    ///
    /// # Ordering
    /// First come, first served, together with the flows and futures that have a clone of this throttle. A future comes
    /// when it is first polled. The token is given to it when it is due; one that is polled later holds up no other.
    ///
    /// # Panics
    /// The future panics when it has to wait outside of a tokio runtime with timers.
    ///
    /// # Cancel safety
    /// Dropping the future gives its place and its token back: those after it pass earlier.
    ///
    /// # Examples
    /// A crawler whose repetitions stay in the rate:
    /// ```
    /// use gen_stage::flow::{Retry, Throttle};
    /// use gen_stage::prelude::*;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use tokio::time::{Duration, Instant};
    ///
    /// # tokio_test::block_on(async {
    /// tokio::time::pause();
    /// let start = Instant::now();
    /// let requests = Arc::new(AtomicU64::new(0));
    /// let asked = Arc::clone(&requests);
    /// let throttle = Throttle::per_second(10).burst(1);
    /// let fetch = Retry::times(3).backoff(Duration::from_millis(1), 1.0).wrap(move |page: u64| {
    ///     let (token, requests) = (throttle.acquire(), Arc::clone(&asked));
    ///     async move {
    ///         token.await;
    ///         // Every other request fails.
    ///         let failed = requests.fetch_add(1, Ordering::Relaxed) % 2 == 0;
    ///         if failed { Err("busy") } else { Ok(page) }
    ///     }
    /// });
    /// let pages = Flow::from_iter(0..10).map_async(4, fetch).ordered();
    /// let pages: Vec<u64> = pages.try_collect().await?;
    /// assert_eq!(pages, Vec::from_iter(0..10));
    ///
    /// let requests = requests.load(Ordering::Relaxed);
    /// assert!(requests >= 20);
    /// assert!(start.elapsed() >= Duration::from_millis(100) * (requests - 1) as u32);
    /// # Ok::<(), &str>(())
    /// # });
    /// ```
    pub fn acquire(&self) -> Acquire {
        self.acquire_many(1)
    }

    /// Waits until `tokens` tokens are there, from 0, and takes them: for example one for each byte.
    ///
    /// As with [`cost`](crate::Flow::cost), more than the [burst](Throttle::burst) waits until the bucket is full, and
    /// leaves a debt that what comes later waits for; 0 waits only for a debt, and for those that came before.
    ///
    /// For order, panics and cancel safety see [`acquire`](Throttle::acquire).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::Throttle;
    /// use tokio::time::{Duration, Instant};
    ///
    /// # tokio_test::block_on(async {
    /// tokio::time::pause();
    /// let start = Instant::now();
    /// let bytes = Throttle::per_second(1000).burst(1000);
    /// for packet in [[0; 700]; 3] {
    ///     bytes.acquire_many(packet.len() as u64).await;
    /// }
    /// assert!(start.elapsed() >= Duration::from_millis(1100));
    /// # });
    /// ```
    pub fn acquire_many(&self, tokens: u64) -> Acquire {
        Acquire { waiter: self.waiter(), tokens, taken: false }
    }

    /// One more that takes tokens.
    pub(super) fn waiter(&self) -> Waiter {
        Waiter::new(Arc::clone(&self.limiter))
    }
}

/// The future of [`Throttle::acquire`] and [`Throttle::acquire_many`].
///
/// # Drop
/// Before it was ready, its place and its tokens go back, and those after it pass earlier. After that, its tokens are
/// used up.
///
/// # Examples
/// See [`Throttle::acquire`].
#[must_use = "futures do nothing unless polled"]
pub struct Acquire {
    waiter: Waiter,
    tokens: u64,
    taken: bool,
}

impl Future for Acquire {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        assert!(!self.taken, "`Acquire` was polled after it had its tokens");
        let tokens = self.tokens;
        // With a rate that is never reached, a loop of these would let no other task run.
        ready!(poll_budgeted(cx, |cx| self.waiter.poll_pass(tokens, cx)));
        self.taken = true;
        Poll::Ready(())
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle")
            .field("amount", &self.amount)
            .field("per", &self.per)
            .field("burst", &self.burst)
            .field("limiter", &self.limiter)
            .finish()
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}
