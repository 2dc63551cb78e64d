use super::flow::Flow;
use super::plumbing::envelope::{Bare, Numbered};
use super::plumbing::exchange::{Uppers, share};
use super::plumbing::place::{Layer, LayerPart};
use super::plumbing::plan::{Build, LayerStart, Layered, Plan, Settings, To};
use super::plumbing::sequence::{Enumerated, Tagged};
use super::plumbing::serial::SerialSteps;
use super::plumbing::serial_step::SerialStep;
use super::plumbing::tasks::Tasks;
use crate::coop::give_way;
use crate::lane::{Each, Inlet, Iter, Lane, Leaf, Origins, StreamLane, poll_in_turn};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// # Sources
///
/// In addition to [`.flow()`](crate::StreamFlow::flow) on any `Stream`.
impl<I> Flow<Source<Iter<I>>>
where
    I: Iterator<Item: Send + 'static> + Send + 'static,
{
    /// Spreads the items of an iterator over lanes that run on all cores.
    ///
    /// The iterator runs in a task of the flow's runtime: one that blocks, on a file or a lock, holds up a worker
    /// thread of that runtime. Use [`on`](Flow::on) to give such a flow a runtime of its own.
    ///
    /// Items that own memory are allocated in that task and freed in the lanes. For lines of a text that costs more than
    /// the work on them: [`from_read`](crate::blocks::from_read) has lanes cut them out of blocks.
    ///
    /// # Demand, Ordering
    /// As for [`flow`](crate::StreamFlow::flow).
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let even: Vec<u32> = Flow::from_iter(0..6).lanes(1).filter(|n| n % 2 == 0).collect().await;
    /// assert_eq!(even, [0, 2, 4]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.from_enumerable/2`.
    #[allow(
        clippy::should_implement_trait,
        reason = "the trait's method cannot say which flow comes out; this is a source like the others"
    )]
    #[track_caller]
    pub fn from_iter(iter: impl IntoIterator<IntoIter = I>) -> Self {
        Flow::source("from_iter", |layer| Source::new(vec![Iter::of(iter.into_iter())], layer))
    }

    /// Spreads the items of many iterators over lanes that run on all cores.
    ///
    /// With at least as many iterators as lanes, each lane runs its share of the iterators itself and no item
    /// crosses a task on its way in. With fewer, each iterator gets a task, as in [`from_iter`](Flow::from_iter).
    ///
    /// # Ordering
    /// Items of one iterator keep their order where one lane gets all of them. Iterators that share a lane take
    /// turns.
    ///
    /// # Panics
    /// When there is no iterator at all.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let sums: Vec<u32> = Flow::from_iters([0..3, 10..13])
    ///     .lanes(2)
    ///     .reduce(|| 0, |sum, n| *sum += n)
    ///     .emit_state()
    ///     .collect()
    ///     .await;
    /// assert_eq!(sums.iter().sum::<u32>(), 3 + 33);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.from_enumerables/2`, with the fusion that Flow 0.4 had.
    #[track_caller]
    pub fn from_iters<T: IntoIterator<IntoIter = I>>(iters: impl IntoIterator<Item = T>) -> Self {
        let iters: Vec<_> = iters.into_iter().map(|iter| Iter::of(iter.into_iter())).collect();
        assert!(!iters.is_empty(), "from_iters needs at least 1 iterator, given 0");
        Flow::source("from_iters", |layer| Source::new(iters, layer))
    }
}

