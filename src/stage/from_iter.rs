use super::output::Output;
use super::producer::Producer;
use super::reason::StageError;

/// Makes a producer of an iterator: it hands out its items, and finishes when there are no more.
///
/// # Demand
/// As many items are taken as are asked for, at once: an iterator that blocks blocks the stage, and its thread.
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
    FromIter { items: items.into_iter() }
}

/// The producer behind [`from_iter`].
#[derive(Debug)]
pub struct FromIter<I> {
    items: I,
}

impl<I> Producer for FromIter<I>
where
    I: Iterator<Item: Send> + Send + 'static,
{
    type Item = I::Item;

    async fn handle_demand(&mut self, demand: usize, out: &mut Output<I::Item>) -> Result<(), StageError> {
        out.extend(self.items.by_ref().take(demand));
        if out.emitted() < demand {
            out.finish();
        }
        Ok(())
    }
}
