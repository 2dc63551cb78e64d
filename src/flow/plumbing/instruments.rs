//! Where a running flow can be looked at: its tasks, and the edges between them.

use crate::edge::{EdgeCounts, Receiver};
use crate::flow::plumbing::gauge::Gauge;
use crate::flow::plumbing::place::{Layer, Place};
use crate::meter::{LaneMeter, MeterReading};
use crate::sync::unpoisoned;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// The tasks and edges of one flow, as they were made: those of an upper layer first.
#[derive(Clone, Default)]
pub(in crate::flow) struct Instruments(Arc<Shared>);

#[derive(Default)]
struct Shared {
    looked_at: AtomicBool,
    parts: Mutex<Instrumented>,
}

#[derive(Default)]
pub(in crate::flow) struct Instrumented {
    pub(in crate::flow) groups: Vec<TaskGroup>,
    pub(in crate::flow) edges: Vec<WatchedEdge>,
    /// What parts of lanes say of themselves: a lane may have several, or none.
    meters: Vec<PlacedMeter>,
    /// Why the flow failed.
    pub(in crate::flow) failure: Option<Arc<str>>,
    /// Layers whose lanes are run as lanes of another layer, and from which number on.
    merged: Vec<(Layer, Layer, usize)>,
}

/// The meter of a part of a lane.
struct PlacedMeter {
    layer: Layer,
    lane: usize,
    /// How many groups there were. The lane is started after these, of which one may have the same layer.
    after: usize,
    meter: LaneMeter,
}

/// The tasks that run the lanes of a layer, or another part of it.
pub(in crate::flow) struct TaskGroup {
    pub(in crate::flow) layer: Layer,
    /// By their numbers.
    pub(in crate::flow) tasks: Vec<Arc<Gauge>>,
}

/// An edge from a task to a lane, or to the reader.
pub(in crate::flow) struct WatchedEdge {
    /// The group of the task, and its number.
    pub(in crate::flow) from: (usize, usize),
    to: Option<(Layer, usize)>,
    /// Reads the counters, which outlive both ends.
    pub(in crate::flow) counts: Box<dyn Fn() -> EdgeCounts + Send + Sync>,
}

impl Instruments {
    /// Adds a task, and returns what it is to be polled with. Tasks of a group come one after the other, and the first is
    /// number 0.
    pub(in crate::flow) fn add_task(&self, place: &Place) -> WatchedTask {
        let gauge = Arc::new(Gauge::new());
        let groups = &mut self.parts().groups;
        if place.number == 0 {
            groups.push(TaskGroup { layer: place.layer.clone(), tasks: Vec::new() });
        }
        if let Some(group) = groups.last_mut() {
            group.tasks.push(Arc::clone(&gauge));
        }
        WatchedTask { all: self.clone(), gauge }
    }

    /// Adds an edge from the task with this `number` in the group that is added next.
    pub(in crate::flow) fn add_edge<T: Send + 'static>(
        &self,
        number: usize,
        to: Option<(&Layer, usize)>,
        edge: &Receiver<T>,
    ) {
        let mut parts = self.parts();
        let group = parts.groups.len();
        parts.edges.push(WatchedEdge {
            from: (group, number),
            to: to.map(|(layer, lane)| (layer.clone(), lane)),
            counts: Box::new(edge.counter()),
        });
    }

    /// Adds a meter for a part of a lane.
    pub(in crate::flow) fn add_meter(&self, layer: &Layer, lane: usize) -> LaneMeter {
        let meter = LaneMeter::new();
        let mut parts = self.parts();
        let after = parts.groups.len();
        parts.meters.push(PlacedMeter { layer: layer.clone(), lane, after, meter: meter.clone() });
        meter
    }

    /// The lanes of the layer `merged` are run as lanes of the layer `into`, from the number `first` on.
    pub(in crate::flow) fn add_merged(&self, merged: &Layer, into: &Layer, first: usize) {
        self.parts().merged.push((merged.clone(), into.clone(), first));
    }

    /// The flow fails, with what it fails with in the end.
    pub(in crate::flow) fn fail(&self, why: &str) {
        self.parts().failure = Some(why.into());
    }

    /// Looks at all that there is.
    pub(in crate::flow) fn look(&self) -> MutexGuard<'_, Instrumented> {
        self.0.looked_at.store(true, Ordering::Relaxed);
        self.parts()
    }

    fn parts(&self) -> MutexGuard<'_, Instrumented> {
        unpoisoned(self.0.parts.lock())
    }
}

