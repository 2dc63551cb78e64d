//! A subscription that is read batch by batch.

use super::Subscription;
use crate::stage::shared_batch::SharedBatch;
use std::future::poll_fn;
use std::task::{Context, Poll};

impl<T: Send + 'static> Subscription<T> {
    /// Takes the next batch: the rest of one partly read, or a new one.
    ///
    /// # Panics
    /// As reading by items does.
    ///
    /// # Cancel safety
    /// A batch is returned or still there.
    ///
    /// # Examples
    /// See [`Subscription`].
    pub async fn next_batch(&mut self) -> Option<Vec<T>> {
        poll_fn(|cx| self.poll_batch(cx)).await
    }

    /// Takes the next batch; see [`next_batch`](Self::next_batch).
    ///
    /// # Panics
    /// As reading by items does.
    pub fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<T>>> {
        self.poll_fallible(cx).map(|batch| match batch? {
            Ok(batch) => Some(batch),
            Err(reason) => self.upstream.raise(&reason),
        })
    }

    /// Takes the next batch to be read by reference: what a [`Broadcast`](crate::dispatch::Broadcast) sends to several
    /// subscriptions is not cloned.
    ///
    /// # Panics
    /// As reading by items does.
    ///
    /// # Cancel safety
    /// A batch is returned or still there.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::dispatch::Broadcast;
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    ///
    /// # tokio_test::block_on(async {
    /// let names = from_iter(["anna".to_string(), "bert".to_string()]);
    /// let names = names.stage().dispatcher(Broadcast::new()).accumulate().spawn();
    /// let (mut one, mut other) = (names.subscribe().await?, names.subscribe().await?);
    /// names.forward();
    /// let (one, other) = futures::join!(one.next_shared(), other.next_shared());
    /// let (one, other) = (one.unwrap(), other.unwrap());
    /// assert_eq!(one.iter().map(String::len).sum::<usize>(), 8);
    /// assert!(std::ptr::eq(&*one, &*other), "both read the same batch");
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    pub async fn next_shared(&mut self) -> Option<SharedBatch<T>> {
        poll_fn(|cx| self.poll_shared(cx)).await
    }

    /// Takes the next batch to be read by reference; see [`next_shared`](Self::next_shared).
    ///
    /// # Panics
    /// As reading by items does.
    pub fn poll_shared(&mut self, cx: &mut Context<'_>) -> Poll<Option<SharedBatch<T>>> {
        self.poll_fallible_shared(cx).map(|batch| match batch? {
            Ok(batch) => Some(batch),
            Err(reason) => self.upstream.raise(&reason),
        })
    }
}
