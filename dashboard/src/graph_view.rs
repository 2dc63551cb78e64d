//! A graph of stages as JSON. What is added to `StageGraph` goes into the structs here, and is filled in by `of`.

use crate::flow_view::millis;
use crate::graph_history::{GraphRates, Rates};
use gen_stage::stage::{AskMode, Counts, DemandMode, GraphStage, GraphSubscription, StageGraph, StageState};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct GraphView {
    name: String,
    state: &'static str,
    window_ms: u64,
    stages: Vec<StageView>,
    subscriptions: Vec<SubscriptionView>,
}

#[derive(Debug, Serialize)]
struct StageView {
    id: String,
    label: String,
    kind: String,
    dispatcher: Option<&'static str>,
    state: &'static str,
    end: Option<String>,
    counts: StageCountsView,
    received_per_second: Option<f64>,
    emitted_per_second: Option<f64>,
    unsent: Option<usize>,
    waiting: Option<usize>,
    accumulates: Option<bool>,
}

#[derive(Debug, Serialize)]
struct StageCountsView {
    received: u64,
    emitted: u64,
    sent: u64,
    taken: u64,
    undelivered: u64,
    discarded: u64,
    overflowed: u64,
}

/// What only the stage that sends knows is `None` if that has not answered.
#[derive(Debug, Serialize)]
struct SubscriptionView {
    id: String,
    from: usize,
    to: Option<usize>,
    min_demand: usize,
    max_demand: usize,
    mode: &'static str,
    cancel: String,
    demand: usize,
    sent: u64,
    taken: u64,
    undelivered: u64,
    on_their_way: u64,
    sent_per_second: Option<f64>,
    taken_per_second: Option<f64>,
    dropped: u64,
    left_out: Option<u64>,
    queued: Option<usize>,
    lag: Option<usize>,
}

impl GraphView {
    /// The one place where the JSON of a graph is made.
    pub(crate) fn of(name: &str, graph: &StageGraph, rates: &GraphRates) -> Self {
        let has = |state| graph.stages.iter().any(|stage| stage.state == state);
        let state = [StageState::Running, StageState::Silent].into_iter().find(|state| has(*state));
        let stages = graph.stages.iter().zip(&rates.stages);
        let subscriptions = graph.subscriptions.iter().zip(&rates.subscriptions);
        Self {
            name: name.into(),
            state: name_of(state.unwrap_or(StageState::Ended)),
            window_ms: millis(rates.window),
            stages: stages.map(|(stage, rates)| StageView::of(stage, *rates)).collect(),
            subscriptions: subscriptions
                .map(|(subscription, rates)| {
                    let sender_answered = graph.stages[subscription.from].status.is_some();
                    SubscriptionView::of(subscription, *rates, sender_answered)
                })
                .collect(),
        }
    }
}

fn name_of(state: StageState) -> &'static str {
    match state {
        StageState::Running => "running",
        StageState::Silent => "silent",
        StageState::Ended => "ended",
        _ => "other",
    }
}

impl StageView {
    fn of(stage: &GraphStage, [received_per_second, emitted_per_second]: Rates) -> Self {
        let status = stage.status.as_ref();
        Self {
            id: stage.id.to_string(),
            label: stage.label.clone(),
            kind: stage.kind.to_string(),
            dispatcher: stage.dispatcher,
            state: name_of(stage.state),
            end: stage.end.as_ref().map(ToString::to_string),
            counts: StageCountsView::of(&stage.counts),
            received_per_second,
            emitted_per_second,
            unsent: status.map(|_| stage.unsent()),
            waiting: status.map(|status| status.waiting),
            accumulates: status.map(|status| status.mode == DemandMode::Accumulate),
        }
    }
}

impl StageCountsView {
    fn of(counts: &Counts) -> Self {
        Self {
            received: counts.received,
            emitted: counts.emitted,
            sent: counts.sent,
            taken: counts.taken,
            undelivered: counts.undelivered,
            discarded: counts.discarded,
            overflowed: counts.overflowed,
        }
    }
}

impl SubscriptionView {
    fn of(
        subscription: &GraphSubscription,
        [sent_per_second, taken_per_second]: Rates,
        sender_answered: bool,
    ) -> Self {
        Self {
            id: subscription.id.to_string(),
            from: subscription.from,
            to: subscription.to,
            min_demand: subscription.bounds.min(),
            max_demand: subscription.bounds.max(),
            mode: match subscription.mode {
                AskMode::Automatic => "automatic",
                AskMode::Manual => "manual",
            },
            cancel: subscription.cancel.to_string(),
            demand: subscription.demand,
            sent: subscription.sent,
            taken: subscription.taken,
            undelivered: subscription.undelivered,
            on_their_way: subscription.on_their_way(),
            sent_per_second,
            taken_per_second,
            dropped: subscription.dropped,
            left_out: sender_answered.then_some(subscription.left_out),
            queued: sender_answered.then_some(subscription.queued),
            lag: sender_answered.then_some(subscription.lag),
        }
    }
}