/// What keeps the time of a task; it is dropped with the task.
pub(in crate::flow) struct WatchedTask {
    all: Instruments,
    gauge: Arc<Gauge>,
}

impl WatchedTask {
    /// The task is about to be polled. If somebody has looked, the time is counted.
    pub(in crate::flow) fn begins(&self) {
        self.gauge.begins(self.is_looked_at());
    }

    /// It was polled, and has not ended.
    pub(in crate::flow) fn waits(&self) {
        self.gauge.waits(self.is_looked_at());
    }

    fn is_looked_at(&self) -> bool {
        self.all.0.looked_at.load(Ordering::Relaxed)
    }
}

impl Drop for WatchedTask {
    fn drop(&mut self) {
        self.gauge.end(self.is_looked_at());
    }
}

impl WatchedEdge {
    pub(in crate::flow) fn is_to_reader(&self) -> bool {
        self.to.is_none()
    }
}

impl Instrumented {
    /// The group and the number of the lane that an edge leads to; `None` for the reader.
    pub(in crate::flow) fn end_of(&self, edge: &WatchedEdge) -> Option<(usize, usize)> {
        let (layer, lane) = edge.to.as_ref().map(|(layer, lane)| (layer, *lane))?;
        // Lanes are started after what feeds them, which may be a part of the same layer.
        self.lane_of(layer, lane, edge.from.0 + 1)
    }

    /// The layers whose operators are run by the lanes of a group, in the order in which items meet them.
    pub(in crate::flow) fn run_by(&self, group: usize) -> impl Iterator<Item = &Layer> {
        let layer = &self.groups[group].layer;
        let is_own = |other: &TaskGroup| other.layer.is(layer);
        // Of two groups of a merge with lanes of its own, the first runs what was merged, and the second the rest.
        let first = !self.groups[..group].iter().any(is_own);
        let last = !self.groups[group + 1..].iter().any(is_own);
        let mut run = Vec::new();
        if first {
            self.add_merged_into(layer, &mut run);
        }
        run.extend(last.then_some(layer));
        run.into_iter()
    }

    /// The layers that were merged into one, with those that were merged into them.
    fn add_merged_into<'a>(&'a self, layer: &Layer, run: &mut Vec<&'a Layer>) {
        for (merged, _, _) in self.merged.iter().filter(|(_, into, _)| into.is(layer)) {
            self.add_merged_into(merged, run);
            run.push(merged);
        }
    }

    /// What is said of which group and lane. A lane whose task was not started yet has nothing to say.
    pub(in crate::flow) fn readings(&self) -> impl Iterator<Item = (usize, usize, MeterReading)> {
        self.meters.iter().filter_map(|placed| {
            let (group, lane) = self.lane_of(&placed.layer, placed.lane, placed.after)?;
            Some((group, lane, placed.meter.read()))
        })
    }

    /// The group that runs a lane of this layer, from the group `first` on, and the number that the lane has there.
    fn lane_of(&self, layer: &Layer, lane: usize, first: usize) -> Option<(usize, usize)> {
        let (mut layer, mut lane) = (layer, lane);
        loop {
            if let Some(group) = self.groups.iter().skip(first).position(|group| group.layer.is(layer)) {
                return Some((first + group, lane));
            }
            let (_, into, offset) = self.merged.iter().find(|(merged, ..)| merged.is(layer))?;
            (layer, lane) = (into, offset + lane);
        }
    }
}

impl fmt::Debug for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts();
        f.debug_struct("Instruments")
            .field("groups", &parts.groups.len())
            .field("edges", &parts.edges.len())
            .finish_non_exhaustive()
    }
}
