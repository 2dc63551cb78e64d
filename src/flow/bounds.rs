//! Names for what operators and users ask of a plan. No plan implements them by hand: a plan that fits has them.

use super::plumbing::envelope::{Bare, Envelope, InWindow, Numbered};
use super::plumbing::plan::{Build, Plan, To};
use super::plumbing::tasks::Tasks;
use crate::lane::Lane;
use crate::reduce::{Places, Signal, UnwindowedLane, Whole};
use crate::window::Global;

/// A flow that takes every operator: the bound for functions, fields and traits of your own.
///
/// What an operator makes of such a flow is one again, so that functions can be chained:
/// ```
/// use gen_stage::prelude::*;
///
/// /// Cleans up what comes in.
/// fn cleaned(flow: Flow<impl Flowing<Item = String>>) -> Flow<impl Flowing<Item = String>> {
///     flow.map(|line| line.trim().to_lowercase()).filter(|line| !line.is_empty())
/// }
///
/// /// Counts equal words.
/// fn counted(flow: Flow<impl Flowing<Item = String>>) -> Flow<impl Readable<Item = (String, u64)>> {
///     flow.flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).partition().count_by(|word| word.clone())
/// }
///
/// # tokio_test::block_on(async {
/// let lines = Flow::from_iter([" The fox", "the DOG ", ""]).map(str::to_owned);
/// let mut counts: Vec<(String, u64)> = counted(cleaned(lines)).collect().await;
/// counts.sort();
/// assert_eq!(counts, [("dog".into(), 1), ("fox".into(), 1), ("the".into(), 2)]);
/// # });
/// ```
///
/// A flow after a `reduce`, or after another operator that ends a layer, is [`Readable`]; one that [`ordered`] can
/// follow is [`InOrder`]. The rows of a join become `Flowing` by `shuffle` or a partition. To choose among flows while
/// the program runs, take the plan out of the type by [`boxed`].
///
/// [`ordered`]: crate::Flow::ordered
/// [`boxed`]: crate::Flow::boxed
pub trait Flowing: Plain<Item: Send + 'static> + Build<Bare, Lane: Send + 'static> + Send + 'static {}

impl<P> Flowing for P where P: Plain<Item: Send + 'static> + Build<Bare, Lane: Send + 'static> + Send + 'static
{}

/// A layer that is open, with items that travel as they are: no window, no `reduce` and no join comes before it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take every operator",
    label = "needs a flow whose layer is open",
    note = "after a `reduce`, `emit_state`, `on_trigger` or `combine` the layer is closed, and after a `window` or a \
            join there are windows: open the next layer first with `partition`, `partition_by` or `shuffle`, or ask for \
            `Readable`"
)]
pub trait Plain: Plan<Carries = Bare> {}

#[diagnostic::do_not_recommend]
impl<P: Plan<Carries = Bare>> Plain for P {}

/// A flow that takes every operator, and [`ordered`](crate::Flow::ordered) too: nothing in it has lost the order of the
/// source.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
///
/// fn doubled(flow: Flow<impl InOrder<Item = u64>>) -> Flow<impl InOrder<Item = u64>> {
///     flow.map(|n| n * 2).filter(|n| n % 3 != 0)
/// }
///
/// # tokio_test::block_on(async {
/// assert_eq!(doubled(Flow::from_iter(1..=4)).ordered().collect::<Vec<_>>().await, [2, 4, 8]);
/// # });
/// ```
///
/// A partition loses that order:
/// ```compile_fail,E0277
/// use gen_stage::prelude::*;
///
/// fn doubled(flow: Flow<impl InOrder<Item = u64>>) -> Flow<impl InOrder<Item = u64>> {
///     flow.map(|n| n * 2).partition()
/// }
/// ```
pub trait InOrder: Flowing + Build<Numbered, Lane: Send + 'static> {}

impl<P> InOrder for P where P: Flowing + Build<Numbered, Lane: Send + 'static> {}

