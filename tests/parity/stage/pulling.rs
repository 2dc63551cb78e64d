//! A producer-consumer works for what is wanted of it, and no more.

use crate::support::settle;
use crate::support::stages::{Log, Say, count, identity, in_batches, later, now, silent};
use futures::FutureExt;
use gen_stage::dispatch::{Broadcast, ByDemand, Dispatcher, Partition};
use gen_stage::prelude::*;
use gen_stage::stage::{ProducerConsumerHandle, ProducerHandle};

#[tokio::test]
async fn nothing_is_asked_above_when_nothing_is_wanted_below_though_items_are_emitted_later() {
    let (source, middle) = (count(0), later());
    let (asked, log) = (source.log(), middle.log());
    let source = source.stage().spawn();
    let middle = middle.stage().subscribe_to(source.subscribe().demand(10, 5)).spawn();
    let mut reading = middle.subscribe().manual().await.unwrap();
    settle().await;
    assert_eq!(log.batches(), [[0; 0]; 0]);
    reading.ask(5);
    settle().await;
    // The list that was begun is handled to its end.
    assert_eq!(log.batches(), in_batches(0, [5, 5]));
    assert_eq!(asked.demands(), [10, 5, 5]);
    assert_eq!(now(&mut reading), Some((0..5).collect()));
    assert_eq!(now(&mut reading), None);
    reading.ask(5);
    settle().await;
    assert_eq!(now(&mut reading), Some((5..10).collect()), "out of the buffer");
    assert_eq!(asked.demands(), [10, 5, 5]);
    reading.ask(1);
    settle().await;
    assert_eq!(now(&mut reading), Some(vec![10]));
}

#[tokio::test]
async fn a_producer_consumer_asks_at_once_and_handles_nothing_until_somebody_wants_it() {
    let (source, middle) = (count(0), identity());
    let (asked, log) = (source.log(), middle.log());
    let source = source.stage().spawn();
    let middle = middle.stage().subscribe_to(source.subscribe().demand(10, 5)).spawn();
    settle().await;
    assert_eq!(asked.demands(), [10]);
    assert_eq!(log.batches(), [[0; 0]; 0]);
    assert_eq!(middle.status().await.unwrap().waiting, 10);

    let mut reading = middle.subscribe().manual().await.unwrap();
    settle().await;
    assert_eq!(log.batches(), [[0; 0]; 0], "a consumer that asks for nothing wants nothing");
    reading.ask(1);
    settle().await;
    assert_eq!(log.batches(), in_batches(0, [5, 5]), "a list that was begun is handled to its end");
    assert_eq!(asked.demands(), [10, 5, 5]);
    assert_eq!(now(&mut reading), Some(vec![0]));
    assert_eq!(middle.status().await.unwrap().buffered, 9);
    reading.ask(9);
    settle().await;
    assert_eq!(log.batches().len(), 2, "the rest comes out of the buffer");
    assert_eq!(now(&mut reading), Some((1..10).collect()));
}

type HeldBack<O> = (ProducerHandle<u64, (), Say>, ProducerConsumerHandle<u64, u64, O, Say>, Log);

/// A counter that is held back, and a producer-consumer behind it with this dispatcher: nothing is handled before the
/// counter is told to go forward. It blocks in its 50th batch, far behind where it should have stopped.
fn held_back<D: Dispatcher<u64>>(dispatcher: D) -> HeldBack<D::Options> {
    let source = count(0).stage().accumulate().spawn();
    let middle = identity().blocking_in(50);
    let log = middle.log();
    let above = source.subscribe().demand(10, 5);
    (source, middle.stage().dispatcher(dispatcher).subscribe_to(above).spawn(), log)
}

#[tokio::test]
async fn a_producer_consumer_does_not_pull_for_ever_for_one_who_has_left() {
    let (source, middle, log) = held_back(ByDemand::new());
    let reading = middle.subscribe().manual().await.unwrap();
    reading.ask(10);
    settle().await;
    drop(reading);
    settle().await;
    source.forward();
    settle().await;
    // Ten were asked for; a list that was begun may go beyond.
    assert!(log.items().len() <= 20, "{} items were handled that nobody wants", log.items().len());
}

#[tokio::test]
async fn a_producer_consumer_that_broadcasts_works_for_what_all_want() {
    let (source, middle) = (silent(), identity());
    let source = source.stage().spawn();
    let middle =
        middle.stage().dispatcher(Broadcast::new()).subscribe_to(source.subscribe().demand(10, 5)).spawn();
    let (mut one, mut two) =
        (middle.subscribe().manual().await.unwrap(), middle.subscribe().manual().await.unwrap());
    one.ask(10);
    two.ask(10);
    for item in 1..=10 {
        source.cast(Say::Queue(vec![item])).await.unwrap();
    }
    settle().await;
    for reading in [&mut one, &mut two] {
        let got: Vec<u64> = std::iter::from_fn(|| now(reading)).flatten().collect();
        assert_eq!(got, (1..=10).collect::<Vec<_>>(), "ten were asked for, and ten are there");
    }
}

#[tokio::test]
async fn a_producer_consumer_does_not_pull_for_ever_when_a_new_one_asks_for_nothing() {
    let (source, middle, log) = held_back(Broadcast::new());
    let mut one = middle.subscribe().manual().await.unwrap();
    one.ask(10);
    settle().await;
    let mut new = middle.subscribe().manual().await.unwrap();
    source.forward();
    settle().await;
    assert!(log.items().len() <= 20, "{} items were handled, and none can go out", log.items().len());
    assert_eq!(now(&mut one), None);
    new.ask(10);
    settle().await;
    for reading in [&mut one, &mut new] {
        let got: Vec<u64> = std::iter::from_fn(|| now(reading)).flatten().collect();
        assert_eq!(got, (0..10).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_producer_consumer_does_not_pull_for_ever_for_a_partition_that_nobody_reads() {
    let (source, middle, log) = held_back(Partition::by_key([0, 1], |_: &u64| 1));
    let reading = middle.subscribe().in_partition(0).manual().await.unwrap();
    reading.ask(10);
    source.forward();
    settle().await;
    let status = middle.status().now_or_never().and_then(Result::ok);
    let held = status.map(|status| (status.dispatching, status.buffered));
    assert!(log.items().len() <= 20, "{} items for one who asked for 10: {held:?}", log.items().len());
}

#[tokio::test]
async fn a_producer_consumer_makes_up_for_dropped_items_once() {
    let dropping_odd = |n: u64| (n % 2 == 0).then_some((n, 0));
    let (source, middle, log) = held_back(Partition::by([0], dropping_odd));
    let mut reading = middle.subscribe().in_partition(0).manual().await.unwrap();
    reading.ask(10);
    source.forward();
    settle().await;
    let got: Vec<u64> = std::iter::from_fn(|| now(&mut reading)).flatten().collect();
    assert_eq!(got, (0..20).step_by(2).collect::<Vec<_>>());
    assert!(log.items().len() <= 30, "{} items were handled for 10 even ones", log.items().len());
}

#[tokio::test]
async fn a_producer_consumer_makes_up_for_items_that_were_not_selected_once() {
    let (source, middle, log) = held_back(Broadcast::new());
    let mut reading = middle.subscribe().selector(|n| n % 2 == 0).manual().await.unwrap();
    reading.ask(10);
    source.forward();
    settle().await;
    let got: Vec<u64> = std::iter::from_fn(|| now(&mut reading)).flatten().collect();
    assert_eq!(got, (0..20).step_by(2).collect::<Vec<_>>());
    assert!(log.items().len() <= 30, "{} items were handled for 10 even ones", log.items().len());
}
