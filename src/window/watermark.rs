use crate::lane::Origins;

/// The time that every upstream of a lane has reached, which is the time of the slowest.
///
/// Each upstream is taken to send items roughly in the order of their times, so that the highest time seen from it is
/// how far it has got. Upstreams that have ended, or are idle, hold nothing back.
#[derive(Debug)]
pub(crate) struct Watermark {
    origins: Origins,
    /// What `origins` said last, to see when it says something else.
    version: u64,
    /// The upstream of the item that is being placed.
    current: usize,
    /// The highest time seen from each upstream.
    upstreams: Vec<UpstreamMark>,
    /// The lowest time of the upstreams that count; never goes back.
    now: i64,
    /// A time more than this ahead of what its upstream sent before is not believed.
    max_ahead: i64,
}

#[derive(Debug, Clone, Copy)]
struct UpstreamMark {
    seen: i64,
    /// Something came since `stirred` was last called.
    stirred: bool,
    holds: bool,
    ended: bool,
    /// What `seen` was when the last pause began, or `NEVER`. While `seen` is still that, the next time may be any
    /// number ahead: `max_ahead` is not asked.
    stale: i64,
}

/// No time was seen.
const NEVER: i64 = i64::MIN;

impl Watermark {
    pub(crate) fn new(origins: Origins) -> Self {
        let upstream = UpstreamMark { seen: NEVER, stirred: false, holds: true, ended: false, stale: NEVER };
        Self {
            version: origins.version(),
            current: origins.current(),
            upstreams: vec![upstream; origins.upstreams()],
            origins,
            now: NEVER,
            max_ahead: i64::MAX,
        }
    }

    /// Does not believe times more than `millis` ahead of those that came from the same upstream before.
    pub(crate) fn set_max_ahead(&mut self, millis: i64) {
        self.max_ahead = millis;
    }

    #[inline]
    pub(crate) fn now(&self) -> Option<i64> {
        (self.now != NEVER).then_some(self.now)
    }

    /// Whether another upstream sends now, or one has ended.
    #[inline]
    pub(crate) fn has_turned(&self) -> bool {
        self.origins.version() != self.version
    }

    /// Whether the upstream that sends is ahead of the watermark: what it sends next does not move it, as others hold it
    /// back.
    pub(crate) fn is_held_by_others(&self) -> bool {
        let upstream = &self.upstreams[self.current];
        upstream.holds && upstream.seen > self.now
    }

    /// Whether items may be too far ahead.
    pub(crate) fn is_guarded(&self) -> bool {
        self.max_ahead != i64::MAX
    }

    /// Looks where the next item comes from, and which upstreams have ended; true if one has since the last look.
    #[inline]
    pub(crate) fn turn(&mut self) -> bool {
        let version = self.origins.version();
        if version == self.version { false } else { self.turn_to(version) }
    }

    #[inline(never)]
    fn turn_to(&mut self, version: u64) -> bool {
        self.version = version;
        self.current = self.origins.current();
        let mut some = false;
        for (number, upstream) in self.upstreams.iter_mut().enumerate() {
            if !upstream.ended && self.origins.has_ended(number) {
                (upstream.ended, upstream.holds) = (true, false);
                some = true;
            }
        }
        if some {
            self.advance();
        }
        some
    }

    /// Takes note of a time; false if it is not believed.
    #[inline]
    pub(crate) fn saw(&mut self, time: i64) -> bool {
        let upstream = &mut self.upstreams[self.current];
        if time <= upstream.seen && upstream.holds {
            upstream.stirred = true;
            return true;
        }
        let was = upstream.seen;
        if time.saturating_sub(was) > self.max_ahead && was != upstream.stale {
            return false;
        }
        upstream.stirred = true;
        upstream.seen = was.max(time);
        upstream.holds = !upstream.ended;
        // Only the slowest upstream holds the watermark back.
        if was <= self.now {
            self.advance();
        }
        true
    }

