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
    /// Drops `n` items, over all lanes together, and passes on the others: the first `n` of the source right after it
    /// or in one lane, and those that come first everywhere else.
    ///
    /// For "right after it" see [`take`](Flow::take). Everywhere else the lanes share a counter until `n` items have
    /// been dropped.
    ///
    /// # Ordering
    /// Each lane keeps its order; [`ordered`](Flow::ordered) can follow. To drop the first `n` of the source after
    /// other operators, put `ordered` before it.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let lines = ["name,age", "Ann,42", "Ben,23"];
    /// let names = Flow::from_iter(lines).skip(1).lanes(2).filter_map(|line| line.split(',').next()).ordered();
    /// assert_eq!(names.collect::<Vec<_>>().await, ["Ann", "Ben"]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Enum.drop/2` has no counterpart in Flow. rayon has two names for it, `skip` and `skip_any`.
    #[track_caller]
    pub fn skip(self, n: usize) -> Flow<Serial<P, Skip>>
    where
        P: Build<Bare>,
    {
        self.operator("skip", |plan| Serial::new(plan, Skip { left: n }))
    }
}

/// The step of [`Flow::skip`] at a source.
#[derive(Debug)]
pub struct Skip {
    left: usize,
}

impl Sealed for Skip {}

impl<T> SerialStep<T> for Skip {
    type Out = T;

    #[inline]
    fn step(&mut self, _: Option<u64>, item: T) -> Option<T> {
        if self.left > 0 {
            self.left -= 1;
            return None;
        }
        Some(item)
    }

    fn size_hint(&self, (least, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
        (least.saturating_sub(self.left), most.map(|most| most.saturating_sub(self.left)))
    }
}

impl<T> SerialOp<T> for Skip {
    type Shared = SharedSkip;

    fn shared(self, _: &mut Tasks) -> SharedSkip {
        SharedSkip { left: Arc::new(AtomicUsize::new(self.left)) }
    }
}

/// The step of [`Flow::skip`] in one of several lanes.
#[derive(Debug, Clone)]
pub struct SharedSkip {
    left: Arc<AtomicUsize>,
}

impl Sealed for SharedSkip {}

impl<T> SerialStep<T> for SharedSkip {
    type Out = T;

    #[inline]
    fn step(&mut self, _: Option<u64>, item: T) -> Option<T> {
        // Once all are dropped, this is only read, and costs next to nothing.
        if self.left.load(Ordering::Relaxed) == 0 {
            return Some(item);
        }
        let dropped =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        (!dropped).then_some(item)
    }

    fn size_hint(&self, (least, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
        (least.saturating_sub(self.left.load(Ordering::Relaxed)), most)
    }
}
