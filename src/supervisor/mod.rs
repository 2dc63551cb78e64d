//! Tasks that are looked after: one per item.

mod child_error;
mod supervised;
mod task_supervisor;

pub use child_error::ChildError;
pub use supervised::{StreamSupervised, Supervised};
pub use task_supervisor::{Closed, Itself, Keyed, Naming, TaskSupervisor};
