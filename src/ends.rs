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
//!   ([`from_stages`](crate::Flow::from_stages)) takes at a shutdown what was sent to it. The
//!   [report](crate::flow::FlowReport) says how many items were taken, how many were discarded on the way, and how many were
//!   sent to subscribers that went without having taken them.
//! - **Stages**: a [`Handle`](crate::stage::Handle) that is shut down drops what its stage has buffered, and counts it
//!   ([`counts`](crate::stage::Handle::counts)); [`finish`](crate::stage::Handle::finish) lets that go out before the
//!   stage ends, and takes no more. `shutdown` and `finish` have no deadline of their own: put one around them.
//! - **Supervisors**: the input are items and requests, of which a
//!   [`SupervisorHandle`](crate::supervisor::SupervisorHandle) takes no more in all cases; what was taken are its children.
//!   `drain` lets them come to their own ends, and stops those that have not after its deadline; `shutdown` stops all at
//!   once. To stop a child is to follow its [rule](crate::supervisor::Shutdown), which has a deadline of its own. The [report](crate::supervisor::SupervisorReport) accounts for every item.
//! - **Dropping** the last handle is to abort; `detach` lets run.
//!
//! # A channel as the source
//! What is in a channel was not taken yet. So `shutdown` leaves it there, and `drain` reads it: until the channel is empty
//! and its last sender is gone. Drop the senders, or end the task that has them, and then drain:
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
