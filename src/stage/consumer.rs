use super::behaviour::unhandled;
use super::into_sink::IntoSink;
use super::output::Control;
use super::reason::{Cancellation, Reason};
use super::setup::Setup;
use super::terms::AskMode;
use super::upstream::Upstream;
use super::wrappers::AsConsumer;
use crate::dispatch::ByDemand;
use crate::failure::StageError;
use std::convert::Infallible;
use std::future::Future;

/// Asks for items and uses them up: the end of a pipeline.
///
/// Only [`handle_items`](Self::handle_items) has to be written. `M` is the type of its messages, by default none.
///
/// # Demand
/// Per subscription, `max_demand` items are asked for at the start. What comes is handled in batches of at most
/// `max_demand - min_demand`; after a batch, when open demand has fallen to `min_demand`, it is topped up to
/// `max_demand`.
///
/// # Errors
/// A callback that fails ends the stage with [`Reason::Failed`]; its producers are told, and live on.
///
/// # Panics
/// A callback that panics ends the stage with [`Reason::Panicked`].
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Control, StageError, Upstream, from_iter};
/// use tokio::sync::mpsc;
///
/// struct Printer(mpsc::UnboundedSender<Vec<u64>>);
///
/// impl Consumer for Printer {
///     type Input = u64;
///
///     async fn handle_items(&mut self, items: Vec<u64>, _: &Upstream, _: &mut Control) -> Result<(), StageError> {
///         self.0.send(items)?;
///         Ok(())
///     }
/// }
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..5).stage().spawn();
/// let (printed, mut paper) = mpsc::unbounded_channel();
/// let printer = Printer(printed).stage().subscribe_to(numbers.subscribe().demand(4, 2)).spawn();
/// assert!(printer.wait().await.is_clean());       // the producer has ended, and so has its consumer
/// assert_eq!(paper.recv().await, Some(vec![0, 1]));
/// # });
/// ```
///
/// # Source
/// A GenStage of type `:consumer`. The types make sure that it cannot emit.
pub trait Consumer<M: Send + 'static = Infallible>: Sized + Send + 'static {
    /// What it reads.
    type Input: Send + 'static;

    /// Handles a batch: at least one item, all of one subscription.
    fn handle_items(
        &mut self,
        items: Vec<Self::Input>,
        from: &Upstream,
        stage: &mut Control<M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send;

    /// Runs once, before anything else; does nothing by default.
    fn handle_start(
        &mut self,
        _stage: &mut Control<M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async { Ok(()) }
    }

    /// Hears of a new subscription of this stage, and decides its mode; by default as the subscription says.
    fn handle_subscribe(
        &mut self,
        to: &Upstream,
        _stage: &mut Control<M>,
    ) -> impl Future<Output = Result<AskMode, StageError>> + Send {
        let mode = to.mode();
        async move { Ok(mode) }
    }

    /// Hears that a subscription has ended, before its [`CancelMode`](super::CancelMode) is obeyed; does nothing by
    /// default.
    fn handle_cancel(
        &mut self,
        _end: &Cancellation,
        _stage: &mut Control<M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async { Ok(()) }
    }

    /// Handles a message; by default the stage fails, as the message would be lost.
    fn handle_message(
        &mut self,
        _message: M,
        _stage: &mut Control<M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async { Err(unhandled::<Self>()) }
    }

    /// Runs last, with the reason for the end; does nothing by default. Does not run when the stage is aborted.
    fn terminate(&mut self, _reason: &Reason) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Turns the consumer into a sink for its items; polling the sink runs the consumer, without a task.
    ///
    /// # Examples
    /// See [`IntoSink`].
    fn into_sink(self) -> IntoSink<Self::Input> {
        IntoSink::new(self.stage())
    }

    /// Starts to set it up as a stage: subscriptions, label, and how to run it.
    ///
    /// # Examples
    /// See [`Setup`].
    fn stage(self) -> Setup<AsConsumer<Self, M>, ByDemand> {
        Setup::new(AsConsumer::new(self), ByDemand::new())
    }
}
