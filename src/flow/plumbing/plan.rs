use crate::demand::Demand;
use crate::dispatch::adapters::Route;
use crate::flow::plumbing::envelope::Envelope;
use crate::flow::plumbing::place::Layer;
use crate::flow::plumbing::serial_step::SerialStep;
use crate::flow::plumbing::tasks::Tasks;
use crate::lane::{Inlet, Lane};
use crate::sealed::Sealed;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

/// What a flow will run: what comes out of its last layer, and how to build that layer and all that feeds it.
///
/// Plans are nested like iterator adapters: `Op<Op<Source<…>>>`. Users meet them in type names only; in bounds of their
/// own they name [`Flowing`](crate::flow::Flowing) and its like.
pub trait Plan: Layered {
    /// What comes out of the flow, or goes to the next operator.
    type Item;
    /// The [`Envelope`] in which an operator after this one gets its items;
    /// [`ClosedLayer`](crate::flow::adapters::ClosedLayer) when none may come after it.
    type Carries;

    /// How many items will come out, as far as that is known before it runs.
    #[doc(hidden)]
    fn size_hint(&self) -> (usize, Option<usize>);
}

/// A plan whose lanes can carry their items in `E`.
///
/// An operator that works item by item implements this for every envelope that its upstream implements it for.
#[diagnostic::on_unimplemented(
    message = "what comes out of `{Self}` is not `{E}`",
    label = "needs a flow whose items come `{E}`",
    note = "`Bare` items are read, partitioned, shuffled, merged. After a `window` comes a `reduce`, or another operator \
            that brings items together, and then these",
    note = "`Numbered` items are brought back into source order by `ordered`. The order is lost in the operator that is \
            named above: put `ordered` before it. It is kept by operators that work item by item, by `map_async`, \
            `batch`, `throttle`, `dead_letters`, `keep_newest` and `shuffle`; not by `partition…`, `merge`, \
            `per_lane`, `map_batch`, a window, a join, `reduce` or `combine`"
)]
pub trait Build<E: Envelope>: Plan {
    /// What a lane of the last layer is.
    type Lane: Lane<Item = E::Of<Self::Item>>;

    /// Builds the lanes of the last layer, one after the other, and starts the tasks of the layers above it. `to` takes
    /// each lane.
    ///
    /// They do not come in a vector: users' crates would compile all of its methods for the lanes of each operator.
    #[doc(hidden)]
    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>);

    /// The same, for what needs all lanes at once.
    #[doc(hidden)]
    fn build_all(self, tasks: &mut Tasks) -> Vec<Self::Lane>
    where
        Self: Sized,
    {
        let mut lanes = Vec::new();
        self.build(tasks, &mut |_, lane| lanes.push(lane));
        lanes
    }

    /// The same with `step` done by the one task that reads the source, so that it goes by the order of the source.
    /// Gives both back if there is no such task, or if operators are between it and the lanes.
    #[doc(hidden)]
    fn build_at_source<U, Op>(
        self,
        step: Op,
        _tasks: &mut Tasks,
        _to: To<'_, Inlet<E::Of<U>>>,
    ) -> Result<(), (Self, Op)>
    where
        Self: Sized,
        U: Send + 'static,
        Op: SerialStep<Self::Item, Out = U> + Send + 'static,
    {
        Err((self, step))
    }
}

/// Takes the lanes of a plan one by one, in order.
pub(in crate::flow) type To<'a, L> = &'a mut dyn FnMut(&Tasks, L);

/// Something with a last layer that can be set up.
pub trait Layered: Sealed {
    /// The settings of the last layer.
    #[doc(hidden)]
    fn settings(&mut self) -> &mut Settings;

    /// Leaves the last layer out if it has no operators and its lanes were not set: what comes next takes the items
    /// straight from the source.
    #[doc(hidden)]
    fn pass_through(&mut self) {}
}

/// A plan whose last layer has no operators yet, so that batches are still as they crossed.
#[diagnostic::on_unimplemented(
    message = "`map_batch` comes first in a layer, before any operator that works item by item",
    label = "the batches of this layer are already taken apart",
    note = "move it right after the source, `partition…` or `shuffle`, or open a new layer with one of these"
)]
pub trait LayerStart: Plan {}

/// The most lanes of a layer.
const MOST_LANES: usize = 1 << 17;

/// A layer whose lanes are chosen by the hash of a key.
///
/// That is what `partition`, `partition_by`, `partition_by_ref`, joins and `combine` open.
#[diagnostic::on_unimplemented(
    message = "the lanes of `{Self}` are not chosen by a hash",
    label = "`hash_seed` comes right after `partition`, `partition_by`, `partition_by_ref`, a join or `combine`"
)]
pub trait Hashed: Layered {}

/// What can be set for one layer.
#[derive(Debug, Clone)]
pub struct Settings {
    lanes: Option<NonZeroUsize>,
    passes_through: bool,
    seed: Option<u64>,
    pub(in crate::flow) demand: Demand,
    pub(in crate::flow) layer: Layer,
}

impl Settings {
    /// Nothing is set yet.
    pub(in crate::flow) fn of(layer: Layer) -> Self {
        Self { lanes: None, passes_through: false, seed: None, demand: Demand::default(), layer }
    }

    /// As many lanes as set, or as there are cores.
    pub(in crate::flow) fn lanes(&self) -> usize {
        self.lanes.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }

    /// How many lanes the layer has over `sources` sources: at most `sources` if the layer is left out.
    pub(in crate::flow) fn lanes_over(&self, sources: usize) -> usize {
        if self.passes_through { self.lanes().min(sources) } else { self.lanes() }
    }

    /// Leaves the layer out, unless its lanes were set.
    pub(in crate::flow) fn pass_through(&mut self) {
        self.passes_through = self.lanes.is_none();
    }

    /// The number of lanes that was set, if any.
    pub(in crate::flow) fn lanes_set(&self) -> Option<usize> {
        self.lanes.map(NonZeroUsize::get)
    }

    /// The same settings for a layer of one lane.
    pub(in crate::flow) fn one_lane(self) -> Self {
        Self { lanes: Some(NonZeroUsize::MIN), ..self }
    }

    pub(in crate::flow) fn set_seed(&mut self, seed: u64) {
        self.seed = Some(seed);
    }

    /// Gives a route the seed of this layer, if one was set.
    pub(in crate::flow) fn seed<T>(&self, route: &mut impl Route<T>) {
        if let Some(seed) = self.seed {
            route.seed(seed);
        }
    }

    #[track_caller]
    pub(in crate::flow) fn set_lanes(&mut self, lanes: usize) {
        self.lanes = NonZeroUsize::new(lanes);
        assert!(self.lanes.is_some(), "lanes must be at least 1, given 0");
        assert!(lanes <= MOST_LANES, "lanes must be at most {MOST_LANES}, each a task, given {lanes}");
    }
}
