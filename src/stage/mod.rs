//! Stages: producers, consumers and what is between them. Items are made when they are asked for, and not before.
//!
//! A stage is a value with callbacks. Consumers ask, producers answer; nothing is made that is not wanted, and nothing
//! piles up. What a [flow](crate::flow) does for items that all go the same way, stages do for those that do not: their
//! subscriptions come and go while they run, and a [dispatcher](crate::dispatch) decides which one gets which item.
//!
//! ```text
//!              ◄── asks: 10, then 5 ...        ◄── asks
//!   Producer ─────── batches ──────► ProducerConsumer ─────── batches ──────► Consumer
//!      │
//!      └─────── batches ──────► Subscription (a Stream)
//! ```
//!
//! There are three traits, each with one method to write: [`Producer`], [`ProducerConsumer`], [`Consumer`].
//! - **Alone**, without a task, they are a stream ([`Producer::into_stream`]), a stream after a stream
//!   ([`ProducerConsumer::through`]), or a sink ([`Consumer::into_sink`]).
//! - **As tasks** ([`Setup::spawn`]) they have a [`Handle`]: others [subscribe](Handle::subscribe) to them at any time,
//!   send them messages, ask for their status, [look at all that is connected](Handle::graph), and end them.
//! - Every stream is a producer ([`from_stream`], [`from_iter`]), every sink a consumer ([`from_sink`]), and every
//!   [`Subscription`] a stream, for any crate of streams, or as the source of a flow.
//!
//! The [`guide`] says what to make a stage of and what not, where items wait, and how to work asynchronously.
//! [`coming_from_genstage`] has the names of Elixir's GenStage and what became of them.
//!
//! # Examples
//! ```
//! use futures::StreamExt;
//! use gen_stage::dispatch::Broadcast;
//! use gen_stage::prelude::*;
//! use gen_stage::stage::{Output, StageError, Upstream, from_iter};
//!
//! struct Square;
//!
//! impl ProducerConsumer for Square {
//!     type Input = u64;
//!     type Item = u64;
//!
//!     async fn handle_items(&mut self, items: Vec<u64>, _: &Upstream, out: &mut Output<u64>)
//!         -> Result<(), StageError>
//!     {
//!         out.extend(items.into_iter().map(|n| n * n));
//!         Ok(())
//!     }
//! }
//!
//! # tokio_test::block_on(async {
//! let numbers = from_iter(1..=4).stage().spawn();
//! let squares = Square
//!     .stage()
//!     .subscribe_to(numbers.subscribe())
//!     .dispatcher(Broadcast::new())
//!     .spawn();
//!
//! let all = squares.subscribe().await?;
//! let odd = squares.subscribe().selector(|n| n % 2 == 1).await?;
//! let (all, odd): (Vec<_>, Vec<_>) = futures::join!(all.collect(), odd.collect());
//! assert_eq!((all, odd), (vec![1, 4, 9, 16], vec![1, 9]));
//! # Ok::<(), gen_stage::stage::SubscribeError>(())
//! # });
//! ```

// Examples are compiled together, unless their attributes differ: all of the crate in one go take over 2 GB.
#![cfg_attr(doctest, doc(test(attr(allow(unused_imports)))))]

// First the modules that the page of a type begins with: rustdoc shows methods in the order of the modules.
mod handle;
mod subscription;

pub mod adapters;
mod address;
mod alone;
mod any_producer;
mod behaviour;
mod buffer;
mod calls;
pub mod coming_from_genstage;
mod consumer;
mod core;
mod downstream;
mod driver;
mod ending;
mod ends;
mod entry;
mod fallible;
mod from_iter;
mod from_lane;
mod from_sink;
mod from_stream;
mod graph;
pub mod guide;
mod inbox;
mod into_sink;
mod letter;
mod output;
mod overflow;
mod parcel;
mod producer;
mod producer_consumer;
mod reading;
mod reads;
mod reason;
mod request;
mod resubscribe;
mod role;
mod setup;
mod shared_batch;
mod shelf;
mod stage_failure;
mod status;
mod subscribe;
mod tally;
mod terms;
mod through;
mod upstream;
mod walk;
mod wanted;
mod weak;
mod wrappers;

pub use crate::failure::{Panic, StageError};
pub use address::{Address, CallError, CastError, Reply};
pub use alone::IntoStream;
pub use any_producer::AnyProducer;
pub use buffer::BufferKeep;
pub use consumer::Consumer;
pub use driver::Driver;
pub use fallible::Fallible;
pub use from_iter::from_iter;
pub(crate) use from_lane::{FromLane, Watch};
pub use from_sink::from_sink;
pub use from_stream::from_stream;
pub use graph::{GraphStage, GraphSubscription, StageGraph};
pub use handle::{ConsumerHandle, Handle, ProducerConsumerHandle, ProducerHandle};
pub use into_sink::IntoSink;
pub use output::{Control, Output};
pub use producer::Producer;
pub use producer_consumer::ProducerConsumer;
pub(crate) use reads::{Reads, Subscribing};
pub use reason::{Cancellation, Reason};
pub use role::{Consumes, Produces, Role};
pub use setup::Setup;
pub use shared_batch::SharedBatch;
pub use stage_failure::StageFailure;
pub use status::{ConsumerStatus, Ended, ProducerStatus, StageKind, StageRef, Status};
pub use subscribe::Subscribe;
pub use subscription::Subscription;
pub use tally::Counts;
pub use terms::{AskMode, CancelMode, DemandMode, Keeps, SubscribeError};
pub use upstream::Upstream;
pub use walk::StageState;
pub use weak::WeakHandle;

/// What callbacks return.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{self, Control, Upstream};
///
/// struct Print;
/// impl Consumer for Print {
///     type Input = u64;
///     async fn handle_items(&mut self, items: Vec<u64>, _: &Upstream, _: &mut Control) -> stage::Result {
///         println!("{items:?}");
///         Ok(())
///     }
/// }
/// # tokio_test::block_on(async {
/// let numbers = gen_stage::stage::from_iter(0..3).stage().spawn();
/// assert_eq!(Print.stage().subscribe_to(numbers.subscribe()).spawn().wait().await, stage::Reason::Normal);
/// # });
/// ```
pub type Result<T = (), E = StageError> = std::result::Result<T, E>;

#[doc(hidden)]
#[deprecated(note = "is called `BufferKeep` now")]
pub type Keep = BufferKeep;

#[doc(hidden)]
#[deprecated(note = "is called `StageKind` now")]
pub type Kind = StageKind;

#[doc(hidden)]
#[deprecated(note = "is called `AskMode` now")]
pub type Mode = AskMode;

// Where they were; old `use` lines still hold.
#[doc(hidden)]
pub use adapters::{
    AsConsumer, AsProducer, AsProducerConsumer, Behaviour, Consuming, Emits, FromIter, FromSink, FromStream,
    HasRole, Producing, Receives, Transforming,
};
