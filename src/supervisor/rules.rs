use super::outcome::Outcome;
use super::restart::{Intensity, Restart};
use super::rule::Shutdown;
use crate::backoff::Pauses;

pub(super) type RestartWhen = Box<dyn Fn(&Outcome) -> bool + Send + Sync>;

/// What does not change after the start.
pub(super) struct Rules {
    pub(super) restart: Restart,
    /// Whether a child with this outcome is restarted, if `restart` says so: code of users.
    pub(super) restart_when: Option<RestartWhen>,
    pub(super) intensity: Intensity,
    pub(super) restarts_per_child: u32,
    pub(super) pauses: Option<Pauses>,
    pub(super) shutdown: Shutdown,
    pub(super) max_children: usize,
    /// Children have results.
    pub(super) returns: bool,
}
