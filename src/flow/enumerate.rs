use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::plumbing::serial::{Serial, SerialOp};
use super::plumbing::serial_step::SerialStep;
use super::plumbing::tasks::Tasks;
use crate::sealed::Sealed;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

impl<P> Flow<P> {
    /// Makes a pair of each item, with its number: from 0 without gaps over all lanes together, the place in the source
    /// right after one or in one lane, and in the order in which items come everywhere else.
    ///
    /// For "right after a source" see [`take`](Flow::take). Everywhere else the lanes share a counter, one atomic
    /// operation per item.
    ///
    /// # Ordering
    /// Each lane keeps its order, and numbers grow in each lane; [`ordered`](Flow::ordered) can follow. For the numbers
    /// of a source that is no single stream or iterator, or after other operators, put `ordered` before it.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let lines = Flow::from_iter(["4", "x", "5", "y"]).enumerate().lanes(2);
    /// let wrong = lines.filter(|(_, line)| line.parse::<u32>().is_err()).map(|(at, _)| at + 1).ordered();
    /// assert_eq!(wrong.collect::<Vec<_>>().await, [2, 4]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Enum.with_index/1`, which Flow has no counterpart for.
    #[track_caller]
    pub fn enumerate(self) -> Flow<Serial<P, Enumerate>>
    where
        P: Build<Bare>,
    {
        self.operator("enumerate", |plan| Serial::new(plan, Enumerate { next: 0 }))
    }
}

/// The step of [`Flow::enumerate`] at a source.
#[derive(Debug)]
pub struct Enumerate {
    next: usize,
}

impl Sealed for Enumerate {}

impl<T> SerialStep<T> for Enumerate {
    type Out = (usize, T);

    #[inline]
    fn step(&mut self, _: Option<u64>, item: T) -> Option<(usize, T)> {
        let number = self.next;
        self.next += 1;
        Some((number, item))
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        upstream
    }
}

impl<T> SerialOp<T> for Enumerate {
    type Shared = SharedEnumerate;

    fn shared(self, _: &mut Tasks) -> SharedEnumerate {
        SharedEnumerate { next: Arc::default() }
    }
}

/// The step of [`Flow::enumerate`] in one of several lanes.
#[derive(Debug, Clone)]
pub struct SharedEnumerate {
    next: Arc<AtomicUsize>,
}

impl Sealed for SharedEnumerate {}

impl<T> SerialStep<T> for SharedEnumerate {
    type Out = (usize, T);

    #[inline]
    fn step(&mut self, _: Option<u64>, item: T) -> Option<(usize, T)> {
        Some((self.next.fetch_add(1, Ordering::Relaxed), item))
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        upstream
    }
}
