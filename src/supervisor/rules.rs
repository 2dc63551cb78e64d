use super::restart::{Intensity, Restart};
use super::rule::Shutdown;
use crate::backoff::Pauses;

/// What does not change after the start.
pub(super) struct Rules {
    pub(super) restart: Restart,
    pub(super) intensity: Intensity,
    pub(super) restarts_per_child: u32,
    pub(super) pauses: Option<Pauses>,
    pub(super) shutdown: Shutdown,
    pub(super) max_children: usize,
    /// Children have results.
    pub(super) returns: bool,
}
