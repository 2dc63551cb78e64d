use super::clock::later;
use super::time::EventTime;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// The time of day, the same for all lanes of a window: that of the system when the first of them starts, and tokio's
/// clock from then on.
#[derive(Debug, Clone, Default)]
pub struct WallClock {
    /// What time it is when the first lane starts, in milliseconds, instead of the system's.
    starts_at: Option<i64>,
    /// Shared by the lanes, so that their windows begin at the same moments.
    begun: Arc<OnceLock<Begun>>,
}

/// What time it was at some moment.
#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Instant,
    millis: i64,
}

impl WallClock {
    pub(super) fn start_at(&mut self, millis: i64) {
        *self = Self { starts_at: Some(millis), begun: Arc::default() };
    }

    fn begun(&self) -> Begun {
        *self.begun.get_or_init(|| {
            let millis = self.starts_at.unwrap_or_else(|| SystemTime::now().millis());
            Begun { at: Instant::now(), millis }
        })
    }

    /// The time now, in milliseconds.
    #[inline]
    pub(super) fn now(&self) -> i64 {
        let begun = self.begun();
        begun.millis_at(Instant::now())
    }

    /// The time at some moment, in milliseconds.
    pub(super) fn millis_at(&self, moment: Instant) -> i64 {
        self.begun().millis_at(moment)
    }

    /// When it is this time.
    pub(super) fn moment(&self, millis: i64) -> Instant {
        let begun = self.begun();
        let after = u64::try_from(millis.saturating_sub(begun.millis)).unwrap_or(0);
        later(begun.at, Duration::from_millis(after))
    }
}

impl Begun {
    fn millis_at(self, moment: Instant) -> i64 {
        self.millis.saturating_add(moment.saturating_duration_since(self.at).millis())
    }
}
