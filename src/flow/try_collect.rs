use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::plumbing::tasks::Failure;
use std::future::poll_fn;

impl<P, T, E> Flow<P>
where
    P: Build<Bare, Item = Result<T, E>, Lane: Send + 'static>,
    Result<T, E>: Send + 'static,
{
    /// Gathers the value of each `Ok` that comes out into a collection, or stops at the first error.
    ///
    /// Like `TryStreamExt::try_collect`, but without an import, and batch by batch.
    ///
    /// # Ordering
    /// As the lanes send: see [`Flow`].
    ///
    /// # Errors
    /// The first error that is read stops all lanes and is returned once they are gone with the source. What was
    /// gathered until then, and later errors, are dropped.
    ///
    /// # Panics
    /// Like every reader of a [`Flow`].
    ///
    /// # Cancel safety
    /// Dropping the future drops the flow and what was gathered.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let parsed = |text| Flow::from_iter(text).lanes(1).map(|word: &str| word.parse::<u32>());
    /// assert_eq!(parsed(["4", "8"]).try_collect::<Vec<_>>().await, Ok(vec![4, 8]));
    /// assert!(parsed(["4", "x"]).try_collect::<Vec<_>>().await.is_err());
    /// # });
    /// ```
    pub async fn try_collect<C>(mut self) -> Result<C, E>
    where
        C: Default + Extend<T>,
    {
        let mut gathered = C::default();
        while let Some(batch) = poll_fn(|cx| self.poll_next_batch(cx)).await {
            let mut failed = None;
            gathered
                .extend(batch.into_iter().map_while(|item| item.map_err(|error| failed = Some(error)).ok()));
            if let Some(error) = failed {
                self.stopped().await.unwrap_or_else(|failure| Failure::raise(failure));
                return Err(error);
            }
        }
        Ok(gathered)
    }
}
