use super::tasks::Tasks;
use crate::demand::Demand;
use crate::lane::Lane;
use crate::window::{Places, Signal};
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

/// What a flow will run: the lanes of its last layer, and how to build them and all that feeds them.
///
/// Plans are nested like iterator adapters: `Op<Op<Source<…>>>`. Users meet them in type names only.
#[diagnostic::on_unimplemented(
    message = "this flow cannot be read yet: `{Self}` says nothing of what comes out",
    note = "the state of a `reduce` is emitted item by item, so it must be something to iterate over; \
            for the states themselves call `emit_state` behind the `reduce`",
    note = "behind a `window` comes a `reduce`, or another operator that brings items together"
)]
pub trait Plan: Layered {
    /// What comes out of the flow.
    type Item;
    /// What a lane of the last layer is.
    type Lane: Lane<Item = Self::Item>;

    /// Builds the lanes of the last layer, and starts the tasks of the layers above it.
    #[doc(hidden)]
    fn build(self, tasks: &mut Tasks) -> Vec<Self::Lane>;

    /// How many items will come out, as far as that is known before it runs.
    #[doc(hidden)]
    fn size_hint(&self) -> (usize, Option<usize>);
}

/// Something with a last layer that can be set up.
pub trait Layered {
    /// The settings of the last layer.
    #[doc(hidden)]
    fn settings(&mut self) -> &mut Settings;
}

/// A layer that takes operators that work item by item, and can be reduced: without a window, or behind one.
///
/// A `reduce`, `emit_state` or `combine` closes a layer. What comes out is read as a `Stream`, or goes into the next
/// layer:
/// ```
/// use gen_stage::prelude::*;
///
/// # tokio_test::block_on(async {
/// let sums = Flow::from_iter(0..9).lanes(1).reduce(|| 0, |sum, n| *sum += n).emit_state();
/// assert_eq!(sums.shuffle().lanes(1).map(|sum: u32| sum + 1).collect::<Vec<_>>().await, [37]);
/// # });
/// ```
/// Nothing else compiles, neither a mapper nor a second `reduce` behind the first:
/// ```compile_fail,E0277
/// use gen_stage::prelude::*;
///
/// let sums = Flow::from_iter(0..9).reduce(|| 0, |sum, n| *sum += n).emit_state().map(|sum: u32| sum + 1);
/// ```
/// ```compile_fail,E0277
/// use gen_stage::prelude::*;
///
/// let twice = Flow::from_iter(0..9).reduce(Vec::new, Vec::push).reduce(Vec::new, Vec::push);
/// ```
#[diagnostic::on_unimplemented(
    message = "the layer of this flow is closed: `{Self}` takes no more operators",
    label = "this operator comes after a `reduce`, `emit_state`, `on_trigger` or `combine`",
    note = "put it before the `reduce`, or open the next layer first with `partition`, `partition_by` or `shuffle`; \
            for the adapter of this name of `StreamExt`, leave the flow with `into_stream`"
)]
pub trait Reducible: Layered {
    /// What the next operator is given.
    type In;
    /// In which windows an item can be.
    type Places: Places;
    /// What names a window.
    type Id;
    /// What a lane is for a `reduce`.
    type Feed: Lane<Item = Signal<Self::In, Self::Places, Self::Id>>;

    /// Builds the lanes, and starts the tasks of the layers above them.
    #[doc(hidden)]
    fn feed(self, tasks: &mut Tasks) -> Vec<Self::Feed>;
}

/// A plan whose last layer takes further operators, of every kind: it is not closed by a `reduce`, and has no window.
#[diagnostic::on_unimplemented(
    message = "the layer of this flow is closed: `{Self}` does not take this operator",
    label = "this operator comes after a `reduce` or a `window`",
    note = "put it before these, or open the next layer first with `partition`, `partition_by` or `shuffle`"
)]
pub trait OpenLayer: Plan + Reducible<In = Self::Item> {}

/// Makes a plan an open layer without windows.
macro_rules! open_layer {
    ([$($generics:tt)*] $plan:ty $(where $($bounds:tt)*)?) => {
        impl<$($generics)*> $crate::flow::OpenLayer for $plan $(where $($bounds)*)? {}

        impl<$($generics)*> $crate::flow::Reducible for $plan $(where $($bounds)*)? {
            type In = <Self as $crate::flow::Plan>::Item;
            type Places = $crate::window::Whole;
            type Id = $crate::window::Global;
            type Feed = $crate::window::Unwindowed<<Self as $crate::flow::Plan>::Lane>;

            fn feed(self, tasks: &mut $crate::flow::Tasks) -> Vec<Self::Feed> {
                $crate::window::Unwindowed::each($crate::flow::Plan::build(self, tasks))
            }
        }
    };
}

pub(crate) use open_layer;

/// A plan whose last layer has no operators yet, so that batches are still as they crossed.
#[diagnostic::on_unimplemented(
    message = "`map_batch` comes first in a layer, before any operator that works item by item",
    label = "the batches of this layer are already taken apart",
    note = "move it right behind the source, `partition…` or `shuffle`, or open a new layer with one of these"
)]
pub trait LayerStart: OpenLayer {}

/// What can be set for one layer.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    lanes: Option<NonZeroUsize>,
    pub(super) demand: Demand,
}

impl Settings {
    /// As many lanes as set, or as there are cores.
    pub(super) fn lanes(&self) -> usize {
        self.lanes.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }

    /// As many lanes as set, if that was.
    pub(super) fn lanes_set(&self) -> Option<usize> {
        self.lanes.map(NonZeroUsize::get)
    }

    /// The same for a layer of one lane.
    pub(super) fn one_lane(self) -> Self {
        Self { lanes: Some(NonZeroUsize::MIN), ..self }
    }

    #[track_caller]
    pub(super) fn set_lanes(&mut self, lanes: usize) {
        self.lanes = NonZeroUsize::new(lanes);
        assert!(self.lanes.is_some(), "lanes must be at least 1, given 0");
    }
}
