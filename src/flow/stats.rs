use super::plumbing::gauge::LaneTimes;
use super::plumbing::instruments::{Instruments, TaskGroup};
use super::plumbing::place::LayerPart;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a flow is doing: read by [`Monitor::stats`](super::Monitor::stats) and
/// [`FlowHandle::stats`](super::FlowHandle::stats).
///
/// Numbers of items are those of whole batches that have crossed. Each is read by itself: while the flow runs, they are
/// of slightly different moments. Once it has ended, they add up: what a layer has sent is what the lanes that it feeds
/// have taken and discarded.
///
/// Stages that the flow passes through, and the items that go to its [dead letters](super::Flow::dead_letters), are not
/// seen.
///
/// Its text is a table with a line for each lane: its number; items taken, sent, waiting and of open demand; the shares of
/// time that it was busy, idle and back-pressured; and whether it has ended.
///
/// # Examples
/// See [`Monitor::stats`](super::Monitor::stats).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FlowStats {
    /// The parts that have tasks: layers, and sources that feed one. What feeds others comes first. Empty until the flow
    /// has started.
    pub layers: Vec<LayerStats>,
    /// How many items the reader has taken; 0 where nobody reads the flow.
    pub read: u64,
    /// How many items were dropped before an operator or the reader took them; see [`Flow::discarded`](super::Flow::discarded).
    pub discarded: u64,
    /// How many items came too late for their windows, or too far ahead; see [`Flow::late`](super::Flow::late).
    pub late: u64,
}

/// What the lanes of a layer are doing, or other tasks of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LayerStats {
    /// Its [label](super::Flow::label), if it has one.
    pub label: Option<Arc<str>>,
    /// The file of the code that opened it.
    pub file: &'static str,
    /// The line there.
    pub line: u32,
    /// What of the layer this is.
    pub part: LayerPart,
    /// Its tasks, by their numbers.
    pub lanes: Vec<LaneStats>,
    /// What it sends its items to, as indexes of [`FlowStats::layers`].
    pub feeds: Vec<usize>,
    /// Whether it sends its items to the reader.
    pub is_read: bool,
}

