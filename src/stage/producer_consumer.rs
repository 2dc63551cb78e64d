use super::alone::IntoStream;
use super::behaviour::unhandled;
use super::from_stream::from_stream;
use super::output::Output;
use super::producer::Producer;
use super::reason::{Cancellation, Reason};
use super::setup::Setup;
use super::terms::AskMode;
use super::upstream::Upstream;
use super::wrappers::AsProducerConsumer;
use crate::dispatch::{ByDemand, Subscriber};
use crate::failure::StageError;
use futures_core::Stream;
use std::convert::Infallible;
use std::future::Future;

/// Reads items and makes items of them: the middle of a pipeline.
///
/// Only [`handle_items`](Self::handle_items) has to be written. `M` is the type of its messages, by default none.
///
/// # Demand
/// It asks upstream as a [`Consumer`](super::Consumer) does, from the start; but what comes is handled only while
/// there is demand from downstream, batch by batch. So at most `max_demand` items per subscription wait in front of it.
/// A received list that was begun is handled to its end; what is made beyond the demand goes to the buffer. The buffer
/// has no bound unless one is set, as what upstream was asked for bounds it. A stage that makes nothing of what it got
/// keeps its demand, and goes on. If it makes one item of one, at most three times `max_demand` items are in front of
/// it, in its buffer and after it.
///
/// # Errors
/// A callback that fails ends the stage with [`Reason::Failed`]; both sides are told.
///
/// # Panics
/// A callback that panics ends the stage with [`Reason::Panicked`].
///
/// # Examples
/// ```
/// use futures::{StreamExt, stream};
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Output, StageError, Upstream};
///
/// /// Says everything twice.
/// struct Double;
///
/// impl ProducerConsumer for Double {
///     type Input = u64;
///     type Item = u64;
///
///     async fn handle_items(&mut self, items: Vec<u64>, _: &Upstream, out: &mut Output<u64>)
///         -> Result<(), StageError>
///     {
///         out.extend(items.into_iter().flat_map(|item| [item, item]));
///         Ok(())
///     }
/// }
///
/// # tokio_test::block_on(async {
/// let doubled = Double.through(stream::iter([1, 2]));
/// assert_eq!(doubled.collect::<Vec<_>>().await, [1, 1, 2, 2]);
/// # });
/// ```
///
/// # Source
/// A GenStage of type `:producer_consumer`. If it ends because its producers did, it first hands out what it has made.
pub trait ProducerConsumer<M: Send + 'static = Infallible>: Sized + Send + 'static {
    /// What it reads.
    type Input: Send + 'static;
    /// What it makes.
    type Item: Send + 'static;

    /// Handles a batch: at least one item, all of one subscription.
    fn handle_items(
        &mut self,
        items: Vec<Self::Input>,
        from: &Upstream,
        out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send;

    /// Runs once, before anything else; does nothing by default.
    fn handle_start(
        &mut self,
        _out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async { Ok(()) }
    }

    /// Hears of a new consumer, before its first demand; does nothing by default.
    fn handle_consumer(
        &mut self,
        _consumer: Subscriber,
        _out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async { Ok(()) }
    }

    /// Hears that a consumer's subscription has ended; does nothing by default.
    fn handle_consumer_cancel(
        &mut self,
        _end: &Cancellation,
        _out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async { Ok(()) }
    }

    /// Hears of a new subscription of this stage, and decides its mode; by default as the subscription says.
    fn handle_subscribe(
        &mut self,
        to: &Upstream,
        _out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<AskMode, StageError>> + Send {
        let mode = to.mode();
        async move { Ok(mode) }
    }

    /// Hears that a subscription of this stage has ended, after the items it brought and before its
    /// [`CancelMode`](super::CancelMode) is obeyed; does nothing by default.
    fn handle_cancel(
        &mut self,
        _end: &Cancellation,
        _out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async { Ok(()) }
    }

    /// Handles a message; by default the stage fails, as the message would be lost.
    fn handle_message(
        &mut self,
        _message: M,
        _out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async { Err(unhandled::<Self>()) }
    }

    /// Hears how many items a full buffer has just thrown away; returns whether to log that as well, by default yes.
    ///
    /// The log has at most one line a second per stage, with the sum since the last one; the rest is logged at the end.
    fn handle_discarded(&mut self, _items: usize) -> bool {
        true
    }

    /// Runs last, with the reason for the end; does nothing by default. Does not run when the stage is aborted.
    fn terminate(&mut self, _reason: &Reason) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Puts the stage after a stream, and returns a stream of what it makes; polling that runs it, without a task.
    ///
    /// # Demand
    /// 1000 and 500 items on both sides. To set them, start from the stream as a stage:
    /// `from_stream(stream).into_stream().demand(10, 5).through(stage).demand(4, 2)`.
    ///
    /// # Examples
    /// See [`ProducerConsumer`].
    fn through<S>(self, stream: S) -> IntoStream<Self::Item>
    where
        S: Stream<Item = Self::Input> + Send + 'static,
    {
        from_stream(stream).into_stream().through(self)
    }

    /// Starts to set it up as a stage: subscriptions, buffer, dispatcher, label, and how to run it.
    ///
    /// # Examples
    /// See [`Setup`].
    fn stage(self) -> Setup<AsProducerConsumer<Self, M>, ByDemand> {
        Setup::new(AsProducerConsumer::new(self), ByDemand::new())
    }
}
