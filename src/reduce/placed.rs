use super::places::Places;
use super::signal::Signal;
use std::iter;

/// What became of one signal: items in the same windows, or the signal as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum Placed<I: Iterator, P, Id> {
    /// Items, and their windows.
    Items(P, I),
    /// A signal without an item.
    Word(iter::Once<Signal<I::Item, P, Id>>),
}

impl<I: Iterator, P: Places, Id> Iterator for Placed<I, P, Id> {
    type Item = Signal<I::Item, P, Id>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Items(places, items) => Some(Signal::Item(places.clone(), items.next()?)),
            Self::Word(word) => word.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Items(_, items) => items.size_hint(),
            Self::Word(word) => word.size_hint(),
        }
    }
}
