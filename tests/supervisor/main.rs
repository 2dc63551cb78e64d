//! What supervisors do.

mod events;
mod faults;
mod handle;
mod hostile;
mod model;
mod restart;
mod results;
mod review;
mod scenarios;
mod shutdown;
mod sink;
mod stages;
#[path = "../support/mod.rs"]
mod support;
mod task_supervisor;
mod trees;

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
