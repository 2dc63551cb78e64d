/// Reads a subscription, or a producer alone, with the failure of the producer as the last item.
///
/// Made by [`Subscription::fallible`](super::Subscription::fallible) and [`IntoStream::fallible`](super::IntoStream::fallible).
///
/// # Examples
/// See [`Subscription::fallible`](super::Subscription::fallible).
#[must_use = "streams do nothing until they are polled"]
#[derive(Debug)]
pub struct Fallible<S> {
    pub(super) inner: S,
}

impl<S> Fallible<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
    }

    /// What is read, for example to see the reason of a clean end.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

/// A size hint with room for a failure, which comes as one more item.
pub(super) fn failing((lower, upper): (usize, Option<usize>), over: bool) -> (usize, Option<usize>) {
    (lower, if over { upper } else { upper.and_then(|upper| upper.checked_add(1)) })
}
