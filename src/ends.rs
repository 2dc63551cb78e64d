//! How flows, stages and supervisors end: what each word does, and what to do about channels.
//!
//! | | a flow | a stage | a supervisor |
//! |---|---|---|---|
//! | `wait()` | reads its sources to their ends; everything comes out | works until it ends by itself | works until it ends by itself |
//! | `drain(deadline)` | the same; what is left after the deadline is dropped | the same; is shut down after the deadline | takes nothing more, lets its children come to their ends, and stops those that have not after the deadline |
//! | `finish()` | | makes and takes nothing more; sends out what it has buffered | |
//! | `shutdown` | with a deadline: reads no further; what was taken comes out, with windows and states; what is left after the deadline is dropped | drops what it has buffered | takes nothing more, and stops its children at once |
//! | `abort()` | drops all of it where it is | drops it where it is | takes nothing more, and drops its children |
//! | `detach()` | runs on without a handle | runs on without a handle | |
//!
//! - **Flows**: [`FlowHandle`](crate::flow::FlowHandle) of a flow that was [started](crate::Flow::start),
//!   [`StagesHandle`](crate::flow::StagesHandle) of one that feeds stages. At a shutdown, a flow that reads stages
//!   ([`from_stages`](crate::Flow::from_stages)) still processes the items that were already sent to it. The
//!   [report](crate::flow::FlowReport) says how many items were taken, how many were discarded on the way, and how
//!   many were sent to subscribers that left without taking them.
//! - **Stages**: a [`Handle`](crate::stage::Handle). Its [`counts`](crate::stage::Handle::counts) say what was
//!   discarded. A callback that never returns holds up all but `abort`: put a time limit around `shutdown`, `finish`
//!   and `drain`.
//! - **Supervisors**: a [`SupervisorHandle`](crate::supervisor::SupervisorHandle), or a token
//!   ([`stop_when`](crate::supervisor::DynamicSupervisor::stop_when)), which shuts down. Its input is items and
//!   requests. A child is stopped by its [rule](crate::supervisor::Shutdown), which has a deadline of its own. The
//!   [report](crate::supervisor::SupervisorReport) accounts for every item.
//! - **Dropping the last handle** aborts a flow, a supervisor that was made by `into_handle`, and a stage to which
//!   there is no subscription either. The futures of a flow's `wait`, `drain` and `shutdown` keep it alive, too.
//!
//! # A channel as the source
//! What is in a channel has not been taken yet. So `shutdown` drops it with the receiver, uncounted, and `drain` reads
//! it, until the channel is empty and its last sender is gone. Drop the senders, or end the task that has them, and
//! then drain:
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
//!
//! # A channel as the end
//! [`forward`](crate::Flow::forward) sends into the channel, and drops the sender at the end: the receiver gets all
//! there is, and then the end. A full channel stops the lanes. To drain both sides, end the source, and read the
//! receiver to its end. When the receiver is closed or dropped before, `forward` returns an error and the flow is
//! dropped with what was on its way; the senders of the source get an error too. So to lose nothing, end the source,
//! not the receiver.
//! ```
//! use gen_stage::prelude::*;
//! use tokio::sync::mpsc;
//! use tokio_stream::wrappers::ReceiverStream;
//! use tokio_util::sync::PollSender;
//!
//! # tokio_test::block_on(async {
//! let (sender, incoming) = mpsc::channel::<u64>(10);
//! let (outgoing, mut receiver) = mpsc::channel::<u64>(10);
//! let squares = ReceiverStream::new(incoming).flow().lanes(2).map(|n| n * n);
//! let forwarding = tokio::spawn(squares.forward(PollSender::new(outgoing)));
//! let sending = tokio::spawn(async move {
//!     for n in 0..500 {
//!         sender.send(n).await.unwrap();
//!     }
//!     // Here the sender is dropped: the source has ended.
//! });
//!
//! let mut got = Vec::new();
//! while let Some(square) = receiver.recv().await {
//!     got.push(square);
//! }
//! assert_eq!(got.len(), 500);
//! assert!(forwarding.await.unwrap().is_ok());
//! # sending.await.unwrap();
//! # });
//! ```
//! Several receivers, or receivers that come and go, want [stages](crate::Flow::into_stages); a `Sink` for each kind of
//! item [`into_sinks`](crate::Flow::into_sinks).
