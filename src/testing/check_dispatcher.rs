use super::dispatcher_story::DispatcherStory;
use super::stories::tell_all;
use crate::dispatch::Dispatcher;

/// Checks that a dispatcher of yours keeps its [contract](Dispatcher#contract).
///
/// The dispatcher is made a thousand times, and each time lives through another story: subscriptions come, ask and leave, a
/// producer answers what it was asked for, in parts or whole, or has more, and fences are set. The stories are the same in
/// each run of a test. Items are numbers from 0 up. `options` says what the n-th subscription of a story asks for, from 0
/// on; a dispatcher may refuse it.
///
/// # Panics
/// At the first broken promise, with what happened up to then, and how to [repeat it](super#a-story-again):
/// - a subscription was sent more than it had asked for, one item twice, or something after it had left;
/// - items were handed back in another order, or others than those at the end of what was given;
/// - an item is nowhere: not sent, handed back, [held](Dispatcher::held) or [counted as dropped](crate::dispatch::Deliveries::discard);
/// - the producer was asked for more than all subscriptions have asked for and not got, with those that have left and with
///   what is held;
/// - each subscription wants more, and no demand is passed up;
/// - the producer is asked a thousand times, or a buffered item is asked for and handed back a thousand times;
/// - a fence passes while items that were held before it still are, after another that was set later, or never, although
///   each subscription wants more and all that was asked for has come.
///
/// An item that is held for several subscriptions counts as held once, until the last of them has it. A dispatcher that
/// drops nearly all items asks for more again and again, and does not pass.
///
/// # Examples
/// ```
/// use gen_stage::dispatch::{ByDemand, Partition, PartitionName};
/// use gen_stage::testing::check_dispatcher;
///
/// check_dispatcher(ByDemand::new, |_| ());
/// check_dispatcher(|| Partition::hash(3), |number| PartitionName::new(number % 3));
/// ```
///
/// # Source
/// The property test that the dispatchers of this crate have.
#[track_caller]
pub fn check_dispatcher<D>(make: impl Fn() -> D, options: impl Fn(usize) -> D::Options)
where
    D: Dispatcher<u64>,
{
    tell_all("the dispatcher", 1000, 100, |number, steps, plot| {
        let mut story = DispatcherStory::new(make(), number % 2 == 1, plot);
        story.tell(steps, &options)?;
        story.end()
    });
}
