//! Reads all that is watched, at most once per interval, however many ask.

use crate::flow_view::{FlowView, millis};
use crate::graph_history::GraphHistory;
use crate::graph_view::GraphView;
use crate::history::History;
use crate::supervisor_view::SupervisorView;
use crate::walks::Walks;
use crate::watched::Watched;
use gen_stage::stage::StageGraph;
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, sleep_until};

/// All that is watched, at one moment. Its shape is in the docs of the crate.
#[derive(Debug, Serialize)]
struct Snapshot {
    reading: u64,
    at_ms: u64,
    every_ms: u64,
    flows: Vec<FlowView>,
    supervisors: Vec<SupervisorView>,
    graphs: Vec<GraphView>,
}

#[derive(Debug)]
pub(crate) struct Sampler {
    watched: Watched,
    every: Duration,
    /// Locked while it is read: all who come meanwhile wait for the same numbers.
    last: Mutex<Last>,
    /// The newest snapshot; `None` when there will be no more. A reader that is slow misses those between.
    newest: watch::Sender<Option<Arc<str>>>,
    joined: Notify,
}

#[derive(Debug)]
struct Last {
    reading: u64,
    /// When that reading began.
    at: Option<Instant>,
    /// Of the reading that has begun and is not complete: the task that waited for it may be gone.
    walks: Option<Walks>,
    /// What was read last, as JSON.
    json: Arc<str>,
    histories: Vec<History>,
    graph_histories: Vec<GraphHistory>,
}

impl Sampler {
    pub(crate) fn new(watched: Watched, every: Duration) -> Self {
        let histories = watched.flows.iter().map(|_| History::new(every)).collect();
        let graph_histories = watched.graphs.iter().map(|_| GraphHistory::new(every)).collect();
        let json: Arc<str> = "".into();
        let newest = watch::Sender::new(Some(Arc::clone(&json)));
        let last = Last { reading: 0, at: None, walks: None, json, histories, graph_histories };
        Self { watched, every, last: Mutex::new(last), newest, joined: Notify::new() }
    }

    /// The newest snapshot; a new one, if that is as old as an interval. Dropped in the middle, it leaves the reading
    /// that it began to the next.
    pub(crate) async fn snapshot(&self) -> Arc<str> {
        let mut last = self.last.lock().await;
        let now = Instant::now();
        if last.at.is_none_or(|at| now - at >= self.every) {
            last.at = Some(now);
            last.reading += 1;
            last.walks = Some(Walks::begin(&self.watched.graphs, self.every));
        }
        if let Some(walks) = &mut last.walks {
            walks.end().await;
        }
        if let Some(walks) = last.walks.take() {
            last.json = self.read(&mut last, &walks.into_graphs());
            self.tell(&last.json);
        }
        Arc::clone(&last.json)
    }

    /// A reader of snapshots, who sees the newest at once, and keeps the sampler at work.
    pub(crate) async fn subscribe(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.snapshot().await;
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
            let due = self.last.lock().await.at.map(|at| at + self.every);
            sleep_until(due.unwrap_or_else(Instant::now)).await;
            if self.newest.receiver_count() > 0 {
                self.snapshot().await;
            }
        }
    }

    /// Tells all readers that nothing comes any more.
    pub(crate) fn end(&self) {
        self.newest.send_replace(None);
    }

    /// Tells all readers, unless they were told that nothing comes any more: a request may have been under way then.
    fn tell(&self, json: &Arc<str>) {
        self.newest.send_if_modified(|newest| {
            let goes_on = newest.is_some();
            if goes_on {
                *newest = Some(Arc::clone(json));
            }
            goes_on
        });
    }

    fn read(&self, last: &mut Last, graphs: &[StageGraph]) -> Arc<str> {
        let now = Instant::now();
        let flows = self.watched.flows.iter().zip(&mut last.histories);
        let supervisors = self.watched.supervisors.iter();
        let walked = self.watched.graphs.iter().zip(graphs).zip(&mut last.graph_histories);
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
            supervisors: supervisors.map(|supervisor| (supervisor.look)(&supervisor.name)).collect(),
            graphs: walked
                .map(|((watched, graph), history)| {
                    GraphView::of(&watched.name, graph, &history.add(now, graph))
                })
                .collect(),
        };
        serde_json::to_string(&snapshot).expect("numbers and texts are JSON").into()
    }
}
