//! What a dashboard was told to show.

use crate::supervisor_view::SupervisorView;
use gen_stage::flow::Monitor;
use gen_stage::stage::StageRef;
use std::fmt;

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

/// Stages from which a graph is walked, under the name that it is watched by.
#[derive(Debug)]
pub(crate) struct WatchedStages {
    pub(crate) name: String,
    pub(crate) stages: Vec<StageRef>,
}

#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) flows: Vec<WatchedFlow>,
    pub(crate) supervisors: Vec<WatchedSupervisor>,
    pub(crate) graphs: Vec<WatchedStages>,
}

impl Watched {
    /// The first name that something before it has, too.
    pub(crate) fn name_twice(&self) -> Option<&str> {
        let flows = self.flows.iter().map(|flow| flow.name.as_str());
        let supervisors = self.supervisors.iter().map(|supervisor| supervisor.name.as_str());
        let graphs = self.graphs.iter().map(|graph| graph.name.as_str());
        let names: Vec<&str> = flows.chain(supervisors).chain(graphs).collect();
        (1..names.len()).find(|at| names[..*at].contains(&names[*at])).map(|at| names[at])
    }
}
