mod bottleneck;
#[cfg(feature = "metrics")]
mod metrics;

pub use bottleneck::{Bottleneck, BottleneckKind};

use super::plumbing::gauge::LaneTimes;
use super::plumbing::instruments::{Instruments, TaskGroup};
use super::plumbing::place::{Layer, LayerPart};
use super::topology::{Operator, Topology};
use crate::meter::MeterReading;
use crate::picture::Picture;
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
/// Its text is a table with a line for each lane: its number; items taken, sent, waiting and of open demand; the shares
/// of time that it was busy, idle and back-pressured; whether it has ended; and its futures, open windows and
/// watermark, if it has any.
///
/// # Examples
/// See [`Monitor::stats`](super::Monitor::stats).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FlowStats {
    /// The parts that have tasks: layers, and sources that feed one. What feeds others comes first. Empty until the
    /// flow has started.
    pub layers: Vec<LayerStats>,
    /// How many items the reader has taken; 0 for a flow without one, as after [`for_each`](super::Flow::for_each).
    pub read: u64,
    /// How many items were dropped before an operator or the reader took them; see
    /// [`Flow::discarded`](super::Flow::discarded).
    pub discarded: u64,
    /// How many items came too late for their windows, or too far ahead; see [`Flow::late`](super::Flow::late).
    pub late: u64,
    /// How many items gave way to newer ones while they were held; see [`Flow::replaced`](super::Flow::replaced).
    pub replaced: u64,
    /// What ended the flow before its end, and where: a panic, a sink of [`forward`](super::Flow::forward) or
    /// [`into_sinks`](super::Flow::into_sinks) that failed, or that its runtime was shut down. It is there as soon as
    /// the reader or the handle of the flow has learned of it. The error itself of a sink goes to the caller only, and
    /// so do errors of items, as of [`try_collect`](super::Flow::try_collect).
    pub failure: Option<Arc<str>>,
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
    /// What its lanes do with their items, in this order. Where it runs the lanes of flows that were
    /// [merged](super::Flow::merge) as they are, the operators before the merge come first, those of one flow after
    /// those of the other; each lane has those of its own flow only.
    pub operators: Vec<Operator>,
    /// Its tasks, by their numbers.
    pub lanes: Vec<LaneStats>,
    /// What it sends its items to, as indexes of [`FlowStats::layers`].
    pub feeds: Vec<usize>,
    /// Whether it sends its items to the reader.
    pub is_read: bool,
    layer: Layer,
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
    /// Futures of [`map_async`](super::Flow::map_async) and its like that run, or whose results it has not taken up.
    /// Those that were ready at once are not counted, nor are results that wait for their turn before
    /// [`ordered`](super::Flow::ordered).
    pub futures: u64,
    /// Windows that are open.
    pub windows: u64,
    /// How far its [windows of event time](crate::window#time) have got, in the milliseconds of the items' times;
    /// `None` without such windows, or before it is known. Where these times are those of a clock, the watermark lags
    /// by what that clock shows less this.
    pub watermark: Option<i64>,
    /// What it did with its time since the first look.
    pub times: LaneTimes,
    /// Whether its task is gone: it has come to its end, or was stopped.
    pub ended: bool,
}

impl FlowStats {
    pub(super) fn of(instruments: &Instruments, topology: &Topology) -> Self {
        let parts = instruments.look();
        let mut layers: Vec<LayerStats> = parts.groups.iter().map(LayerStats::of).collect();
        for (at, layer) in layers.iter_mut().enumerate() {
            layer.operators =
                parts.run_by(at).flat_map(|layer| topology.operators_of(layer)).copied().collect();
        }
        for (layer, lane, reading) in parts.readings() {
            if let Some(lane) = layers.get_mut(layer).and_then(|layer| layer.lanes.get_mut(lane)) {
                lane.read(reading);
            }
        }
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
        Self { layers, read, failure: parts.failure.clone(), ..Self::default() }
    }

