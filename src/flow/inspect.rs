use super::bounds::Open;
use super::flow::Flow;
use super::plumbing::step::{Step, Stepped};
use crate::sealed::Sealed;

impl<P> Flow<P> {
    /// Shows each item to `f` and passes it on unchanged.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// A panic in `f` ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// # tokio_test::block_on(async {
    /// static SEEN: AtomicU32 = AtomicU32::new(0);
    /// Flow::from_iter(1..=3).inspect(|n| _ = SEEN.fetch_add(*n, Ordering::Relaxed)).run().await;
    /// assert_eq!(SEEN.load(Ordering::Relaxed), 6);
    /// # });
    /// ```
    ///
    /// # Source
    /// `Flow.each/2`.
    #[track_caller]
    pub fn inspect<F>(self, f: F) -> Flow<Stepped<P, Inspect<F>>>
    where
        P: Open,
        F: FnMut(&P::Item) + Clone,
    {
        self.operator("inspect", |plan| Stepped::new(plan, Inspect(f)))
    }
}

/// The step of [`Flow::inspect`].
#[derive(Clone)]
pub struct Inspect<F>(F);

impl<F> Sealed for Inspect<F> {}

impl<T, F: FnMut(&T)> Step<T> for Inspect<F> {
    type Out = T;

    #[inline]
    fn step(&mut self, item: T) -> Option<T> {
        (self.0)(&item);
        Some(item)
    }

    fn size_hint(&self, upstream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        upstream
    }
}

opaque_debug!(Inspect);
