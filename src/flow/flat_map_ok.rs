use super::bounds::Open;
use super::flat_map::{Expand, FlatMap};
use super::flow::Flow;
use crate::sealed::Sealed;

impl<P, T, E> Flow<P>
where
    P: Open<Item = Result<T, E>>,
{
    /// Makes any number of `Ok` items of the value of each `Ok`: those of the iterator that `f` returns. Errors pass
    /// through untouched, in their places.
    ///
    /// The iterator is run as its items are wanted, as with [`flat_map`](Flow::flat_map).
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// A panic in `f` or in the iterator ends the flow with that panic.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let words = Flow::from_iter([Ok("the quick"), Err("torn"), Ok("fox")])
    ///     .lanes(1)
    ///     .flat_map_ok(|line| line.split(' '));
    /// assert_eq!(words.collect::<Vec<_>>().await, [Ok("the"), Ok("quick"), Err("torn"), Ok("fox")]);
    /// # });
    /// ```
    #[track_caller]
    pub fn flat_map_ok<U, F>(self, f: F) -> Flow<FlatMap<P, ByFnOfOk<F>>>
    where
        U: IntoIterator,
        F: FnMut(T) -> U + Clone,
    {
        self.operator("flat_map_ok", |upstream| FlatMap::new(upstream, ByFnOfOk(f)))
    }
}

/// The function given to [`Flow::flat_map_ok`].
#[derive(Clone)]
pub struct ByFnOfOk<F>(F);

impl<F> Sealed for ByFnOfOk<F> {}

impl<T, E, U: IntoIterator, F: FnMut(T) -> U> Expand<Result<T, E>> for ByFnOfOk<F> {
    type Items = OkItems<U::IntoIter, E>;

    #[inline]
    fn expand(&mut self, item: Result<T, E>) -> Self::Items {
        match item {
            Ok(item) => OkItems(Ok((self.0)(item).into_iter())),
            Err(error) => OkItems(Err(Some(error))),
        }
    }
}

opaque_debug!(ByFnOfOk);

/// What became of a result: items, or the error once.
pub struct OkItems<I, E>(Result<I, Option<E>>);

impl<I: Iterator, E> Iterator for OkItems<I, E> {
    type Item = Result<I::Item, E>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Ok(items) => items.next().map(Ok),
            Err(error) => error.take().map(Err),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Ok(items) => items.size_hint(),
            Err(error) => error.iter().size_hint(),
        }
    }
}

opaque_debug!(OkItems<I, E>);
