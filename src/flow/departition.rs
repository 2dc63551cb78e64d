pub(super) mod lane;

use super::bounds::Reducible;
use super::departition::lane::{DepartitionLane, Ending, Gather, LaneReport, ReportingEmit};
use super::flow::Flow;
use super::plumbing::driver::ShareDriver;
use super::plumbing::envelope::Bare;
use super::plumbing::exchange::{Uppers, cross};
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use super::reduce::Reduce;
use crate::lane::Inlet;
use crate::reduce::{Emit, KeepsState, MergeStates, Reducer, Spread};
use crate::sealed::Sealed;
use std::cell::Cell;
use std::fmt;

/// # Lanes brought together
impl<P, R, E, M> Flow<Reduce<P, R, E, M>>
where
    P: Reducible,
{
    /// Brings what the lanes emit for one window together, in one lane: one item for each window.
    ///
    /// `init` makes a state for a window, and `merge` adds to it what any lane emits for that window. Once all lanes
    /// are done with the window, `done` makes an item of the state. A lane is done with a window when it has said so of
    /// this or of a later window, or has ended. Without windows there is one item, at the end of input.
    ///
    /// A lane that gets no items has no windows to be done with. After a partition, if one lane has no keys, all
    /// windows wait for the end of input, and are kept till then.
    ///
    /// `departition` belongs to the layer of the `reduce` before it: [`lanes`](Flow::lanes) and
    /// [`demand`](Flow::demand) after it are those of the lanes that reduce. Operators after it run in one lane; to go
    /// on in many, use [`shuffle`](Flow::shuffle).
    ///
    /// Windows must have an order, and be done in it. All do but [sessions](crate::window::Window::session), for which
    /// `departition` does not compile; with custom windows it depends on their kind.
    ///
    /// # Ordering
    /// Windows come out in their order.
    ///
    /// # Panics
    /// A panic in a closure ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::window::Window;
    /// use std::time::Duration;
    ///
    /// # tokio_test::block_on(async {
    /// // The numbers of each second, counted in two lanes.
    /// let second = Window::fixed(Duration::from_secs(1), |time: &i64| *time);
    /// let counts = Flow::from_iter([0, 300, 700, 1500])
    ///     .lanes(1)
    ///     .partition()
    ///     .lanes(2)
    ///     .window(second)
    ///     .reduce(|| 0, |n, _| *n += 1)
    ///     .emit_state()
    ///     .departition(|| 0, |all: &mut u32, n: u32| *all += n, |all, second| (second.start, all));
    /// assert_eq!(counts.collect::<Vec<_>>().await, [(0, 3), (1000, 1)]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.departition/5`. A lane may emit any number of items for a window, even none; and a window that only some
    /// lanes have is not held back until the end of input. What [`emit_and_reduce`](Flow::emit_and_reduce) emits at
    /// once belongs to no window, so `departition` does not compile after it.
    #[track_caller]
    pub fn departition<T, A, V, I, F, D>(
        self,
        init: I,
        merge: F,
        done: D,
    ) -> Flow<Departition<P, R, E, M, ByFns<I, F, D>>>
    where
        P::Id: Ord,
        R: KeepsState,
        E: Emit<<R as KeepsState>::State, P::Places, P::Id, Item = T>,
        I: FnMut() -> A,
        F: FnMut(&mut A, T),
        D: FnMut(A, P::Id) -> V,
    {
        self.gathered("departition", ByFns { init, merge, done })
    }
}

impl<P, R, E, M> Flow<Reduce<P, R, E, M>> {
    #[track_caller]
    pub(super) fn gathered<G>(self, name: &'static str, gather: G) -> Flow<Departition<P, R, E, M, G>> {
        self.operator(name, |reduce| Departition { reduce, gather })
    }
}

/// The functions given to [`Flow::departition`].
pub struct ByFns<I, F, D> {
    init: I,
    merge: F,
    done: D,
}

impl<I, F, D> Sealed for ByFns<I, F, D> {}

impl<Id, T, A, V, I, F, D> Gather<Id, T> for ByFns<I, F, D>
where
    I: FnMut() -> A,
    F: FnMut(&mut A, T),
    D: FnMut(A, Id) -> V,
{
    type State = A;
    type Out = V;

    fn init(&mut self) -> A {
        (self.init)()
    }

    fn merge(&mut self, state: &mut A, item: T) {
        (self.merge)(state, item);
    }

    fn done(&mut self, state: A, window: Id) -> V {
        (self.done)(state, window)
    }
}

opaque_debug!(ByFns<I, F, D>);

/// The plan behind [`Flow::departition`] and [`Flow::take_sort`].
#[must_use = "operators do nothing until the flow is read"]
pub struct Departition<P, R, E, M, G> {
    reduce: Reduce<P, R, E, M>,
    gather: G,
}

impl<P, R, E, M, G> Sealed for Departition<P, R, E, M, G> {}

impl<P: Layered, R, E, M, G> Layered for Departition<P, R, E, M, G> {
    fn settings(&mut self) -> &mut Settings {
        self.reduce.settings()
    }
}

impl<P, R, E, M, G> Plan for Departition<P, R, E, M, G>
where
    P: Reducible,
    R: KeepsState,
    E: Emit<R::State, P::Places, P::Id>,
    G: Gather<P::Id, E::Item>,
{
    type Item = G::Out;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<P, R, E, M, G> Build<Bare> for Departition<P, R, E, M, G>
where
    P: Reducible<Feed: Send + 'static, Item: Send + 'static, Id: Ord + Clone + Send + 'static>,
    P::Places: Spread<P::Item> + Send + 'static,
    <P::Places as crate::reduce::Places>::States<<R as KeepsState>::State>: Send,
    R: Reducer<P::Item, LaneReport<P::Id, E::Item>> + KeepsState + Clone + Send + 'static,
    <R as Reducer<P::Item, LaneReport<P::Id, E::Item>>>::Items: Send,
    E: Emit<<R as KeepsState>::State, P::Places, P::Id> + Clone + Send + 'static,
    E::Item: Send + 'static,
    E::Items: Send,
    M: MergeStates<<R as KeepsState>::State, P::Places> + Clone + Send + 'static,
    G: Gather<P::Id, E::Item>,
{
    type Lane = DepartitionLane<Inlet<LaneReport<P::Id, E::Item>>, P::Id, G, G::State>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let Reduce { mut upstream, reducer, emit, merge } = self.reduce;
        let settings = upstream.settings().clone().one_lane();
        let reduce = Reduce { upstream, reducer, emit: ReportingEmit(emit), merge };
        let all = &Cell::new(0);
        let build = |tasks: &mut Tasks, to: To<'_, _>| {
            reduce.build(tasks, &mut |tasks, lane| to(tasks, Ending::new(lane, all.replace(all.get() + 1))));
        };
        let mut gather = Some(self.gather);
        let uppers = Uppers { layer: &settings.layer, build };
        cross(tasks, uppers, &settings, ShareDriver::new, &mut |tasks, edges| {
            // There is one lane.
            if let Some(gather) = gather.take() {
                to(tasks, DepartitionLane::new(edges, all.get(), gather));
            }
        });
    }
}

impl<P: fmt::Debug, R, E, M, G> fmt::Debug for Departition<P, R, E, M, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Departition").field("reduce", &self.reduce).finish_non_exhaustive()
    }
}
