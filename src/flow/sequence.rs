//! Source order: items that carry their place in it through the operators of a layer.

use super::plan::OpenLayer;
use super::tasks::Tasks;
use crate::lane::{Carry, Each, Lane};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A plan whose items can be brought back into source order.
#[diagnostic::on_unimplemented(
    message = "`ordered` cannot restore source order here: it is lost in `{Self}`",
    label = "source order is lost before this",
    note = "it is known behind a source, map, filter, reject, filter_map, inspect, flat_map, map_async, \
            filter_map_async, ordered and shuffle; not behind partition…, per_lane, map_batch, a window, reduce \
            or combine: put `ordered` before these"
)]
pub trait Sequenced: OpenLayer {
    /// What a lane of the last layer is while its items carry their places. In each lane, places only grow.
    type TaggedLane: Lane<Item = Tagged<Self::Item>>;

    /// Builds the lanes of the last layer, and starts the tasks of the layers above it.
    #[doc(hidden)]
    fn build_tagged(self, tasks: &mut Tasks) -> Vec<Self::TaggedLane>;
}

/// An item with its place: the number of the item of the source that it was made of.
///
/// Every number comes to its end, also when nothing was made of it, so that whoever restores the order never waits in
/// vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged<T> {
    /// All that was made of one item.
    Whole(u64, T),
    /// One of the items that were made of one.
    Part(u64, T),
    /// Nothing more is made of this one.
    End(u64),
}

impl<T> Tagged<T> {
    #[inline(always)]
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Whole(number, _) | Self::Part(number, _) | Self::End(number) => *number,
        }
    }

    /// The item, and the tag to put on what it becomes.
    #[inline(always)]
    pub(super) fn open(self) -> (Tagged<()>, Option<T>) {
        match self {
            Self::Whole(number, item) => (Tagged::Whole(number, ()), Some(item)),
            Self::Part(number, item) => (Tagged::Part(number, ()), Some(item)),
            Self::End(number) => (Tagged::End(number), None),
        }
    }
}

impl Tagged<()> {
    #[inline(always)]
    pub(super) fn around<T>(self, item: T) -> Tagged<T> {
        match self {
            Self::Whole(number, ()) => Tagged::Whole(number, item),
            Self::Part(number, ()) => Tagged::Part(number, item),
            Self::End(number) => Tagged::End(number),
        }
    }
}

impl<T> Carry for Tagged<T> {
    type Item = T;
    type With<U> = Tagged<U>;
    type Many<I: Iterator> = Expanded<I>;

    #[inline(always)]
    fn step<U>(self, f: impl FnOnce(T) -> Option<U>) -> Option<Tagged<U>> {
        match self {
            Self::Whole(number, item) => {
                Some(f(item).map_or(Tagged::End(number), |item| Tagged::Whole(number, item)))
            }
            Self::Part(number, item) => f(item).map(|item| Tagged::Part(number, item)),
            Self::End(number) => Some(Tagged::End(number)),
        }
    }

    #[inline(always)]
    fn expand<I: Iterator>(self, f: impl FnOnce(T) -> I) -> Expanded<I> {
        let (number, items, ends) = match self {
            Self::Whole(number, item) => (number, Some(f(item)), true),
            Self::Part(number, item) => (number, Some(f(item)), false),
            Self::End(number) => (number, None, true),
        };
        Expanded { number, items, ends }
    }
}

/// What one item with a place became.
#[derive(Debug, Clone)]
pub struct Expanded<I> {
    number: u64,
    items: Option<I>,
    ends: bool,
}

impl<I: Iterator> Iterator for Expanded<I> {
    type Item = Tagged<I::Item>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(items) = &mut self.items {
            if let Some(item) = items.next() {
                return Some(Tagged::Part(self.number, item));
            }
            self.items = None;
        }
        std::mem::take(&mut self.ends).then_some(Tagged::End(self.number))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.items.as_ref().map_or((0, Some(0)), I::size_hint);
        let end = usize::from(self.ends);
        (least.saturating_add(end), most.and_then(|most| most.checked_add(end)))
    }
}

pin_project! {
    /// Gives the items of a lane their places: 0, 1, 2 …
    #[derive(Debug)]
    #[must_use = "a lane does nothing until it is polled"]
    pub struct Enumerated<L> {
        #[pin]
        lane: L,
        next: u64,
    }
}

impl<L> Enumerated<L> {
    pub(super) fn new(lane: L) -> Self {
        Self { lane, next: 0 }
    }
}

impl<L: Lane> Lane for Enumerated<L> {
    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(Self::Item) -> ControlFlow<()>,
    {
        let this = self.project();
        let next = this.next;
        this.lane.poll_each(cx, &mut |item| {
            let number = *next;
            *next += 1;
            each(Tagged::Whole(number, item))
        })
    }
}

impl<L: Lane> Stream for Enumerated<L> {
    type Item = Tagged<L::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let next = this.next;
        this.lane.poll_next(cx).map(|item| {
            item.map(|item| {
                let number = *next;
                *next += 1;
                Tagged::Whole(number, item)
            })
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.lane.size_hint()
    }
}

impl<L: Lane + FusedStream> FusedStream for Enumerated<L> {
    fn is_terminated(&self) -> bool {
        self.lane.is_terminated()
    }
}

#[cfg(test)]
mod tests {
    use super::Tagged::{End, Part, Whole};
    use crate::lane::Carry;

    #[test]
    fn what_is_dropped_whole_comes_to_its_end_and_a_part_just_goes() {
        assert_eq!(Whole(3, 1).step(|n| Some(n + 1)), Some(Whole(3, 2)));
        assert_eq!(Whole(3, 1).step(|_| None::<u8>), Some(End(3)));
        assert_eq!(Part(3, 1).step(|n| Some(n + 1)), Some(Part(3, 2)));
        assert_eq!(Part(3, 1).step(|_| None::<u8>), None);
        assert_eq!(End::<u8>(3).step(Some), Some(End(3)));
    }

    #[test]
    fn what_became_of_one_comes_to_one_end() {
        let twice = |n: u8| vec![n; 2].into_iter();
        assert_eq!(Whole(3, 1).expand(twice).collect::<Vec<_>>(), [Part(3, 1), Part(3, 1), End(3)]);
        assert_eq!(Part(3, 1).expand(twice).collect::<Vec<_>>(), [Part(3, 1), Part(3, 1)]);
        assert_eq!(End(3).expand(twice).collect::<Vec<_>>(), [End(3)]);
        assert_eq!(Whole(3, 1).expand(|_| std::iter::empty::<u8>()).collect::<Vec<_>>(), [End(3)]);
    }
}
