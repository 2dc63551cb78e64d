use super::item_order::ItemOrder;
use super::operator_story::{OperatorStory, StoryEnding, UnderTest};
use super::reader::run;
use super::source::test_source;
use super::stories::{Plot, tell_all};
use crate::flow::adapters::Source;
use crate::flow::{Flow, Readable, StreamFlow, Topology};
use crate::lane::StreamLane;
use futures_core::Stream;
use std::fmt::Debug;
use std::pin::Pin;

/// The stream of numbers that checks give to what they check: 0, 1, 2 …
///
/// # Examples
/// ```
/// use futures::StreamExt;
/// use gen_stage::testing::{ItemOrder, NumberStream, check_stream};
///
/// let odd = |numbers: NumberStream| numbers.filter(|n| std::future::ready(n % 2 == 1));
/// check_stream(odd, |numbers| numbers.into_iter().filter(|n| n % 2 == 1).collect(), ItemOrder::OfSource);
/// ```
pub type NumberStream = Pin<Box<dyn Stream<Item = u64> + Send>>;

/// The flow of numbers that checks give to operators: 0, 1, 2 …
///
/// # Examples
/// See [`check_operator`].
pub type NumberFlow = Flow<Source<StreamLane<NumberStream>>>;

/// Checks that an operator of yours, a function from a flow to a flow, keeps the promises of all operators.
///
/// `build` puts it on a flow of the numbers 0, 1, 2 …; `model` says what becomes of a list of them. Two hundred stories are
/// told, each with another number of lanes and another demand: the source has items, the flow is read, other tasks run,
/// time passes; then the source ends, or panics, or the flow is dropped, or read no more. The stories are the same in each
/// run of a test. They run in runtimes of their own, on one thread, by a clock that jumps to what is waited for.
///
/// # Panics
/// When it is called in a task, as in a `#[tokio::test]`: a plain `#[test]` is the place for it. And at the first broken
/// promise, with what happened up to then, and how to [repeat it](super#a-story-again):
/// - an item never comes, comes twice, in another order than `order` says, or is not one of the model's;
/// - the flow ends before its source does, unless the model has no more, or does not stay ended;
/// - the source, or the reader, waits for ever: the waker of the last poll is never woken;
/// - the source panics, and the flow ends as if all had come, or panics with something else;
/// - the source is read before the flow is, or polled again after its end;
/// - the flow is dropped, and its source is not, at once;
/// - the reader reads no more, and more is taken from the source than demand allows for: what the edges of the flow hold,
///   times what the model takes for one item, and 256 items more. An operator that yields nothing before its end may take
///   all, and so may a flow with [`conflate`](Flow::conflate) or another by which the source goes on while the reader is
///   slow;
/// - `size_hint` says what does not come true.
///
/// # Examples
/// ```
/// use gen_stage::flow::{Flowing, Readable};
/// use gen_stage::prelude::*;
/// use gen_stage::testing::{ItemOrder, check_operator};
///
/// fn halves(numbers: Flow<impl Flowing<Item = u64>>) -> Flow<impl Readable<Item = u64>> {
///     numbers.filter(|n| n % 2 == 0).map(|n| n / 2)
/// }
///
/// check_operator(halves, |numbers| numbers.into_iter().filter(|n| n % 2 == 0).map(|n| n / 2).collect(), ItemOrder::OfLane);
/// ```
///
/// # Source
/// The suite that the operators of this crate run.
#[track_caller]
pub fn check_operator<P, T>(
    build: impl Fn(NumberFlow) -> Flow<P>,
    model: impl Fn(Vec<u64>) -> Vec<T>,
    order: ItemOrder,
) where
    P: Readable<Item = T>,
    T: Debug + Ord + Send + 'static,
{
    let endings =
        [StoryEnding::Ends, StoryEnding::Ends, StoryEnding::Ends, StoryEnding::Fails, StoryEnding::Dropped];
    tell_all("the operator", 200, 40, |number, steps, plot| {
        // The longest are rare.
        let ending = if number % 20 == 19 { StoryEnding::Unread } else { plot.one_of(&endings) };
        run(tell(plot, &build, &model, steps, ending, order))
    });
}

/// Checks that a panic of an operator of yours reaches the reader of the flow.
///
/// `build` puts it on a flow of the numbers 0, 1, 2 …; at 7, its own code has to panic, with the text `message`. That is told
/// two hundred times, as by [`check_operator`].
///
/// # Panics
/// When it is called in a task; and when the flow ends as if all had come, or with another panic, or does not end.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::testing::{NumberFlow, check_operator_that_panics};
///
/// fn checked(numbers: NumberFlow) -> Flow<impl gen_stage::flow::Readable<Item = u64>> {
///     numbers.inspect(|n| assert!(*n != 7, "no sevens"))
/// }
///
/// # std::panic::set_hook(Box::new(|_| ())); // it panics two hundred times
/// check_operator_that_panics(checked, "no sevens");
/// ```
///
/// # Source
/// The suite that the operators of this crate run.
#[track_caller]
pub fn check_operator_that_panics<P>(build: impl Fn(NumberFlow) -> Flow<P>, message: &'static str)
where
    P: Readable<Item: Debug + Ord>,
{
    tell_all("the operator", 200, 20, |_, steps, plot| {
        run(tell(plot, &build, &|_| Vec::new(), steps, StoryEnding::Panics(message), ItemOrder::Any))
    });
}

/// Tells a story of an operator.
async fn tell<P, T>(
    plot: &mut Plot,
    build: impl Fn(NumberFlow) -> Flow<P>,
    model: &impl Fn(Vec<u64>) -> Vec<T>,
    steps: u64,
    ending: StoryEnding,
    order: ItemOrder,
) -> Result<(), String>
where
    P: Readable<Item = T>,
    T: Debug + Ord + Send + 'static,
{
    let lanes = plot.one_of(&[1, 1, 2, 3]);
    let demand = plot.one_of(&[1, 2, 5, 10]);
    plot.step(format!("{lanes} lanes, demand {demand}"));
    let (source, probe) = test_source();
    let numbers: NumberStream = Box::pin(source);
    let flow = build(numbers.flow().lanes(lanes).demand(demand, demand / 2));
    let on_their_way = held_by(&flow.describe());
    let made = UnderTest { read: Box::pin(flow), is_fused: true, on_their_way };
    let order = if order == ItemOrder::OfLane && lanes > 1 { ItemOrder::Any } else { order };
    OperatorStory::new(plot, probe, made, model).tell(steps, ending, order).await
}

/// What lets the source go on while the reader is slow.
const GOES_ON: [&str; 4] = ["conflate", "keep_newest", "sample", "debounce"];

/// How many items the edges of a flow hold, and the hands of those that send on them.
fn held_by(topology: &Topology) -> usize {
    if topology.layers.iter().any(|layer| GOES_ON.contains(&layer.opened_by.name)) {
        return usize::MAX;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lanes = |layer: &crate::flow::TopologyLayer| layer.lanes.unwrap_or(cores);
    let mut held = 0;
    for layer in &topology.layers {
        let above: usize = layer.fed_by.iter().map(|above| lanes(&topology.layers[*above])).sum();
        held += 2 * above.max(1) * lanes(layer) * layer.demand.max();
    }
    // What the last layer sends to the reader.
    held + topology.layers.last().map_or(0, |layer| 2 * lanes(layer) * layer.demand.max())
}
