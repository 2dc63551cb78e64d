use std::time::Duration;

/// A token bucket, as the generic cell rate algorithm: one number instead of a level and a time.
///
/// The number is when the bucket will be full again if nothing is taken. Times are in nanoseconds since any start,
/// and inside in nanoseconds times `amount`. In these units one token takes `per` to come: a whole number whatever the
/// rate, so nothing drifts.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// How many tokens come in `per` nanoseconds.
    amount: u128,
    per: u128,
    /// How many tokens it holds.
    burst: u128,
    full: u128,
}

impl Bucket {
    /// All arguments are at least 1; the bucket begins full.
    pub(super) fn new(amount: u64, per: Duration, burst: u64) -> Self {
        Self { amount: amount.into(), per: per.as_nanos(), burst: burst.into(), full: 0 }
    }

    /// The time from which on what costs `cost` tokens may pass.
    ///
    /// A cost above what the bucket holds waits until it is full. After a [`take`](Self::take) the time is never
    /// earlier than before it.
    pub(super) fn due(&self, now: u64, cost: u64) -> u64 {
        let missing = self.burst - u128::from(cost).min(self.burst);
        let at = self.full_from(now).saturating_sub(missing.saturating_mul(self.per)).div_ceil(self.amount);
        u64::try_from(at).unwrap_or(u64::MAX)
    }

    /// Takes `cost` tokens; returns the time from which on what they pay for may pass.
    ///
    /// A cost above what the bucket holds leaves a debt that delays what comes next.
    pub(super) fn take(&mut self, now: u64, cost: u64) -> u64 {
        let at = self.due(now, cost);
        self.full = self.full_from(now).saturating_add(self.worth(cost));
        at
    }

    /// Puts `cost` tokens back, as far as there is room; returns by how much earlier that makes what comes next, in the
    /// units of the bucket.
    pub(super) fn put_back(&mut self, now: u64, cost: u64) -> u128 {
        let full = self.full_from(now);
        self.full = full.saturating_sub(self.worth(cost)).max(u128::from(now) * self.amount);
        full - self.full
    }

    /// Makes what comes next earlier by this much.
    pub(super) fn bring_forward(&mut self, by: u128) {
        self.full = self.full.saturating_sub(by);
    }

    /// How long it takes for `cost` tokens to come in, in the units of the bucket.
    pub(super) fn worth(&self, cost: u64) -> u128 {
        u128::from(cost).saturating_mul(self.per)
    }

    /// When it is full again, which is not before `now`.
    fn full_from(&self, now: u64) -> u128 {
        self.full.max(u128::from(now) * self.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn per_second(amount: u64, burst: u64) -> Bucket {
        Bucket::new(amount, Duration::from_secs(1), burst)
    }

    #[test]
    fn a_burst_passes_at_once_and_the_rest_at_the_rate() {
        let mut bucket = per_second(10, 3);
        let at: Vec<_> = (0..6).map(|_| bucket.take(0, 1)).collect();
        assert_eq!(at, [0, 0, 0, SECOND / 10, SECOND / 5, SECOND * 3 / 10]);
    }

    #[test]
    fn it_fills_while_nothing_is_taken_and_never_above_the_burst() {
        let mut bucket = per_second(10, 3);
        assert_eq!([bucket.take(0, 3), bucket.take(SECOND / 5, 2)], [0, SECOND / 5]);
        let late = 100 * SECOND;
        assert_eq!([bucket.take(late, 3), bucket.take(late, 1)], [late, late + SECOND / 10]);
    }

    #[test]
    fn what_costs_more_than_the_burst_passes_when_it_is_full_and_leaves_a_debt() {
        let mut bucket = per_second(10, 2);
        assert_eq!(bucket.take(0, 1), 0);
        // One tenth until it is full; then 7 are taken, and 5 are owed.
        assert_eq!(bucket.take(0, 7), SECOND / 10);
        assert_eq!(bucket.take(SECOND / 10, 1), SECOND / 10 + SECOND * 6 / 10);
    }

    #[test]
    fn what_costs_nothing_passes_at_once_but_not_before_a_debt_is_paid() {
        let mut bucket = per_second(10, 1);
        assert_eq!([bucket.take(0, 1), bucket.take(0, 0)], [0, 0]);
        assert_eq!([bucket.take(SECOND, 3), bucket.take(SECOND, 0)], [SECOND, SECOND + SECOND / 5]);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let mut bucket = per_second(3, 1);
        let last = (0..=3_000_000).map(|_| bucket.take(0, 1)).last();
        assert_eq!(last, Some(1_000_000 * SECOND));
    }

    #[test]
    fn the_largest_numbers_do_no_harm() {
        let mut bucket = Bucket::new(u64::MAX, Duration::MAX, u64::MAX);
        assert_eq!(bucket.take(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(bucket.take(u64::MAX, u64::MAX), u64::MAX);
        let mut slow = Bucket::new(1, Duration::MAX, 1);
        assert_eq!([slow.take(5, 1), slow.take(5, 1)], [5, u64::MAX]);
    }

    #[test]
    fn what_is_put_back_can_be_taken_again_and_never_makes_more_than_the_burst() {
        let mut bucket = per_second(10, 3);
        assert_eq!([bucket.take(0, 3), bucket.take(0, 2)], [0, SECOND / 5]);
        bucket.put_back(0, 2);
        assert_eq!(bucket.take(0, 1), SECOND / 10);
        let late = 100 * SECOND;
        bucket.put_back(late, 50);
        assert_eq!([bucket.take(late, 3), bucket.take(late, 1)], [late, late + SECOND / 10]);
    }

    /// The same bucket, counted in another way: a level in fractions of a token, and when it was last looked at.
    #[test]
    fn it_lets_through_what_a_bucket_with_a_level_does() {
        let (amount, burst) = (7, 4);
        let mut bucket = per_second(amount, burst);
        let (mut level, mut since) = (burst as f64, 0.0);
        let mut now = 0;
        for round in 0..10_000_u64 {
            let cost = round * 2_654_435_761 % 6;
            // What might have passed before now passes now.
            let at = bucket.take(now, cost).max(now);
            let wanted = cost.min(burst) as f64;
            let arrived = now as f64 / 1e9;
            level = (level + (arrived - since) * amount as f64).min(burst as f64);
            let waits = ((wanted - level) / amount as f64).max(0.0);
            assert!((at as f64 / 1e9 - arrived - waits).abs() < 1e-6, "round {round}");
            (level, since) = (level - cost as f64, arrived);
            now = at + round * 40_503 % (SECOND / 3);
        }
    }
}
