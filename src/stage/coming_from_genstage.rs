//! From Elixir's GenStage: its names, what they are here, and what differs.
//!
//! # Names
//!
//! | GenStage | here |
//! |---|---|
//! | `use GenStage`, `init/1` returning `{:producer, state}` | `impl` [`Producer`](super::Producer) for your state; its constructor is `init` |
//! | `:producer_consumer`, `:consumer` | [`ProducerConsumer`](super::ProducerConsumer), [`Consumer`](super::Consumer) |
//! | options from `init` | [`Setup`](super::Setup), from `.stage()` |
//! | `start_link` | [`Setup::spawn`](super::Setup::spawn): a [`Handle`](super::Handle) |
//! | event | item |
//! | `{:noreply, events, state}` | [`Output`](super::Output): `push`, `emit`, `extend` |
//! | `{:stop, reason, state}` | [`Control::stop`](super::Control::stop), or return an error |
//! | `handle_demand/2` | [`handle_demand`](super::Producer::handle_demand) |
//! | `handle_events/3` | [`handle_items`](super::Consumer::handle_items) |
//! | `handle_subscribe/4` as producer | [`Producer::handle_subscribe`](super::Producer::handle_subscribe), [`ProducerConsumer::handle_consumer`](super::ProducerConsumer::handle_consumer) |
//! | `handle_subscribe/4` as consumer | [`Consumer::handle_subscribe`](super::Consumer::handle_subscribe), returning a [`AskMode`](super::AskMode) |
//! | `handle_cancel/3` | [`handle_cancel`](super::Producer::handle_cancel), and of a producer-consumer's consumers [`handle_consumer_cancel`](super::ProducerConsumer::handle_consumer_cancel) |
//! | `handle_call/3`, `handle_cast/2`, `handle_info/2` | [`handle_message`](super::Producer::handle_message) with a type of your own; an answer is a [`Reply`](super::Reply) in it |
//! | `terminate/2` | [`terminate`](super::Producer::terminate) |
//! | `format_discarded/2` | [`handle_discarded`](super::Producer::handle_discarded) |
//! | `GenStage.call`, `cast` | [`Handle::call`](super::Handle::call), [`Handle::cast`](super::Handle::cast) |
//! | `GenStage.reply(from, answer)` | [`Reply::send`](super::Reply::send) |
//! | `{:reply, answer, events, state}` | [`Control::reply`](super::Control::reply): after the items |
//! | `sync_info`, `async_info` | [`Handle::info`](super::Handle::info), [`Control::info`](super::Control::info) |
//! | `sync_subscribe(consumer, to: producer)` | [`consumer.subscribe_to(producer.subscribe())`](super::Handle::subscribe_to) |
//! | `subscribe_to:` | [`Setup::subscribe_to`](super::Setup::subscribe_to) |
//! | `max_demand:`, `min_demand:` | [`Subscribe::demand(max, min)`](super::Subscribe::demand) |
//! | `cancel: :permanent`, `:transient`, `:temporary` | [`CancelMode`](super::CancelMode) |
//! | `partition:`, `selector:` | [`Subscribe::in_partition`](super::Subscribe::in_partition), [`Subscribe::selector`](super::Subscribe::selector) |
//! | `ask`, `cancel` | [`Upstream::ask`](super::Upstream::ask), [`Upstream::cancel`](super::Upstream::cancel); [`Handle`](super::Handle) and [`Subscription`](super::Subscription) have them too |
//! | `sync_resubscribe` | [`Handle::resubscribe`](super::Handle::resubscribe), [`Subscription::resubscribe`](super::Subscription::resubscribe) |
//! | `demand(stage, :accumulate)`, `:forward` | [`Handle::accumulate`](super::Handle::accumulate), [`Handle::forward`](super::Handle::forward) |
//! | `demand(stage)` | [`Handle::demand_mode`](super::Handle::demand_mode) |
//! | `buffer_size:`, `buffer_keep:` | [`Setup::buffer`](super::Setup::buffer), [`buffer_unbounded`](super::Setup::buffer_unbounded) |
//! | `estimate_buffered_count` | [`Handle::estimate_buffered_count`](super::Handle::estimate_buffered_count) |
//! | `DemandDispatcher` | [`ByDemand`](crate::dispatch::ByDemand) |
//! | `BroadcastDispatcher` | [`Broadcast`](crate::dispatch::Broadcast) |
//! | `PartitionDispatcher` | [`Partition`](crate::dispatch::Partition) |
//! | behaviour `GenStage.Dispatcher` | trait [`Dispatcher`](crate::dispatch::Dispatcher) |
//! | `GenStage.stream([producer])` | [`producer.subscribe().await`](super::Subscribe): a [`Subscription`](super::Subscription) |
//! | `ConsumerSupervisor` | [`DynamicSupervisor`](crate::supervisor::DynamicSupervisor); see the [module](crate::supervisor) for its names |
//! | `from_enumerable` | [`from_iter`](super::from_iter), [`from_stream`](super::from_stream) |
//! | `on_cancel: :stop` | [`Setup::stop_when_alone`](super::Setup::stop_when_alone) |
//! | exit reasons | [`Reason`](super::Reason) |
//! | `stop/2` | [`Handle::stop`](super::Handle::stop), [`Handle::shutdown`](super::Handle::shutdown) |
//! | a registered name | a clone of the handle |
//! | `self()`, to subscribe or to accumulate | a [`WeakHandle`](super::WeakHandle) sent to the stage; its calls need not be awaited |
//! | `:sys.get_status` | [`Handle::status`](super::Handle::status); of all that are connected, [`Handle::graph`](super::Handle::graph) |
//! | `child_spec`, code change, `hibernate`, nodes | nothing: they belong to the Erlang VM |
//!
//! # What differs, and why
//!
//! - **Types say who may do what.** A consumer cannot emit, a producer cannot be told to subscribe, a demand that is
//!   not a number cannot be given: these do not compile.
//! - **A stage lives as long as a handle or a subscription to it**; a linked process lives with its parent.
//!   [`Handle::detach`](super::Handle::detach) is the unlinked form.
//! - **A wrong subscription fails for its subscriber only**: an unknown partition, one that is taken, a second
//!   broadcast subscription of a stage. In GenStage the first two end the producer and all its consumers.
//! - **What is buffered goes out before a clean end.** A GenStage producer-consumer whose producer is done loses its
//!   buffer.
//! - **Queues of partitions are bounded and outlive their consumer**: the next consumer of the partition gets what is
//!   in them. In GenStage they grow without a bound, and are thrown away with the consumer.
//! - **A selector that matches nothing sends nothing**; a manual consumer is not called with an empty list.
//! - **A third broadcast subscription of a stage** is refused as the second is.
//! - **Resubscribing never ends the consumer**, even if the old subscription was permanent.
//! - **A stream ends cleanly when the producer it reads does**, whatever the cancel mode.
//! - **A buffer does not drop what was asked for**; its size bounds only what comes in addition.
//! - **A buffer of size 0** drops what is not asked for, and says so.
//! - **A refusal, or a producer that had already ended**, is a typed error for a caller that waits for the answer; a
//!   stage that was set up to subscribe ends with it.
//! - **Mailboxes are bounded** for messages: [`cast`](super::Handle::cast) waits for a place. Items and asks need no
//!   bound of their own, as demand is one.
//! - **`from_stream` does not wait** until it has all that was asked for: what is ready goes out.
//! - **Fair dispatch** ([`ByDemand::fair`](crate::dispatch::ByDemand::fair)) for consumers of different `max_demand`.
//! - **There are no notifications** to consumers (GenStage 0.4). Put an enum of items and marks into the stream.
//!
//! What does not compile:
//!
//! ```compile_fail,E0599
//! // A producer subscribes to nothing (GenStage: `{:error, :not_a_consumer}`).
//! # use gen_stage::{prelude::*, stage::from_iter};
//! # async fn example() {
//! let (one, other) = (from_iter([1]).stage().spawn(), from_iter([2]).stage().spawn());
//! let _ = one.subscribe_to(other.subscribe()).await;
//! # }
//! ```
//! ```compile_fail,E0599
//! // A consumer emits nothing (GenStage: an error in the log).
//! # use gen_stage::{prelude::*, stage::{Control, StageError, Upstream}};
//! # struct Printer;
//! # impl Consumer for Printer {
//! #   type Input = u32;
//! async fn handle_items(&mut self, items: Vec<u32>, _: &Upstream, stage: &mut Control) -> Result<(), StageError> {
//!     stage.emit(items);
//!     Ok(())
//! }
//! # }
//! ```
//! ```compile_fail,E0599
//! // A consumer has no dispatcher (GenStage: `{:error, {:bad_opts, …}}`).
//! # use gen_stage::{dispatch::ByDemand, prelude::*, stage::{Control, StageError, Upstream}};
//! # struct Printer;
//! # impl Consumer for Printer {
//! #   type Input = u32;
//! #   async fn handle_items(&mut self, _: Vec<u32>, _: &Upstream, _: &mut Control) -> Result<(), StageError> { Ok(()) }
//! # }
//! let _ = Printer.stage().dispatcher(ByDemand::new());
//! ```
