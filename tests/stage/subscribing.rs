//! Subscriptions that a stage makes by itself, and producers without their types.

use futures::StreamExt;
use gen_stage::dispatch::{Partition, Refusal, SubscriptionId};
use gen_stage::prelude::*;
use gen_stage::stage::{
    self, AnyProducer, Cancellation, Control, Output, Reason, SubscribeError, Upstream, from_iter,
};
use tokio::sync::mpsc;

/// Subscribes to what it is sent, and reports what it reads, and which subscriptions ended.
struct Follower<T>(mpsc::UnboundedSender<Seen>, std::marker::PhantomData<fn(T)>);

#[derive(Debug, PartialEq)]
enum Seen {
    Items(Vec<u64>),
    Ended(Reason),
}

impl<T: Send + 'static> Consumer<AnyProducer<T>> for Follower<T> {
    type Input = u64;

    async fn handle_items(
        &mut self,
        items: Vec<u64>,
        _: &Upstream,
        _: &mut Control<AnyProducer<T>>,
    ) -> stage::Result {
        self.0.send(Seen::Items(items))?;
        Ok(())
    }

    async fn handle_message(
        &mut self,
        to: AnyProducer<T>,
        control: &mut Control<AnyProducer<T>>,
    ) -> stage::Result {
        control.subscribe_to(to.subscribe().temporary());
        Ok(())
    }

    async fn handle_cancel(&mut self, end: &Cancellation, _: &mut Control<AnyProducer<T>>) -> stage::Result {
        self.0.send(Seen::Ended(end.reason().clone()))?;
        Ok(())
    }
}

fn follower<T: Send + 'static>() -> (Follower<T>, mpsc::UnboundedReceiver<Seen>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Follower(sender, std::marker::PhantomData), receiver)
}

#[tokio::test(start_paused = true)]
async fn a_callback_has_its_stage_read_one_producer_after_another() {
    let (stage, mut seen) = follower();
    let stage = stage.stage().spawn();
    for numbers in [vec![1, 2], vec![3]] {
        stage.cast(from_iter(numbers.clone()).stage().spawn().erase()).await.unwrap();
        assert_eq!(seen.recv().await, Some(Seen::Items(numbers)));
        assert_eq!(seen.recv().await, Some(Seen::Ended(Reason::Normal)));
    }
    assert_eq!(stage.status().await.unwrap().producers.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_what_a_callback_asked_for_is_told_as_the_end_of_the_subscription() {
    let (stage, mut seen) = follower();
    let stage = stage.stage().spawn();
    let parts = from_iter(0..9).stage().dispatcher(Partition::by_key(0..2, |n: &u64| n % 2)).spawn();
    stage.cast(parts.erase()).await.unwrap();
    let Some(Seen::Ended(Reason::Refused(refusal))) = seen.recv().await else { panic!("it is refused") };
    assert!(matches!(refusal, Refusal::PartitionRequired { .. }), "{refusal}");
    assert!(stage.status().await.is_ok(), "it lives on");
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_is_to_read_what_it_cannot_says_which_types_they_are() {
    let (stage, _seen) = follower();
    let stage = stage.stage().label("sum").spawn();
    stage.cast(from_iter(["a".to_string()]).stage().label("names").spawn().erase()).await.unwrap();
    assert_eq!(
        stage.wait().await.to_string(),
        "the consumer `sum` failed: subscribe_to: the stage reads u64, \
         and the producer `names` makes alloc::string::String"
    );
}

/// A producer that wants to read.
struct Confused;

impl Producer<AnyProducer<u64>> for Confused {
    type Item = u64;

    async fn handle_demand(&mut self, _: usize, _: &mut Output<u64, AnyProducer<u64>>) -> stage::Result {
        Ok(())
    }

    async fn handle_message(
        &mut self,
        to: AnyProducer<u64>,
        out: &mut Output<u64, AnyProducer<u64>>,
    ) -> stage::Result {
        out.subscribe_to(to.subscribe());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_producer_reads_nothing() {
    let stage = Confused.stage().label("confused").spawn();
    stage.cast(from_iter([1]).stage().label("numbers").spawn().erase()).await.unwrap();
    let reason = stage.wait().await.to_string();
    assert!(reason.contains("the stage reads nothing, and the producer `numbers` makes u64"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_producer_without_its_types_is_kept_alive_and_is_the_same_stage() {
    let numbers = from_iter(0..3u64).stage().label("numbers").spawn();
    let (id, erased) = (numbers.id(), numbers.erase());
    drop(numbers);
    assert_eq!((erased.id(), erased.label()), (id, "numbers"));
    let read = erased.clone().subscribe().await.unwrap();
    drop(erased);
    assert_ne!(read.id(), SubscriptionId::next());
    assert_eq!(read.collect::<Vec<_>>().await, [0, 1, 2], "the subscription keeps it alive now");
}

#[tokio::test(start_paused = true)]
async fn a_producer_with_partitions_refuses_subscriptions_without_one() {
    let parts = from_iter(0..9u64).stage().dispatcher(Partition::hash(2)).spawn().erase();
    let refused = parts.subscribe().await.unwrap_err();
    assert!(matches!(refused, SubscribeError::Refused(Refusal::PartitionRequired { .. })), "{refused}");
}

#[tokio::test]
#[should_panic(expected = "max_demand must be at least 1, given 0")]
async fn a_demand_needs_room_for_one_item() {
    let _ = from_iter(0..1).stage().spawn().subscribe().demand_up_to(0);
}
