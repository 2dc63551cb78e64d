use super::{FlowStats, LaneStats, LayerStats};
use crate::flow::plumbing::place::LayerPart;
use std::fmt;
use std::time::Duration;

/// What holds a flow up, and why: found by [`FlowStats::bottleneck`].
///
/// # Examples
/// See [`FlowStats::bottleneck`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Bottleneck {
    /// What kind of thing it is.
    pub kind: BottleneckKind,
    /// The layer, as an index of [`FlowStats::layers`]; `None` for the reader.
    pub layer: Option<usize>,
    /// The lane, if it is one of several and the others could do more.
    pub lane: Option<usize>,
    /// The share of time, 0 to 1, for which what feeds it was back-pressured; 0 where nothing feeds it.
    pub waited: f64,
    place: String,
}

/// Which kind of thing holds a flow up.
///
/// # Examples
/// See [`FlowStats::bottleneck`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BottleneckKind {
    /// The source, or what the layer of the source awaits, as in `map_async`: the rest waits for it.
    Source,
    /// A layer: what feeds it waits for it, or it is busy and the rest waits for it.
    Layer,
    /// One lane of a layer: it has more to do than the others, as when many items have its key.
    Lane,
    /// The sink that the layer writes to.
    Sink,
    /// The code that reads the flow.
    Reader,
}

impl FlowStats {
    /// What holds the flow up, as far as the time since the first look can tell. `None` at the first look, before the flow
    /// has started, and for a flow [through stages](crate::Flow::through_stages), which are not seen.
    ///
    /// What comes after a layer that is back-pressured for half of its time, or more, holds it up; of such layers the last
    /// counts. Where there is none, a layer that is busy for half of its time, or more, holds up the others, and else the
    /// source.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::flow::BottleneckKind;
    /// use gen_stage::prelude::*;
    /// use std::time::Duration;
    /// use tokio::time::sleep;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let mut flow = Flow::from_iter(0..1_000_000)
    ///     .lanes(2)
    ///     .partition_by(|n| n % 10)
    ///     .lanes(2)
    ///     .demand(10, 5)
    ///     .label("enrich")
    ///     .map_async(1, |n: u32| async move {
    ///         sleep(Duration::from_millis(1)).await; // a slow service
    ///         n
    ///     });
    /// let monitor = flow.monitor();
    /// let reader = tokio::spawn(flow.take(1000).collect::<Vec<_>>());
    /// sleep(Duration::from_millis(100)).await;
    /// assert!(monitor.stats().bottleneck().is_none(), "this look starts the clock");
    /// sleep(Duration::from_millis(100)).await;
    ///
    /// let bottleneck = monitor.stats().bottleneck().unwrap();
    /// assert_eq!(bottleneck.kind, BottleneckKind::Layer);
    /// let text = bottleneck.to_string();
    /// assert!(text.starts_with("the layer `enrich` ("), "{text}");
    /// assert!(text.ends_with("): what feeds it waits for it 100 % of the time"), "{text}");
    /// # reader.abort();
    /// # });
    /// ```
    #[must_use]
    pub fn bottleneck(&self) -> Option<Bottleneck> {
        let timed = |layer: &&LayerStats| layer.lanes.iter().any(|lane| lane.times.all() > Duration::ZERO);
        self.layers.iter().find(timed)?;
        if self.layers.iter().any(|layer| layer.part == LayerPart::Subscribing) {
            return None;
        }
        // What becomes of dead letters is not seen.
        let held_up =
            |layer: &LayerStats| layer.part != LayerPart::DeadLetters && layer.back_pressured() >= MOST;
        let Some(above) = self.layers.iter().rposition(held_up) else {
            return Some(self.slowest());
        };
        let waited = self.layers[above].back_pressured();
        let by_demand =
            |at: &&usize| self.layers[**at].lanes.iter().map(|lane| lane.open_demand).sum::<u64>();
        let Some(below) = self.layers[above].feeds.iter().min_by_key(by_demand).copied() else {
            let kind = if self.layers[above].is_read { BottleneckKind::Reader } else { BottleneckKind::Sink };
            let layer = (kind == BottleneckKind::Sink).then_some(above);
            return Some(self.found(kind, layer, None, waited));
        };
        let lane = self.layers[below].busiest();
        let kind = if lane.is_some() { BottleneckKind::Lane } else { BottleneckKind::Layer };
        Some(self.found(kind, Some(below), lane, waited))
    }

    /// What the others wait for, where none is back-pressured: the busiest layer, or else the first with a source.
    fn slowest(&self) -> Bottleneck {
        let busy = self.layers.iter().map(LayerStats::busy).enumerate();
        match busy.max_by(|(_, a), (_, b)| a.total_cmp(b)) {
            Some((layer, share)) if share >= MOST => {
                self.found(BottleneckKind::Layer, Some(layer), None, 0.0)
            }
            _ => self.found(BottleneckKind::Source, Some(0), None, 0.0),
        }
    }

    fn found(
        &self,
        kind: BottleneckKind,
        layer: Option<usize>,
        lane: Option<usize>,
        waited: f64,
    ) -> Bottleneck {
        let name = |layer: usize| self.layers[layer].to_string();
        let place = match (kind, layer, lane) {
            (BottleneckKind::Sink, Some(layer), _) => format!("the sink of {}", name(layer)),
            (_, Some(layer), Some(lane)) => format!("lane {lane} of {}", name(layer)),
            (_, Some(layer), None) => name(layer),
            (_, None, _) => "the reader of the flow".into(),
        };
        Bottleneck { kind, layer, lane, waited, place }
    }
}

/// From this share of its time on, a layer does something most of the time.
const MOST: f64 = 0.5;

/// So many times the items of the mean lane are more than chance makes of keys that are spread evenly.
const SKEWED: f64 = 1.5;

impl LayerStats {
    /// The lane that has much more to do than the others.
    fn busiest(&self) -> Option<usize> {
        let (busiest, most) =
            self.lanes.iter().enumerate().max_by_key(|(_, lane)| lane.taken + lane.waiting)?;
        let has = |lane: &LaneStats| (lane.taken + lane.waiting) as f64;
        let mean = self.lanes.iter().map(has).sum::<f64>() / self.lanes.len() as f64;
        (has(most) > SKEWED * mean && most.waiting > most.open_demand).then_some(busiest)
    }
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match self.kind {
            BottleneckKind::Source => {
                write!(f, "{place}: the rest waits for its source, or for what it awaits")
            }
            BottleneckKind::Layer if self.waited == 0.0 => {
                write!(f, "{place}: it is busy, and the rest waits for it")
            }
            _ => write!(f, "{place}: what feeds it waits for it {:.0} % of the time", 100.0 * self.waited),
        }
    }
}
