//! What to make a stage of, where items wait, and how to work asynchronously.
//!
//! # What is a stage, and what is a function
//!
//! Stages model what a program is like while it runs: what goes on at the same time, at what rate, and what may fail
//! without the rest. They are not for organizing code. Three steps that every item goes through, one after the other,
//! are three functions in one stage; as three stages they cost two hand-overs per batch, and gain nothing.
//!
//! ```text
//!   not this:      Read ──► Parse ──► Check ──► Save            steps of the code
//!
//!   but this:      Read ──┬─► Parse, check, save                what runs at the same time
//!                         ├─► Parse, check, save
//!                         └─► Parse, check, save
//! ```
//!
//! Make a stage where
//! - **a state** is to be shared: a connection, a queue, a counter;
//! - **consumers come and go** while the producer lives, or a consumer reads from several producers;
//! - **a rate** is to be held: a consumer whose code asks ([`AskMode::Manual`](super::AskMode)) sets the pace of all
//!   that is upstream of it;
//! - **a failure** is to stay where it is: a [temporary](super::Subscribe::temporary) subscription does not pass it on.
//!
//! For work on all cores that goes the same way for all items, take a [flow](crate::flow). For a bounded number of
//! futures at the same time over items that are in memory already, `futures`' `buffer_unordered` is enough.
//!
//! # Starting a pipeline
//!
//! Subscribe when a stage is set up ([`Setup::subscribe_to`](super::Setup::subscribe_to)); then a stage that is made
//! anew subscribes anew. A producer gives its first items to the consumer that asks first. Where all consumers have to
//! be there for the first item, as under a [`Broadcast`](crate::dispatch::Broadcast), start the producer with
//! [`accumulate`](super::Setup::accumulate), subscribe all, and call [`forward`](super::Handle::forward).
//!
//! # Where items wait
//!
//! Each place has a bound, unless it says otherwise:
//! - **On the way to a consumer**: at most the `max_demand` of the subscription.
//! - **In front of a producer-consumer**: the same, as it handles what came only while there is demand from downstream.
//! - **In the buffer of a stage**: what it emitted without being asked. A producer holds 10,000 items, and then drops
//!   its oldest ([`buffer`](super::Setup::buffer)). What was asked for is not dropped, even if the consumer that asked
//!   has left meanwhile, or has to wait for others: demand is its bound. In a producer-consumer the buffer has no
//!   bound; it holds what was made of one received list beyond the demand.
//! - **For a subscription that may lose items**: as many as it [keeps](super::Subscribe::keep_newest). The others are
//!   dropped, and counted, so that no other has to wait.
//! - **In a queue of a [`Partition`](crate::dispatch::Partition)**: 1000 items for a partition that lags. When it is
//!   full, all wait: order is kept and memory bounded, at the cost of speed.
//!
//! ## Buffering demand, or items
//!
//! A producer that gets demand and has no items must remember the demand: `handle_demand` is not called again for it.
//! A producer that gets items and has no demand may emit them; the stage buffers them, and drops some when there are
//! too many. Where nothing may be lost, keep both yourself, and answer each caller that brings an item only when the
//! item has gone out, so that the caller waits:
//!
//! ```
//! use futures::StreamExt;
//! use gen_stage::prelude::*;
//! use gen_stage::stage::{Output, Reply, StageError};
//! use std::collections::VecDeque;
//!
//! /// A queue that makes each caller wait until the item it brought is taken.
//! #[derive(Default)]
//! struct Queue {
//!     waiting: VecDeque<(u32, Reply<()>)>,
//!     unmet: usize,
//! }
//!
//! struct Put(u32, Reply<()>);
//!
//! impl Queue {
//!     fn hand_out(&mut self, out: &mut Output<u32, Put>) {
//!         let count = self.unmet.min(self.waiting.len());
//!         self.unmet -= count;
//!         for (item, reply) in self.waiting.drain(..count) {
//!             out.push(item);
//!             out.reply(reply, ());        // once the items of this callback have gone
//!         }
//!     }
//! }
//!
//! impl Producer<Put> for Queue {
//!     type Item = u32;
//!
//!     async fn handle_demand(&mut self, demand: usize, out: &mut Output<u32, Put>) -> Result<(), StageError> {
//!         self.unmet += demand;
//!         self.hand_out(out);
//!         Ok(())
//!     }
//!
//!     async fn handle_message(&mut self, Put(item, reply): Put, out: &mut Output<u32, Put>) -> Result<(), StageError> {
//!         self.waiting.push_back((item, reply));
//!         self.hand_out(out);
//!         Ok(())
//!     }
//! }
//!
//! # tokio_test::block_on(async {
//! let queue = Queue::default().stage().spawn();
//! let mut taken = queue.subscribe().demand(1, 0).await?;
//! let put = queue.call(|reply| Put(7, reply));
//! let (put, taken) = futures::join!(put, taken.next());
//! assert_eq!((put, taken), (Ok(()), Some(7)));
//! # Ok::<(), gen_stage::stage::SubscribeError>(())
//! # });
//! ```
//!
//! # Asynchronous work
//!
//! Callbacks are `async`, and while one waits, its stage does nothing else: it answers no calls and takes no
//! subscriptions. That is right for a stage that has nothing else to do, such as a writer. Otherwise there are three
//! ways:
//! - **A task that reports back**: [`Control::address`](super::Control::address) is where its message goes.
//! - **[`Producer::produce`]**, for what comes by itself, such as from a socket: it is polled
//!   whenever the stage has no letter to read. [`from_stream`](super::from_stream) is built on it.
//! - **Several stages** of the same kind under one producer: each waits by itself.
//!
//! Work that blocks a thread, as a busy loop of a millisecond or more does, belongs in `tokio::task::spawn_blocking`.
//!
//! # Stages and flows
//!
//! A subscription is a stream, and so the source of a flow; a flow is a stream, and so a producer.
//!
//! ```
//! use futures::StreamExt;
//! use gen_stage::prelude::*;
//! use gen_stage::stage::{from_iter, from_stream};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), gen_stage::stage::SubscribeError> {
//! let numbers = from_iter(1..=100u64).stage().spawn();
//! let squares = numbers.subscribe().await?.flow().map(|n| n * n);
//! let squares = from_stream(squares).stage().spawn();
//! assert_eq!(squares.subscribe().await?.fold(0, |sum, n| async move { sum + n }).await, 338_350);
//! # Ok(())
//! # }
//! ```
//!
//! # Looking at stages
//!
//! [`Handle::graph`](super::Handle::graph) shows what is connected, and how: where a pipeline stands still, look for
//! the subscription that wants nothing, the stage that has much unsent, and the one that is silent.
//!
//! ```
//! use gen_stage::dispatch::Broadcast;
//! use gen_stage::prelude::*;
//! use gen_stage::stage::from_iter;
//! use std::time::Duration;
//!
//! # tokio_test::block_on(async {
//! let numbers = from_iter(0..).stage().label("numbers").dispatcher(Broadcast::new()).spawn();
//! let mut reads = numbers.subscribe().demand(10, 5).await?;
//! let forgotten = numbers.subscribe().temporary().await?;
//! assert!(tokio::time::timeout(Duration::from_millis(1), reads.next_batch()).await.is_err());
//!
//! // The first wants ten, and gets none as long as the second wants nothing.
//! let text = "\
//! 1 stage
//! `numbers`: producer, Broadcast
//!   a stream, demand 5 to 10 (wants 10)
//!   a stream, temporary";
//! assert_eq!(numbers.graph(Duration::from_secs(1)).await.to_string(), text);
//! # Ok::<(), gen_stage::stage::SubscribeError>(())
//! # }).unwrap();
//! ```
//!
//! [`Handle::status`](super::Handle::status) has the numbers of one stage.
//! [`Handle::counts`](super::Handle::counts) has those that are read without an answer of the stage.
//!
//! # Ending
//!
//! - A producer that has no more items calls [`finish`](super::Control::finish): all it has emitted goes out, then it
//!   ends, and with it its [permanent](super::CancelMode) consumers.
//!   Under a [`Partition`](crate::dispatch::Partition) it ends once every partition has been read to its end. One whose
//!   consumer has left holds up that end, and so the others, until a new one reads it or the producer is shut down.
//! - [`shutdown`](super::Handle::shutdown) ends a stage between callbacks, [`abort`](super::Handle::abort) anywhere.
//! - Failures and panics of a callback end its stage. Each peer is told; its [`CancelMode`](super::CancelMode) decides
//!   what it does. The [reason](super::Reason) names the stage that failed, also where it ended several stages and a
//!   flow after it: ``the producer `orders` panicked: …``. Give stages [labels](super::Setup::label): without one, a
//!   stage goes by its type and its identifier.
//! - Dropping the last handle of a stage without subscriptions to it aborts the stage. Holding the last stage of a
//!   pipeline holds all of it, and dropping it drops all of it.
//!
//! To start a failed pipeline anew, run it as one unit: a task that sets it up, waits for its last stage, and starts
//! over. The new stages subscribe when they are set up.
//!
//! [`Producer::produce`]: super::Producer::produce
