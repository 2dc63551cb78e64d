use super::check_operator::NumberStream;
use super::item_order::ItemOrder;
use super::operator_story::{OperatorStory, StoryEnding, UnderTest};
use super::reader::run;
use super::source::test_source;
use super::stories::tell_all;
use futures_core::Stream;
use std::fmt::Debug;

/// Checks that an adapter of yours, a function from a stream to a stream, keeps the promises of all adapters.
///
/// `build` puts it on a stream of the numbers 0, 1, 2 …; `model` says what becomes of a list of them, in this order unless
/// `order` is [`ItemOrder::Any`]. Such an adapter can stand alone, or on the lanes of a flow by
/// [`per_lane`](crate::Flow::per_lane). Two hundred stories are told, as by [`check_operator`](super::check_operator); each
/// poll is with another waker.
///
/// # Panics
/// When it is called in a task, as in a `#[tokio::test]`. And at the first broken promise, with what happened up to then, and
/// how to [repeat it](super#a-story-again). The promises are those of [`check_operator`](super::check_operator), with two
/// differences: after its end a stream is not polled again; and of a source that always has items, an adapter that yields
/// something may take as many as the model takes for that, and 256 more.
///
/// # Examples
/// ```
/// use futures::{Stream, StreamExt};
/// use gen_stage::testing::{ItemOrder, check_stream};
///
/// fn pairs(numbers: impl Stream<Item = u64>) -> impl Stream<Item = Vec<u64>> {
///     numbers.chunks(2)
/// }
///
/// check_stream(pairs, |numbers| numbers.chunks(2).map(<[u64]>::to_vec).collect(), ItemOrder::OfSource);
/// ```
///
/// # Source
/// The suite that the operators of this crate run.
#[track_caller]
pub fn check_stream<S, T>(
    build: impl Fn(NumberStream) -> S,
    model: impl Fn(Vec<u64>) -> Vec<T>,
    order: ItemOrder,
) where
    S: Stream<Item = T> + 'static,
    T: Debug + Ord,
{
    let endings =
        [StoryEnding::Ends, StoryEnding::Ends, StoryEnding::Ends, StoryEnding::Fails, StoryEnding::Dropped];
    tell_all("the adapter", 200, 40, |number, steps, plot| {
        // The longest are rare.
        let ending = if number % 20 == 19 { StoryEnding::Unread } else { plot.one_of(&endings) };
        run(async {
            let (source, probe) = test_source();
            let made =
                UnderTest { read: Box::pin(build(Box::pin(source))), is_fused: false, on_their_way: 0 };
            OperatorStory::new(plot, probe, made, &model).tell(steps, ending, order).await
        })
    });
}
