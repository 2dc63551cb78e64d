use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

impl<P, T, E> Flow<P>
where
    P: Open<Item = Result<T, E>>,
{
    /// Passes on the value of each `Ok`; drops the errors and adds their number to `skipped`.
    ///
    /// `skipped` can be read at any time, also while the flow runs and after it was dropped, and several flows may
    /// share one. To see each error as it passes, put [`inspect`](Flow::inspect) before this.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    ///
    /// # tokio_test::block_on(async {
    /// let skipped = Arc::new(AtomicU64::new(0));
    /// let numbers = Flow::from_iter(["4", "x", "8"])
    ///     .lanes(1)
    ///     .map(|text| text.parse::<u32>())
    ///     .skip_errors(&skipped);
    /// assert_eq!(numbers.collect::<Vec<_>>().await, [4, 8]);
    /// assert_eq!(skipped.load(Ordering::Relaxed), 1);
    /// # });
    /// ```
    #[track_caller]
    pub fn skip_errors(self, skipped: &Arc<AtomicU64>) -> Flow<Stepped<P, SkipErrors>> {
        self.operator("skip_errors", |plan| Stepped::new(plan, SkipErrors { skipped: Arc::clone(skipped) }))
    }
}

/// The step of [`Flow::skip_errors`].
#[derive(Debug, Clone)]
pub struct SkipErrors {
    skipped: Arc<AtomicU64>,
}

impl Sealed for SkipErrors {}

impl<T, E> Step<Result<T, E>> for SkipErrors {
    type Out = T;

    #[inline]
    fn step(&mut self, item: Result<T, E>) -> Option<T> {
        match item {
            Ok(value) => Some(value),
            Err(_) => {
                self.skipped.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}
