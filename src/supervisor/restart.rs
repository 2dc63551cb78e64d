use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Which children are started again when they end by themselves.
///
/// A child that was asked to stop is not started again, except by
/// [`restart_child`](super::SupervisorHandle::restart_child).
///
/// | | completed | failed, panicked |
/// |---|---|---|
/// | `Temporary` | gone | gone |
/// | `Transient` | gone | restarted |
/// | `Permanent` | restarted | restarted |
///
/// [`restart_when`](super::DynamicSupervisor::restart_when) makes exceptions, by the error that a child returned.
///
/// # Examples
/// ```
/// use gen_stage::supervisor::Restart;
/// assert_eq!(Restart::default(), Restart::Temporary);
/// ```
///
/// # Source
/// The `restart` of a child spec. The default there is `:permanent`; it differs here, for a temporary child needs no
/// copy of its item. The newest original refuses permanent children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Restart {
    /// No child is started again.
    #[default]
    Temporary,
    /// Children that failed, panicked or were aborted are started again; those that came to their end are not.
    Transient,
    /// All children are started again, even those that came to their end.
    Permanent,
}

/// How often children may be restarted before the supervisor gives up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intensity {
    pub(super) max_restarts: usize,
    pub(super) within: Duration,
}

impl Default for Intensity {
    fn default() -> Self {
        Self { max_restarts: 3, within: Duration::from_secs(5) }
    }
}

/// When children were restarted lately.
#[derive(Debug)]
pub(super) struct Restarts {
    intensity: Intensity,
    begin: Instant,
    /// Whole seconds since `begin`, as the original counts, each with its number of restarts. What is kept grows with
    /// `within`, not with the restarts.
    times: VecDeque<(u64, usize)>,
    /// The restarts of all these seconds together.
    restarts: usize,
}

impl Restarts {
    pub(super) fn new(intensity: Intensity) -> Self {
        Self { intensity, begin: Instant::now(), times: VecDeque::new(), restarts: 0 }
    }

    /// Counts a restart; false if it is one too many.
    pub(super) fn allow(&mut self) -> bool {
        let Intensity { max_restarts, within } = self.intensity;
        if max_restarts == usize::MAX {
            return true;
        }
        let now = self.begin.elapsed().as_secs();
        while let Some((time, restarts)) = self.times.front().copied() {
            if Duration::from_secs(now - time) <= within {
                break;
            }
            self.restarts -= restarts;
            self.times.pop_front();
        }
        match self.times.back_mut() {
            Some((time, restarts)) if *time == now => *restarts += 1,
            _ => self.times.push_back((now, 1)),
        }
        self.restarts += 1;
        self.restarts <= max_restarts
    }
}

#[cfg(test)]
mod tests {
    use super::{Intensity, Restarts};
    use std::time::Duration;
    use tokio::time::advance;

    fn restarts(max_restarts: usize, seconds: u64) -> Restarts {
        Restarts::new(Intensity { max_restarts, within: Duration::from_secs(seconds) })
    }

    #[tokio::test(start_paused = true)]
    async fn the_fourth_restart_within_five_seconds_is_too_many() {
        let mut restarts = restarts(3, 5);
        for _ in 0..3 {
            assert!(restarts.allow());
            advance(Duration::from_millis(1900)).await;
        }
        // 5.7 s: five whole seconds since the first.
        assert!(!restarts.allow());
    }

    #[tokio::test(start_paused = true)]
    async fn restarts_that_are_longer_ago_do_not_count() {
        let mut restarts = restarts(1, 5);
        for _ in 0..10 {
            assert!(restarts.allow());
            advance(Duration::from_secs(6)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn within_no_time_only_restarts_of_the_same_second_count() {
        let mut restarts = restarts(1, 0);
        assert!(restarts.allow());
        advance(Duration::from_secs(1)).await;
        assert!(restarts.allow());
        advance(Duration::from_millis(999)).await;
        assert!(!restarts.allow());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_grows_with_the_seconds_and_not_with_the_restarts() {
        for max_restarts in [1_000_000, usize::MAX] {
            let mut restarts = restarts(max_restarts, 5);
            for _ in 0..100 {
                assert!((0..1000).all(|_| restarts.allow()));
                assert!(restarts.times.len() <= 6, "{} kept", restarts.times.len());
                advance(Duration::from_secs(1)).await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_of_no_restarts_allows_none() {
        assert!(!restarts(0, 5).allow());
    }
}
