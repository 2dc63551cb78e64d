//! Source order: items that carry their place in it through the operators of a layer.

use crate::lane::{Each, Lane};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// An item with its place: the number of the source's item that it was made of.
///
/// Every number comes to its end, even when nothing was made of its item, so that `ordered` never waits in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tagged<T> {
    /// All that was made of one item.
    Whole(u64, T),
    /// One of the items made of one item of the source.
    Part(u64, T),
    /// Nothing more is made of this item of the source.
    End(u64),
}

impl<T> Tagged<T> {
    #[inline(always)]
    pub(in crate::flow) fn number(&self) -> u64 {
        match self {
            Self::Whole(number, _) | Self::Part(number, _) | Self::End(number) => *number,
        }
    }
}

/// The number of the last item of the source whose turn comes, if an operator has said so; the lowest, if several did.
///
/// An operator says so before it sends on what comes to the end of that number, so that `ordered` knows in time.
#[derive(Debug, Clone)]
pub struct LastPlace(Arc<AtomicU64>);

impl LastPlace {
    pub(in crate::flow) fn unknown() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// Says that nothing comes out after this number.
    pub(in crate::flow) fn set(&self, number: u64) {
        self.0.fetch_min(number, Ordering::Relaxed);
    }

    /// Whether it is known to come before this number.
    #[inline]
    pub(in crate::flow) fn is_before(&self, number: u64) -> bool {
        self.0.load(Ordering::Relaxed) < number
    }
}

/// What one item with a place became.
#[derive(Debug, Clone)]
pub struct Expanded<I> {
    number: u64,
    items: Option<I>,
    ends: bool,
}

impl<I> Expanded<I> {
    #[inline(always)]
    pub(in crate::flow) fn new<T>(tagged: Tagged<T>, f: impl FnOnce(T) -> I) -> Self {
        let (number, items, ends) = match tagged {
            Tagged::Whole(number, item) => (number, Some(f(item)), true),
            Tagged::Part(number, item) => (number, Some(f(item)), false),
            Tagged::End(number) => (number, None, true),
        };
        Self { number, items, ends }
    }
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
    pub(in crate::flow) fn new(lane: L) -> Self {
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