impl<S> Flow<Source<StreamLane<S>>>
where
    S: Stream<Item: Send + 'static> + Send + 'static,
{
    /// Spreads the items of many streams over lanes that run on all cores.
    ///
    /// With at least as many streams as lanes, each lane polls its share of the streams itself and no item crosses a
    /// task on its way in. With fewer, each stream gets a task.
    ///
    /// # Ordering
    /// As for [`from_iters`](Flow::from_iters).
    ///
    /// # Panics
    /// When there is no stream at all.
    ///
    /// # Examples
    /// ```
    /// use futures::stream;
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let mut all: Vec<_> = Flow::from_streams([stream::iter(1..3), stream::iter(7..9)]).collect().await;
    /// all.sort();
    /// assert_eq!(all, [1, 2, 7, 8]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.from_enumerables/2`.
    #[track_caller]
    pub fn from_streams(streams: impl IntoIterator<Item = S>) -> Self {
        let streams: Vec<_> = streams.into_iter().map(StreamLane::of).collect();
        assert!(!streams.is_empty(), "from_streams needs at least 1 stream, given 0");
        Flow::source("from_streams", |layer| Source::new(streams, layer))
    }
}

/// The plan behind [`flow`](crate::StreamFlow::flow), [`from_iter`](Flow::from_iter),
/// [`from_iters`](Flow::from_iters) and [`from_streams`](Flow::from_streams).
#[must_use = "a flow does nothing until it is read"]
pub struct Source<L> {
    /// One lane for each source; at least one.
    sources: Vec<L>,
    settings: Settings,
}

impl<L: Lane> Source<L> {
    pub(super) fn new(sources: Vec<L>, layer: Layer) -> Self {
        Self { sources, settings: Settings::of(layer) }
    }
}

impl<L> Sealed for Source<L> {}

impl<L> Layered for Source<L> {
    fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    fn pass_through(&mut self) {
        self.settings.pass_through();
    }
}

impl<L: Lane> Plan for Source<L> {
    type Item = L::Item;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        sum_hints(self.sources.iter().map(Stream::size_hint))
    }
}

impl<L> Build<Bare> for Source<L>
where
    L: Leaf + Send + 'static,
    L::Item: Send + 'static,
{
    type Lane = SourceLane<L>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, SourceLane<L>>) {
        let lanes = self.settings.lanes_over(self.sources.len());
        for source in &mut self.sources {
            source.start(self.settings.demand, tasks.gate(), tasks.discarded());
        }
        if self.sources.len() < lanes {
            let layer = self.settings.layer.part(LayerPart::Source);
            let build = |tasks: &mut Tasks, to: To<'_, _>| {
                for source in self.sources {
                    to(tasks, source);
                }
            };
            share(tasks, Uppers { layer: &layer, build }, &self.settings, &mut |tasks, edges| {
                to(tasks, Fed::Edges { edges }.into());
            });
            return;
        }
        if self.sources.len() == lanes {
            for source in self.sources {
                to(tasks, Fed::One { source }.into());
            }
            return;
        }
        let mut groups: Vec<Vec<_>> = (0..lanes).map(|_| Vec::new()).collect();
        for (at, source) in self.sources.into_iter().enumerate() {
            let group = &mut groups[at % lanes];
            group.push((Box::pin(source), group.len()));
        }
        for sources in groups {
            to(tasks, Fed::InTurn { sources, at: 0, origins: None }.into());
        }
    }

    fn build_at_source<U, Op>(
        mut self,
        step: Op,
        tasks: &mut Tasks,
        to: To<'_, Inlet<U>>,
    ) -> Result<(), (Self, Op)>
    where
        U: Send + 'static,
        Op: SerialStep<L::Item, Out = U> + Send + 'static,
    {
        if self.sources.len() > 1 || self.settings.lanes_over(1) == 1 {
            return Err((self, step));
        }
        let mut source = self.sources.remove(0);
        source.start(self.settings.demand, tasks.gate(), tasks.discarded());
        let source = SerialSteps::<Bare, _, _, _>::new(source, step);
        feed_lanes(source, &self.settings, tasks, to);
        Ok(())
    }
}

