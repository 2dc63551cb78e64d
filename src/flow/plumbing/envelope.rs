//! What items travel in, from operator to operator.

use crate::flow::plumbing::sequence::{Expanded, Tagged};
use crate::reduce::{Placed, Places, Signal};
use crate::sealed::Sealed;
use std::iter;
use std::marker::PhantomData;

/// What the items of a lane travel in.
///
/// An operator is written once, for items. The envelope says what else goes from lane to lane: a place in the order of
/// the source, windows, word that a window is done. It also says what becomes of that when an item is dropped or
/// becomes several. Users meet envelopes only in type names and in messages of the compiler.
///
/// An envelope can be empty: it then brings word of something but no item, and passes on in its turn.
#[diagnostic::on_unimplemented(
    message = "the layer of this flow is closed: it takes no more operators",
    label = "this operator comes after a `reduce`, `emit_state`, `on_trigger` or `combine`",
    note = "put it before the `reduce`, or open the next layer first with `partition`, `partition_by` or `shuffle`; \
            for the adapter of this name of `StreamExt`, leave the flow with `into_stream`"
)]
pub trait Envelope: Sealed {
    /// An envelope around an item, or an empty one.
    type Of<T>;
    /// What is left of an envelope when its item is taken out.
    type Mark;
    /// The envelopes around what one item became, made as they are wanted.
    type Many<I: Iterator>: Iterator<Item = Self::Of<I::Item>>;

    /// Takes the item out, if there is one.
    #[doc(hidden)]
    fn open<T>(of: Self::Of<T>) -> (Self::Mark, Option<T>);

    /// Puts back what became of the item; `None` when nothing is left of it and nothing needs to be passed on.
    #[doc(hidden)]
    fn close<T>(mark: Self::Mark, item: Option<T>) -> Option<Self::Of<T>>;

    /// The item, if there is one.
    #[doc(hidden)]
    fn peek<T>(of: &Self::Of<T>) -> Option<&T>;

    /// The number of the source's item that it was made of, if the envelope has one.
    #[doc(hidden)]
    #[inline(always)]
    fn place<T>(_of: &Self::Of<T>) -> Option<u64> {
        None
    }

    /// Says that nothing more is made of the source's item with this number, if the envelope has one.
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    fn end<T>(_place: Option<u64>) -> Option<Self::Of<T>> {
        None
    }

    /// Makes any number of items of the item.
    #[doc(hidden)]
    fn expand<T, I: Iterator>(of: Self::Of<T>, f: impl FnOnce(T) -> I) -> Self::Many<I>;

    /// Makes at most one item of the item.
    #[doc(hidden)]
    #[inline(always)]
    fn step<T, U>(of: Self::Of<T>, f: impl FnOnce(T) -> Option<U>) -> Option<Self::Of<U>> {
        let (mark, item) = Self::open(of);
        Self::close(mark, item.and_then(f))
    }
}

/// Envelopes that can be gathered for a batch: several become one.
pub trait Gathers: Envelope {
    /// Replaces `mark` with `next`; returns what the replaced mark still had to pass on.
    #[doc(hidden)]
    fn follow<T>(mark: &mut Self::Mark, next: Self::Mark) -> Option<Self::Of<T>>;
}

/// No envelope: items as they are, and as they are read.
#[derive(Debug, Clone, Copy)]
pub struct Bare;

/// Items with their place in the order of the source: what [`ordered`](crate::Flow::ordered) reads.
#[derive(Debug, Clone, Copy)]
pub struct Numbered;

/// Items in windows; within its window, each item has another envelope `E`.
#[derive(Debug)]
pub struct InWindow<P, Id, E = Bare>(PhantomData<fn() -> (P, Id, E)>);

/// In place of an envelope, after an operator that ends a layer: items that are read, or open the next layer.
#[derive(Debug, Clone, Copy)]
pub struct ClosedLayer;

impl Sealed for Bare {}
impl Sealed for Numbered {}
impl<P, Id, E> Sealed for InWindow<P, Id, E> {}

impl Envelope for Bare {
    type Of<T> = T;
    type Mark = ();
    type Many<I: Iterator> = I;

    #[inline(always)]
    fn open<T>(item: T) -> ((), Option<T>) {
        ((), Some(item))
    }

    #[inline(always)]
    fn close<T>((): (), item: Option<T>) -> Option<T> {
        item
    }

    #[inline(always)]
    fn peek<T>(item: &T) -> Option<&T> {
        Some(item)
    }

    #[inline(always)]
    fn expand<T, I: Iterator>(item: T, f: impl FnOnce(T) -> I) -> I {
        f(item)
    }
}

impl Gathers for Bare {
    #[inline(always)]
    fn follow<T>((): &mut (), (): ()) -> Option<T> {
        None
    }
}

/// The number of a dropped item comes to its end all the same: the lane that restores the order waits for it.
impl Envelope for Numbered {
    type Of<T> = Tagged<T>;
    type Mark = Tagged<()>;
    type Many<I: Iterator> = Expanded<I>;

