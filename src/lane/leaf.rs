use super::{Lane, SourceGate};
use crate::demand::Demand;
use crate::sealed::Sealed;

/// A lane where items come in, whose turn follows the demand of its layer.
#[doc(hidden)]
pub trait Leaf: Sealed + Lane {
    /// Sets how many items to pass before other tasks get a turn, at least 1.
    #[doc(hidden)]
    fn set_turn(&mut self, turn: usize);

    /// Makes this lane the source of a flow that starts, in a layer with this demand and behind this gate.
    #[doc(hidden)]
    fn start(&mut self, demand: Demand, gate: SourceGate);
}
