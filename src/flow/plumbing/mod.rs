//! What operators are made of: plans and the lanes they build, envelopes, and the tasks that drive lanes.

pub(super) mod driver;
pub(super) mod drop_count;
pub(super) mod envelope;
pub(super) mod exchange;
pub(super) mod gauge;
pub(super) mod hold;
pub(super) mod instruments;
pub(super) mod outlet;
pub(super) mod place;
pub(super) mod plan;
pub(super) mod reporting;
pub(super) mod sequence;
pub(super) mod serial;
pub(super) mod serial_step;
pub(super) mod sink_driver;
pub(super) mod step;
pub(super) mod tasks;
