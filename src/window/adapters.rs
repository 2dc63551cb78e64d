//! What windows are made of: their kinds, the lanes that place items, and the traits that these have.
//!
//! Users meet them in the types of windows and flows, and need not name them.

pub use super::count::Count;
pub use super::fixed::{Fixed, OneSpan};
pub use super::fixed_by_clock::FixedByClock;
pub use super::global::Globally;
pub use super::lane::InWindowsLane;
pub use super::late::{Counted, LateItems, SideOutput};
pub use super::periodic::Periodic;
pub use super::row::{Aligned, Lookup};
pub use super::session::Sessions;
pub use super::session_by_clock::SessionsByClock;
pub use super::sliding::{Sliding, SomeSpans};
pub use super::stream_window::WindowedStream;
pub use super::trigger::{Act, AtEnd, Custom, Every, NotesChanges, Triggering};
pub use super::window::{AlignedKind, ClockTimed, EventTimed, FillsGaps};
