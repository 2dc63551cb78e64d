use super::reason::Reason;
use super::subscribe::Subscribe;
use super::subscription::Subscription;
use super::terms::SubscribeError;

impl<T: Send + 'static> Subscription<T> {
    /// Subscribes without waiting for the producer to agree.
    pub(crate) fn begin<O: Send + 'static>(to: Subscribe<T, O>) -> Self {
        Self::open(to.into_request(), None)
    }

    /// Replaces this subscription with a new one, for example with another demand or selector.
    ///
    /// The producer ends the old one, with `reason`, just before it takes the new one, so that no item is lost and the
    /// order is kept. What was on its way is read first.
    ///
    /// # Errors
    /// [`SubscribeError`] when the new one was not taken. The old one has then ended: what was on its way can be read,
    /// and then the stream ends.
    ///
    /// # Cancel safety
    /// After a future that is dropped, the new subscription is in place, whether or not the producer has agreed yet.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::{Reason, from_iter};
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..).stage().spawn();
    /// let mut read = numbers.subscribe().demand(2, 0).await?;
    /// assert_eq!(read.next_batch().await, Some(vec![0, 1]));
    /// read.resubscribe(numbers.subscribe().demand(4, 0), Reason::Normal).await?;
    /// assert_eq!(read.next_batch().await, Some(vec![2, 3, 4, 5]));
    /// # Ok::<(), gen_stage::stage::SubscribeError>(())
    /// # });
    /// ```
    ///
    /// # Source
    /// `GenStage.sync_resubscribe`.
    pub async fn resubscribe<O: Send + 'static>(
        &mut self,
        to: Subscribe<T, O>,
        reason: Reason,
    ) -> Result<(), SubscribeError> {
        self.replace(to.into_request(), reason).await
    }
}