    #[inline(always)]
    fn open<T>(tagged: Tagged<T>) -> (Tagged<()>, Option<T>) {
        match tagged {
            Tagged::Whole(number, item) => (Tagged::Whole(number, ()), Some(item)),
            Tagged::Part(number, item) => (Tagged::Part(number, ()), Some(item)),
            Tagged::End(number) => (Tagged::End(number), None),
        }
    }

    #[inline(always)]
    fn close<T>(mark: Tagged<()>, item: Option<T>) -> Option<Tagged<T>> {
        match (mark, item) {
            (Tagged::Whole(number, ()), Some(item)) => Some(Tagged::Whole(number, item)),
            (Tagged::Part(number, ()), Some(item)) => Some(Tagged::Part(number, item)),
            (Tagged::Part(..), None) => None,
            (Tagged::Whole(number, ()) | Tagged::End(number), _) => Some(Tagged::End(number)),
        }
    }

    #[inline(always)]
    fn peek<T>(tagged: &Tagged<T>) -> Option<&T> {
        match tagged {
            Tagged::Whole(_, item) | Tagged::Part(_, item) => Some(item),
            Tagged::End(_) => None,
        }
    }

    #[inline(always)]
    fn place<T>(tagged: &Tagged<T>) -> Option<u64> {
        Some(tagged.number())
    }

    #[inline(always)]
    fn end<T>(place: Option<u64>) -> Option<Tagged<T>> {
        place.map(Tagged::End)
    }

    #[inline(always)]
    fn expand<T, I: Iterator>(tagged: Tagged<T>, f: impl FnOnce(T) -> I) -> Expanded<I> {
        Expanded::new(tagged, f)
    }
}

impl Gathers for Numbered {
    /// A batch has the place of the last number that its lane took. Earlier numbers come to their end at once, so that
    /// the other lanes need not wait for them.
    #[inline(always)]
    fn follow<T>(mark: &mut Tagged<()>, next: Tagged<()>) -> Option<Tagged<T>> {
        let next = match next {
            // The batch is all that is still to come of this number.
            Tagged::End(number) => Tagged::Whole(number, ()),
            next => next,
        };
        match std::mem::replace(mark, next) {
            Tagged::Whole(number, ()) => Some(Tagged::End(number)),
            Tagged::Part(..) | Tagged::End(_) => None,
        }
    }
}

impl<P: Places, Id, E: Envelope> Envelope for InWindow<P, Id, E> {
    type Of<T> = Signal<E::Of<T>, P, Id>;
    type Mark = Signal<E::Mark, P, Id>;
    type Many<I: Iterator> = Placed<E::Many<I>, P, Id>;

    #[inline(always)]
    fn open<T>(signal: Self::Of<T>) -> (Self::Mark, Option<T>) {
        match signal {
            Signal::Item(places, inner) => {
                let (mark, item) = E::open(inner);
                (Signal::Item(places, mark), item)
            }
            Signal::Fire(fire) => (Signal::Fire(fire), None),
            Signal::Merge { into, from } => (Signal::Merge { into, from }, None),
        }
    }

    #[inline(always)]
    fn close<T>(mark: Self::Mark, item: Option<T>) -> Option<Self::Of<T>> {
        Some(match mark {
            Signal::Item(places, mark) => Signal::Item(places, E::close(mark, item)?),
            Signal::Fire(fire) => Signal::Fire(fire),
            Signal::Merge { into, from } => Signal::Merge { into, from },
        })
    }

    #[inline(always)]
    fn peek<T>(signal: &Self::Of<T>) -> Option<&T> {
        match signal {
            Signal::Item(_, inner) => E::peek(inner),
            Signal::Fire(_) | Signal::Merge { .. } => None,
        }
    }

