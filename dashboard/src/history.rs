//! What a flow did lately: the numbers of some seconds ago, taken from those of now.

use crate::samples::Samples;
use gen_stage::flow::{FlowStats, LaneStats};
use std::time::Duration;
use tokio::time::Instant;

/// What was read of a flow within the window.
#[derive(Debug)]
pub(crate) struct History {
    samples: Samples<FlowStats>,
}

/// What a flow did since an earlier look.
#[derive(Debug)]
pub(crate) struct Recent {
    /// How long ago that look was: 0 if there was none.
    pub(crate) window: Duration,
    /// The numbers of now, less those of then where they only ever grow.
    pub(crate) stats: FlowStats,
}

impl History {
    pub(crate) fn new(every: Duration) -> Self {
        Self { samples: Samples::new(every) }
    }

    /// Keeps what was read, and compares it with the oldest that is kept.
    pub(crate) fn add(&mut self, now: Instant, stats: &FlowStats) -> Recent {
        // Before a flow has started there is nothing to compare with, and while it starts, layers come.
        let same = |then: &FlowStats| {
            then.layers.len() == stats.layers.len()
                && then
                    .layers
                    .iter()
                    .zip(&stats.layers)
                    .all(|(then, now)| then.lanes.len() == now.lanes.len())
        };
        self.samples.retain(now, same);
        let recent = match self.samples.iter().next() {
            Some((at, then)) => Recent { window: now - *at, stats: since(then, stats) },
            None => Recent { window: Duration::ZERO, stats: stats.clone() },
        };
        self.samples.push(now, stats.clone());
        recent
    }
}

fn since(then: &FlowStats, now: &FlowStats) -> FlowStats {
    let mut since = now.clone();
    since.read = now.read.saturating_sub(then.read);
    for (layer, then) in since.layers.iter_mut().zip(&then.layers) {
        for (lane, then) in layer.lanes.iter_mut().zip(&then.lanes) {
            lane_since(lane, then);
        }
    }
    since
}

/// What waits and what is wanted stay: they are of now.
fn lane_since(lane: &mut LaneStats, then: &LaneStats) {
    lane.taken = lane.taken.saturating_sub(then.taken);
    lane.sent = lane.sent.saturating_sub(then.sent);
    lane.times.busy = lane.times.busy.saturating_sub(then.times.busy);
    lane.times.idle = lane.times.idle.saturating_sub(then.times.idle);
    lane.times.back_pressured = lane.times.back_pressured.saturating_sub(then.times.back_pressured);
}

#[cfg(test)]
mod tests {
    use super::History;
    use gen_stage::flow::FlowStats;
    use std::time::Duration;
    use tokio::time::Instant;

    fn read(read: u64) -> FlowStats {
        let mut stats = FlowStats::default();
        stats.read = read;
        stats
    }

    #[test]
    fn numbers_are_compared_with_the_oldest_of_the_last_ten_seconds() {
        let start = Instant::now();
        let mut history = History::new(Duration::from_secs(1));
        let mut add = |second, count| {
            let recent = history.add(start + Duration::from_secs(second), &read(count));
            (recent.window.as_secs(), recent.stats.read)
        };
        assert_eq!(add(0, 100), (0, 100), "nothing to compare with");
        assert_eq!(add(1, 110), (1, 10));
        assert_eq!(add(10, 130), (10, 30));
        assert_eq!(add(11, 140), (10, 30), "what is older is gone");
        assert_eq!(add(60, 150), (0, 150), "nobody has looked for long");
    }

    #[test]
    fn a_window_is_never_shorter_than_two_intervals() {
        let start = Instant::now();
        let mut history = History::new(Duration::from_secs(60));
        history.add(start, &read(1));
        assert_eq!(history.add(start + Duration::from_secs(61), &read(5)).stats.read, 4);
    }
}