/// What a lane is doing.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LaneStats {
    /// Items that it has taken from what feeds it; 0 for a lane that runs its source itself.
    pub taken: u64,
    /// Items that it has sent to other lanes, or to the reader.
    pub sent: u64,
    /// Items that were sent to it, and that it has not taken yet.
    pub waiting: u64,
    /// Items that it has asked for, and that were not sent yet.
    pub open_demand: u64,
    /// Items that were sent to it and dropped with it.
    pub discarded: u64,
    /// What it did with its time since the first look.
    pub times: LaneTimes,
    /// Whether its task is gone: it has come to its end, or was stopped.
    pub ended: bool,
}

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
    pub(super) fn read(instruments: &Instruments) -> Self {
        let parts = instruments.look();
        let mut layers: Vec<LayerStats> = parts.groups.iter().map(LayerStats::of).collect();
        let mut read = 0;
        for edge in &parts.edges {
            let counts = (edge.counts)();
            let (from, number) = edge.from;
            // While the flow starts, an edge may be there before the tasks at its ends.
            let Some(above) = layers.get_mut(from) else { continue };
            let Some(sender) = above.lanes.get_mut(number) else { continue };
            sender.sent += counts.sent;
            let sender_ended = sender.ended;
            let Some((to, lane)) = parts.end_of(edge) else {
                above.is_read |= edge.is_to_reader();
                read += if edge.is_to_reader() { counts.taken } else { 0 };
                continue;
            };
            if !above.feeds.contains(&to) {
                above.feeds.push(to);
            }
            let Some(below) = layers.get_mut(to).and_then(|layer| layer.lanes.get_mut(lane)) else {
                continue;
            };
            below.taken += counts.taken;
            below.discarded += counts.discarded;
            below.waiting += counts.sent - counts.taken - counts.discarded;
            if !sender_ended && !below.ended {
                below.open_demand += counts.asked - counts.sent;
            }
        }
        Self { layers, read, ..Self::default() }
    }

    /// What holds the flow up, as far as the time since the first look can tell. `None` at the first look, before the flow
    /// has started, and for a flow [through stages](super::Flow::through_stages), which are not seen.
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

    /// A picture of the layers, what they feed and how many items they have sent, in the language of Mermaid, which many
    /// viewers of Markdown draw.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let mut words = Flow::from_iter(["a", "b", "a"])
    ///     .lanes(1)
    ///     .label("split")
    ///     .partition()
    ///     .lanes(2)
    ///     .label("count")
    ///     .count_by(|word| *word);
    /// let monitor = words.monitor();
    /// words.collect::<Vec<_>>().await;
    /// let picture = r#"flowchart LR
    ///   layer0["split<br>1 lane"]
    ///   layer0 -->|3| layer1
    ///   layer1["count<br>2 lanes"]
    ///   layer1 -->|2| reader([reader])
    /// "#;
    /// assert_eq!(monitor.stats().to_mermaid(), picture);
    /// # });
    /// ```
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut lines = vec!["flowchart LR".to_owned()];
        for (at, layer) in self.layers.iter().enumerate() {
            let name = match &layer.label {
                Some(label) => label.replace('"', "#quot;"),
                None => format!("{}:{}", layer.file, layer.line),
            };
            let part = match layer.part {
                LayerPart::Lane => "lane",
                LayerPart::Source => "source",
                LayerPart::DeadLetters => "sink of dead letters",
                LayerPart::Subscribing => "subscriber",
            };
            let (tasks, sent) = (layer.lanes.len(), layer.lanes.iter().map(|lane| lane.sent).sum::<u64>());
            let plural = if tasks == 1 { "" } else { "s" };
            lines.push(format!("  layer{at}[\"{name}<br>{tasks} {part}{plural}\"]"));
            lines.extend(layer.feeds.iter().map(|to| format!("  layer{at} -->|{sent}| layer{to}")));
            if layer.is_read {
                lines.push(format!("  layer{at} -->|{sent}| reader([reader])"));
            }
        }
        lines.push(String::new());
        lines.join("\n")
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
    fn of(group: &TaskGroup) -> Self {
        let opened = group.layer.opened();
        let lanes = group.tasks.iter().map(|task| LaneStats {
            times: task.times(),
            ended: task.has_ended(),
            ..LaneStats::default()
        });
        Self {
            label: group.layer.label().cloned(),
            file: opened.file(),
            line: opened.line(),
            part: group.layer.its_part(),
            lanes: lanes.collect(),
            feeds: Vec::new(),
            is_read: false,
        }
    }

    /// The lane that has much more to do than the others.
    fn busiest(&self) -> Option<usize> {
        let (busiest, most) =
            self.lanes.iter().enumerate().max_by_key(|(_, lane)| lane.taken + lane.waiting)?;
        let has = |lane: &LaneStats| (lane.taken + lane.waiting) as f64;
        let mean = self.lanes.iter().map(has).sum::<f64>() / self.lanes.len() as f64;
        (has(most) > SKEWED * mean && most.waiting > most.open_demand).then_some(busiest)
    }

    /// The mean share of time, 0 to 1, for which its lanes were back-pressured.
    #[must_use]
    pub fn back_pressured(&self) -> f64 {
        self.mean(|times| times.back_pressured)
    }

    /// The mean share of time, 0 to 1, for which its lanes were busy.
    #[must_use]
    pub fn busy(&self) -> f64 {
        self.mean(|times| times.busy)
    }

    fn mean(&self, part: fn(&LaneTimes) -> Duration) -> f64 {
        let timed = self.lanes.iter().filter(|lane| lane.times.all() > Duration::ZERO);
        let shares: Vec<f64> = timed.map(|lane| lane.times.share(part(&lane.times))).collect();
        if shares.is_empty() { 0.0 } else { shares.iter().sum::<f64>() / shares.len() as f64 }
    }
}

/// Its name, as in messages.
impl fmt::Display for LayerStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            LayerPart::Lane => {}
            LayerPart::Source => f.write_str("the sources of ")?,
            LayerPart::DeadLetters => f.write_str("the sink of dead letters of ")?,
            LayerPart::Subscribing => f.write_str("the subscriptions of ")?,
        }
        match &self.label {
            Some(label) => write!(f, "the layer `{label}` ({}:{})", self.file, self.line),
            None => write!(f, "the layer at {}:{}", self.file, self.line),
        }
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

/// A line for each lane, under the name of its layer.
impl fmt::Display for FlowStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>6} {:>12} {:>12} {:>9} {:>11} {:>6} {:>6} {:>14}",
            "lane", "taken", "sent", "waiting", "open demand", "busy", "idle", "back-pressured"
        )?;
        for layer in &self.layers {
            writeln!(f, "{layer}")?;
            for (number, lane) in layer.lanes.iter().enumerate() {
                let LaneTimes { busy, idle, back_pressured, .. } = lane.times;
                write!(
                    f,
                    "{number:>6} {:>12} {:>12} {:>9} {:>11}",
                    lane.taken, lane.sent, lane.waiting, lane.open_demand
                )?;
                for (part, width) in [(busy, 6), (idle, 6), (back_pressured, 14)] {
                    let share = match lane.times.all() {
                        Duration::ZERO => "-".to_owned(),
                        _ => format!("{:.0} %", 100.0 * lane.times.share(part)),
                    };
                    write!(f, " {share:>width$}")?;
                }
                writeln!(f, "{}", if lane.ended { "  ended" } else { "" })?;
            }
        }
        write!(f, "read {}, discarded {}, late {}", self.read, self.discarded, self.late)
    }
}
