use super::ends::{Opening, Target};
use super::handle::Handle;
use super::role::Produces;
use super::subscribe::{ProducerEnd, Subscribe};
use crate::dispatch::StageId;
use std::fmt;
use std::sync::Arc;

impl<R: Produces, M: Send + 'static> Handle<R, M> {
    /// Hides all of the stage's types but that of its items, for a field or an argument.
    ///
    /// # Examples
    /// See [`AnyProducer`].
    pub fn erase(&self) -> AnyProducer<R::Item>
    where
        R::Options: Default,
    {
        AnyProducer(self.producer_end().without_options())
    }
}

/// Anything that makes items of type `T` and can be subscribed to, whatever its kind, its dispatcher and its messages.
///
/// It keeps the stage alive, as a [`Handle`] does. Cheap to clone. Its subscriptions have the default options of the
/// dispatcher: no selector, no partition. So a subscription to a [`Partition`](crate::dispatch::Partition) is refused.
///
/// # Examples
/// ```
/// use futures::StreamExt;
/// use gen_stage::dispatch::Broadcast;
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{AnyProducer, from_iter};
///
/// let numbers = |many: bool| -> AnyProducer<u64> {
///     if many {
///         from_iter(0..100).stage().dispatcher(Broadcast::new()).spawn().erase()
///     } else {
///         from_iter([1]).stage().spawn().erase()
///     }
/// };
///
/// # tokio_test::block_on(async {
/// assert_eq!(numbers(true).subscribe().await?.count().await, 100);
/// assert_eq!(numbers(false).subscribe().await?.count().await, 1);
/// # Ok::<(), gen_stage::stage::SubscribeError>(())
/// # }).unwrap();
/// ```
#[must_use = "the stage is aborted when its last handle is dropped, and no subscription to it is left"]
pub struct AnyProducer<T>(ProducerEnd<T, ()>);

impl<T: Send + 'static> AnyProducer<T> {
    /// Begins a subscription: await it for a stream, or give it to another stage.
    ///
    /// # Examples
    /// See [`AnyProducer`].
    pub fn subscribe(&self) -> Subscribe<T> {
        Subscribe::new(self.0.clone())
    }

    /// The identifier of the stage.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::prelude::*;
    /// use gen_stage::stage::from_iter;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers = from_iter(0..9).stage().label("numbers").spawn();
    /// let producer = numbers.erase();
    /// assert_eq!(producer.id(), numbers.id());
    /// assert_eq!(producer.label(), "numbers");
    /// # });
    /// ```
    #[must_use]
    pub fn id(&self) -> StageId {
        self.0.stage.id()
    }

    /// Its name in logs, as given when it was set up.
    ///
    /// # Examples
    /// See [`id`](Self::id).
    #[must_use]
    pub fn label(&self) -> &str {
        &self.0.label
    }
}

impl<T> Clone for AnyProducer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for AnyProducer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyProducer").field("label", &self.0.label).finish_non_exhaustive()
    }
}

impl<T: Send + 'static, O: Default + Send + 'static> ProducerEnd<T, O> {
    /// The same, subscribed to with the default options.
    fn without_options(self) -> ProducerEnd<T, ()> {
        let Self { stage, target, producer, lifeline, label, tally } = self;
        ProducerEnd { stage, target: Arc::new(ByDefault(target)), producer, lifeline, label, tally }
    }
}

/// A producer whose options are the default ones.
struct ByDefault<T, O>(Arc<dyn Target<T, O>>);

impl<T, O: Default> Target<T, ()> for ByDefault<T, O> {
    fn open(&self, opening: Opening<T, ()>) {
        let Opening { port, options: (), replaces, answer } = opening;
        self.0.open(Opening { port, options: O::default(), replaces, answer });
    }
}
