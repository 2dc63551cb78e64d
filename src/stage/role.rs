use crate::sealed::Sealed;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

/// What a stage reads and makes.
///
/// Implemented by [`Producing`], [`Consuming`] and [`Transforming`], and by nothing else.
pub trait Role: Sealed + 'static {
    /// What it reads.
    type Input: Send + 'static;
    /// What it makes.
    type Item: Send + 'static;
    /// What subscriptions tell its dispatcher.
    type Options: Send + 'static;
}

/// The role of stages that make items.
pub trait Produces: Role {}
/// The role of stages that read items.
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
