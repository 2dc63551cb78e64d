//! Supervisors: a task for each item, which is watched, restarted, and stopped in good order.
//!
//! | | what for | what comes out |
//! |---|---|---|
//! | [`DynamicSupervisor`] | children that live on their own: connections, jobs, sessions | events, counts, a report at the end |
//! | [`TaskSupervisor`] | work on items whose results are wanted | a stream of results |
//! | [`supervised`](StreamSupervised::supervised) | the same as an adapter of any stream | a stream of results |
//!
//! All of them are bounded: a supervisor is a [`Sink`](futures_sink::Sink) that is ready while there is a place for one
//! more, so that `forward` into it is back-pressure, from a stream, a flow or a stage.
//!
//! ```text
//!  Stream / Flow ── forward ──►  DynamicSupervisor  ── starts ──► task   (one for each item)
//!  stage ────── subscribe_to ─►         ▲                          task   restarted by the rule
//!                                       │                          task   stopped by the rule
//!                              SupervisorHandle: start, stop, look at, shut down
//! ```
//!
//! # Examples
//! The end of a flow:
//! ```
//! use gen_stage::prelude::*;
//! use gen_stage::supervisor::DynamicSupervisor;
//!
//! # tokio_test::block_on(async {
//! let mut supervisor = DynamicSupervisor::new(|n: u64| async move {
//!     if n % 10 == 0 { Err(format!("{n} is round")) } else { Ok(()) }
//! });
//! let handle = supervisor.handle();
//! Flow::from_iter(1..=100).filter(|n| n % 2 == 0).forward(supervisor).await?;
//! let counts = handle.count_children();
//! assert_eq!((counts.completed, counts.failed), (40, 10));
//! # Ok::<(), gen_stage::supervisor::SupervisorError<u64>>(())
//! # });
//! ```

mod child;
mod child_error;
mod core;
mod end;
mod event;
mod handle;
mod outcome;
mod reader;
mod report;
mod restart;
mod rule;
mod shared;
mod sink;
mod spec;
mod supervised;
mod task;
mod task_supervisor;

pub use child::{Child, ChildId, ChildInfo, ChildState};
pub use child_error::ChildError;
pub use end::{GivenUp, NotFound, RestartError, StartError, SupervisorEnd, SupervisorError};
pub use event::{Event, Events, What};
pub use handle::SupervisorHandle;
pub use outcome::Outcome;
pub use report::{ChildCounts, Stopped, SupervisorReport};
pub use restart::Restart;
pub use rule::Shutdown;
pub use sink::DynamicSupervisor;
pub use spec::{ChildOutput, ChildSpec, OfChild, OfItem, Starting, Trying};
pub use supervised::{StreamSupervised, Supervised};
pub use task_supervisor::{Closed, Itself, Keyed, Naming, TaskSupervisor};
