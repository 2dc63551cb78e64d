//! How the core calls the three kinds of stages.

use super::behaviour::{Behaviour, Done, Emits, Receives};
use super::consumer::Consumer;
use super::output::Output;
use super::producer::Producer;
use super::producer_consumer::ProducerConsumer;
use super::reason::{Cancellation, Reason};
use super::status::StageKind;
use super::terms::AskMode;
use super::upstream::Upstream;
use super::wrappers::{AsConsumer, AsProducer, AsProducerConsumer};
use crate::dispatch::Subscriber;
use crate::failure::StageError;
use crate::sealed::Sealed;
use std::convert::Infallible;
use std::future::Future;

impl<S, M> Sealed for AsProducer<S, M> {}

impl<S: Producer<M>, M: Send + 'static> Behaviour for AsProducer<S, M> {
    const KIND: StageKind = StageKind::Producer;
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

impl<S, M> Sealed for AsProducerConsumer<S, M> {}

impl<S: ProducerConsumer<M>, M: Send + 'static> Behaviour for AsProducerConsumer<S, M> {
    const KIND: StageKind = StageKind::ProducerConsumer;
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
    ) -> impl Future<Output = Result<AskMode, StageError>> + Send {
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

impl<S, M> Sealed for AsConsumer<S, M> {}

impl<S: Consumer<M>, M: Send + 'static> Behaviour for AsConsumer<S, M> {
    const KIND: StageKind = StageKind::Consumer;
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
    ) -> impl Future<Output = Result<AskMode, StageError>> + Send {
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

impl<S: Producer<M>, M: Send + 'static> Emits for AsProducer<S, M> {}
impl<S: ProducerConsumer<M>, M: Send + 'static> Emits for AsProducerConsumer<S, M> {}
impl<S: Consumer<M>, M: Send + 'static> Receives for AsConsumer<S, M> {}
impl<S: ProducerConsumer<M>, M: Send + 'static> Receives for AsProducerConsumer<S, M> {}
