//! The failure of the producer as the last item of a subscription.

use super::Subscription;
use crate::stage::fallible::{Fallible, failing};
use crate::stage::reason::Reason;
use crate::stage::shared_batch::SharedBatch;
use futures_core::{FusedStream, Stream};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

impl<T: Send + 'static> Fallible<Subscription<T>> {
    /// Takes the next batch, or the failure of the producer, after which there is nothing more.
    ///
    /// # Cancel safety
    /// A batch is returned or still there.
    ///
    /// # Examples
    /// See [`Subscription::fallible`].
    pub async fn next_batch(&mut self) -> Option<Result<Vec<T>, Reason>> {
        poll_fn(|cx| self.inner.poll_fallible(cx)).await
    }

    /// Takes the next batch to be read by reference, or the failure of the producer, after which there is nothing more.
    ///
    /// # Cancel safety
    /// A batch is returned or still there.
    ///
    /// # Examples
    /// See [`Subscription::next_shared`].
    pub async fn next_shared(&mut self) -> Option<Result<SharedBatch<T>, Reason>> {
        poll_fn(|cx| self.inner.poll_fallible_shared(cx)).await
    }
}

impl<T: Send + 'static> Stream for Fallible<Subscription<T>> {
    type Item = Result<T, Reason>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner.poll_item(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        failing(self.inner.size_hint(), self.inner.is_terminated())
    }
}

impl<T: Send + 'static> FusedStream for Fallible<Subscription<T>> {
    fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }
}
