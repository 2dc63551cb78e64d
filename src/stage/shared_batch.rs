use crate::dispatch::Body;
use std::fmt;
use std::ops::Deref;

/// A batch that is read by reference, for other subscriptions may be reading it too: a slice of its items.
///
/// Taken by [`Subscription::next_shared`](super::Subscription::next_shared). The batch is dropped with the last
/// `SharedBatch` of it.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::from_iter;
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(1..=4).stage().spawn();
/// let mut read = numbers.subscribe().await?;
/// let batch = read.next_shared().await.expect("there are four");
/// assert_eq!((batch.len(), batch.iter().sum::<u32>()), (4, 10));
/// assert_eq!(batch.into_vec(), [1, 2, 3, 4]);
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # });
/// ```
pub struct SharedBatch<T>(Body<T>);

impl<T> SharedBatch<T> {
    pub(super) fn new(body: Body<T>) -> Self {
        Self(body)
    }

    /// The items as one's own: moved if no other part is left of what was sent with them, and cloned otherwise.
    ///
    /// # Examples
    /// See [`SharedBatch`].
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0.into_items()
    }
}

impl<T> Deref for SharedBatch<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        self.0.as_slice()
    }
}

impl<T> AsRef<[T]> for SharedBatch<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<'a, T> IntoIterator for &'a SharedBatch<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for SharedBatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
