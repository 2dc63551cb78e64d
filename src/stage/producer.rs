use super::alone::IntoStream;
use super::behaviour::unhandled;
use super::handle::ProducerHandle;
use super::output::Output;
use super::reason::{Cancellation, Reason};
use super::setup::Setup;
use super::wrappers::AsProducer;
use crate::dispatch::{ByDemand, Dispatcher, Subscriber};
use crate::failure::StageError;
use std::convert::Infallible;
use std::future::{Future, pending};

/// Makes items when they are asked for: the start of a pipeline.
///
/// Only [`handle_demand`](Self::handle_demand) has to be written. Callbacks run one after the other, with `&mut self`,
/// so the state needs no locks. `M` is the type of its messages, by default none at all.
///
/// # Demand
/// The stage's dispatcher adds up what consumers ask for. What the buffer does not hold is asked of `handle_demand`,
/// once: a producer that makes less must remember what it still owes, and may emit it from any callback. What it makes
/// beyond the demand goes to the buffer.
///
/// # Errors
/// A callback that fails ends the stage with [`Reason::Failed`]; consumers are told.
///
/// # Panics
/// A callback that panics ends the stage with [`Reason::Panicked`].
///
/// # Examples
/// ```
/// use futures::StreamExt;
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Output, StageError};
///
/// struct Counter(u64);
///
/// impl Producer for Counter {
///     type Item = u64;
///
///     async fn handle_demand(&mut self, demand: usize, out: &mut Output<u64>) -> Result<(), StageError> {
///         let from = self.0;
///         self.0 += demand as u64;
///         out.extend(from..self.0);
///         Ok(())
///     }
/// }
///
/// # tokio_test::block_on(async {
/// // Alone: a stream, without a task.
/// assert_eq!(Counter(5).into_stream().take(3).collect::<Vec<_>>().await, [5, 6, 7]);
///
/// // As a task, for many consumers that come and go.
/// let counter = Counter(0).stage().spawn();
/// let mut first = counter.subscribe().demand(4, 2).await?;
/// assert_eq!(first.next_batch().await, Some(vec![0, 1]));
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
///
/// # Source
/// A GenStage of type `:producer`. `init` is the constructor of your type; results that make no sense do not compile.
pub trait Producer<M: Send + 'static = Infallible>: Sized + Send + 'static {
    /// What it makes.
    type Item: Send + 'static;

    /// Makes `demand` items, at least 1, now or later: consumers want this many more than are buffered.
    ///
    /// While it waits, the stage does nothing else. To stay open to messages, start the work in a task that reports
    /// back ([`Control::address`](super::Control::address)), or do it in [`produce`](Self::produce).
    fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send;

    /// Runs once, before anything else; does nothing by default.
    fn handle_start(
        &mut self,
        _out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async { Ok(()) }
    }

    /// Waits for what comes by itself, while the stage has nothing else to do; never ready by default.
    ///
    /// # Cancel safety
    /// The future is dropped whenever the stage gets a letter, and made anew after it: dropping it must lose nothing.
    fn produce(
        &mut self,
        _out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        pending()
    }

    /// Hears of a new consumer, before its first demand; does nothing by default.
    fn handle_subscribe(
        &mut self,
        _consumer: Subscriber,
        _out: &mut Output<Self::Item, M>,
    ) -> impl Future<Output = Result<(), StageError>> + Send {
        async { Ok(()) }
    }

    /// Hears that a subscription was cancelled, or ended with its consumer; does nothing by default.
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

    /// Turns the producer into a stream of its items; polling the stream runs the producer, without a task.
    ///
    /// # Demand
    /// That of one consumer: 1000 and 500 items, or what [`IntoStream::demand`] says.
    ///
    /// # Panics
    /// Reading panics when the producer fails; see [`IntoStream::fallible`] for failures as items.
    ///
    /// # Examples
    /// See [`Producer`].
    fn into_stream(self) -> IntoStream<Self::Item> {
        self.stage().into_stream()
    }

    /// Runs the producer as a task, with a dispatcher, and returns its handle. [`stage`](Self::stage) sets more.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::{dispatch::Broadcast, prelude::*, stage::from_iter};
    ///
    /// # tokio_test::block_on(async {
    /// let news = from_iter(["rain", "sun"]).spawn(Broadcast::new());
    /// let (mut anna, mut ben) = (news.subscribe().await?, news.subscribe().await?);
    /// let (one, two) = futures::join!(anna.next(), ben.next());
    /// assert_eq!((one, two), (Some("rain"), Some("rain")));
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    #[track_caller]
    fn spawn<D: Dispatcher<Self::Item>>(self, dispatcher: D) -> ProducerHandle<Self::Item, D::Options, M> {
        self.stage().dispatcher(dispatcher).spawn()
    }

    /// Starts to set it up as a stage: buffer, dispatcher, label, and how to run it.
    ///
    /// # Examples
    /// See [`Setup`].
    fn stage(self) -> Setup<AsProducer<Self, M>, ByDemand> {
        Setup::new(AsProducer::new(self), ByDemand::new())
    }
}
