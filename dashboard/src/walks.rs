//! The walks of one reading, over all graphs that are watched.

use crate::watched::WatchedStages;
use gen_stage::stage::StageGraph;
use std::panic::resume_unwind;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};

/// For how long stages are waited for, where half of an interval is longer: all that look wait as long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Each walk is a task, so that it goes on when the request that began the reading is dropped.
#[derive(Debug)]
pub(crate) struct Walks {
    under_way: JoinSet<(usize, StageGraph)>,
    graphs: Vec<StageGraph>,
}

impl Walks {
    /// Sets out from the stages that are watched, all at once.
    pub(crate) fn begin(watched: &[WatchedStages], every: Duration) -> Self {
        let patience = PATIENCE.min(every / 2);
        let mut under_way = JoinSet::new();
        for (at, WatchedStages { stages, .. }) in watched.iter().enumerate() {
            let stages = stages.clone();
            under_way.spawn(async move { (at, StageGraph::walk(stages, patience).await) });
        }
        Self { under_way, graphs: vec![StageGraph::default(); watched.len()] }
    }

    /// Waits until all have come to their end. Dropped in the middle, it can be called again.
    pub(crate) async fn end(&mut self) {
        while let Some(walked) = self.under_way.join_next().await {
            match walked.map_err(JoinError::try_into_panic) {
                Ok((at, graph)) => self.graphs[at] = graph,
                Err(Ok(panic)) => resume_unwind(panic),
                // The runtime is being shut down, and this task with it.
                Err(Err(_aborted)) => {}
            }
        }
    }

    /// What was found, in the order in which it is watched.
    pub(crate) fn into_graphs(self) -> Vec<StageGraph> {
        self.graphs
    }
}
