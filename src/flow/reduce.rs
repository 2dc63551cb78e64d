use super::bounds::Reducible;
use super::flow::Flow;
use super::plumbing::envelope::{Bare, ClosedLayer};
use super::plumbing::plan::{Build, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::reduce::{
    Emit, EmitState, Fold, Items, KeepsState, MergeStates, Never, ReduceLane, ReduceRules, Reducer, Spread,
};
use crate::sealed::Sealed;
use std::fmt;

/// # Items brought together
///
/// A `reduce` or its like closes the layer: what comes out is read, or goes into the next layer.
impl<P> Flow<P> {
    /// Folds the items of each lane, or of each window, into a state; at its end, the items of the state come out.
    ///
    /// `init` makes a state: without windows one for each lane, also for a lane that gets no item. After a partition,
    /// everything with one key is in one lane. What comes out are the items of the state, for example the entries of a
    /// `HashMap`; for states themselves use [`emit_state`](Flow::emit_state), for anything else
    /// [`on_trigger`](Flow::on_trigger). A layer takes one `reduce`, after all other operators; `partition` or
    /// `shuffle` open the next.
    ///
    /// After a [`window`](Flow::window) each window has a state of its own. When a trigger goes off before the window
    /// is done, a clone of the state comes out, and the state is kept.
    ///
    /// # Demand
    /// Takes all its input once it is asked for anything, and emits only as much as is asked.
    ///
    /// # Ordering
    /// What windows emit comes out in the order of the items that caused it.
    ///
    /// # Panics
    /// A panic in `init` or `f` ends the flow with that panic; no state comes out.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::collections::BTreeSet;
    ///
    /// # tokio_test::block_on(async {
    /// let sorted = Flow::from_iter([3, 1, 2, 3])
    ///     .lanes(1)
    ///     .reduce(BTreeSet::new, |set, n| _ = set.insert(n));
    /// assert_eq!(sorted.collect::<Vec<_>>().await, [1, 2, 3]);
    /// # });
    /// ```
    ///
    /// A state that cannot be iterated over needs `emit_state`:
    /// ```compile_fail
    /// use gen_stage::prelude::*;
    ///
    /// let sums = Flow::from_iter([3, 1, 2]).reduce(|| 0, |sum, n| *sum += n).collect::<Vec<u32>>();
    /// ```
    ///
    /// # Source
    /// `Flow.reduce/3`. The state is changed in place, not returned.
    #[track_caller]
    pub fn reduce<S, I, F>(self, init: I, f: F) -> Flow<Reduce<P, Fold<I, F>>>
    where
        P: Reducible,
        I: FnMut() -> S + Clone,
        F: FnMut(&mut S, P::Item) + Clone,
    {
        self.reduce_by("reduce", Fold { init, f })
    }

    /// Puts a reducer at the end of the layer.
    #[track_caller]
    pub(super) fn reduce_by<R: KeepsState>(self, name: &'static str, reducer: R) -> Flow<Reduce<P, R>>
    where
        P: Reducible,
    {
        self.operator(name, |upstream| Reduce { upstream, reducer, emit: Items, merge: Never })
    }
}

impl<P, R, M> Flow<Reduce<P, R, Items, M>> {
    /// Makes each state the item that comes out, instead of the items of the state.
    ///
    /// With windows, a trigger that goes off before the window is done emits a clone of the state.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let sum = Flow::from_iter(1..=4).lanes(1).reduce(|| 0, |sum, n| *sum += n).emit_state();
    /// assert_eq!(sum.collect::<Vec<u32>>().await, [10]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.emit(:state)`.
    #[track_caller]
    pub fn emit_state(self) -> Flow<Reduce<P, R, EmitState, M>> {
        self.emit_by("emit_state", EmitState)
    }

    /// Says what comes out at triggers.
    #[track_caller]
    pub(super) fn emit_by<E>(self, name: &'static str, emit: E) -> Flow<Reduce<P, R, E, M>> {
        self.operator(name, |reduce| Reduce {
            upstream: reduce.upstream,
            reducer: reduce.reducer,
            emit,
            merge: reduce.merge,
        })
    }
}

/// The plan behind [`Flow::reduce`]: how items are reduced, what comes out, and how states are merged.
#[must_use = "operators do nothing until the flow is read"]
pub struct Reduce<P, R, E = Items, M = Never> {
    pub(super) upstream: P,
    pub(super) reducer: R,
    pub(super) emit: E,
    pub(super) merge: M,
}

impl<P, R, E, M> Sealed for Reduce<P, R, E, M> {}

impl<P: Layered, R, E, M> Layered for Reduce<P, R, E, M> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P, R, E, M> Plan for Reduce<P, R, E, M>
where
    P: Reducible<Places: Spread<P::Item>>,
    R: Reducer<P::Item, E::Item> + Clone,
    E: Emit<<R as KeepsState>::State, P::Places, P::Id> + Clone,
    M: MergeStates<R::State, P::Places> + Clone,
{
    type Item = E::Item;
    type Carries = ClosedLayer;

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<P, R, E, M> Build<Bare> for Reduce<P, R, E, M>
where
    P: Reducible<Places: Spread<P::Item>>,
    R: Reducer<P::Item, E::Item> + Clone,
    E: Emit<<R as KeepsState>::State, P::Places, P::Id> + Clone,
    M: MergeStates<R::State, P::Places> + Clone,
{
    type Lane = ReduceLane<P::Feed, R, E, M, P::Item, P::Places, P::Id>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        let mut lanes = Vec::new();
        self.upstream.feed(tasks, &mut |_, lane| lanes.push(lane));
        let all = lanes.len();
        for (at, lane) in lanes.into_iter().enumerate() {
            let rules = ReduceRules {
                reducer: self.reducer.clone(),
                emit: self.emit.clone(),
                merge: self.merge.clone(),
                lane: (at, all),
            };
            to(tasks, ReduceLane::new(lane, rules));
        }
    }
}

impl<P: fmt::Debug, R, E, M> fmt::Debug for Reduce<P, R, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reduce").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
