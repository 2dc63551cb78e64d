//! What brings items together: states by their windows, and what comes out of them.
//!
//! A lane of signals says, in order, in which windows each item belongs and when a window emits, merges or is done.
//! Here each window has a state, in its slot. Without windows all items belong to the whole, which is done at the end
//! of input.

mod emit;
mod info;
mod lane;
mod merge;
mod placed;
mod places;
mod reducer;
mod signal;
mod states;
mod whole;

pub use emit::{Emit, EmitState, Items, Nothing, OnTrigger, WindowItems, WithWindow};
pub use info::{Info, Trigger};
pub use lane::ReduceLane;
pub(crate) use lane::ReduceRules;
pub use merge::{MergeBy, MergeStates, Never};
pub use placed::Placed;
pub use places::{Copies, Merging, Places, Settled, Several, Single, Spread, Whole};
pub use reducer::{EmitAndFold, Fold, KeepsState, Reducer};
pub use signal::{Fire, Signal, Slot};
pub use states::{One, Slab, States};
pub use whole::{Global, UnwindowedLane};
