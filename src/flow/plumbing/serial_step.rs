//! What operators do that go by the sequence of items.

use crate::sealed::Sealed;
use std::task::{Context, Poll};

/// What an operator does with one item after the other, until it is over.
pub trait SerialStep<T>: Sealed {
    /// What comes out.
    type Out;

    /// Makes at most one item of one item, whose number in the source is `place`, if it has one.
    #[doc(hidden)]
    fn step(&mut self, place: Option<u64>, item: T) -> Option<Self::Out>;

    /// Whether nothing more comes out. Asked after each item.
    #[doc(hidden)]
    fn is_over(&self) -> bool {
        false
    }

    /// The same, after a look at what other lanes have done. Asked before items are taken.
    #[doc(hidden)]
    fn look(&mut self) -> bool {
        self.is_over()
    }

    /// Waits until another lane has made it over: for a lane that has nothing ready.
    #[doc(hidden)]
    fn poll_over(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    /// How many items come out, for `upstream` items that come in.
    #[doc(hidden)]
    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        (0, upstream.1)
    }
}

/// One step after another, as one.
#[derive(Debug)]
pub struct InSuccession<A, B>(pub(in crate::flow) A, pub(in crate::flow) B);

impl<A, B> Sealed for InSuccession<A, B> {}

impl<T, A: SerialStep<T>, B: SerialStep<A::Out>> SerialStep<T> for InSuccession<A, B> {
    type Out = B::Out;

    #[inline]
    fn step(&mut self, place: Option<u64>, item: T) -> Option<B::Out> {
        let item = self.0.step(place, item)?;
        self.1.step(place, item)
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.0.is_over() || self.1.is_over()
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        self.1.size_hint(self.0.size_hint(upstream))
    }
}
