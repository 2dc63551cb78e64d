use super::open_windows::OpenWindows;
use crate::reduce::Places;
use tokio::time::Instant;

/// Says to which windows items belong, and when these are done: what a kind of window is.
///
/// One value works for one lane. Everything it does to windows goes through the [`OpenWindows`]: what it opens is
/// numbered by slots, what it closes emits. The calls come in this order: [`start`](Windowing::start) once; then for
/// each item [`place`](Windowing::place) and, after the item, [`close_next`](Windowing::close_next) until that answers
/// `false`; [`on_time`](Windowing::on_time) when [`deadline`](Windowing::deadline) has passed; and at the end of input
/// [`finish_next`](Windowing::finish_next) until that answers `false`.
///
/// With the feature `testing`, `testing::check_windowing` tells whether a kind of your own does its part.
///
/// # Examples
/// Windows that end where an item says so.
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::window::{OpenWindows, Single, Slot, Window, Windowing};
///
/// #[derive(Clone, Default)]
/// struct Sentences {
///     number: u64,
///     open: Option<Slot>,
///     ended: bool,
/// }
///
/// impl Windowing<&str> for Sentences {
///     type Id = u64;
///     type Places = Single;
///
///     fn place(&mut self, word: &&str, windows: &mut OpenWindows<u64>) -> Option<Single> {
///         let slot = *self.open.get_or_insert_with(|| windows.open(self.number, self.number as i64));
///         self.ended = word.ends_with('.');
///         Some(Single::new(slot))
///     }
///
///     fn close_next(&mut self, windows: &mut OpenWindows<u64>) -> bool {
///         std::mem::take(&mut self.ended) && self.finish_next(windows)
///     }
///
///     fn finish_next(&mut self, windows: &mut OpenWindows<u64>) -> bool {
///         let Some(slot) = self.open.take() else { return false };
///         windows.close(slot);
///         self.number += 1;
///         true
///     }
/// }
///
/// # tokio_test::block_on(async {
/// let sentences = Flow::from_iter(["It", "rains.", "It", "pours.", "Still"])
///     .lanes(1)
///     .window(Window::custom(Sentences::default()))
///     .reduce(Vec::new, Vec::push)
///     .on_trigger(|words, info| [(info.window, words.join(" "))]);
/// let sentences: Vec<(u64, String)> = sentences.collect().await;
/// assert_eq!(sentences, [(0, "It rains.".into()), (1, "It pours.".into()), (2, "Still".into())]);
/// # });
/// ```
///
/// # Source
/// The kinds of `Flow.Window`, which cannot be extended there.
pub trait Windowing<T> {
    /// What names a window.
    type Id: Clone;
    /// In how many windows an item can be: [`Single`](super::Single), [`Several`](super::Several) or
    /// [`Merging`](super::Merging).
    type Places: Places;

    /// Opens the windows that are open before the first item.
    fn start(&mut self, windows: &mut OpenWindows<Self::Id>) {
        let _ = windows;
    }

    /// Says where an item belongs; `None` when it is too late for all its windows, or
    /// [too far ahead](OpenWindows::saw).
    ///
    /// What is fired, closed or merged here comes out before the item goes in.
    fn place(&mut self, item: &T, windows: &mut OpenWindows<Self::Id>) -> Option<Self::Places>;

    /// The same, told apart where the item changes nothing else.
    #[doc(hidden)]
    #[inline]
    fn seek(&mut self, item: &T, windows: &mut OpenWindows<Self::Id>) -> Sought<Self::Places> {
        Sought::Placed(self.place(item, windows))
    }

    /// Whether [`seek_run`](Windowing::seek_run) may find something.
    #[doc(hidden)]
    const RUNS: bool = false;

    /// Counts the items at the front that go where the last item went and change nothing else. Returns their number and
    /// their places, or `None` if there are none.
    #[doc(hidden)]
    #[inline]
    fn seek_run(&mut self, items: &[T]) -> Option<(usize, Self::Places)> {
        let _ = items;
        None
    }

    /// Tells the watermark of the items that changed nothing else: before it is read, and before another upstream sends.
    #[doc(hidden)]
    #[inline]
    fn settle(&mut self, windows: &mut OpenWindows<Self::Id>) {
        let _ = windows;
    }

    /// Another upstream sends from now on.
    #[doc(hidden)]
    fn turned(&mut self, windows: &mut OpenWindows<Self::Id>) {
        let _ = windows;
    }

    /// Fires or closes the next window that is due; `false` when there is none.
    ///
    /// One at a time, so that a long row of them takes no memory.
    fn close_next(&mut self, windows: &mut OpenWindows<Self::Id>) -> bool;

    /// Closes the next of the windows that are still open; `false` when there is none.
    ///
    /// Called at the end of input, and when all upstreams are idle, after which there may be more items.
    fn finish_next(&mut self, windows: &mut OpenWindows<Self::Id>) -> bool;

    /// Until when to wait before [`on_time`](Windowing::on_time) is called; `None` for ever.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The time of [`deadline`](Windowing::deadline) has come.
    ///
    /// After it, [`close_next`](Windowing::close_next) is called until it answers `false`. Then the deadline is later than
    /// `now`.
    fn on_time(&mut self, now: Instant, windows: &mut OpenWindows<Self::Id>) {
        let _ = (now, windows);
    }
}

/// Where an item belongs.
#[doc(hidden)]
#[derive(Debug)]
pub enum Sought<P> {
    /// Where the item before it was, and all is as before: nothing opens, is due or late. The watermark is not told yet.
    Quiet(P),
    Placed(Option<P>),
}