impl<L> Build<Numbered> for Source<L>
where
    L: Leaf + Send + 'static,
    L::Item: Send + 'static,
{
    type Lane = SourceLane<Enumerated<SourceLane<L>>>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let settings = self.settings.clone();
        feed(Enumerated::new(self.in_one_task(tasks)), &settings, tasks, to);
    }

    fn build_at_source<U, Op>(
        self,
        step: Op,
        tasks: &mut Tasks,
        to: To<'_, Inlet<Tagged<U>>>,
    ) -> Result<(), (Self, Op)>
    where
        U: Send + 'static,
        Op: SerialStep<L::Item, Out = U> + Send + 'static,
    {
        if self.settings.lanes_over(1) == 1 {
            return Err((self, step));
        }
        let settings = self.settings.clone();
        let source = SerialSteps::<Bare, _, _, _>::new(self.in_one_task(tasks), step);
        feed_lanes(Enumerated::new(source), &settings, tasks, to);
        Ok(())
    }
}

impl<L> Source<L>
where
    L: Leaf + Send + 'static,
    L::Item: Send + 'static,
{
    /// Reads all sources in one task: only a single task can tell which item came first.
    fn in_one_task(mut self, tasks: &Tasks) -> SourceLane<L> {
        for source in &mut self.sources {
            source.start(self.settings.demand, tasks.gate(), tasks.discarded());
        }
        let sources = self.sources.into_iter().map(Box::pin).zip(0..).collect();
        Fed::InTurn { sources, at: 0, origins: None }.into()
    }
}

