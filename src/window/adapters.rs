//! What windows are made of: their kinds, the lanes that place and reduce items, and the traits that these have.
//!
//! Users meet them in the types of windows and flows, and need not name them.

pub use super::count::Count;
pub use super::emit::{Emit, Items, Nothing, OnTrigger, State};
pub use super::fixed::{Fixed, OneSpan};
pub use super::global::Globally;
pub use super::lane::Windowed;
pub use super::late::{Counted, LateItems, SideOutput};
pub use super::merge::{MergeBy, MergeStates, Never};
pub use super::periodic::Periodic;
pub use super::placed::Placed;
pub use super::places::{Copies, Places, Settled, Spread, Whole};
pub use super::reduced::Reduced;
pub use super::reducer::{EmitAndFold, Fold, Keeps, Reducer};
pub use super::row::{Found, Row};
pub use super::session::Sessions;
pub use super::signal::{Fire, Signal};
pub use super::sliding::{Sliding, SomeSpans};
pub use super::states::{One, Slab, States};
pub use super::stream_window::WindowedStream;
pub use super::trigger::{Act, AtEnd, Custom, Every, Triggering};
pub use super::whole::Unwindowed;
pub use super::window::{EventTimed, Rows};
