use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::envelope::Envelope;
use super::plumbing::plan::{Build, LayerStart, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::sealed::Sealed;
use std::fmt;

impl<P, F> Sealed for OnInit<P, F> {}

impl<P: Layered, F> Layered for OnInit<P, F> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P> Flow<P> {
    /// Calls `f` once for every lane of the layer when the flow starts, with the number of the lane and how many there
    /// are.
    ///
    /// Lanes are numbered from 0, as a partition routes to them. The calls come in this order, in the task that starts
    /// the flow and in the context of the runtime of the lanes. In a layer they come before the closures of
    /// [`per_lane`](Self::per_lane) and the `init` of [`reduce`](Self::reduce) that follow, which are called in this
    /// order too. Items are not touched, and pass at no cost.
    ///
    /// # Panics
    /// A panic in `f` is raised in the task that starts the flow.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::sync::mpsc;
    ///
    /// # tokio_test::block_on(async {
    /// let (sender, calls) = mpsc::channel();
    /// Flow::from_iter(0..10).lanes(3).on_init(move |lane, lanes| sender.send((lane, lanes)).unwrap()).run().await;
    /// assert_eq!(calls.iter().collect::<Vec<_>>(), [(0, 3), (1, 3), (2, 3)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// The option `on_init`, which is called in the process of each stage.
    #[track_caller]
    pub fn on_init<F>(self, f: F) -> Flow<OnInit<P, F>>
    where
        P: Open,
        F: FnMut(usize, usize),
    {
        self.operator("on_init", |upstream| OnInit { upstream, f })
    }
}

/// The plan behind [`Flow::on_init`].
#[must_use = "operators do nothing until the flow is read"]
pub struct OnInit<P, F> {
    upstream: P,
    f: F,
}

impl<P: Plan, F: FnMut(usize, usize)> Plan for OnInit<P, F> {
    type Item = P::Item;
    type Carries = P::Carries;

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.upstream.size_hint()
    }
}

impl<E: Envelope, P: Build<E>, F: FnMut(usize, usize)> Build<E> for OnInit<P, F> {
    type Lane = P::Lane;

    fn build(mut self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let lanes = self.upstream.build_all(tasks);
        for number in 0..lanes.len() {
            (self.f)(number, lanes.len());
        }
        for lane in lanes {
            to(tasks, lane);
        }
    }
}

impl<P: LayerStart, F: FnMut(usize, usize)> LayerStart for OnInit<P, F> {}

impl<P: fmt::Debug, F> fmt::Debug for OnInit<P, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnInit").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
