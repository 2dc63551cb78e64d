use crate::sealed::Sealed;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

/// Any stage: the bound of a function that takes the [`Handle`](super::Handle) of a stage of any kind.
///
/// Implemented by [`Producing`], [`Consuming`] and [`Transforming`], and by nothing else.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Handle, Role, from_iter};
///
/// fn stop(stages: &[Handle<impl Role>]) {
///     stages.iter().for_each(Handle::abort);
/// }
///
/// # tokio_test::block_on(async {
/// stop(&[from_iter(0..).stage().spawn()]);
/// # });
/// ```
pub trait Role: Sealed + 'static {
    /// What it reads.
    type Input: Send + 'static;
    /// What it makes.
    type Item: Send + 'static;
    /// What subscriptions tell its dispatcher.
    type Options: Send + 'static;
}

/// A stage that makes items: the bound of a function that takes the [`Handle`](super::Handle) of a producer or of a
/// producer-consumer.
///
/// # Examples
/// ```
/// use futures::StreamExt;
/// use gen_stage::prelude::*;
/// use gen_stage::stage::{Handle, Produces, SubscribeError, from_iter};
///
/// async fn first(stage: &Handle<impl Produces<Item = u64, Options = ()>>) -> Result<Option<u64>, SubscribeError> {
///     Ok(stage.subscribe().await?.next().await)
/// }
///
/// # tokio_test::block_on(async {
/// assert_eq!(first(&from_iter(7..).stage().spawn()).await.unwrap(), Some(7));
/// # });
/// ```
pub trait Produces: Role {}
/// A stage that reads items: the bound of a function that takes the [`Handle`](super::Handle) of a consumer or of a
/// producer-consumer.
///
/// # Examples
/// As [`Produces`], with `Input` in place of `Item`.
pub trait Consumes: Role {}

macro_rules! roles {
    ($($(#[$docs:meta])* $name:ident<$($of:ident),*>: $input:ty, $item:ty, $options:ty;)*) => {$(
        $(#[$docs])*
        pub struct $name<$($of),*>(PhantomData<fn() -> ($($of,)*)>);

        impl<$($of),*> fmt::Debug for $name<$($of),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
        impl<$($of: Send + 'static),*> Sealed for $name<$($of),*> {}
        impl<$($of: Send + 'static),*> Role for $name<$($of),*> {
            type Input = $input;
            type Item = $item;
            type Options = $options;
        }
    )*};
}

roles! {
    /// The role of a producer; see [`ProducerHandle`](super::ProducerHandle).
    Producing<T, O>: Infallible, T, O;
    /// The role of a consumer; see [`ConsumerHandle`](super::ConsumerHandle).
    Consuming<I>: I, Infallible, ();
    /// The role of a producer-consumer; see [`ProducerConsumerHandle`](super::ProducerConsumerHandle).
    Transforming<I, T, O>: I, T, O;
}

impl<T: Send + 'static, O: Send + 'static> Produces for Producing<T, O> {}
impl<I: Send + 'static> Consumes for Consuming<I> {}
impl<I: Send + 'static, T: Send + 'static, O: Send + 'static> Produces for Transforming<I, T, O> {}
impl<I: Send + 'static, T: Send + 'static, O: Send + 'static> Consumes for Transforming<I, T, O> {}