    #[inline(always)]
    fn expand<T, I: Iterator>(signal: Self::Of<T>, f: impl FnOnce(T) -> I) -> Self::Many<I> {
        match signal {
            Signal::Item(places, inner) => Placed::Items(places, E::expand(inner, f)),
            Signal::Fire(fire) => Placed::Word(iter::once(Signal::Fire(fire))),
            Signal::Merge { into, from } => Placed::Word(iter::once(Signal::Merge { into, from })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tagged::{End, Part, Whole};
    use super::*;
    use crate::reduce::Fire;
    use crate::window::{Single, Slot, Trigger};

    fn kept<E: Envelope>(of: E::Of<u8>) -> Option<E::Of<u8>> {
        E::step(of, |n| Some(n + 1))
    }

    fn dropped<E: Envelope>(of: E::Of<u8>) -> Option<E::Of<u8>> {
        E::step(of, |_| None)
    }

    fn twice<E: Envelope>(of: E::Of<u8>) -> Vec<E::Of<u8>> {
        E::expand(of, |n| [n, n + 1].into_iter()).collect()
    }

    fn none<E: Envelope>(of: E::Of<u8>) -> Vec<E::Of<u8>> {
        E::expand(of, |_| [].into_iter()).collect()
    }

    #[test]
    fn a_bare_item_is_what_becomes_of_it() {
        assert_eq!((kept::<Bare>(1), dropped::<Bare>(1)), (Some(2), None));
        assert_eq!((twice::<Bare>(1), none::<Bare>(1)), (vec![1, 2], vec![]));
    }

    #[test]
    fn a_number_comes_to_its_end_when_its_item_is_dropped_and_a_part_just_goes() {
        assert_eq!(kept::<Numbered>(Whole(3, 1)), Some(Whole(3, 2)));
        assert_eq!(dropped::<Numbered>(Whole(3, 1)), Some(End(3)));
        assert_eq!(kept::<Numbered>(Part(3, 1)), Some(Part(3, 2)));
        assert_eq!(dropped::<Numbered>(Part(3, 1)), None);
        assert_eq!(kept::<Numbered>(End(3)), Some(End(3)));
    }

    #[test]
    fn what_one_numbered_item_became_comes_to_one_end() {
        assert_eq!(twice::<Numbered>(Whole(3, 1)), [Part(3, 1), Part(3, 2), End(3)]);
        assert_eq!(twice::<Numbered>(Part(3, 1)), [Part(3, 1), Part(3, 2)]);
        assert_eq!(twice::<Numbered>(End(3)), [End(3)]);
        assert_eq!(none::<Numbered>(Whole(3, 1)), [End(3)]);
    }

    #[test]
    fn a_batch_stands_where_its_last_item_stood_and_ends_the_numbers_before() {
        let mut mark = Whole(3, ());
        assert_eq!(Numbered::follow(&mut mark, Part(4, ())), Some(End::<u8>(3)));
        assert_eq!(Numbered::follow(&mut mark, Part(4, ())), None::<Tagged<u8>>);
        assert_eq!(Numbered::close(mark, Some('a')), Some(Part(4, 'a')), "more may come of 4");
        assert_eq!(Numbered::follow(&mut mark, End(4)), None::<Tagged<u8>>);
        assert_eq!(Numbered::close(mark, Some('a')), Some(Whole(4, 'a')));
        assert_eq!(Numbered::follow(&mut mark, End(5)), Some(End::<u8>(4)));
        assert_eq!(Numbered::close(mark, Some('a')), Some(Whole(5, 'a')));
    }

    type InWindowsLane = InWindow<Single, u8>;
    type Both = InWindow<Single, u8, Numbered>;

    fn place() -> Single {
        Single::new(Slot(7))
    }

    fn fire<T>() -> Signal<T, Single, u8> {
        Signal::Fire(Fire { slot: Slot(7), window: 0, trigger: Trigger::Done })
    }

    #[test]
    fn items_stay_in_their_window_and_word_of_windows_passes() {
        assert_eq!(kept::<InWindowsLane>(Signal::Item(place(), 1)), Some(Signal::Item(place(), 2)));
        assert_eq!(dropped::<InWindowsLane>(Signal::Item(place(), 1)), None);
        assert_eq!(dropped::<InWindowsLane>(fire()), Some(fire()));
        assert_eq!(
            twice::<InWindowsLane>(Signal::Item(place(), 1)),
            [1, 2].map(|n| Signal::Item(place(), n))
        );
        assert_eq!(none::<InWindowsLane>(fire()), [fire()]);
        let merge = Signal::Merge { into: Slot(1), from: Slot(2) };
        assert_eq!(dropped::<InWindowsLane>(merge.clone()), Some(merge.clone()));
        assert_eq!(none::<InWindowsLane>(merge.clone()), [merge]);
    }

    #[test]
    fn an_envelope_in_a_window_is_kept_as_by_itself() {
        let item = |tagged| Signal::Item(place(), tagged);
        assert_eq!(kept::<Both>(item(Whole(3, 1))), Some(item(Whole(3, 2))));
        assert_eq!(dropped::<Both>(item(Whole(3, 1))), Some(item(End(3))));
        assert_eq!(dropped::<Both>(item(Part(3, 1))), None);
        assert_eq!(twice::<Both>(item(Whole(3, 1))), [Part(3, 1), Part(3, 2), End(3)].map(item));
        assert_eq!(dropped::<Both>(fire()), Some(fire()));
    }

    #[test]
    fn a_peek_sees_the_item_and_nothing_of_an_empty_envelope() {
        assert_eq!(Bare::peek(&1), Some(&1));
        assert_eq!(Numbered::peek(&Part(3, 1)), Some(&1));
        assert_eq!(Numbered::peek(&End::<u8>(3)), None);
        assert_eq!(Both::peek(&Signal::Item(place(), Whole(3, 1))), Some(&1));
        assert_eq!(Both::peek(&Signal::Item(place(), End::<u8>(3))), None);
        assert_eq!(Both::peek::<u8>(&fire()), None);
    }
}
