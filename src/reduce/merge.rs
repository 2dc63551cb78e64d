use super::places::{Merging, Settled};
use crate::sealed::Sealed;

/// Makes one state of two, when their windows become one.
pub trait MergeStates<S, P>: Sealed {
    /// Takes the state of the window that goes into the state of the window that stays.
    #[doc(hidden)]
    fn merge(&mut self, into: &mut S, from: S);
}

/// For windows that are never merged.
#[derive(Debug, Clone, Copy)]
pub struct Never;

/// The function given to [`Flow::merge_states`](crate::Flow::merge_states).
#[derive(Clone)]
pub struct MergeBy<F>(pub(crate) F);

impl Sealed for Never {}

impl<S, P: Settled> MergeStates<S, P> for Never {
    fn merge(&mut self, _: &mut S, _: S) {
        // Windows with settled places are never merged; a panic is better than to lose one of two states silently.
        unreachable!("windows whose places are settled are never merged");
    }
}

impl<F> Sealed for MergeBy<F> {}

impl<S, F: FnMut(&mut S, S)> MergeStates<S, Merging> for MergeBy<F> {
    fn merge(&mut self, into: &mut S, from: S) {
        (self.0)(into, from);
    }
}

opaque_debug!(MergeBy);
