use super::check_operator::NumberStream;
use super::lane_story::LaneStory;
use super::reader::run;
use super::source::test_source;
use super::stories::tell_all;
use crate::lane::Lane;
use std::fmt::Debug;

/// Checks that a lane of yours keeps its [contract](Lane#contract).
///
/// `make` makes it over a stream of the numbers 0, 1, 2 …, or over a lane that reads that, as
/// [`StreamLane`](crate::lane::StreamLane) does; `model` says what becomes of a list of them, in this order. Two hundred stories
/// are told: the source has items, and all three faces of the lane are called, in turns: `poll_each` with a closure that
/// breaks or does not, `poll_next`, and `poll_batch`. Each call is with another waker. At the end the source ends, or
/// panics.
///
/// # Panics
/// When it is called in a task, as in a `#[tokio::test]`. And at the first broken promise, with what happened up to then, and
/// how to [repeat it](super#a-story-again):
/// - an item never comes, comes twice, in another order, or is not one of the model's;
/// - the lane ends before its source does, unless the model has no more;
/// - after its end it says something else, panics, or polls its source again;
/// - it is pending, and the waker of that call is never woken;
/// - it goes on after the closure broke, or says that it was stopped when the closure has not broken;
/// - one call takes four thousand items from a source that always has some;
/// - a batch is empty, or longer than its limit;
/// - the source panics, and the lane ends, or panics with something else;
/// - `size_hint` says what does not come true.
///
/// # Examples
/// ```
/// use gen_stage::lane::StreamLane;
/// use gen_stage::testing::check_lane;
///
/// check_lane(|numbers| StreamLane::new(numbers, 500), |numbers| numbers);
/// ```
///
/// # Source
/// The contract that the lanes of this crate have.
#[track_caller]
pub fn check_lane<L>(make: impl Fn(NumberStream) -> L, model: impl Fn(Vec<u64>) -> Vec<L::Item>)
where
    L: Lane<Item: Debug + PartialEq>,
{
    tell_all("the lane", 200, 40, |number, steps, plot| {
        run(async {
            let (source, probe) = test_source();
            let lane = make(Box::pin(source));
            let mut story = LaneStory::new(plot, probe, lane, &model);
            // The longest are rare.
            if number % 20 == 19 {
                return story.take_plenty();
            }
            story.tell(steps).await?;
            story.end(number % 4 == 3).await
        })
    });
}
