use super::output::Output;
use super::producer::Producer;
use super::reason::Cancellation;
use super::wanted::Wanted;
use crate::dispatch::Subscriber;
use crate::failure::StageError;

/// The most items that are taken at once; between these steps the stage reads its letters.
pub(super) const STEP: usize = 10_000;

/// Makes a producer of an iterator: the producer hands out the iterator's items, and finishes after the last.
///
/// # Demand
/// As many items are taken as are asked for, at most 10,000 at once. Asks that come together are answered together: when
/// one of several consumers asks for 256 items or more, other tasks run first, so that the others ask too. An iterator
/// that blocks blocks the stage, and its thread.
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
    FromIter { items: items.into_iter(), wanted: Wanted::default() }
}

/// The producer behind [`from_iter`].
#[derive(Debug)]
pub struct FromIter<I> {
    items: I,
    wanted: Wanted,
}

impl<I> Producer for FromIter<I>
where
    I: Iterator<Item: Send> + Send + 'static,
{
    type Item = I::Item;

    async fn handle_subscribe(&mut self, _: Subscriber, _: &mut Output<I::Item>) -> Result<(), StageError> {
        self.wanted.consumer_came();
        Ok(())
    }

    async fn handle_cancel(&mut self, _: &Cancellation, _: &mut Output<I::Item>) -> Result<(), StageError> {
        self.wanted.consumer_left();
        Ok(())
    }

    async fn handle_demand(&mut self, demand: usize, _: &mut Output<I::Item>) -> Result<(), StageError> {
        self.wanted.ask(demand);
        Ok(())
    }

    async fn produce(&mut self, out: &mut Output<I::Item>) -> Result<(), StageError> {
        self.wanted.gather().await;
        let step = self.wanted.items().min(STEP);
        out.extend(self.items.by_ref().take(step));
        if out.emitted() < step {
            self.wanted.end();
            out.finish();
        } else {
            self.wanted.made(step);
        }
        Ok(())
    }
}
