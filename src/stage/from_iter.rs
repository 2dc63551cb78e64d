use super::output::Output;
use super::producer::Producer;
use crate::failure::StageError;
use std::future::pending;

/// The most items that are taken at once; between these steps the stage reads its letters.
pub(super) const STEP: usize = 10_000;

/// Makes a producer of an iterator: the producer hands out the iterator's items, and finishes after the last.
///
/// # Demand
/// As many items are taken as are asked for, at most 10,000 at once; asks that come together are answered
/// together. An iterator that blocks blocks the stage, and its thread.
///
/// # Ordering
/// Items are emitted in the order of the iterator.
///
/// # Panics
/// A panic of the iterator ends the stage with [`Reason::Panicked`](super::Reason::Panicked).
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::from_iter;
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().spawn();
/// let mut read = numbers.subscribe().demand(10, 5).await?;
/// assert_eq!(read.next_batch().await, Some(vec![0, 1, 2, 3, 4]));
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
///
/// # Source
/// `GenStage.from_enumerable`.
pub fn from_iter<I>(items: I) -> FromIter<I::IntoIter>
where
    I: IntoIterator<Item: Send, IntoIter: Send + 'static>,
{
    FromIter { items: items.into_iter(), wanted: 0 }
}

/// The producer behind [`from_iter`].
#[derive(Debug)]
pub struct FromIter<I> {
    items: I,
    /// Asked for and not yet taken.
    wanted: usize,
}

impl<I> Producer for FromIter<I>
where
    I: Iterator<Item: Send> + Send + 'static,
{
    type Item = I::Item;

    async fn handle_demand(&mut self, demand: usize, _: &mut Output<I::Item>) -> Result<(), StageError> {
        // Items are made when all asks that are there have been read: together they are larger lists.
        self.wanted = self.wanted.saturating_add(demand);
        Ok(())
    }

    async fn produce(&mut self, out: &mut Output<I::Item>) -> Result<(), StageError> {
        if self.wanted == 0 {
            return pending().await;
        }
        let step = self.wanted.min(STEP);
        out.extend(self.items.by_ref().take(step));
        self.wanted -= step;
        if out.emitted() < step {
            self.wanted = 0;
            out.finish();
        }
        Ok(())
    }
}
