//! What supervisors do.

mod events;
mod handle;
mod hostile;
mod restarts;
mod shutdown;
mod sink;
mod stages;

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
