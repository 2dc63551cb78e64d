//! From tasks with tokio's channels between them: what becomes of the tasks, and of the channels.
//!
//! | there | here |
//! |---|---|
//! | a task that reads a channel, works, and sends on | an operator of a flow; `shuffle` and `partition_by` where items are to go to other tasks |
//! | `mpsc::channel(n)` between two tasks | [`demand(n, n / 2)`](crate::Flow::demand) of a layer |
//! | a receiver as the source | `ReceiverStream::new(receiver).flow()` (tokio-stream) |
//! | a sender as the end | [`forward`](crate::Flow::forward) into a `PollSender` (tokio-util) |
//! | workers that share one receiver | `.flow().lanes(n).demand(4, 2)`: slow items want a small demand, for lanes do not give back what they hold; or `map_async(n, f)` for work that waits |
//! | a sender for each worker, chosen by a hash | [`partition_by`](crate::Flow::partition_by) |
//! | `send` that waits: back-pressure | everywhere: nothing is made before it is asked for |
//! | `Semaphore`: at most `n` at once | [`map_async(n, f)`](crate::Flow::map_async), or [`max_demand`](crate::supervisor::DynamicSupervisor::max_demand) of a supervisor |
//! | `broadcast` | a stage with [`Broadcast`](crate::dispatch::Broadcast): the slowest sets the pace, and no reader lags; one that subscribes with [`keep_newest(n)`](crate::stage::Subscribe::keep_newest) may lag, and loses items |
//! | `watch` | a subscription with `keep_newest(1)`; without a stream of items, keep it |
//! | `oneshot` in a message, for the answer | [`Reply`](crate::stage::Reply) in a message: [`Handle::call`](crate::stage::Handle::call) |
//! | a task with state that gets messages | a [stage](crate::stage); without items, a task with a channel is good as it is |
//! | `drop(sender)` ends the loop | ends the source, and so the flow |
//! | `select!` with a shutdown signal in each task | [`start`](crate::Flow::start) and [`shutdown(deadline)`](crate::flow::FlowHandle::shutdown), or [`stop_when(token)`](crate::Flow::stop_when) |
//! | `JoinHandle`s to wait for | [`wait`](crate::flow::FlowHandle::wait), [`run`](crate::Flow::run) |
//!
//! # What differs
//! - **Batches cross tasks, items do not**: a task is woken once for many items.
//! - **A panic anywhere ends the flow**, and is raised or reported where the flow is read or waited for.
//! - **Dropping the flow ends all its tasks.** There is nothing to abort one by one.
//! - **What was sent into a channel has not been taken yet**: `shutdown` drops it with the receiver, `drain` reads it.
//!   See [`ends`](crate::ends#a-channel-as-the-source).
//!
//! # Examples
//! ```
//! use futures::StreamExt;
//! use gen_stage::prelude::*;
//! use tokio::sync::mpsc;
//! use tokio_stream::wrappers::ReceiverStream;
//! use tokio_util::sync::PollSender;
//!
//! # tokio_test::block_on(async {
//! let (orders, incoming) = mpsc::channel::<(u32, u64)>(100);
//! let (outgoing, mut totals) = mpsc::channel::<(u32, u64)>(100);
//!
//! // Four workers; all orders of a customer go to one of them, in order.
//! let work = ReceiverStream::new(incoming)
//!     .flow()
//!     .partition_by(|order| order.0)
//!     .lanes(4)
//!     .sum_by(|order| order)
//!     .forward(PollSender::new(outgoing));
//! let work = tokio::spawn(work);
//!
//! for order in [(1, 10), (2, 5), (1, 7)] {
//!     orders.send(order).await.unwrap();
//! }
//! drop(orders);
//! work.await.unwrap().unwrap();
//! let mut sums = vec![totals.recv().await.unwrap(), totals.recv().await.unwrap()];
//! sums.sort();
//! assert_eq!(sums, [(1, 17), (2, 5)]);
//! # });
//! ```
