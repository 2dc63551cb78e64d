use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::plumbing::serial::{Serial, SerialOp};
use super::plumbing::serial_step::SerialStep;
use super::plumbing::tasks::Tasks;
use crate::sealed::Sealed;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

impl<P> Flow<P> {
    /// Drops items until `f` returns false for one, and passes on that one and all after it: exact right after a source
    /// and in one lane; elsewhere, all lanes stop dropping as soon as one of them has seen such an item.
    ///
    /// In that last case a lane drops items for which `f` returned true until it knows of one for which `f` returned
    /// false. They may come after that one in the source, if their lane was faster. For "right after a source" see
    /// [`take_while`](Flow::take_while); for the first of the source after other operators, put
    /// [`ordered`](Flow::ordered) before it.
    ///
    /// # Ordering
    /// Each lane keeps its order; `ordered` can follow.
    ///
    /// # Panics
    /// A panic in `f` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let lines = ["# a comment", "# another", "4", "# 5"];
    /// let lines = Flow::from_iter(lines).skip_while(|line| line.starts_with('#')).lanes(2).ordered();
    /// assert_eq!(lines.collect::<Vec<_>>().await, ["4", "# 5"]);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Enum.drop_while/2` has no counterpart in Flow. rayon has two names for it, `skip_while` and `skip_any_while`.
    #[track_caller]
    pub fn skip_while<F>(self, f: F) -> Flow<Serial<P, SkipWhile<F>>>
    where
        P: Build<Bare>,
        F: FnMut(&P::Item) -> bool + Clone,
    {
        self.operator("skip_while", |plan| Serial::new(plan, SkipWhile { f, skips: true }))
    }
}

/// The step of [`Flow::skip_while`] at a source.
pub struct SkipWhile<F> {
    f: F,
    skips: bool,
}

impl<F> Sealed for SkipWhile<F> {}

impl<T, F: FnMut(&T) -> bool> SerialStep<T> for SkipWhile<F> {
    type Out = T;

    #[inline]
    fn step(&mut self, _: Option<u64>, item: T) -> Option<T> {
        self.skips = self.skips && (self.f)(&item);
        (!self.skips).then_some(item)
    }
}

impl<T, F: FnMut(&T) -> bool + Clone> SerialOp<T> for SkipWhile<F> {
    type Shared = SharedSkipWhile<F>;

    fn shared(self, _: &mut Tasks) -> SharedSkipWhile<F> {
        SharedSkipWhile { f: self.f, skips: Arc::new(AtomicBool::new(true)) }
    }
}

/// The step of [`Flow::skip_while`] in one of several lanes.
#[derive(Clone)]
pub struct SharedSkipWhile<F> {
    f: F,
    skips: Arc<AtomicBool>,
}

impl<F> Sealed for SharedSkipWhile<F> {}

impl<T, F: FnMut(&T) -> bool> SerialStep<T> for SharedSkipWhile<F> {
    type Out = T;

    #[inline]
    fn step(&mut self, _: Option<u64>, item: T) -> Option<T> {
        if self.skips.load(Ordering::Relaxed) {
            if (self.f)(&item) {
                return None;
            }
            self.skips.store(false, Ordering::Relaxed);
        }
        Some(item)
    }
}

impl<F> fmt::Debug for SkipWhile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SkipWhile").field("skips", &self.skips).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for SharedSkipWhile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSkipWhile").field("skips", &self.skips).finish_non_exhaustive()
    }
}
