use super::flow::Flow;
use super::from_stages::FromStage;
use super::plumbing::envelope::Bare;
use super::plumbing::place::{Layer, LayerPart};
use super::plumbing::plan::{Build, LayerStart, Layered, Plan, Settings, To};
use super::plumbing::tasks::{BoxedDriver, Tasks};
use super::source::{Source, SourceLane};
use crate::demand::Demand;
use crate::lane::Lane;
use crate::sealed::Sealed;
use crate::stage::{
    Consumes, Driver, FromLane, Handle, Producer, ProducerHandle, Produces, Reads, Role, SubscribeError,
    Subscribing, Watch,
};
use crate::sync::unpoisoned;
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

impl<P> Flow<P> {
    /// Sends everything through running producer-consumers, and goes on with what they make.
    ///
    /// When the flow starts, each of `stages` subscribes to every lane of the layer above, and the lanes of the new
    /// layer read from the stages. An item goes to the stage with the most open demand.
    ///
    /// The stages do not belong to the flow: they live on after it, and may read and serve others as well. However the
    /// flow ends above them, they do not end, as their subscriptions are
    /// [temporary](crate::stage::CancelMode::Temporary). So a **finite flow comes to its end only if the stages do**:
    /// set them up with [`stop_when_alone`](crate::stage::Setup::stop_when_alone), which ends them after the last lane.
    /// Without it a [`shutdown`](crate::flow::FlowHandle::shutdown) waits for its deadline. For a stage that belongs to
    /// the flow, one in each lane, put it on the lane: `flow.per_lane(|lane| MyStage::new().through(lane))`.
    ///
    /// # Demand
    /// That of the new layer, for the subscriptions to the lanes and for those to the stages. A stage asks for more
    /// when it has handled its items, so up to as many items again wait in front of it.
    ///
    /// # Ordering
    /// One stage after one lane keeps the order, if the stage itself does.
    ///
    /// # Panics
    /// When there is no stage at all. When a stage fails, or has already ended, the flow fails as by a panic of its
    /// own, which names the stage. A failure of the flow is raised in its reader, and does not end the stages.
    ///
    /// # Drop
    /// The subscriptions are cancelled. What is in the stages then stays in them, for their other readers.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Output, StageError, Upstream};
    ///
    /// struct Running(u64);
    /// impl ProducerConsumer for Running {
    ///     type Input = u64;
    ///     type Item = u64;
    ///     async fn handle_items(&mut self, items: Vec<u64>, _: &Upstream, out: &mut Output<u64>) -> Result<(), StageError> {
    ///         out.extend(items.into_iter().map(|n| { self.0 += n; self.0 }));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let sums = Running(0).stage().stop_when_alone().spawn();
    /// let flow = Flow::from_iter(1..=4).lanes(1).through_stages([sums]).lanes(1).map(|sum| sum * 10);
    /// assert_eq!(flow.collect::<Vec<_>>().await, [10, 30, 60, 100]);
    ///
    /// // One in every lane, which belongs to the flow.
    /// let flow = Flow::from_iter(1..=4).lanes(1).per_lane(|lane| Running(0).through(lane)).map(|sum| sum * 10);
    /// assert_eq!(flow.collect::<Vec<_>>().await, [10, 30, 60, 100]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.through_stages/3`; in place of `Flow.through_specs/3`, [`per_lane`](Self::per_lane).
    #[track_caller]
    pub fn through_stages<T, R, M>(
        self,
        stages: impl IntoIterator<Item = Handle<R, M>>,
    ) -> Flow<ThroughStages<P, T>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        T: Send + 'static,
        R: Consumes + Produces + Role<Input = P::Item, Item = T, Options: Default>,
        M: Send + 'static,
    {
        let (mut readers, mut sources) = (Vec::<Box<dyn Reads<P::Item>>>::new(), Vec::new());
        let mut labels = Vec::new();
        for stage in stages {
            labels.push(Arc::from(stage.label()));
            readers.push(Box::new(stage.clone()));
            sources.push(FromStage::new(stage));
        }
        assert!(!sources.is_empty(), "through_stages needs at least 1 stage, given 0");
        let mut flow = self.open("through_stages", |upstream, layer| {
            let source = Source::new(sources, layer);
            ThroughStages { upstream, readers, source }
        });
        flow.launch.topology.last(|layer| layer.stages = labels);
        flow
    }
}

