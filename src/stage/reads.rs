use super::handle::Handle;
use super::request::Request;
use super::role::Consumes;
use super::terms::SubscribeError;
use crate::dispatch::SubscriptionId;
use std::future::Future;
use std::pin::Pin;

/// Whether a stage has subscribed, once both sides have agreed.
pub(crate) type Subscribing = Pin<Box<dyn Future<Output = Result<SubscriptionId, SubscribeError>> + Send>>;

/// A stage, known only by the type of the items it reads.
pub(crate) trait Reads<T>: Send + Sync {
    /// As [`Handle::subscribe_to`]: the stage is told at once.
    fn read(&self, request: Request<T>) -> Subscribing;
}

impl<R: Consumes, M: Send + 'static> Reads<R::Input> for Handle<R, M> {
    fn read(&self, request: Request<R::Input>) -> Subscribing {
        Box::pin(self.request(request, None))
    }
}
