//! How flows, stages and supervisors end: one table of words, and what to do about channels.
//!
//! The same word means the same everywhere:
//!
//! | word | the input | what was taken | after the deadline |
//! |---|---|---|---|
//! | `wait()` | is read to its own end | comes out | there is none |
//! | `drain(deadline)` | is read to its own end | comes out | dropped |
//! | `shutdown(deadline)` | is read no further | comes out; windows and states too | dropped |
//! | `abort()` | is dropped | is dropped | |
//!
//! - **Flows**: [`FlowHandle`](crate::flow::FlowHandle) of a flow that was [started](crate::Flow::start),
//!   [`StagesHandle`](crate::flow::StagesHandle) of one that feeds stages. A flow that reads stages
//!   ([`from_stages`](crate::Flow::from_stages)) takes at a shutdown what was already sent to it. The
//!   [report](crate::flow::FlowReport) says how many items were taken, how many were discarded on the way, and how
//!   many were sent to subscribers that left without taking them.
//! - **Stages**: at a shutdown by its [`Handle`](crate::stage::Handle), a stage drops what it has buffered, and counts
//!   it ([`counts`](crate::stage::Handle::counts)); with [`finish`](crate::stage::Handle::finish) it sends that out
//!   before it ends, and takes no more. `shutdown` and `finish` have no deadline of their own: put one around them.
//! - **Supervisors**: the input is items and requests; what was taken is children. After `drain`, `shutdown` or `abort`
//!   of a [`SupervisorHandle`](crate::supervisor::SupervisorHandle), no more input is taken. `drain` lets children come
//!   to their own ends, and stops those that have not after its deadline; `shutdown` stops all at once. A child is
//!   stopped by its [rule](crate::supervisor::Shutdown), which has a deadline of its own. The
//!   [report](crate::supervisor::SupervisorReport) accounts for every item.
//! - **Dropping** the last handle aborts; `detach`, of flows and stages, lets the work run on.
//!
//! # A channel as the source
//! What is in a channel has not been taken yet. So `shutdown` leaves it there, and `drain` reads it, until the channel
//! is empty and its last sender is gone. Drop the senders, or end the task that has them, and then drain:
//! ```
//! use gen_stage::flow::FlowEnd;
//! use gen_stage::prelude::*;
//! use std::time::Duration;
//! use tokio::sync::mpsc;
//! use tokio_stream::wrappers::ReceiverStream;
//!
//! # tokio_test::block_on(async {
//! let (sender, receiver) = mpsc::channel(1000);
//! let flow = ReceiverStream::new(receiver).flow().map_async(4, async |n: u64| n + 1).start();
//! for n in 0..500 {
//!     sender.send(n).await.unwrap();
//! }
//!
//! drop(sender);
//! let report = flow.drain(Duration::from_secs(10)).await;
//! assert!(matches!(report.end, Ok(FlowEnd::Finished)));
//! assert_eq!((report.taken, report.discarded), (500, 0));
//! # });
//! ```
