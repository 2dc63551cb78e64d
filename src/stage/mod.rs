//! Stages: producers, consumers and what is between them, which know how much is wanted.

mod address;
mod alone;
mod behaviour;
mod buffer;
mod consumer;
mod core;
mod downstream;
mod driver;
mod from_iter;
mod from_sink;
mod from_stream;
mod handle;
mod into_sink;
mod letter;
mod output;
mod producer;
mod producer_consumer;
mod reason;
mod setup;
mod status;
mod subscribe;
mod subscription;
mod tally;
mod upstream;

pub use address::{Address, CallError, CastError, Reply};
pub use alone::IntoStream;
pub use behaviour::{AsConsumer, AsProducer, AsProducerConsumer, Behaviour, Emits, Receives};
pub use buffer::Keep;
pub use consumer::Consumer;
pub use driver::Driver;
pub use from_iter::{FromIter, from_iter};
pub use from_sink::{FromSink, from_sink};
pub use from_stream::{FromStream, from_stream};
pub use handle::{
    ConsumerHandle, Consumes, Consuming, Ended, Handle, ProducerConsumerHandle, ProducerHandle, Produces,
    Producing, Role, Transforming,
};
pub use into_sink::IntoSink;
pub use output::{Control, Output};
pub use producer::Producer;
pub use producer_consumer::ProducerConsumer;
pub use reason::{Cancellation, Panic, Reason, StageError};
pub use setup::{HasRole, Setup};
pub use status::{ConsumerStatus, Kind, ProducerStatus, Status};
pub use subscribe::{Subscribe, SubscribeError};
pub use subscription::{Fallible, Subscription};
pub use tally::Counts;
pub use upstream::{CancelMode, Mode, Upstream};

/// What a producer does with demand.
///
/// # Examples
/// ```
/// use gen_stage::stage::DemandMode;
/// assert_eq!(DemandMode::default(), DemandMode::Forward);
/// ```
///
/// # Source
/// The option `demand`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DemandMode {
    /// Passes it on to [`handle_demand`](Producer::handle_demand).
    #[default]
    Forward,
    /// Holds it back, and what is emitted as well.
    Accumulate,
}
