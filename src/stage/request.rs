use super::ends::{Answer, Link, Port, Replaced};
use super::terms::SubscribeError;
use super::upstream::Upstream;
use tokio::sync::oneshot;

/// A subscription, known only by the type of its items.
pub(crate) struct Request<T> {
    pub(super) upstream: Upstream,
    pub(super) link: Link,
    pub(super) open: Open<T>,
}

type Open<T> = Box<dyn FnOnce(Port<T>, Option<Replaced>, Option<Answer>) + Send>;

/// Waits for a producer's answer to a new subscription.
pub(super) async fn taken(
    answered: oneshot::Receiver<Result<(), SubscribeError>>,
) -> Result<(), SubscribeError> {
    answered.await.unwrap_or(Err(SubscribeError::Gone))
}
