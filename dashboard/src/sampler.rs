//! Reads all that is watched, at most once per interval, however many ask.

use crate::flow_view::{FlowView, millis};
use crate::history::History;
use crate::supervisor_view::SupervisorView;
use gen_stage::flow::Monitor;
use serde::Serialize;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// A flow, under the name it is watched by.
#[derive(Debug)]
pub(crate) struct WatchedFlow {
    pub(crate) name: String,
    pub(crate) monitor: Monitor,
}

/// A supervisor. The type of its items is forgotten: what is asked of it does not depend on that.
pub(crate) struct WatchedSupervisor {
    pub(crate) name: String,
    pub(crate) look: Box<dyn Fn(&str) -> SupervisorView + Send + Sync>,
}

impl fmt::Debug for WatchedSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedSupervisor").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) flows: Vec<WatchedFlow>,
    pub(crate) supervisors: Vec<WatchedSupervisor>,
}

impl Watched {
    /// The first name that something before it has, too.
    pub(crate) fn name_twice(&self) -> Option<&str> {
        let flows = self.flows.iter().map(|flow| flow.name.as_str());
        let names: Vec<&str> =
            flows.chain(self.supervisors.iter().map(|supervisor| supervisor.name.as_str())).collect();
        (1..names.len()).find(|at| names[..*at].contains(&names[*at])).map(|at| names[at])
    }
}

/// All that is watched, at one moment. Its shape is in the docs of the crate.
#[derive(Debug, Serialize)]
struct Snapshot {
    reading: u64,
    at_ms: u64,
    every_ms: u64,
    flows: Vec<FlowView>,
    supervisors: Vec<SupervisorView>,
}

#[derive(Debug)]
pub(crate) struct Sampler {
    watched: Watched,
    every: Duration,
    last: Mutex<Last>,
    /// The newest snapshot; `None` when there will be no more. A reader that is slow misses those between.
    newest: watch::Sender<Option<Arc<str>>>,
    joined: Notify,
}

#[derive(Debug)]
struct Last {
    reading: u64,
    at: Option<Instant>,
    /// What was read then, as JSON.
    json: Arc<str>,
    histories: Vec<History>,
}

impl Sampler {
    pub(crate) fn new(watched: Watched, every: Duration) -> Self {
        let histories = watched.flows.iter().map(|_| History::new(every)).collect();
        let last = Mutex::new(Last { reading: 0, at: None, json: "".into(), histories });
        Self { watched, every, last, newest: watch::Sender::new(None), joined: Notify::new() }
    }

    /// The newest snapshot; a new one, if that is as old as an interval.
    pub(crate) fn snapshot(&self) -> Arc<str> {
        let mut last = self.last();
        let now = Instant::now();
        if last.at.is_none_or(|at| now - at >= self.every) {
            last.at = Some(now);
            last.reading += 1;
            last.json = self.read(&mut last, now);
            self.newest.send_replace(Some(Arc::clone(&last.json)));
        }
        Arc::clone(&last.json)
    }

    /// A reader of snapshots, who sees the newest at once, and keeps the sampler at work.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.snapshot();
        let reader = self.newest.subscribe();
        self.joined.notify_one();
        reader
    }

    /// Reads once per interval while somebody subscribes; for ever.
    pub(crate) async fn run(&self) -> Infallible {
        loop {
            while self.newest.receiver_count() == 0 {
                self.joined.notified().await;
            }
            let due = self.last().at.map(|at| at + self.every);
            sleep_until(due.unwrap_or_else(Instant::now)).await;
            if self.newest.receiver_count() > 0 {
                self.snapshot();
            }
        }
    }

    /// Tells all readers that nothing comes any more.
    pub(crate) fn end(&self) {
        self.newest.send_replace(None);
    }

    fn read(&self, last: &mut Last, now: Instant) -> Arc<str> {
        let flows = self.watched.flows.iter().zip(&mut last.histories);
        let snapshot = Snapshot {
            reading: last.reading,
            at_ms: SystemTime::UNIX_EPOCH.elapsed().map_or(0, millis),
            every_ms: millis(self.every),
            flows: flows
                .map(|(flow, history)| {
                    let stats = flow.monitor.stats();
                    FlowView::of(&flow.name, &stats, &history.add(now, &stats))
                })
                .collect(),
            supervisors: self
                .watched
                .supervisors
                .iter()
                .map(|supervisor| (supervisor.look)(&supervisor.name))
                .collect(),
        };
        serde_json::to_string(&snapshot).expect("numbers and texts are JSON").into()
    }

    /// A reading that panicked has left numbers behind that are as good as any.
    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
