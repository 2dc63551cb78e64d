//! The three kinds of stages as one, for the core that runs them.

use super::output::Output;
use super::reason::{Cancellation, Reason};
use super::status::StageKind;
use super::terms::AskMode;
use super::upstream::Upstream;
use crate::dispatch::Subscriber;
use crate::failure::StageError;
use crate::sealed::Sealed;
use std::future::{Future, pending};

pub(super) type Done = Result<(), StageError>;

/// What a stage does when something happens to it.
///
/// Implemented by [`AsProducer`], [`AsProducerConsumer`] and [`AsConsumer`] around the three traits that users write.
#[doc(hidden)]
#[allow(unused_variables, reason = "the names say what is ignored")]
pub trait Behaviour: Sealed + Send + 'static {
    const KIND: StageKind;
    type Input: Send + 'static;
    type Item: Send + 'static;
    type Message: Send + 'static;

    /// The label of a stage for which none was set.
    fn name() -> &'static str;
    fn start(&mut self, out: &mut Output<Self::Item, Self::Message>) -> impl Future<Output = Done> + Send;
    fn message(
        &mut self,
        message: Self::Message,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send;
    fn terminate(&mut self, reason: &Reason) -> impl Future<Output = ()> + Send;

    fn demand(
        &mut self,
        demand: usize,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send {
        async { Ok(()) }
    }
    fn produce(&mut self, out: &mut Output<Self::Item, Self::Message>) -> impl Future<Output = Done> + Send {
        pending()
    }
    fn consumer(
        &mut self,
        consumer: Subscriber,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send {
        async { Ok(()) }
    }
    fn consumer_cancel(
        &mut self,
        end: &Cancellation,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send {
        async { Ok(()) }
    }
    fn discarded(&mut self, items: usize) -> bool {
        true
    }

    fn items(
        &mut self,
        items: Vec<Self::Input>,
        from: &Upstream,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send {
        async { Ok(()) }
    }
    fn producer(
        &mut self,
        producer: &Upstream,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Result<AskMode, StageError>> + Send {
        async { Ok(AskMode::Automatic) }
    }
    fn producer_cancel(
        &mut self,
        end: &Cancellation,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send {
        async { Ok(()) }
    }
}

/// A behaviour that makes items: [`AsProducer`](super::adapters::AsProducer) and
/// [`AsProducerConsumer`](super::adapters::AsProducerConsumer).
#[doc(hidden)]
pub trait Emits: Behaviour {}

/// A behaviour that reads items: [`AsConsumer`](super::adapters::AsConsumer) and
/// [`AsProducerConsumer`](super::adapters::AsProducerConsumer).
#[doc(hidden)]
pub trait Receives: Behaviour {}

/// The error of a stage that got a message it has no callback for.
pub(super) fn unhandled<S>() -> StageError {
    format!("{} got a message and has no handle_message", std::any::type_name::<S>()).into()
}
