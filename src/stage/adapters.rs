//! What stages are made of: stages while they are set up, the stages of iterators, streams and sinks, and the roles
//! that handles have.
//!
//! Users meet them in the types of setups and handles, and need not name them. A setup is spawned or read where it is
//! made. A field holds a [`ProducerHandle`](super::ProducerHandle) or its like. A function takes a
//! [`Handle<impl Produces<Item = T>>`](super::Produces) or `Handle<impl Consumes<Input = T>>`.

pub use super::behaviour::{Behaviour, Emits, Receives};
pub use super::from_iter::FromIter;
pub use super::from_sink::FromSink;
pub use super::from_stream::FromStream;
pub use super::role::{Consuming, Producing, Transforming};
pub use super::setup::HasRole;
pub use super::wrappers::{AsConsumer, AsProducer, AsProducerConsumer};
