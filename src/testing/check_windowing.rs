use super::reader::run;
use super::stories::tell_all;
use super::windowing_story::WindowingStory;
use crate::window::{Window, Windowing};

/// Checks that a kind of window of yours keeps its [contract](Windowing).
///
/// `window` makes it: [`Window::custom`] with your kind, or one of this crate's. `item` makes the items, of numbers that
/// rise most of the time, by up to 20, and sometimes fall: they can be times, and keys too. A thousand stories are told: items
/// come on two lanes, each of which has a clone of the kind, as in a flow; time passes; the input pauses, or ends. The calls
/// come in the order of the trait. What the window has besides the kind, its triggers and its output of late items, is not
/// looked at.
///
/// # Panics
/// When it is called in a task, as in a `#[tokio::test]`. And at the first broken promise, with what happened up to then, and
/// how to [repeat it](super#a-story-again):
/// - `place` puts an item into a window that is not open, into one twice, or into none; that is said by `None`;
/// - a window is fired, renamed, merged or closed that is not open: it was closed before, merged into another, or is one of
///   another lane;
/// - windows are merged whose places are not [`Merging`](crate::window::Merging);
/// - `close_next` or `finish_next` fires or closes something and answers `false`: that would wait for the next item;
/// - one of these answers `true` ten thousand times in a row;
/// - after `finish_next` has answered `false`, windows are open: they would never emit;
/// - after `on_time`, the deadline is not later than that time;
/// - one of these methods panics.
///
/// # Examples
/// ```
/// use gen_stage::testing::check_windowing;
/// use gen_stage::window::Window;
/// use std::time::Duration;
///
/// let second = || Window::fixed(Duration::from_secs(1), |time: &i64| *time);
/// check_windowing(second, |number| 100 * number as i64);
/// ```
///
/// # Source
/// The order of calls that the lanes of this crate keep.
#[track_caller]
pub fn check_windowing<T, K, C, O>(window: impl Fn() -> Window<K, C, O>, item: impl Fn(u64) -> T)
where
    K: Windowing<T> + Clone,
{
    tell_all("the kind of window", 1000, 60, |_, steps, plot| {
        run(async { WindowingStory::new(plot, window().kind)?.tell(steps, &item).await })
    });
}
