use std::time::{Duration, SystemTime};

/// A point in time that items carry: milliseconds since some start, the same for all of them; may be negative.
///
/// Plain integers are milliseconds. A [`SystemTime`] counts from 1970, rounded down to a millisecond.
///
/// # Examples
/// ```
/// use gen_stage::window::EventTime;
/// use std::time::{Duration, SystemTime};
///
/// assert_eq!(1500_u64.millis(), 1500);
/// assert_eq!(Duration::from_secs(2).millis(), 2000);
/// assert_eq!((SystemTime::UNIX_EPOCH - Duration::from_micros(1)).millis(), -1);
/// ```
pub trait EventTime {
    /// The time in milliseconds; what does not fit is taken as the nearest that does.
    fn millis(self) -> i64;
}

impl EventTime for i64 {
    #[inline]
    fn millis(self) -> i64 {
        self
    }
}

impl EventTime for i32 {
    #[inline]
    fn millis(self) -> i64 {
        self.into()
    }
}

impl EventTime for u32 {
    #[inline]
    fn millis(self) -> i64 {
        self.into()
    }
}

impl EventTime for u64 {
    #[inline]
    fn millis(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }
}

impl EventTime for Duration {
    fn millis(self) -> i64 {
        i64::try_from(self.as_millis()).unwrap_or(i64::MAX)
    }
}

impl EventTime for SystemTime {
    fn millis(self) -> i64 {
        match self.duration_since(Self::UNIX_EPOCH) {
            Ok(after) => after.millis(),
            Err(before) => {
                let before = before.duration();
                let up = i64::from(before.subsec_nanos() % 1_000_000 > 0);
                before.millis().saturating_add(up).saturating_neg()
            }
        }
    }
}

/// Times farther from 0 than this are taken as this, so that the end of every window fits.
const FAR: i64 = i64::MAX / 2;

/// The time of an item.
#[inline]
pub(crate) fn time_of(time: impl EventTime) -> i64 {
    time.millis().clamp(-FAR, FAR)
}

/// A length of time in milliseconds: whole, at least `least`, and at most a quarter of what fits.
#[track_caller]
pub(crate) fn whole_millis(what: &str, length: Duration, least: u64) -> i64 {
    let millis = length.as_millis();
    assert!(
        length.subsec_nanos() % 1_000_000 == 0
            && millis >= u128::from(least)
            && millis <= i64::MAX as u128 / 4,
        "{what} must be a whole number of milliseconds, from {least} to {}, given {length:?}",
        i64::MAX / 4,
    );
    i64::try_from(millis).expect("checked above")
}

/// A period of a clock: not zero.
#[track_caller]
pub(crate) fn period(what: &str, length: Duration) -> Duration {
    assert!(!length.is_zero(), "{what} must be longer than 0 ns, given {length:?}");
    length
}
