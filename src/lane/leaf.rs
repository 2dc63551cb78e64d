use super::{Lane, SourceGate};
use crate::demand::Demand;
use crate::sealed::Sealed;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A lane where items come in, whose turn follows the demand of its layer.
#[doc(hidden)]
pub trait Leaf: Sealed + Lane {
    /// Sets how many items to pass before other tasks get a turn, at least 1.
    #[doc(hidden)]
    fn set_turn(&mut self, turn: usize);

    /// Makes this lane the source of a flow that starts, in a layer with this demand and after this gate. What it has
    /// taken and cannot pass on, it adds to `discarded`.
    #[doc(hidden)]
    fn start(&mut self, demand: Demand, gate: SourceGate, discarded: &Arc<AtomicU64>);
}