    #[inline(never)]
    fn advance(&mut self) {
        let holding = self.upstreams.iter().enumerate().filter(|(_, upstream)| upstream.holds);
        if let Some((number, slowest)) = holding.min_by_key(|(_, upstream)| upstream.seen) {
            self.now = self.now.max(slowest.seen);
            self.origins.set_slowest(number);
        }
    }

    /// Before the upstreams are read: forgets which of them had nothing.
    pub(crate) fn ask(&self) {
        self.origins.ask();
    }

    /// Whether the upstream was asked, and had nothing.
    pub(crate) fn is_waiting(&self, upstream: usize) -> bool {
        self.origins.is_waiting(upstream)
    }

    /// Which upstreams sent something since this was last called.
    pub(crate) fn stirred(&mut self) -> impl Iterator<Item = bool> {
        self.upstreams.iter_mut().map(|upstream| std::mem::take(&mut upstream.stirred))
    }

    /// Lets an idle upstream hold nothing back until it sends again. True if it was the last to hold anything back.
    pub(crate) fn idle(&mut self, number: usize) -> bool {
        let upstream = &mut self.upstreams[number];
        if !upstream.holds {
            return false;
        }
        (upstream.holds, upstream.stale) = (false, upstream.seen);
        self.advance();
        !self.upstreams.iter().any(|upstream| upstream.holds)
    }

    /// Whether all upstreams that have not ended are idle.
    pub(crate) fn all_idle(&self) -> bool {
        !self.upstreams.iter().any(|upstream| upstream.holds)
            && self.upstreams.iter().any(|upstream| !upstream.ended)
    }

    pub(crate) fn upstreams(&self) -> usize {
        self.upstreams.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_upstream_tells_and_it_never_goes_back() {
        let origins = Origins::new(3);
        let mut watermark = Watermark::new(origins.clone());
        let mut saw = |upstream, time| {
            origins.set_current(upstream);
            watermark.turn();
            assert!(watermark.saw(time));
            watermark.now()
        };
        assert_eq!(saw(0, 10), None);
        assert_eq!(saw(1, 5), None);
        assert_eq!(saw(2, 7), Some(5));
        assert_eq!(saw(1, 3), Some(5));
        assert_eq!(saw(1, 9), Some(7));
        origins.set_ended(2);
        assert!(watermark.turn());
        assert_eq!(watermark.now(), Some(9));
        assert!(!watermark.idle(1));
        assert_eq!(watermark.now(), Some(10));
        assert!(watermark.idle(0));
        origins.set_current(1);
        watermark.turn();
        assert!(watermark.saw(2));
        assert_eq!(watermark.now(), Some(10));
    }

    #[test]
    fn one_upstream_is_its_own_watermark() {
        let mut watermark = Watermark::new(Origins::new(1));
        for (time, now) in [(-5, -5), (3, 3), (1, 3), (i64::MAX, i64::MAX)] {
            assert!(watermark.saw(time));
            assert_eq!(watermark.now(), Some(now));
        }
    }

    #[test]
    fn what_is_too_far_ahead_of_its_own_upstream_is_not_believed() {
        let origins = Origins::new(2);
        let mut watermark = Watermark::new(origins.clone());
        watermark.set_max_ahead(10);
        let saw = |watermark: &mut Watermark, upstream, time| {
            origins.set_current(upstream);
            watermark.turn();
            watermark.saw(time)
        };
        assert!(saw(&mut watermark, 0, i64::MIN + 1), "the first says where it begins");
        assert!(!saw(&mut watermark, 0, 0));
        assert!(saw(&mut watermark, 1, 1000), "each upstream has a time of its own");
        assert!(saw(&mut watermark, 1, 1010));
        assert!(!saw(&mut watermark, 1, 1021));
        assert!(saw(&mut watermark, 1, 1020));
        assert!(saw(&mut watermark, 1, 5), "what is behind is for others to judge");
        watermark.idle(1);
        assert!(saw(&mut watermark, 1, 7), "what comes once more says nothing");
        assert!(saw(&mut watermark, 1, 9000), "after a pause it begins anew");
        assert!(!saw(&mut watermark, 1, 9011));
        origins.set_ended(1);
        assert!(!saw(&mut watermark, 1, i64::MAX));
    }
}
