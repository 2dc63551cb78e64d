//! Supervisors: a task for each item, which is watched, restarted, and stopped in good order.
//!
//! | | what for | what comes out |
//! |---|---|---|
//! | [`DynamicSupervisor`] | children that live on their own: connections, jobs, sessions | events, counts, a report at the end |
//! | [`with_results`](DynamicSupervisor::with_results) of it | the same, where children return values | a stream of results, too |
//! | [`TaskSupervisor`] | work on items whose results are wanted | a stream of results |
//! | [`supervised`](StreamSupervised::supervised) | the same as an adapter of any stream | a stream of results |
//!
//! All of them are bounded: a supervisor is a [`Sink`](futures_sink::Sink) that is ready while there is a place for one
//! more child, so `forward` puts back-pressure on a stream, a flow or a stage. Children that are started on request
//! have a limit when [`max_children`](DynamicSupervisor::max_children) sets one.
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
//!
//! Flows as children: each is started again when it fails, and emits what it has when it is asked to stop:
//! ```
//! use gen_stage::prelude::*;
//! use gen_stage::supervisor::{Child, Restart};
//! use tokio::sync::mpsc;
//!
//! # tokio_test::block_on(async {
//! let (sender, mut sums) = mpsc::unbounded_channel();
//! let flows = DynamicSupervisor::with_child(move |first: u64, child: Child| {
//!     let sender = sender.clone();
//!     async move {
//!         let numbers = Flow::from_iter(first..first + 10);
//!         let sum: u64 = numbers.stop_when(child.token()).sum().await;
//!         assert!(child.restarts() > 0, "the first attempt fails");
//!         sender.send(sum)
//!     }
//! })
//! .restart(Restart::Transient)
//! .into_handle();
//! flows.start_child(0).unwrap();
//! flows.start_child(100).unwrap();
//! let report = flows.drain(None).await;
//! assert_eq!((report.counts.completed, report.counts.restarts), (2, 2));
//! assert_eq!(sums.recv().await.unwrap() + sums.recv().await.unwrap(), 45 + 1045);
//! # });
//! ```
//!
//! # Trees
//! A supervisor is a child of another if that child runs it: it stops when the child is asked to
//! ([`stop_when`](DynamicSupervisor::stop_when)), and if it gives up, the child fails, and is started again with all of
//! its own. So failures go up as far as they must:
//! ```
//! use gen_stage::supervisor::{Child, DynamicSupervisor, Restart, Shutdown, SupervisorEnd};
//! use std::time::Duration;
//!
//! async fn serve(port: u16, child: Child) -> Result<(), String> {
//!     child.stopping().await;
//!     drop(port);
//!     Ok(())
//! }
//!
//! async fn group(ports: Vec<u16>, child: Child) -> Result<(), SupervisorEnd> {
//!     let servers = DynamicSupervisor::with_child(serve)
//!         .restart(Restart::Transient)
//!         .max_restarts(3, Duration::from_secs(5))
//!         .stop_when(child.token())
//!         .into_handle();
//!     for port in ports {
//!         servers.start_child(port).ok(); // an error when it is being stopped already
//!     }
//!     servers.drain(None).await.into_result().map(drop)
//! }
//!
//! # tokio_test::block_on(async {
//! let root = DynamicSupervisor::with_child(group)
//!     .restart(Restart::Transient)
//!     .shutdown_rule(Shutdown::Wait) // the rules of the groups say how long it takes
//!     .into_handle();
//! root.start_child(vec![80, 443]).unwrap();
//! root.start_child(vec![25]).unwrap();
//! # tokio::task::yield_now().await;
//! let report = root.shutdown().await;
//! assert_eq!(report.counts.stopped, 2);
//! # });
//! ```
//! - **One for all**: with [`max_restarts`](DynamicSupervisor::max_restarts) of 0, the first child of a group that
//!   fails stops the others, and the root starts all of them again.
//! - **Events, counts and reports** are those of one supervisor: a child that runs another is one child. Keep the
//!   handles of groups where you want to look at them.
//! - **An abort** of a group, by [`Shutdown::Brutal`] or when its time is over, drops its handle: its own children are
//!   aborted then, and not waited for.
//! - There is no *rest for one*: children have no order among each other.
//!
//! # Source
//! | the originals | here |
//! |---|---|
//! | `ConsumerSupervisor.start_link(children, opts)`, `DynamicSupervisor` of 0.4 | [`DynamicSupervisor`]; a child spec is a function, or a [`ChildSpec`] |
//! | `{:ok, pid}`, `:ignore`, `{:error, reason}` of a start function | a future, `Ok(None)`, `Err`: [`try_new`](DynamicSupervisor::try_new) |
//! | `restart:`, `shutdown:` | [`Restart`], [`Shutdown`] |
//! | `max_restarts:`, `max_seconds:` | [`max_restarts`](DynamicSupervisor::max_restarts) |
//! | `max_demand:`, `min_demand:` | [`max_demand`](DynamicSupervisor::max_demand) of the sink, and that of each subscription |
//! | `max_dynamic:` | [`max_children`](DynamicSupervisor::max_children) |
//! | `subscribe_to:`, `sync_subscribe` | [`subscribe_to`](SupervisorHandle::subscribe_to) |
//! | `start_child`, `terminate_child`, `which_children`, `count_children` | methods of that name of [`SupervisorHandle`] |
//! | reports in the log | [`Event`]s, and the log for children that could not be started and for giving up |
//! | `Task.Supervisor.async_nolink`, and the message with its result | [`with_results`](DynamicSupervisor::with_results) |
//! | `Task.Supervisor.async_stream` | [`supervised`](StreamSupervised::supervised), [`TaskSupervisor`] |
//! | a pid | a [`ChildId`], which stays the same over restarts |
//! | supervisors as children, `:one_for_all` | [trees](#trees) |
//! | `:rest_for_one`, `name:`, child types, code change | nothing: children have no order, and handles are values |

// First the modules that the page of a type begins with: rustdoc shows methods in the order of the modules.
mod sink;

pub mod adapters;
mod child;
mod child_error;
mod child_info;
mod core;
mod end;
mod event;
mod events;
mod handle;
#[cfg(feature = "metrics")]
mod metrics;
mod options;
mod outcome;
mod reader;
mod registry;
mod report;
mod restart;
mod results;
mod rule;
mod rules;
mod shared;
mod spec;
mod start;
mod start_all;
mod supervised;
mod task;
mod task_supervisor;
mod with_results;

pub use child::Child;
pub use child_error::ChildError;
pub use child_info::{ChildId, ChildInfo, ChildState};
pub use end::{GivenUp, NotFound, RestartError, StartError, SupervisorEnd, SupervisorError};
pub use event::{Event, EventKind};
pub use events::Events;
pub use handle::SupervisorHandle;
pub use outcome::Outcome;
pub use report::{ChildCounts, Stopped, SupervisorReport};
pub use restart::Restart;
pub use results::{ChildResult, ChildResults};
pub use rule::Shutdown;
pub use sink::DynamicSupervisor;
pub use spec::{ChildOutput, ChildSpec, Starting};
pub use supervised::StreamSupervised;
pub use task_supervisor::{TaskSupervisor, TaskSupervisorClosed, TaskSupervisorHandle};

#[doc(hidden)]
#[deprecated(note = "is called `EventKind` now")]
pub type What = EventKind;

// Where they were; old `use` lines still hold.
#[doc(hidden)]
pub use adapters::{FallibleSpec, FnSpec, Keyed, Naming, NoKey, OfChild, Supervised};
