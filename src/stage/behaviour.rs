//! The three kinds of stages as one, for the core that runs them.

use super::consumer::Consumer;
use super::output::Output;
use super::producer::Producer;
use super::producer_consumer::ProducerConsumer;
use super::reason::{Cancellation, Reason, StageError};
use super::status::Kind;
use super::upstream::{Mode, Upstream};
use crate::dispatch::Subscriber;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending};
use std::marker::PhantomData;

type Done = Result<(), StageError>;

/// What a stage does when something happens to it. Implemented by [`AsProducer`], [`AsProducerConsumer`] and
/// [`AsConsumer`] around the three traits that users write.
#[doc(hidden)]
#[allow(unused_variables, reason = "the names say what is ignored")]
pub trait Behaviour: Send + 'static {
    const KIND: Kind;
    type Input: Send + 'static;
    type Item: Send + 'static;
    type Message: Send + 'static;

    /// The label of a stage for which none was set.
    fn name() -> &'static str;
    fn start(&mut self, out: &mut Output<Self::Item, Self::Message>) -> impl Future<Output = Done> + Send;
    fn message(
        &mut self,
        message: Self::Message,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send;
    fn terminate(&mut self, reason: &Reason) -> impl Future<Output = ()> + Send;

    fn demand(
        &mut self,
        demand: usize,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send {
        async { Ok(()) }
    }
    fn produce(&mut self, out: &mut Output<Self::Item, Self::Message>) -> impl Future<Output = Done> + Send {
        pending()
    }
    fn consumer(
        &mut self,
        consumer: Subscriber,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send {
        async { Ok(()) }
    }
    fn consumer_cancel(
        &mut self,
        end: &Cancellation,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send {
        async { Ok(()) }
    }
    fn discarded(&mut self, items: usize) -> bool {
        true
    }

    fn items(
        &mut self,
        items: Vec<Self::Input>,
        from: &Upstream,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send {
        async { Ok(()) }
    }
    fn producer(
        &mut self,
        producer: &Upstream,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Result<Mode, StageError>> + Send {
        async { Ok(Mode::Automatic) }
    }
    fn producer_cancel(
        &mut self,
        end: &Cancellation,
        out: &mut Output<Self::Item, Self::Message>,
    ) -> impl Future<Output = Done> + Send {
        async { Ok(()) }
    }
}

macro_rules! wrapper {
    ($name:ident, $what:literal) => {
        #[doc = $what]
        ///
        /// ```
        /// use gen_stage::prelude::*;
        /// use gen_stage::stage::from_iter;
        ///
        /// assert!(format!("{:?}", from_iter([1]).stage()).starts_with("Setup"));
        /// ```
        pub struct $name<S, M>(S, PhantomData<fn() -> M>);

        impl<S, M> $name<S, M> {
            pub(super) fn new(stage: S) -> Self {
                Self(stage, PhantomData)
            }
        }

        impl<S, M> fmt::Debug for $name<S, M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

wrapper!(AsProducer, "A [`Producer`] that is being set up.");
wrapper!(AsProducerConsumer, "A [`ProducerConsumer`] that is being set up.");
wrapper!(AsConsumer, "A [`Consumer`] that is being set up.");

impl<S: Producer<M>, M: Send + 'static> Behaviour for AsProducer<S, M> {
    const KIND: Kind = Kind::Producer;
    type Input = Infallible;
    type Item = S::Item;
    type Message = M;

    fn name() -> &'static str {
        std::any::type_name::<S>()
    }
    fn start(&mut self, out: &mut Output<S::Item, M>) -> impl Future<Output = Done> + Send {
        self.0.handle_start(out)
    }
    fn message(&mut self, message: M, out: &mut Output<S::Item, M>) -> impl Future<Output = Done> + Send {
        self.0.handle_message(message, out)
    }
    fn terminate(&mut self, reason: &Reason) -> impl Future<Output = ()> + Send {
        self.0.terminate(reason)
    }
    fn demand(&mut self, demand: usize, out: &mut Output<S::Item, M>) -> impl Future<Output = Done> + Send {
        self.0.handle_demand(demand, out)
    }
    fn produce(&mut self, out: &mut Output<S::Item, M>) -> impl Future<Output = Done> + Send {
        self.0.produce(out)
    }
    fn consumer(
        &mut self,
        consumer: Subscriber,
        out: &mut Output<S::Item, M>,
    ) -> impl Future<Output = Done> + Send {
        self.0.handle_subscribe(consumer, out)
    }
    fn consumer_cancel(
        &mut self,
        end: &Cancellation,
        out: &mut Output<S::Item, M>,
    ) -> impl Future<Output = Done> + Send {
        self.0.handle_cancel(end, out)
    }
    fn discarded(&mut self, items: usize) -> bool {
        self.0.handle_discarded(items)
    }
}

impl<S: ProducerConsumer<M>, M: Send + 'static> Behaviour for AsProducerConsumer<S, M> {
    const KIND: Kind = Kind::ProducerConsumer;
    type Input = S::Input;
    type Item = S::Item;
    type Message = M;

    fn name() -> &'static str {
        std::any::type_name::<S>()
    }
    fn start(&mut self, out: &mut Output<S::Item, M>) -> impl Future<Output = Done> + Send {
        self.0.handle_start(out)
    }
    fn message(&mut self, message: M, out: &mut Output<S::Item, M>) -> impl Future<Output = Done> + Send {
        self.0.handle_message(message, out)
    }
    fn terminate(&mut self, reason: &Reason) -> impl Future<Output = ()> + Send {
        self.0.terminate(reason)
    }
    fn consumer(
        &mut self,
        consumer: Subscriber,
        out: &mut Output<S::Item, M>,
    ) -> impl Future<Output = Done> + Send {
        self.0.handle_consumer(consumer, out)
    }
    fn consumer_cancel(
        &mut self,
        end: &Cancellation,
        out: &mut Output<S::Item, M>,
    ) -> impl Future<Output = Done> + Send {
        self.0.handle_consumer_cancel(end, out)
    }
    fn discarded(&mut self, items: usize) -> bool {
        self.0.handle_discarded(items)
    }
    fn items(
        &mut self,
        items: Vec<S::Input>,
        from: &Upstream,
        out: &mut Output<S::Item, M>,
    ) -> impl Future<Output = Done> + Send {
        self.0.handle_items(items, from, out)
    }
    fn producer(
        &mut self,
        producer: &Upstream,
        out: &mut Output<S::Item, M>,
    ) -> impl Future<Output = Result<Mode, StageError>> + Send {
        self.0.handle_subscribe(producer, out)
    }
    fn producer_cancel(
        &mut self,
        end: &Cancellation,
        out: &mut Output<S::Item, M>,
    ) -> impl Future<Output = Done> + Send {
        self.0.handle_cancel(end, out)
    }
}

impl<S: Consumer<M>, M: Send + 'static> Behaviour for AsConsumer<S, M> {
    const KIND: Kind = Kind::Consumer;
    type Input = S::Input;
    type Item = Infallible;
    type Message = M;

    fn name() -> &'static str {
        std::any::type_name::<S>()
    }
    fn start(&mut self, out: &mut Output<Infallible, M>) -> impl Future<Output = Done> + Send {
        self.0.handle_start(out.control())
    }
    fn message(&mut self, message: M, out: &mut Output<Infallible, M>) -> impl Future<Output = Done> + Send {
        self.0.handle_message(message, out.control())
    }
    fn terminate(&mut self, reason: &Reason) -> impl Future<Output = ()> + Send {
        self.0.terminate(reason)
    }
    fn items(
        &mut self,
        items: Vec<S::Input>,
        from: &Upstream,
        out: &mut Output<Infallible, M>,
    ) -> impl Future<Output = Done> + Send {
        self.0.handle_items(items, from, out.control())
    }
    fn producer(
        &mut self,
        producer: &Upstream,
        out: &mut Output<Infallible, M>,
    ) -> impl Future<Output = Result<Mode, StageError>> + Send {
        self.0.handle_subscribe(producer, out.control())
    }
    fn producer_cancel(
        &mut self,
        end: &Cancellation,
        out: &mut Output<Infallible, M>,
    ) -> impl Future<Output = Done> + Send {
        self.0.handle_cancel(end, out.control())
    }
}

/// A behaviour that makes items: [`AsProducer`] and [`AsProducerConsumer`].
#[doc(hidden)]
pub trait Emits: Behaviour {}
impl<S: Producer<M>, M: Send + 'static> Emits for AsProducer<S, M> {}
impl<S: ProducerConsumer<M>, M: Send + 'static> Emits for AsProducerConsumer<S, M> {}

/// A behaviour that reads items: [`AsConsumer`] and [`AsProducerConsumer`].
#[doc(hidden)]
pub trait Receives: Behaviour {}
impl<S: Consumer<M>, M: Send + 'static> Receives for AsConsumer<S, M> {}
impl<S: ProducerConsumer<M>, M: Send + 'static> Receives for AsProducerConsumer<S, M> {}
