//! A flow as JSON. What is added to the statistics of flows goes into the structs here, and is filled in by `of`.

use crate::history::Recent;
use gen_stage::flow::{Bottleneck, BottleneckKind, FlowStats, LaneStats, LaneTimes, LayerPart, LayerStats};
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Serialize)]
pub(crate) struct FlowView {
    name: String,
    state: &'static str,
    window_ms: u64,
    read: u64,
    read_per_second: Option<f64>,
    discarded: u64,
    late: u64,
    replaced: u64,
    failure: Option<String>,
    bottleneck: Option<BottleneckView>,
    layers: Vec<LayerView>,
}

#[derive(Debug, Serialize)]
struct BottleneckView {
    text: String,
    kind: &'static str,
    layer: Option<usize>,
    lane: Option<usize>,
    waited: f64,
}

#[derive(Debug, Serialize)]
struct LayerView {
    name: String,
    label: Option<String>,
    file: &'static str,
    line: u32,
    part: &'static str,
    operators: Vec<&'static str>,
    feeds: Vec<usize>,
    is_read: bool,
    ended: usize,
    all: LaneView,
    lanes: Vec<LaneView>,
}

/// A lane; or all of a layer, whose counts are sums and whose shares are means.
#[derive(Debug, Default, Serialize)]
struct LaneView {
    taken: u64,
    sent: u64,
    taken_per_second: Option<f64>,
    sent_per_second: Option<f64>,
    waiting: u64,
    open_demand: u64,
    discarded: u64,
    futures: u64,
    windows: u64,
    watermark: Option<i64>,
    shares: Option<Shares>,
    ended: bool,
}

/// 0 to 1 each, and 1 together.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Shares {
    busy: f64,
    idle: f64,
    back_pressured: f64,
}

impl FlowView {
    /// The one place where the JSON of a flow is made.
    pub(crate) fn of(name: &str, stats: &FlowStats, recent: &Recent) -> Self {
        let ended = !stats.layers.is_empty() && stats.layers.iter().all(has_ended);
        let state = match (stats.layers.is_empty(), ended) {
            _ if stats.failure.is_some() => "failed",
            (true, _) => "planned",
            (_, true) => "ended",
            (_, false) => "running",
        };
        // Of a flow that is over, nothing is recent.
        let bottleneck = if ended { stats.bottleneck() } else { recent.stats.bottleneck() };
        let layers = stats.layers.iter().zip(&recent.stats.layers);
        Self {
            name: name.into(),
            state,
            window_ms: millis(recent.window),
            read: stats.read,
            read_per_second: per_second(recent.stats.read, recent.window),
            discarded: stats.discarded,
            late: stats.late,
            replaced: stats.replaced,
            failure: stats.failure.as_deref().map(String::from),
            bottleneck: bottleneck.as_ref().map(BottleneckView::of),
            layers: layers.map(|(layer, lately)| LayerView::of(layer, lately, recent.window)).collect(),
        }
    }
}

impl BottleneckView {
    fn of(found: &Bottleneck) -> Self {
        let kind = match found.kind {
            BottleneckKind::Source => "source",
            BottleneckKind::Layer => "layer",
            BottleneckKind::Lane => "lane",
            BottleneckKind::Sink => "sink",
            BottleneckKind::Reader => "reader",
            _ => "other",
        };
        Self { text: found.to_string(), kind, layer: found.layer, lane: found.lane, waited: found.waited }
    }
}

impl LayerView {
    fn of(layer: &LayerStats, lately: &LayerStats, window: Duration) -> Self {
        let lanes: Vec<LaneView> = layer
            .lanes
            .iter()
            .zip(&lately.lanes)
            .map(|(lane, lately)| LaneView::of(lane, lately, window))
            .collect();
        let part = match layer.part {
            LayerPart::Lane => "lane",
            LayerPart::Source => "source",
            LayerPart::DeadLetters => "dead-letter sink",
            LayerPart::Subscribing => "subscription",
            _ => "task",
        };
        Self {
            name: match &layer.label {
                Some(label) => label.to_string(),
                None => format!("{}:{}", layer.file, layer.line),
            },
            label: layer.label.as_deref().map(String::from),
            file: layer.file,
            line: layer.line,
            part,
            operators: layer.operators.iter().map(|operator| operator.name).collect(),
            feeds: layer.feeds.clone(),
            is_read: layer.is_read,
            ended: lanes.iter().filter(|lane| lane.ended).count(),
            all: LaneView { watermark: layer.watermark(), ..LaneView::sum(&lanes) },
            lanes,
        }
    }
}

impl LaneView {
    fn of(lane: &LaneStats, lately: &LaneStats, window: Duration) -> Self {
        Self {
            taken: lane.taken,
            sent: lane.sent,
            taken_per_second: per_second(lately.taken, window),
            sent_per_second: per_second(lately.sent, window),
            waiting: lane.waiting,
            open_demand: lane.open_demand,
            discarded: lane.discarded,
            futures: lane.futures,
            windows: lane.windows,
            watermark: lane.watermark,
            // A lane that has ended some time ago did nothing lately.
            shares: shares(&lately.times).or_else(|| shares(&lane.times)),
            ended: lane.ended,
        }
    }

    fn sum(lanes: &[Self]) -> Self {
        let timed: Vec<Shares> = lanes.iter().filter_map(|lane| lane.shares).collect();
        let mean = |share: fn(&Shares) -> f64| timed.iter().map(share).sum::<f64>() / timed.len() as f64;
        let rate = |rate: fn(&Self) -> Option<f64>| lanes.iter().map(rate).sum::<Option<f64>>();
        Self {
            taken: lanes.iter().map(|lane| lane.taken).sum(),
            sent: lanes.iter().map(|lane| lane.sent).sum(),
            taken_per_second: rate(|lane| lane.taken_per_second),
            sent_per_second: rate(|lane| lane.sent_per_second),
            waiting: lanes.iter().map(|lane| lane.waiting).sum(),
            open_demand: lanes.iter().map(|lane| lane.open_demand).sum(),
            discarded: lanes.iter().map(|lane| lane.discarded).sum(),
            futures: lanes.iter().map(|lane| lane.futures).sum(),
            windows: lanes.iter().map(|lane| lane.windows).sum(),
            // That of the layer is no sum.
            watermark: None,
            shares: (!timed.is_empty()).then(|| Shares {
                busy: mean(|shares| shares.busy),
                idle: mean(|shares| shares.idle),
                back_pressured: mean(|shares| shares.back_pressured),
            }),
            ended: lanes.iter().all(|lane| lane.ended),
        }
    }
}

fn has_ended(layer: &LayerStats) -> bool {
    layer.lanes.iter().all(|lane| lane.ended)
}

fn shares(times: &LaneTimes) -> Option<Shares> {
    let parts = [times.busy, times.idle, times.back_pressured].map(|part| part.as_secs_f64());
    let all: f64 = parts.iter().sum();
    let [busy, idle, back_pressured] = parts.map(|part| part / all);
    (all > 0.0).then_some(Shares { busy, idle, back_pressured })
}

pub(crate) fn per_second(count: u64, window: Duration) -> Option<f64> {
    (!window.is_zero()).then(|| count as f64 / window.as_secs_f64())
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
