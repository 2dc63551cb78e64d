//! How fast items went through stages lately: their counts of some seconds ago, taken from those of now.

use crate::flow_view::per_second;
use crate::samples::Samples;
use gen_stage::dispatch::{StageId, SubscriptionId};
use gen_stage::stage::StageGraph;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// What was read of a graph within the window.
#[derive(Debug)]
pub(crate) struct GraphHistory {
    samples: Samples<Counted>,
}

/// What had come in, and what had gone out.
type InAndOut = [u64; 2];

/// Of stages what they received and emitted, of subscriptions what was sent and taken.
#[derive(Debug)]
struct Counted {
    stages: HashMap<StageId, InAndOut>,
    subscriptions: HashMap<SubscriptionId, InAndOut>,
}

/// How many items a second went in and out; `None` where there is nothing to compare with.
pub(crate) type Rates = [Option<f64>; 2];

/// What the stages and subscriptions of a graph did lately, in the order in which they are there.
#[derive(Debug)]
pub(crate) struct GraphRates {
    /// How long ago the look was that is compared with: 0 if there was none.
    pub(crate) window: Duration,
    pub(crate) stages: Vec<Rates>,
    pub(crate) subscriptions: Vec<Rates>,
}

impl GraphHistory {
    pub(crate) fn new(every: Duration) -> Self {
        Self { samples: Samples::new(every) }
    }

    /// Keeps what was read, and compares each stage and each subscription with the oldest that is kept of it: they come
    /// and go.
    pub(crate) fn add(&mut self, now: Instant, graph: &StageGraph) -> GraphRates {
        self.samples.retain(now, |_| true);
        let counted = Counted::of(graph);
        let (stages, subscriptions) = (&graph.stages, &graph.subscriptions);
        let rates = GraphRates {
            window: self.samples.iter().next().map_or(Duration::ZERO, |(at, _)| now - *at),
            stages: stages
                .iter()
                .map(|stage| self.rates(now, &counted, |all| all.stages.get(&stage.id)))
                .collect(),
            subscriptions: subscriptions
                .iter()
                .map(|subscription| self.rates(now, &counted, |all| all.subscriptions.get(&subscription.id)))
                .collect(),
        };
        self.samples.push(now, counted);
        rates
    }

    fn rates(&self, now: Instant, counted: &Counted, find: impl Fn(&Counted) -> Option<&InAndOut>) -> Rates {
        let oldest = self.samples.iter().find_map(|(at, then)| Some((*at, find(then)?)));
        match (oldest, find(counted)) {
            (Some((at, then)), Some(counts)) => {
                [0, 1].map(|side| per_second(counts[side].saturating_sub(then[side]), now - at))
            }
            _ => [None, None],
        }
    }
}

impl Counted {
    fn of(graph: &StageGraph) -> Self {
        let stages = graph.stages.iter();
        let subscriptions = graph.subscriptions.iter();
        Self {
            stages: stages.map(|stage| (stage.id, [stage.counts.received, stage.counts.emitted])).collect(),
            subscriptions: subscriptions.map(|one| (one.id, [one.sent, one.taken])).collect(),
        }
    }
}
