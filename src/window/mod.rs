//! Windows: slices of a stream, each reduced by itself, and the rules for when they emit.
//!
//! A [`Window`] says to which window an item belongs, when a window emits (its triggers) and what becomes of items that
//! are too late. In a flow it comes in front of a [`reduce`](crate::Flow::reduce), with operators between them if
//! need be; [`StreamWindow`] puts it over any other `Stream`.
//!
//! ```text
//!  items ── window ── map, filter … ── reduce ── on_trigger ── what windows emit
//!           │                          │
//!           which windows?             a state for each open window
//!           fire? done? too late?
//! ```
//!
//! ```
//! use gen_stage::prelude::*;
//! use std::time::Duration;
//!
//! # tokio_test::block_on(async {
//! // Users, and when they clicked, in milliseconds.
//! let clicks = [("anna", 500), ("bert", 900), ("anna", 1_500)];
//! let second = Window::fixed(Duration::from_secs(1), |click: &(&str, i64)| click.1);
//! let counts = Flow::from_iter(clicks)
//!     .lanes(1)
//!     .window(second)
//!     .reduce(|| 0, |count, _click| *count += 1)
//!     .on_trigger(|count, info| [(info.window.start, *count)]);
//! assert_eq!(counts.collect::<Vec<(i64, u32)>>().await, [(0, 2), (1000, 1)]);
//! # });
//! ```
//!
//! | to | use |
//! |---|---|
//! | cut by a time that items carry | [`fixed`](Window::fixed), [`sliding`](Window::sliding), [`session`](Window::session) |
//! | cut by the clock | [`fixed_by_clock`](Window::fixed_by_clock), [`session_by_clock`](Window::session_by_clock), [`periodic`](Window::periodic) |
//! | cut by number, or not at all | [`count`](Window::count), [`global`](Window::global) |
//! | cut by a rule of your own | [`Windowing`] and [`custom`](Window::custom) |
//! | emit before a window is done | [`every`](Window::every), [`periodically`](Window::periodically), [`periodically_if_changed`](Window::periodically_if_changed), [`triggered_by`](Window::triggered_by), [`trigger`](Window::trigger) |
//! | take items that come late | [`allowed_lateness`](Window::allowed_lateness), [`allowed_lateness_by_clock`](Window::allowed_lateness_by_clock) |
//! | see items that came too late | [`late_output`](Window::late_output), [`count_late`](Window::count_late), [`Flow::late`](crate::Flow::late) |
//! | not wait for a source that pauses | [`idle_after`](Window::idle_after) |
//! | not follow a clock that is wrong | [`max_ahead`](Window::max_ahead) |
//! | have what comes out name its window | [`Flow::with_window`](crate::Flow::with_window), [`Flow::on_trigger`](crate::Flow::on_trigger) |
//! | write no types in closures | [`Flow::window_by`](crate::Flow::window_by) |
//! | have empty windows emit | [`fill_gaps`](Window::fill_gaps) |
//!
//! # Time
//! Windows of event time go by a time that items carry. They are done when the *watermark* passes their end. Every lane
//! has a watermark of its own. Each upstream of the lane (a lane of the layer above, or a source) has got as far as the
//! highest time that it has sent to this lane, and the watermark is where the slowest of them is. An upstream that has
//! ended does not hold the watermark back, nor does one that is [idle](Window::idle_after). An upstream that has sent
//! nothing yet does: so after a partition with few keys, windows may wait until the end of input, or for `idle_after`.
//!
//! Operators that pass an item on before they take the next keep upstreams apart. After one that holds items back or
//! may change their order (`map_async` and its like, `batch`, `per_lane`, `ordered`, a join) it is not known where an
//! item came from: all count as one upstream. If several were brought together before, what the slower ones send is
//! late. Put the window in front of such an operator, or have one upstream there, or allow enough lateness.
//!
//! Items are late when the watermark has passed their windows, and the [allowed lateness](Window::allowed_lateness) is
//! over too: they are counted, or go to an [output of their own](Window::late_output), and never into another window.
//!
//! Windows by the clock go by when items come, and so none is late. Their time is that of tokio's clock, which tests
//! can pause: [`fixed_by_clock`](Window::fixed_by_clock) says how that goes with the time of day.

// First the modules that the page of `Window` shows, in its order: rustdoc follows the order of the modules.
// Kinds of windows.
mod fixed;
mod sliding;

mod session;

mod count;
mod periodic;

mod fixed_by_clock;
mod session_by_clock;

mod global;

// The type, and when windows emit.
#[allow(clippy::module_inception, reason = "the type of the module; this file only declares and explains")]
mod window;

// Late items.
mod late_output;

pub mod adapters;
mod clock;
mod lane;
mod late;
mod open_windows;
mod placing;
mod row;
mod spans;
mod stream_window;
mod time;
mod trigger;
mod triggers;
mod wall_clock;
mod watermark;
mod windowing;

pub use crate::reduce::{Global, Info, Merging, Several, Single, Slot, Trigger};
pub use late::Late;
pub use open_windows::OpenWindows;
#[cfg(feature = "testing")]
pub(crate) use open_windows::WindowEvent;
pub use session::Session;
pub use spans::Span;
pub use stream_window::StreamWindow;
pub use time::EventTime;
pub use trigger::Acts;
pub use triggers::Triggers;
pub use window::Window;
#[cfg(feature = "testing")]
pub(crate) use windowing::Sought;
pub use windowing::Windowing;

#[doc(hidden)]
#[deprecated(note = "is called `OpenWindows` now")]
pub type Desk<Id> = OpenWindows<Id>;
