use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Says how long to pause before trying again after a failure: longer each time, up to a bound.
///
/// By default the first pause is 100 ms, each later one twice as long as the one before, and none longer than 30
/// seconds.
///
/// # Examples
/// ```
/// use gen_stage::Backoff;
/// use std::time::Duration;
///
/// let backoff = Backoff::new(Duration::from_secs(1), 3.0).max_delay(Duration::from_secs(20));
/// let seconds: Vec<u64> = (0..5).map(|repetitions| backoff.delay(repetitions).as_secs()).collect();
/// assert_eq!(seconds, [1, 3, 9, 20, 20]);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a backoff does nothing until something pauses by it"]
pub struct Backoff {
    first: Duration,
    factor: f64,
    max_delay: Duration,
    jitter: f64,
    seed: Option<u64>,
}

impl Backoff {
    /// Pauses for `first` before the first repetition, and before each later one `factor` times as long as before the
    /// previous one.
    ///
    /// A factor of 1 makes all pauses equal, a `first` of zero makes none.
    ///
    /// # Panics
    /// When `factor` is below 1, or not finite.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::Backoff;
    /// use std::time::Duration;
    ///
    /// let backoff = Backoff::new(Duration::from_millis(20), 1.5);
    /// assert_eq!(backoff.delay(1), Duration::from_millis(30));
    /// ```
    #[track_caller]
    pub fn new(first: Duration, factor: f64) -> Self {
        assert!(
            factor >= 1.0 && factor.is_finite(),
            "the factor of a backoff must be finite and at least 1, given {factor}"
        );
        Self { first, factor, max_delay: Duration::from_secs(30), jitter: 0.0, seed: None }
    }

    /// Pauses for at most `max_delay`; by default 30 seconds.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::Backoff;
    /// use std::time::Duration;
    ///
    /// let backoff = Backoff::default().max_delay(Duration::from_secs(2));
    /// assert_eq!(backoff.delay(u32::MAX), Duration::from_secs(2));
    /// ```
    pub fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Makes each pause shorter by a random part of itself, at most `share`, from 0 (the default) to 1: so tasks that
    /// failed together do not all try again together.
    ///
    /// # Panics
    /// When `share` is not in that range.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::Backoff;
    ///
    /// let (plain, jittered) = (Backoff::default(), Backoff::default().jitter(0.5));
    /// assert_eq!(plain.delay(3), jittered.delay(3), "no pause gets longer");
    /// ```
    #[track_caller]
    pub fn jitter(mut self, share: f64) -> Self {
        assert!((0.0..=1.0).contains(&share), "the jitter must be from 0 to 1, given {share}");
        self.jitter = share;
        self
    }

    /// Takes the random parts from the sequence that `seed` starts, the same in every run; by default they differ.
    ///
    /// All that pauses by one use of this value shares the sequence, in the order of the failures.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::Retry;
    /// use tokio::time::{Duration, Instant};
    ///
    /// # tokio_test::block_on(async {
    /// tokio::time::pause();
    /// let mut took = Vec::new();
    /// for _ in 0..2 {
    ///     let start = Instant::now();
    ///     let failing = Retry::times(5).jitter(0.5).seed(42).wrap(|()| async { Err::<(), _>("busy") });
    ///     assert_eq!(failing(()).await, Err("busy"));
    ///     took.push(start.elapsed());
    /// }
    /// assert_eq!(took[0], took[1]);
    /// # });
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The longest the pause can be after `repetitions`: what it is without [`jitter`](Backoff::jitter).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::Backoff;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Backoff::default().delay(0), Duration::from_millis(100));
    /// ```
    #[must_use]
    pub fn delay(&self, repetitions: u32) -> Duration {
        if self.first.is_zero() {
            // Zero times a power that has overflowed is no number, and would become the longest pause.
            return Duration::ZERO;
        }
        let seconds = self.first.as_secs_f64() * self.factor.powf(repetitions.into());
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(self.max_delay)
    }

    /// Begins a sequence of random parts.
    pub(crate) fn start(self) -> Pauses {
        // A hasher with random keys is what std has for randomness.
        let seed = self.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        Pauses { backoff: self, random: AtomicU64::new(seed) }
    }

    /// The same with another first pause and factor.
    #[track_caller]
    pub(crate) fn growing(self, first: Duration, factor: f64) -> Self {
        let Self { first, factor, .. } = Self::new(first, factor);
        Self { first, factor, ..self }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(100), 2.0)
    }
}

/// The pauses of all that share one [`Backoff`].
#[derive(Debug)]
pub(crate) struct Pauses {
    backoff: Backoff,
    random: AtomicU64,
}

impl Pauses {
    /// The pause before the next repetition, when there were `repetitions` before it.
    pub(crate) fn pause(&self, repetitions: u32) -> Duration {
        let delay = self.backoff.delay(repetitions);
        if self.backoff.jitter > 0.0 {
            let seconds = delay.as_secs_f64() * (1.0 - self.backoff.jitter * self.random());
            // The longest `Duration` no longer fits into one once it is rounded to an `f64`.
            Duration::try_from_secs_f64(seconds).map_or(delay, |pause| pause.min(delay))
        } else {
            delay
        }
    }

    /// From 0 to below 1.
    fn random(&self) -> f64 {
        // Splitmix64: its state is a counter, so it takes no lock.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.random.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // As many bits as an f64 has.
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    #[test]
    fn jitter_only_shortens_and_a_seed_repeats_it() {
        let backoff = Backoff::new(Duration::from_secs(1), 1.0).jitter(0.5);
        let pauses = |seed| {
            let pauses = backoff.clone().seed(seed).start();
            (0..20).map(|repetitions| pauses.pause(repetitions)).collect::<Vec<_>>()
        };
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
        assert!(pauses(1).iter().all(|pause| (500..=1000).contains(&pause.as_millis())), "{:?}", pauses(1));
    }

    #[test]
    fn pauses_are_shared_without_a_lock() {
        fn sync<T: Sync>(_: &T) {}
        let pauses = Backoff::default().start();
        sync(&pauses);
        assert_eq!(pauses.pause(1), Duration::from_millis(200));
    }

    #[test]
    fn the_longest_pause_that_can_be_has_jitter_too() {
        let forever = Backoff::new(Duration::MAX, 1.0).max_delay(Duration::MAX);
        for jitter in [f64::MIN_POSITIVE, 0.5, 1.0] {
            assert!(forever.clone().jitter(jitter).start().pause(0) <= Duration::MAX, "{jitter}");
        }
        assert_eq!(forever.jitter(f64::MIN_POSITIVE).start().pause(0), Duration::MAX);
    }

    #[test]
    fn no_first_pause_makes_no_pause_however_much_it_grows() {
        let none = Backoff::new(Duration::ZERO, f64::MAX).start();
        assert_eq!((none.pause(0), none.pause(u32::MAX)), (Duration::ZERO, Duration::ZERO));
    }
}