/// Starts a task that reads a source and feeds the lanes of its layer.
pub(super) fn feed_lanes<L>(source: L, settings: &Settings, tasks: &mut Tasks, to: To<'_, Inlet<L::Item>>)
where
    L: Lane<Item: Send + 'static> + Send + 'static,
{
    let layer = &settings.layer.part(LayerPart::Source);
    share(tasks, Uppers { layer, build: |tasks: &mut Tasks, to: To<'_, _>| to(tasks, source) }, settings, to);
}

/// The lanes of a layer over one source, which runs in a lane if that is the only one.
pub(super) fn feed<L>(source: L, settings: &Settings, tasks: &mut Tasks, to: To<'_, SourceLane<L>>)
where
    L: Lane<Item: Send + 'static> + Send + 'static,
{
    if settings.lanes_over(1) == 1 {
        to(tasks, Fed::One { source }.into());
        return;
    }
    feed_lanes(source, settings, tasks, &mut |tasks, edges| to(tasks, Fed::Edges { edges }.into()));
}

impl<L: Lane> LayerStart for Source<L> {}

impl<L> fmt::Debug for Source<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("sources", &self.sources.len())
            .field("settings", &self.settings)
            .finish()
    }
}

fn sum_hints(hints: impl Iterator<Item = (usize, Option<usize>)>) -> (usize, Option<usize>) {
    hints.fold((0, Some(0)), |(least, most), (l, m)| {
        let most = most.zip(m).and_then(|(a, b)| a.checked_add(b));
        (least.saturating_add(l), most)
    })
}

pin_project! {
    /// A lane of the first layer.
    ///
    /// It runs one source, or several in turn. Where there are fewer sources than lanes, it reads edges from their
    /// tasks.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct SourceLane<L: Lane> {
        #[pin]
        fed: Fed<L>,
    }
}

pin_project! {
    #[project = FedProjection]
    enum Fed<L: Lane> {
        // The lane's own task runs its only source.
        One { #[pin] source: L },
        // The lane's own task runs several sources: those that have not ended, each with its number. `at` is the
        // index of the one whose turn it is.
        InTurn { sources: Vec<NumberedSource<L>>, at: usize, origins: Option<Origins> },
        // The sources have tasks of their own, with an edge from each.
        Edges { edges: Inlet<L::Item> },
    }
}

/// One of several sources in a lane, and its number.
type NumberedSource<L> = (Pin<Box<L>>, usize);

impl<L: Lane> From<Fed<L>> for SourceLane<L> {
    fn from(fed: Fed<L>) -> Self {
        Self { fed }
    }
}

/// Polls the sources of one lane in turn until one has an answer. Removes those that have ended (`None`).
fn poll_turns<L, R>(
    sources: &mut Vec<NumberedSource<L>>,
    at: &mut usize,
    origins: Option<&Origins>,
    cx: &mut Context<'_>,
    mut poll: impl FnMut(Pin<&mut L>, &mut Context<'_>) -> Poll<Option<R>>,
) -> Poll<Option<R>> {
    let mut one_ended = false;
    let poll = |(source, number): &mut NumberedSource<L>| {
        if let Some(origins) = origins {
            origins.set_current(*number);
        }
        let polled = poll(source.as_mut(), cx);
        if let (Some(origins), true) = (origins, polled.is_pending()) {
            origins.set_waiting(*number);
        }
        polled
    };
    let ended = |(source, number): NumberedSource<L>| {
        drop(source);
        if let Some(origins) = origins {
            origins.set_ended(number);
        }
        one_ended = true;
        false
    };
    match poll_in_turn(sources, at, poll, ended) {
        Poll::Pending if one_ended && sources.is_empty() => Poll::Ready(None),
        // So that the last items of that source do not share a batch with the first of the next.
        Poll::Pending if one_ended => give_way(cx),
        polled => polled,
    }
}

impl<L: Lane> Lane for SourceLane<L> {
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(L::Item) -> ControlFlow<()>,
    {
        match self.project().fed.project() {
            FedProjection::One { source } => source.poll_each(cx, each),
            FedProjection::Edges { edges } => Pin::new(edges).poll_each(cx, each),
            FedProjection::InTurn { sources, at, origins } => {
                let polled = poll_turns(sources, at, origins.as_ref(), cx, |source, cx| {
                    match source.poll_each(cx, each) {
                        Poll::Ready(Each::Stopped) => Poll::Ready(Some(())),
                        Poll::Ready(Each::Ended) => Poll::Ready(None),
                        Poll::Pending => Poll::Pending,
                    }
                });
                *at += 1;
                Poll::Ready(match ready!(polled) {
                    Some(()) => Each::Stopped,
                    None => Each::Ended,
                })
            }
        }
    }

    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<L::Item>>> {
        match self.project().fed.project() {
            FedProjection::One { source } => source.poll_batch(cx, limit),
            FedProjection::Edges { edges } => Pin::new(edges).poll_batch(cx, limit),
            FedProjection::InTurn { sources, at, origins } => {
                let polled =
                    poll_turns(sources, at, origins.as_ref(), cx, |source, cx| source.poll_batch(cx, limit));
                *at += 1;
                polled
            }
        }
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        match self.project().fed.project() {
            FedProjection::One { source } => source.origins(),
            FedProjection::Edges { edges } => Pin::new(edges).origins(),
            FedProjection::InTurn { sources, origins, .. } => {
                origins.insert(Origins::with_waiting(sources.len())).clone()
            }
        }
    }
}

impl<L: Lane> Stream for SourceLane<L> {
    type Item = L::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<L::Item>> {
        match self.project().fed.project() {
            FedProjection::One { source } => source.poll_next(cx),
            FedProjection::Edges { edges } => Pin::new(edges).poll_next(cx),
            FedProjection::InTurn { sources, at, origins } => {
                let polled = poll_turns(sources, at, origins.as_ref(), cx, L::poll_next);
                *at += 1;
                polled
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.fed {
            Fed::One { source } => source.size_hint(),
            Fed::Edges { edges } => edges.size_hint(),
            Fed::InTurn { sources, .. } => sum_hints(sources.iter().map(|(source, _)| L::size_hint(source))),
        }
    }
}

impl<L: Lane + FusedStream> FusedStream for SourceLane<L> {
    fn is_terminated(&self) -> bool {
        match &self.fed {
            Fed::One { source } => source.is_terminated(),
            Fed::Edges { edges } => edges.is_terminated(),
            Fed::InTurn { sources, .. } => sources.is_empty(),
        }
    }
}

impl<L: Lane> fmt::Debug for SourceLane<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match &self.fed {
            Fed::One { .. } => "one source",
            Fed::InTurn { .. } => "sources in turn",
            Fed::Edges { .. } => "edges",
        };
        f.debug_tuple("SourceLane").field(&shape).finish()
    }
}
