//! What was read within the last seconds, to compare with.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Rates and shares are those of the time up to now that is so long; see [`Samples::new`].
const WINDOW: Duration = Duration::from_secs(10);

/// What was read within the window, the oldest first.
#[derive(Debug)]
pub(crate) struct Samples<S> {
    window: Duration,
    kept: VecDeque<(Instant, S)>,
}

impl<S> Samples<S> {
    /// Where numbers are read more seldom than every 5 seconds, the window is two of those intervals: there would be
    /// nothing in it to compare with.
    pub(crate) fn new(every: Duration) -> Self {
        // A timer is late by a little.
        Self { window: WINDOW.max(every * 2) + every / 4, kept: VecDeque::new() }
    }

    /// Forgets what is older than the window, and what can no longer be compared with.
    pub(crate) fn retain(&mut self, now: Instant, can_compare: impl Fn(&S) -> bool) {
        let window = self.window;
        self.kept.retain(|(at, then)| now - *at <= window && can_compare(then));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Instant, S)> {
        self.kept.iter()
    }

    pub(crate) fn push(&mut self, now: Instant, sample: S) {
        self.kept.push_back((now, sample));
    }
}
