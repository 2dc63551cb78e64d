use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::exchange::{Uppers, share};
use super::plumbing::place::Layer;
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::lane::{Each, Inlet, Lane, Origins};
use crate::sealed::Sealed;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

impl<P> Flow<P> {
    /// Goes on with the items of two flows, side by side.
    ///
    /// The layer that follows has the lanes of both, and no item crosses tasks, unless [`lanes`](Flow::lanes) asks for
    /// another number: then lanes take items by demand. A partition after it partitions the items of both together. The
    /// runtime is that of this flow, if it names one, or else that of the other.
    ///
    /// # Ordering
    /// Each lane keeps its order; between the flows there is none.
    ///
    /// # Panics
    /// When one of the flows is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let odd = Flow::from_iter([1, 3]).map(|n| n * 10);
    /// let even = Flow::from_iter([2, 4]).map(|n| n * 100);
    /// let sums = odd.merge(even).partition().lanes(1).reduce(|| 0, |sum, n| *sum += n).emit_state();
    /// assert_eq!(sums.collect::<Vec<u32>>().await, [640]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.merge/3`, and a list of flows given to `Flow.partition/2` and `Flow.shuffle/2`.
    #[track_caller]
    pub fn merge<Q>(self, other: Flow<Q>) -> Flow<Merge<P, Q>>
    where
        P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
        Q: Build<Bare, Lane: Send + 'static, Item = P::Item>,
    {
        self.open_over("merge", other, Merge::new)
    }
}

/// The plan behind [`Flow::merge`].
#[must_use = "operators do nothing until the flow is read"]
pub struct Merge<P, Q> {
    left: P,
    right: Q,
    settings: Settings,
}

impl<P, Q> Merge<P, Q> {
    pub(super) fn new(left: P, right: Q, layer: Layer) -> Self {
        Self { left, right, settings: Settings::of(layer) }
    }
}

impl<P, Q> Sealed for Merge<P, Q> {}

impl<P: Layered, Q: Layered> Layered for Merge<P, Q> {
    fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    fn pass_through(&mut self) {
        if self.settings.lanes_set().is_none() {
            self.left.pass_through();
            self.right.pass_through();
        }
    }
}

impl<P, Q> Plan for Merge<P, Q>
where
    P: Plan,
    Q: Plan<Item = P::Item>,
{
    type Item = P::Item;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ((least, most), (l, m)) = (self.left.size_hint(), self.right.size_hint());
        (least.saturating_add(l), most.zip(m).and_then(|(a, b)| a.checked_add(b)))
    }
}

impl<P, Q> Build<Bare> for Merge<P, Q>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
    Q: Build<Bare, Lane: Send + 'static, Item = P::Item>,
{
    type Lane = MergeLane<P::Lane, Q::Lane>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let (left, right) = (self.left.settings().layer.clone(), self.right.settings().layer.clone());
        tasks.show_merged(&left, &self.settings.layer, 0);
        let mut lanes = Vec::<Self::Lane>::new();
        self.left.build(tasks, &mut |_, lane| lanes.push(MergeSide::Left { lane }.into()));
        tasks.show_merged(&right, &self.settings.layer, lanes.len());
        self.right.build(tasks, &mut |_, lane| lanes.push(MergeSide::Right { lane }.into()));
        match self.settings.lanes_set() {
            Some(wanted) if wanted != lanes.len() => {
                let build =
                    |tasks: &mut Tasks, to: To<'_, _>| lanes.into_iter().for_each(|lane| to(tasks, lane));
                let uppers = Uppers { layer: &self.settings.layer, build };
                share(tasks, uppers, &self.settings, &mut |tasks, edges| {
                    to(tasks, MergeSide::Edges { edges }.into());
                });
            }
            _ => {
                for lane in lanes {
                    to(tasks, lane);
                }
            }
        }
    }
}

pin_project! {
    /// A lane after [`Flow::merge`]: of the one flow, of the other, or, with another number of lanes, of both.
    #[must_use = "a lane does nothing until it is polled"]
    pub struct MergeLane<L: Lane, R> {
        #[pin]
        side: MergeSide<L, R>,
    }
}

pin_project! {
    #[project = MergeSideProjection]
    enum MergeSide<L: Lane, R> {
        Left { #[pin] lane: L },
        Right { #[pin] lane: R },
        Edges { edges: Inlet<L::Item> },
    }
}

impl<L: Lane, R> From<MergeSide<L, R>> for MergeLane<L, R> {
    fn from(side: MergeSide<L, R>) -> Self {
        Self { side }
    }
}

impl<L: Lane, R: Lane<Item = L::Item>> Lane for MergeLane<L, R> {
    #[inline]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(L::Item) -> ControlFlow<()>,
    {
        match self.project().side.project() {
            MergeSideProjection::Left { lane } => lane.poll_each(cx, each),
            MergeSideProjection::Right { lane } => lane.poll_each(cx, each),
            MergeSideProjection::Edges { edges } => Pin::new(edges).poll_each(cx, each),
        }
    }

    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<L::Item>>> {
        match self.project().side.project() {
            MergeSideProjection::Left { lane } => lane.poll_batch(cx, limit),
            MergeSideProjection::Right { lane } => lane.poll_batch(cx, limit),
            MergeSideProjection::Edges { edges } => Pin::new(edges).poll_batch(cx, limit),
        }
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        match self.project().side.project() {
            MergeSideProjection::Left { lane } => lane.origins(),
            MergeSideProjection::Right { lane } => lane.origins(),
            MergeSideProjection::Edges { edges } => Pin::new(edges).origins(),
        }
    }
}

impl<L: Lane, R: Lane<Item = L::Item>> Stream for MergeLane<L, R> {
    type Item = L::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<L::Item>> {
        match self.project().side.project() {
            MergeSideProjection::Left { lane } => lane.poll_next(cx),
            MergeSideProjection::Right { lane } => lane.poll_next(cx),
            MergeSideProjection::Edges { edges } => Pin::new(edges).poll_next(cx),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.side {
            MergeSide::Left { lane } => lane.size_hint(),
            MergeSide::Right { lane } => lane.size_hint(),
            MergeSide::Edges { edges } => edges.size_hint(),
        }
    }
}

impl<L: Lane + FusedStream, R: Lane<Item = L::Item> + FusedStream> FusedStream for MergeLane<L, R> {
    fn is_terminated(&self) -> bool {
        match &self.side {
            MergeSide::Left { lane } => lane.is_terminated(),
            MergeSide::Right { lane } => lane.is_terminated(),
            MergeSide::Edges { edges } => edges.is_terminated(),
        }
    }
}

impl<P: fmt::Debug, Q: fmt::Debug> fmt::Debug for Merge<P, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge")
            .field("left", &self.left)
            .field("right", &self.right)
            .field("settings", &self.settings)
            .finish()
    }
}

impl<L: Lane, R> fmt::Debug for MergeLane<L, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match &self.side {
            MergeSide::Left { .. } => "left",
            MergeSide::Right { .. } => "right",
            MergeSide::Edges { .. } => "both",
        };
        f.debug_tuple("MergeLane").field(&side).finish()
    }
}