/// A flow that can be read, partitioned, shuffled and merged, even if its layer is closed by a `reduce`.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
///
/// fn sums(flow: Flow<impl Flowing<Item = u64>>) -> Flow<impl Readable<Item = u64>> {
///     flow.reduce(|| 0, |sum, n| *sum += n).emit_state()
/// }
///
/// # tokio_test::block_on(async {
/// let sums: Vec<u64> = sums(Flow::from_iter(1..=9)).collect().await;
/// assert_eq!(sums.iter().sum::<u64>(), 45);
/// # });
/// ```
pub trait Readable: Plan<Item: Send + 'static> + Build<Bare, Lane: Send + 'static> + Send + 'static {}

impl<P> Readable for P where P: Plan<Item: Send + 'static> + Build<Bare, Lane: Send + 'static> + Send + 'static
{}

/// A layer that takes operators that work item by item: without a window, or after one.
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
/// Nothing else compiles, neither a mapper nor a second `reduce` after the first:
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
pub trait Open: Plan<Carries: Envelope> {}

impl<P: Plan<Carries: Envelope>> Open for P {}

/// A layer that takes operators of every kind: it is not closed, and has no window.
#[diagnostic::on_unimplemented(
    message = "the layer of this flow is closed: `{Self}` does not take this operator",
    label = "this operator comes after a `reduce` or a `window`",
    note = "put it before these, or open the next layer first with `partition`, `partition_by` or `shuffle`"
)]
pub trait OpenLayer: Open + Build<Bare> {}

impl<P: Open + Build<Bare>> OpenLayer for P {}

/// A layer that can be reduced: without a window, or after one.
pub trait Reducible: Plan {
    /// In which windows an item can be.
    type Places: Places;
    /// What names a window.
    type Id;
    /// A lane as a `reduce` reads it.
    type Feed: Lane<Item = Signal<Self::Item, Self::Places, Self::Id>>;

    /// Builds the lanes, and starts the tasks of the layers above them.
    #[doc(hidden)]
    fn feed(self, tasks: &mut Tasks, to: To<'_, Self::Feed>);
}

impl<P: Plan<Carries: Reduces<P>>> Reducible for P {
    type Places = <P::Carries as Reduces<P>>::Places;
    type Id = <P::Carries as Reduces<P>>::Id;
    type Feed = <P::Carries as Reduces<P>>::Feed;

    fn feed(self, tasks: &mut Tasks, to: To<'_, Self::Feed>) {
        P::Carries::feed(self, tasks, to);
    }
}

/// Envelopes that a `reduce` can read, in the lanes of `P`: with windows, or without, as one window that never ends.
#[diagnostic::on_unimplemented(
    message = "the layer of this flow is closed: it takes no more operators",
    label = "this operator comes after a `reduce`, `emit_state`, `on_trigger` or `combine`",
    note = "put it before the `reduce`, or open the next layer first with `partition`, `partition_by` or `shuffle`; \
            for the adapter of this name of `StreamExt`, leave the flow with `into_stream`"
)]
pub trait Reduces<P: Plan> {
    /// In which windows an item can be.
    type Places: Places;
    /// What names a window.
    type Id;
    /// A lane as a `reduce` reads it.
    type Feed: Lane<Item = Signal<P::Item, Self::Places, Self::Id>>;

    /// Builds the lanes of the plan.
    #[doc(hidden)]
    fn feed(plan: P, tasks: &mut Tasks, to: To<'_, Self::Feed>);
}

impl<P: Build<Bare>> Reduces<P> for Bare {
    type Places = Whole;
    type Id = Global;
    type Feed = UnwindowedLane<P::Lane>;

    fn feed(plan: P, tasks: &mut Tasks, to: To<'_, Self::Feed>) {
        plan.build(tasks, &mut |tasks, lane| to(tasks, UnwindowedLane::new(lane)));
    }
}

impl<P: Build<InWindow<W, Id>>, W: Places, Id> Reduces<P> for InWindow<W, Id> {
    type Places = W;
    type Id = Id;
    type Feed = P::Lane;

    fn feed(plan: P, tasks: &mut Tasks, to: To<'_, Self::Feed>) {
        plan.build(tasks, to);
    }
}