    /// A picture of the layers, what they feed and how many items they have sent, in the language of Mermaid, which
    /// many viewers of Markdown draw.
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
        let mut picture = Picture::default();
        for (at, layer) in self.layers.iter().enumerate() {
            let (name, part) = (layer.layer.name(), layer.part.word());
            let (tasks, sent) = (layer.lanes.len(), layer.lanes.iter().map(|lane| lane.sent).sum::<u64>());
            let plural = if tasks == 1 { "" } else { "s" };
            picture.add_box(format!("layer{at}"), [name, format!("{tasks} {part}{plural}")].into_iter());
            let feeds = layer.feeds.iter().map(|to| format!("layer{to}"));
            for to in feeds.chain(layer.is_read.then(|| "reader([reader])".into())) {
                picture.add_arrow(format!("layer{at}"), to, sent.to_string());
            }
        }
        picture.to_mermaid()
    }
}

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
            operators: Vec::new(),
            lanes: lanes.collect(),
            feeds: Vec::new(),
            is_read: false,
            layer: group.layer.clone(),
        }
    }

    /// The mean share of time, 0 to 1, for which its lanes were back-pressured.
    #[must_use]
    pub fn back_pressured(&self) -> f64 {
        self.mean(|times| times.back_pressured)
    }

    /// How far its windows of event time have got: the [watermark](LaneStats::watermark) of the lane that is furthest
    /// back. Lanes without one, and those that have ended while others go on, hold nothing back.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// let times = futures::stream::iter([0u64, 800, 2500]).chain(futures::stream::pending());
    /// let mut sums = times
    ///     .flow()
    ///     .lanes(1)
    ///     .window(Window::fixed(Duration::from_secs(1), |at: &u64| *at))
    ///     .reduce(|| 0, |sum, at| *sum += at)
    ///     .emit_state();
    /// let monitor = sums.monitor();
    /// assert_eq!(sums.next().await, Some(800)); // the first second
    /// let layer = &monitor.stats().layers[0];
    /// assert_eq!((layer.lanes[0].windows, layer.watermark()), (1, Some(2500)));
    /// # });
    /// ```
    #[must_use]
    pub fn watermark(&self) -> Option<i64> {
        let all_ended = self.lanes.iter().all(|lane| lane.ended);
        let counting = self.lanes.iter().filter(|lane| all_ended || !lane.ended);
        counting.filter_map(|lane| lane.watermark).min()
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

impl LaneStats {
    /// Takes in what a part of the lane says. What has ended has let go of all that it had.
    fn read(&mut self, said: MeterReading) {
        if !self.ended {
            self.futures += said.futures;
            self.windows += said.windows;
        }
        self.watermark = self.watermark.or(said.watermark);
    }
}

/// Its name, as in messages.
impl fmt::Display for LayerStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            LayerPart::Lane => write!(f, "{}", self.layer),
            part => write!(f, "the {}s of {}", part.word(), self.layer),
        }
    }
}

/// Its numbers, as in the table of the flow.
impl fmt::Display for LaneStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LaneTimes { busy, idle, back_pressured, .. } = self.times;
        let LaneStats { taken, sent, waiting, open_demand, .. } = self;
        write!(f, " {taken:>12} {sent:>12} {waiting:>9} {open_demand:>11}")?;
        for (part, width) in [(busy, 6), (idle, 6), (back_pressured, 14)] {
            let share = match self.times.all() {
                Duration::ZERO => "-".to_owned(),
                _ => format!("{:.0} %", 100.0 * self.times.share(part)),
            };
            write!(f, " {share:>width$}")?;
        }
        if self.ended {
            write!(f, "  ended")?;
        }
        if self.futures > 0 {
            write!(f, "  {} futures", self.futures)?;
        }
        if self.windows > 0 {
            write!(f, "  {} windows", self.windows)?;
        }
        if let Some(watermark) = self.watermark {
            write!(f, "  watermark {watermark}")?;
        }
        Ok(())
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
                write!(f, "{number:>6}{lane}")?;
                writeln!(f)?;
            }
        }
        write!(f, "read {}, discarded {}, late {}", self.read, self.discarded, self.late)?;
        if self.replaced > 0 {
            write!(f, ", replaced {}", self.replaced)?;
        }
        match &self.failure {
            Some(failure) => write!(f, "\nfailed: {failure}"),
            None => Ok(()),
        }
    }
}
