use super::plumbing::instruments::Instruments;
use super::plumbing::place::failed_sink;
use super::stats::FlowStats;
use super::topology::Topology;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;

/// Looks at a flow from outside; made by [`Flow::monitor`](crate::Flow::monitor). Cheap to clone. It keeps counters
/// alive, and no items.
///
/// # Examples
/// See [`Flow::monitor`](crate::Flow::monitor).
#[derive(Clone, Default)]
pub struct Monitor(Arc<OnceLock<Shown>>);

/// What a flow that has started shows.
struct Shown {
    losses: Losses,
    instruments: Instruments,
    topology: Topology,
}

impl Monitor {
    /// How many items were dropped before an operator or the reader took them, so far; see
    /// [`Flow::discarded`](crate::Flow::discarded).
    #[must_use]
    pub fn discarded(&self) -> u64 {
        self.0.get().map_or(0, |shown| shown.losses.discarded())
    }

    /// How many items came too late for their windows, or too far ahead, and were dropped, so far; see
    /// [`Flow::late`](crate::Flow::late).
    #[must_use]
    pub fn late(&self) -> u64 {
        self.0.get().map_or(0, |shown| shown.losses.late())
    }

    /// How many items gave way to newer ones while they were held, so far; see
    /// [`Flow::replaced`](crate::Flow::replaced).
    ///
    /// # Examples
    /// See [`Flow::replaced`](crate::Flow::replaced).
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.0.get().map_or(0, |shown| shown.losses.replaced())
    }

    /// What each lane has taken and sent so far, what waits on its way, and what lanes did with their time since the
    /// first call of this after the flow has started.
    ///
    /// Until somebody looks, nothing is timed. From then on a lane looks at tokio's clock when it is polled; one whose
    /// turns take less than 50 microseconds does so in one turn of 128, and its times are an estimate.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let mut words = Flow::from_iter(["a", "b", "a", "c"])
    ///     .lanes(1)
    ///     .label("split")
    ///     .partition()
    ///     .lanes(2)
    ///     .label("count")
    ///     .count_by(|word| *word);
    /// let monitor = words.monitor();
    /// assert_eq!(words.collect::<Vec<_>>().await.len(), 3);
    ///
    /// let stats = monitor.stats();
    /// let [split, count] = &stats.layers[..] else { panic!("two layers") };
    /// assert_eq!((split.label.as_deref(), split.lanes[0].sent, &split.feeds), (Some("split"), 4, &vec![1]));
    /// assert_eq!(count.lanes.iter().map(|lane| lane.taken).sum::<u64>(), 4);
    /// assert_eq!(stats.read, 3);
    /// println!("{stats}"); // a table
    /// # });
    /// ```
    #[must_use]
    pub fn stats(&self) -> FlowStats {
        let stats = self.0.get().map(|shown| FlowStats::of(&shown.instruments, &shown.topology));
        FlowStats {
            discarded: self.discarded(),
            late: self.late(),
            replaced: self.replaced(),
            ..stats.unwrap_or_default()
        }
    }

    /// Shows a failure that the tasks of the flow do not know of.
    pub(super) fn show_failure(&self, failure: &str) {
        if let Some(shown) = self.0.get() {
            shown.instruments.fail(failure);
        }
    }

    /// What the flow is made of, once it has started; nothing before. See [`Flow::describe`](crate::Flow::describe).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let mut flow = Flow::from_iter(0..3).map(|n: u32| n * 2);
    /// let monitor = flow.monitor();
    /// assert!(monitor.topology().layers.is_empty());
    /// let total = flow.filter(|n| *n > 0).sum::<u32>().await;
    /// let operators = &monitor.topology().layers[0].operators;
    /// assert_eq!((total, operators[0].name, operators[1].name), (6, "map", "filter"));
    /// # });
    /// ```
    #[must_use]
    pub fn topology(&self) -> Topology {
        self.0.get().map_or_else(Topology::default, |shown| shown.topology.clone())
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("discarded", &self.discarded())
            .field("late", &self.late())
            .field("replaced", &self.replaced())
            .finish()
    }
}

/// The items of a flow that do not come out.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses {
    pub(super) discarded: Arc<AtomicU64>,
    pub(super) late: Arc<AtomicU64>,
    pub(super) replaced: Arc<AtomicU64>,
}

impl Losses {
    pub(super) fn discarded(&self) -> u64 {
        self.discarded.load(Ordering::Relaxed)
    }

    pub(super) fn discard(&self, items: usize) {
        self.discarded.fetch_add(items as u64, Ordering::Relaxed);
    }

    pub(super) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    pub(super) fn replaced(&self) -> u64 {
        self.replaced.load(Ordering::Relaxed)
    }
}

/// What a flow is started with.
#[derive(Debug, Default)]
pub(super) struct Launch {
    pub(super) runtime: Option<Handle>,
    pub(super) name: Option<Arc<str>>,
    /// What the flow is made of, except for its name.
    pub(super) topology: Topology,
    /// A stage reads the flow, and names the place of a panic that the flow raises.
    pub(super) in_a_stage: bool,
    monitors: Vec<Monitor>,
}

impl Launch {
    /// A monitor of the flow that is to be started with this.
    pub(super) fn monitor(&mut self) -> Monitor {
        let monitor = Monitor::default();
        self.monitors.push(monitor.clone());
        monitor
    }

    /// Shows that the sink has failed that the whole flow is written into: to its monitors, also if it has not started.
    pub(super) fn show_failed_sink(&self) {
        let name = self.name.as_ref().map(|name| format!(" of the flow `{name}`")).unwrap_or_default();
        let layer = self.topology.layers.last().map(ToString::to_string).unwrap_or_default();
        for monitor in &self.monitors {
            monitor.0.get_or_init(|| self.shown(Losses::default(), Instruments::default()));
            monitor.show_failure(&failed_sink(format_args!("{layer}{name}")));
        }
    }

    fn shown(&self, losses: Losses, instruments: Instruments) -> Shown {
        Shown { losses, instruments, topology: self.describe() }
    }

    /// What the flow is made of.
    pub(super) fn describe(&self) -> Topology {
        Topology { name: self.name.clone(), ..self.topology.clone() }
    }

    /// The launch of two flows that have become one, with the topology of the first. If both name a runtime, or
    /// themselves, that of `self` counts.
    pub(super) fn with(mut self, other: Self) -> Self {
        self.monitors.extend(other.monitors);
        Self {
            runtime: self.runtime.or(other.runtime),
            name: self.name.or(other.name),
            topology: self.topology,
            in_a_stage: self.in_a_stage,
            monitors: self.monitors,
        }
    }

    /// Shows the counters of the flow to its monitors. Without one, there is nothing to be looked at.
    pub(super) fn show(&self, losses: &Losses) -> Option<Instruments> {
        let instruments = (!self.monitors.is_empty()).then(Instruments::default)?;
        for monitor in &self.monitors {
            // Set only once: the monitor was made for this flow alone, and the flow starts once.
            let _ = monitor.0.set(self.shown(losses.clone(), instruments.clone()));
        }
        Some(instruments)
    }
}
