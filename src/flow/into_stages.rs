pub(super) mod handle;

use super::flow::Flow;
use super::into_stages::handle::StagesHandle;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::start::shutdown::RunClock;
use super::stop_when::{Meter, StopWhen};
use crate::demand::Demand;
use crate::dispatch::{ByDemand, Dispatcher};
use crate::stage::adapters::AsProducer;
use crate::stage::{
    CancelMode, Consumes, FromLane, Handle, Producer, Reads, Role, Setup, SubscribeError, Watch,
};
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture, pending};
use std::pin::Pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl<P> Flow<P> {
    /// Makes the flow a producer to which any number of consumers may subscribe, at any time; awaiting this starts it.
    ///
    /// The same as [`into_stages`](Self::into_stages) without consumers. The flow runs when the first consumer asks,
    /// and what comes out goes to the consumers that ask.
    ///
    /// # Panics
    /// When the flow is already being read. Awaiting it panics outside of a tokio runtime, when none was
    /// [named](Self::on).
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::dispatch::Broadcast;
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let squares = Flow::from_iter(1..=3u64).lanes(1).map(|n| n * n).into_stage();
    /// let squares = squares.set_up(|stage| stage.dispatcher(Broadcast::new()).accumulate()).await?;
    /// // Nothing runs before `forward`.
    /// let (all, odd) = (squares.subscribe().await?, squares.subscribe().selector(|n| n % 2 == 1).await?);
    /// squares.forward();
    /// let (all, odd): (Vec<_>, Vec<_>) = futures::join!(all.collect(), odd.collect());
    /// assert_eq!((all, odd), (vec![1, 4, 9], vec![1, 9]));
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.start_link/2`, whose coordinator sends subscribers on to all stages of the last layer.
    #[track_caller]
    pub fn into_stage(self) -> IntoStages<P>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static> + Send + 'static,
    {
        let runtime = self.launch.runtime.clone();
        let (stop, meter) = (CancellationToken::new(), Arc::<Meter>::default());
        let idle = NotStarted { stop: stop.clone(), meter: Arc::clone(&meter) };
        let mut flow = self.wrap(|plan| StopWhen::metered(plan, stop.clone(), Arc::clone(&meter)));
        flow.launch.in_a_stage = true;
        let mut setup = FromLane::new(flow, idle).stage().label("flow");
        if let Some(runtime) = runtime {
            setup = setup.on(runtime);
        }
        let (demand, cancel) = (Demand::default(), CancelMode::Transient);
        IntoStages { setup, consumers: Vec::new(), demand, cancel, stop, meter }
    }

    /// Sends what comes out to running consumers, and to those that subscribe later; awaiting this starts the flow.
    ///
    /// The flow becomes a producer. When it is awaited, the consumers subscribe to it, and once all have, the flow
    /// begins. The consumers do not belong to the flow: they live on after it, as long as there is a handle of them.
    ///
    /// # Demand
    /// Each subscription has the demand set by [`demand`](IntoStages::demand), by default 1000 and 500; the last
    /// [layer](Self::demand) has its own. Nothing runs before it is asked for. A batch goes out as its lane sent it,
    /// cut to what is asked.
    ///
    /// # Ordering
    /// Each lane in order.
    ///
    /// # Errors
    /// [`SubscribeError`] when a consumer has ended, or when the dispatcher refuses it. Then nothing was taken from the
    /// sources, and the other consumers see a clean end. A consumer that does not get round to subscribing holds this
    /// up: put a time limit around it.
    ///
    /// # Panics
    /// When the flow is already being read. Awaiting it panics outside of a tokio runtime, when none was
    /// [named](Self::on). A panic in the flow is in its [report](StagesHandle::wait), and ends the consumers as the
    /// failure of any producer does; both name the lane where it was.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready ends the producer; consumers see a clean end.
    ///
    /// # Examples
    /// ```
    /// use futures::{SinkExt, StreamExt, channel::mpsc};
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_sink;
    ///
    /// # tokio_test::block_on(async {
    /// let (sender, received) = mpsc::channel(10);
    /// let printer = from_sink(sender.sink_map_err(|error| panic!("{error}"))).stage().spawn();
    /// let flow = Flow::from_iter(1..=4u64).lanes(1).filter(|n| n % 2 == 0).into_stages([printer.clone()]).await?;
    /// assert_eq!(received.take(2).collect::<Vec<_>>().await, [2, 4]);
    /// assert_eq!(flow.wait().await.unwrap().taken, 4);
    /// assert!(printer.status().await.is_ok(), "it lives on");
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.into_stages/3`. Consumers that are to end with the flow are subscribed
    /// [permanently](IntoStages::cancel), in place of `Flow.into_specs/3`.
    #[track_caller]
    pub fn into_stages<R, M>(self, consumers: impl IntoIterator<Item = Handle<R, M>>) -> IntoStages<P>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static> + Send + 'static,
        R: Consumes + Role<Input = P::Item>,
        M: Send + 'static,
    {
        consumers.into_iter().fold(self.into_stage(), IntoStages::to)
    }
}

/// A flow that is being set up as a producer: awaiting this starts it.
///
/// Made by [`Flow::into_stage`] and [`Flow::into_stages`].
///
/// # Examples
/// See [`Flow::into_stage`] and [`Flow::into_stages`].
#[must_use = "nothing is started until this is awaited"]
pub struct IntoStages<P, D = ByDemand>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static> + Send + 'static,
{
    setup: FlowSetup<P, D>,
    consumers: Vec<Box<dyn Reads<P::Item>>>,
    demand: Demand,
    cancel: CancelMode,
    stop: CancellationToken,
    meter: Arc<Meter>,
}

/// The setup of the stage that a flow becomes: see [`IntoStages::set_up`].
pub type FlowSetup<P, D> = Setup<AsProducer<FromLane<Flow<StopWhen<P>>, NotStarted>, Infallible>, D>;

impl<P, D> IntoStages<P, D>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static> + Send + 'static,
{
    /// Sets options of the stage that the flow becomes: its dispatcher, its label, or that it holds demand back until
    /// [`forward`](StagesHandle::forward).
    ///
    /// # Examples
    /// See [`Flow::into_stage`].
    pub fn set_up<D2>(self, set: impl FnOnce(FlowSetup<P, D>) -> FlowSetup<P, D2>) -> IntoStages<P, D2> {
        let Self { setup, consumers, demand, cancel, stop, meter } = self;
        IntoStages { setup: set(setup), consumers, demand, cancel, stop, meter }
    }

    /// Adds a consumer, of any kind.
    pub fn to<R, M>(mut self, consumer: Handle<R, M>) -> Self
    where
        R: Consumes + Role<Input = P::Item>,
        M: Send + 'static,
    {
        self.consumers.push(Box::new(consumer));
        self
    }

    /// Sets the demand of each consumer given here, in items: `max` at least 1, `min` below `max`; by default 1000 and
    /// 500. Consumers that subscribe later set their own.
    ///
    /// # Panics
    /// When the bounds are out of their ranges.
    #[track_caller]
    pub fn demand(mut self, max: usize, min: usize) -> Self {
        match Demand::new(max, min) {
            Ok(demand) => self.demand = demand,
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Sets what the end of the flow means for each consumer given here; by default [`CancelMode::Transient`]: the
    /// consumer lives on, unless the flow fails.
    pub fn cancel(mut self, cancel: CancelMode) -> Self {
        self.cancel = cancel;
        self
    }
}

impl<P, D> IntoFuture for IntoStages<P, D>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static> + Send + 'static,
    D: Dispatcher<P::Item, Options: Default>,
{
    type Output = Result<StagesHandle<P::Item, D::Options>, SubscribeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { setup, consumers, demand, cancel, stop, meter } = self;
            let (setup, forwards) = setup.accumulating();
            let run_clock = Arc::new(RunClock::new(setup.home(), stop, meter));
            let (stage, consumers) = (setup.spawn(), Arc::<[_]>::from(consumers));
            let subscribe = || stage.subscribe().with_demand(demand).cancel(cancel).into_request();
            let subscribing: Vec<_> = consumers.iter().map(|consumer| consumer.read(subscribe())).collect();
            let starting = ShutUnlessStarted(Some(StagesHandle::new(stage.clone(), consumers, run_clock)));
            for subscribed in subscribing {
                subscribed.await?;
            }
            if forwards {
                stage.forward();
            }
            Ok(starting.started())
        })
    }
}

/// Shuts the stage down if it could not be started: its consumers see a clean end.
struct ShutUnlessStarted<T: Send + 'static, O: Send + 'static>(Option<StagesHandle<T, O>>);

impl<T: Send + 'static, O: Send + 'static> ShutUnlessStarted<T, O> {
    fn started(mut self) -> StagesHandle<T, O> {
        self.0.take().expect("it is there until it is started")
    }
}

impl<T: Send + 'static, O: Send + 'static> Drop for ShutUnlessStarted<T, O> {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            drop(handle.stage().shutdown());
        }
    }
}

impl<P, D> fmt::Debug for IntoStages<P, D>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static> + Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoStages")
            .field("setup", &self.setup)
            .field("consumers", &self.consumers.len())
            .field("demand", &self.demand)
            .field("cancel", &self.cancel)
            .finish_non_exhaustive()
    }
}

/// Ends a flow that is told to stop before anything was asked of it: nothing was taken.
#[derive(Debug)]
pub struct NotStarted {
    stop: CancellationToken,
    meter: Arc<Meter>,
}

// Dropped with the flow.
impl Drop for NotStarted {
    fn drop(&mut self) {
        self.meter.ended();
    }
}

impl Watch for NotStarted {
    async fn idle(&self) {
        self.stop.cancelled().await;
        if self.meter.has_started() {
            pending::<()>().await;
        }
    }

    fn ended(&self) {
        self.meter.complete();
    }
}
