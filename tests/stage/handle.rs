//! Consumers that come and go, and what holds a stage.

use crate::support::stages::{Log, Reader, Say, adds_up, collect, count, identity, silent, until};
use crate::support::{Alive, Watched, settle};
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use gen_stage::dispatch::Broadcast;
use gen_stage::prelude::*;
use gen_stage::stage::{from_iter, from_sink, from_stream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn consumers_come_and_go_while_a_stage_runs() {
    let source = count(0);
    let log = source.log();
    let producer = source.stage().spawn();
    let mut seen = Vec::new();
    for round in 0..20 {
        let readers = [collect(), collect(), collect()];
        let logs = readers.each_ref().map(Reader::log);
        let handles =
            readers.map(|reader| reader.stage().subscribe_to(producer.subscribe().demand(8, 4)).spawn());
        until("all have some", || logs.iter().all(|each| each.batches().len() > round % 3)).await;
        for handle in handles {
            if round % 2 == 0 { drop(handle) } else { drop(handle.shutdown().await) }
        }
        settle().await;
        assert!(producer.status().await.unwrap().consumers.is_empty(), "round {round}");
        seen.extend(logs.iter().flat_map(Log::items));
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count, "nothing came twice");
    assert_eq!(log.left().len(), 60);
    producer.shutdown().await;
    let counts = producer.counts();
    assert_eq!(counts.taken, count as u64);
    adds_up(counts, "the producer");
}

#[tokio::test]
async fn a_consumer_changes_its_producers_while_it_runs() {
    let reader = collect();
    let log = reader.log();
    let consumer = reader.stage().spawn();
    for from in [0, 100, 200] {
        let numbers = from_iter(from..from + 10).stage().spawn();
        consumer.subscribe_to(numbers.subscribe().demand(4, 2).transient()).await.unwrap();
        numbers.wait().await;
    }
    settle().await;
    assert_eq!(log.items(), (0..10).chain(100..110).chain(200..210).collect::<Vec<_>>());
    assert!(consumer.status().await.unwrap().producers.is_empty());
    assert_eq!(log.cancelled().len(), 3);
    // A stage that has ended subscribes to nothing.
    consumer.shutdown().await;
    let numbers = from_iter(0..).stage().spawn();
    let refused = consumer.subscribe_to(numbers.subscribe()).await;
    assert!(matches!(refused, Err(gen_stage::stage::SubscribeError::ConsumerGone)));
    settle().await;
    assert!(numbers.status().await.unwrap().consumers.is_empty());
}

#[tokio::test]
async fn holding_the_last_stage_holds_all_and_dropping_it_drops_all() {
    let watched = Watched::new();
    let numbers = from_stream(watched.endless()).stage().spawn();
    let same = identity().stage().subscribe_to(numbers.subscribe().demand(4, 2)).spawn();
    let reader = collect();
    let log = reader.log();
    let consumer = reader.stage().subscribe_to(same.subscribe().demand(4, 2)).spawn();
    let clone = consumer.clone();
    drop((numbers, same, consumer));
    until("it runs", || log.items().len() >= 100).await;
    assert!(watched.is_alive());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 3);
    drop(clone);
    settle().await;
    assert!(!watched.is_alive());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test]
async fn a_pipeline_whose_subscription_is_not_yet_made_is_held_by_it() {
    let watched = Watched::new();
    let numbers = from_stream(watched.endless()).stage().spawn();
    let planned = numbers.subscribe();
    drop(numbers);
    settle().await;
    assert!(watched.is_alive(), "somebody is about to subscribe");
    drop(planned);
    settle().await;
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn an_address_holds_nothing() {
    let source = silent();
    let log = source.log();
    let producer = source.stage().spawn();
    let address = producer.address();
    settle().await;
    drop(producer);
    settle().await;
    let late = address.call(|reply| Say::Call(vec![1], reply)).await;
    assert!(late.is_err());
    assert_eq!(log.end(), None, "it was aborted");
}

#[tokio::test]
async fn a_detached_stage_lives_until_it_ends_by_itself() {
    let (sender, mut receiver) = mpsc::unbounded();
    let (sink_alive, watched) = (Arc::new(AtomicUsize::new(0)), Watched::new());
    let counted = Alive::new(&sink_alive);
    let sink = sender.with(move |n: u64| {
        let _ = &counted;
        futures::future::ready(Ok::<_, mpsc::SendError>(n))
    });
    let numbers = from_stream(watched.endless()).stage().spawn();
    from_sink(sink).stage().subscribe_to(numbers.subscribe().demand(2, 0)).spawn().detach();
    let clone = numbers.clone();
    numbers.detach();
    drop(clone);
    for n in 0..100 {
        assert_eq!(receiver.next().await, Some(n));
    }
    assert!(watched.is_alive());
    // The writer fails; the producer, detached as well, waits for another for ever.
    drop(receiver);
    until("the writer has ended", || sink_alive.load(Ordering::SeqCst) == 0).await;
    settle().await;
    assert!(watched.is_alive());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 1);
}

#[tokio::test]
async fn several_readers_of_one_broadcast_come_and_go() {
    let watched = Watched::new();
    let numbers = from_stream(watched.endless()).spawn(Broadcast::new());
    let mut first = numbers.subscribe().demand(5, 0).await.unwrap();
    assert_eq!(first.next_batch().await, Some(vec![0, 1, 2, 3, 4]));
    let mut second = numbers.subscribe().demand(3, 0).await.unwrap();
    let (one, two) = futures::join!(first.next_batch(), second.next_batch());
    assert_eq!((one, two), (Some(vec![5, 6, 7]), Some(vec![5, 6, 7])));
    drop(first);
    let mut third = numbers.subscribe().demand(2, 0).await.unwrap();
    let (two, three) = futures::join!(second.next_batch(), third.next_batch());
    let (two, three) = (two.unwrap(), three.unwrap());
    assert_eq!(two[..2], three[..2], "both get the same from where both were there");
    drop((second, third));
    settle().await;
    assert!(watched.is_alive(), "the handle holds it");
    drop(numbers);
    settle().await;
    assert!(!watched.is_alive());
}
