use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;

/// Reads the counters of a flow; made by [`Flow::monitor`](crate::Flow::monitor). Cheap to clone. It keeps nothing
/// alive.
///
/// # Examples
/// See [`Flow::monitor`](crate::Flow::monitor).
#[derive(Clone, Default)]
pub struct Monitor(Arc<OnceLock<Losses>>);

impl Monitor {
    /// How many items were dropped before an operator or the reader took them, so far; see
    /// [`Flow::discarded`](crate::Flow::discarded).
    #[must_use]
    pub fn discarded(&self) -> u64 {
        self.0.get().map_or(0, Losses::discarded)
    }

    /// How many items came too late for their windows, or too far ahead, and were dropped, so far; see
    /// [`Flow::late`](crate::Flow::late).
    #[must_use]
    pub fn late(&self) -> u64 {
        self.0.get().map_or(0, Losses::late)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("discarded", &self.discarded()).field("late", &self.late()).finish()
    }
}

/// The items of a flow that do not come out.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses {
    pub(super) discarded: Arc<AtomicU64>,
    pub(super) late: Arc<AtomicU64>,
}

impl Losses {
    pub(super) fn discarded(&self) -> u64 {
        self.discarded.load(Ordering::Relaxed)
    }

    pub(super) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }
}

/// What a flow is started with.
#[derive(Debug, Default)]
pub(super) struct Launch {
    pub(super) runtime: Option<Handle>,
    pub(super) name: Option<Arc<str>>,
    monitors: Vec<Monitor>,
}

impl Launch {
    /// A monitor of the flow that is to be started with this.
    pub(super) fn monitor(&mut self) -> Monitor {
        let monitor = Monitor::default();
        self.monitors.push(monitor.clone());
        monitor
    }

    /// The launch of two flows that have become one. If both name a runtime, or themselves, that of
    /// `self` counts.
    pub(super) fn with(mut self, other: Self) -> Self {
        self.monitors.extend(other.monitors);
        Self {
            runtime: self.runtime.or(other.runtime),
            name: self.name.or(other.name),
            monitors: self.monitors,
        }
    }

    /// Shows the counters of the flow to its monitors.
    pub(super) fn show(&self, losses: &Losses) {
        for monitor in &self.monitors {
            // Set only once: the monitor was made for this flow alone, and the flow starts once.
            let _ = monitor.0.set(losses.clone());
        }
    }
}
