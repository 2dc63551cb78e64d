use super::bounds::OpenLayer;
use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::lane::{Leaf, StreamLane};
use crate::sealed::Sealed;
use futures_core::Stream;
use std::fmt;

impl<P, F> Sealed for PerLane<P, F> {}

impl<P: Layered, F> Layered for PerLane<P, F> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P> Flow<P> {
    /// Puts any `Stream` adapter, of any crate, on every lane.
    ///
    /// `f` is called once per lane, in the context of the runtime of the lanes. The lane is a `Stream`; what `f`
    /// makes of it is polled item by item. A lane that ends before its input does drops what else was sent to it
    /// (see [`discarded`](Flow::discarded)).
    ///
    /// # Ordering
    /// Up to the adapter.
    ///
    /// # Panics
    /// A panic in the adapter ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let pairs = Flow::from_iter(1..=5).lanes(1).per_lane(|lane| lane.chunks(2));
    /// assert_eq!(pairs.collect::<Vec<_>>().await, [vec![1, 2], vec![3, 4], vec![5]]);
    /// # });
    /// ```
    #[track_caller]
    pub fn per_lane<S, F>(self, f: F) -> Flow<PerLane<P, F>>
    where
        P: OpenLayer,
        S: Stream,
        F: FnMut(P::Lane) -> S,
    {
        self.operator("per_lane", |upstream| PerLane { upstream, f })
    }
}

/// The plan behind [`Flow::per_lane`].
#[must_use = "operators do nothing until the flow is read"]
pub struct PerLane<P, F> {
    upstream: P,
    f: F,
}

impl<P, S, F> Plan for PerLane<P, F>
where
    P: Build<Bare>,
    S: Stream,
    F: FnMut(P::Lane) -> S,
{
    type Item = S::Item;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<P, S, F> Build<Bare> for PerLane<P, F>
where
    P: Build<Bare>,
    S: Stream,
    F: FnMut(P::Lane) -> S,
{
    type Lane = StreamLane<S>;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let turn = self.settings().demand.batch();
        let mut f = self.f;
        self.upstream.build(tasks, &mut |tasks, lane| {
            let mut adapted = StreamLane::of(f(lane));
            adapted.set_turn(turn);
            to(tasks, adapted);
        });
    }
}

impl<P: fmt::Debug, F> fmt::Debug for PerLane<P, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerLane").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