/// The plan behind [`Flow::through_stages`].
#[must_use = "operators do nothing until the flow is read"]
pub struct ThroughStages<P: Plan, T> {
    upstream: P,
    readers: Vec<Box<dyn Reads<P::Item>>>,
    source: Source<FromStage<T>>,
}

impl<P: Plan, T> Sealed for ThroughStages<P, T> {}

impl<P: Plan, T> Layered for ThroughStages<P, T> {
    fn settings(&mut self) -> &mut Settings {
        self.source.settings()
    }

    fn pass_through(&mut self) {
        self.source.pass_through();
    }
}

impl<P, T> Plan for ThroughStages<P, T>
where
    P: Plan,
{
    type Item = T;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<P, T> Build<Bare> for ThroughStages<P, T>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    T: Send + 'static,
{
    type Lane = SourceLane<FromStage<T>>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let demand = self.source.settings().demand;
        let layer = self.upstream.settings().layer.clone();
        let lanes = self.upstream.build_all(tasks);
        // The new lanes end when the stages do, which is when all that went into them has come out. They subscribe
        // before anything goes in: right after it a stage may have ended.
        tasks.ungated(|tasks| Build::<Bare>::build(self.source, tasks, to));
        feed(tasks, &layer, lanes, &self.readers, demand);
    }
}

/// Makes producers of the lanes, each with a task, and subscribes the stages to them.
fn feed<L>(
    tasks: &mut Tasks,
    layer: &Layer,
    lanes: Vec<L>,
    readers: &[Box<dyn Reads<L::Item>>],
    demand: Demand,
) where
    L: Lane<Item: Send + 'static> + Send + 'static,
{
    let (mut producers, mut subscribing) = (Vec::new(), Vec::new());
    let mut drivers: Vec<BoxedDriver> = Vec::new();
    for lane in lanes {
        let panicked = Arc::default();
        let stage =
            FromLane::new(lane, Readers { left: readers.len(), panicked: Arc::clone(&panicked) }).stage();
        let (producer, driver) = stage.label("lane of a flow").accumulate().into_parts();
        for reader in readers {
            let subscribe = producer.subscribe().with_demand(demand).temporary();
            subscribing.push(reader.read(subscribe.into_request()));
        }
        drivers.push(Box::pin(LaneTask { _producer: producer.clone(), driver, panicked }));
        producers.push(producer);
    }
    tasks.spawn_all(layer, drivers);
    tasks.spawn(&layer.part(LayerPart::Subscribing), forward(subscribing, producers));
}

/// Ends a lane when all its readers have left. Readers that have not subscribed yet count too.
struct Readers {
    left: usize,
    panicked: Panicked,
}

type Panicked = Arc<Mutex<Option<Box<dyn Any + Send>>>>;

impl Watch for Readers {
    fn left(&mut self) -> bool {
        self.left -= 1;
        self.left == 0
    }

    fn panicked(&self, payload: Box<dyn Any + Send>) {
        *unpoisoned(self.panicked.lock()) = Some(payload);
    }
}

/// Runs the producer that a lane became, and fails when the lane does. It fails before the stages hear of an end: so
/// the flow knows of its failure before anything after the stages could take that for the end of the input.
struct LaneTask<T: Send + 'static> {
    /// Keeps the producer alive.
    _producer: ProducerHandle<T>,
    driver: Driver,
    panicked: Panicked,
}

impl<T: Send + 'static> Future for LaneTask<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = Pin::new(&mut self.driver).poll(cx);
        let payload = unpoisoned(self.panicked.lock()).take();
        match payload {
            Some(payload) => resume_unwind(payload),
            None => polled,
        }
    }
}

/// Lets the lanes begin once all stages have subscribed, so that the first stage does not get all of a short input.
async fn forward<T: Send + 'static>(subscribing: Vec<Subscribing>, producers: Vec<ProducerHandle<T>>) {
    for subscribed in subscribing {
        match subscribed.await {
            Err(SubscribeError::Refused(refusal)) => {
                panic!("a lane of a flow refused a stage of through_stages: {refusal}")
            }
            // The lane or the stage has ended: what reads the stage hears why.
            Ok(_) | Err(SubscribeError::Gone | SubscribeError::ConsumerGone) => {}
        }
    }
    for producer in producers {
        producer.forward();
    }
}

impl<P: Plan, T> LayerStart for ThroughStages<P, T> {}

impl<P: Plan + fmt::Debug, T> fmt::Debug for ThroughStages<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThroughStages")
            .field("upstream", &self.upstream)
            .field("stages", &self.readers.len())
            .finish_non_exhaustive()
    }
}
