use super::places::Places;
use super::signal::Signal;
use crate::lane::Carry;
use std::iter;

impl<T, P: Places, Id> Carry for Signal<T, P, Id> {
    type Item = T;
    type With<U> = Signal<U, P, Id>;
    type Many<I: Iterator> = Placed<I, P, Id>;

    #[inline(always)]
    fn step<U>(self, f: impl FnOnce(T) -> Option<U>) -> Option<Signal<U, P, Id>> {
        Some(match self {
            Self::Item(places, item) => Signal::Item(places, f(item)?),
            Self::Fire(fire) => Signal::Fire(fire),
            Self::Merge { into, from } => Signal::Merge { into, from },
        })
    }

    #[inline]
    fn expand<I: Iterator>(self, f: impl FnOnce(T) -> I) -> Placed<I, P, Id> {
        match self {
            Self::Item(places, item) => Placed::Items(places, f(item)),
            Self::Fire(fire) => Placed::Bare(iter::once(Signal::Fire(fire))),
            Self::Merge { into, from } => Placed::Bare(iter::once(Signal::Merge { into, from })),
        }
    }
}

/// What became of one signal: items in the same windows, or the signal as it was.
#[derive(Debug)]
pub enum Placed<I: Iterator, P, Id> {
    /// Items, and their windows.
    Items(P, I),
    /// A signal without an item.
    Bare(iter::Once<Signal<I::Item, P, Id>>),
}

impl<I: Iterator, P: Places, Id> Iterator for Placed<I, P, Id> {
    type Item = Signal<I::Item, P, Id>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Items(places, items) => Some(Signal::Item(places.clone(), items.next()?)),
            Self::Bare(bare) => bare.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Items(_, items) => items.size_hint(),
            Self::Bare(bare) => bare.size_hint(),
        }
    }
}
