//! Stages read as streams: scenarios 188 to 208.

use crate::support::stages::{collect, count, identity, queue, silent, until, why};
use crate::support::{Watched, settle, sorted};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::dispatch::{Broadcast, Deliveries, Dispatcher, Refusal, Subscriber, SubscriptionId};
use gen_stage::prelude::*;
use gen_stage::stage::{Reason, SubscribeError, from_iter, from_stream};
use std::panic::AssertUnwindSafe;

/// Refuses everybody.
struct Closed;

impl<T: Send + 'static> Dispatcher<T> for Closed {
    type Options = ();

    fn subscribe(&mut self, _: Subscriber, (): (), _: &mut Deliveries<T>) -> Result<usize, Refusal> {
        Err(Refusal::other("no thanks"))
    }

    fn cancel(&mut self, _: SubscriptionId, _: &mut Deliveries<T>) -> usize {
        unreachable!("nobody has subscribed")
    }

    fn ask(&mut self, _: SubscriptionId, _: usize, _: &mut Deliveries<T>) -> usize {
        unreachable!("nobody has subscribed")
    }

    fn dispatch(&mut self, items: Vec<T>, _: &mut Deliveries<T>) -> Vec<T> {
        items
    }
}

#[tokio::test]
async fn scenario_188_ten_of_an_endless_producer() {
    let source = count(0);
    let log = source.log();
    let producer = source.stage().spawn();
    let read: Vec<u64> = producer.subscribe().await.unwrap().take(10).collect().await;
    assert_eq!(read, (0..10).collect::<Vec<_>>());
    assert_eq!(log.demands()[0], 1000);
    settle().await;
    assert!(producer.status().await.unwrap().consumers.is_empty(), "nothing is left of it");
    assert_eq!(log.left(), ["cancel normal"]);
    // The same without a task.
    let read: Vec<u64> = count(0).into_stream().take(10).collect().await;
    assert_eq!(read, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn scenario_191_a_producer_that_has_ended() {
    let producer = count(0).stage().spawn();
    producer.shutdown().await;
    for subscribe in [producer.subscribe(), producer.subscribe().temporary()] {
        assert!(matches!(subscribe.await, Err(SubscribeError::Gone)));
    }
    // Its letter is still waiting when the producer ends.
    let producer = count(0).stage().spawn();
    let (ended, subscribed) = futures::join!(producer.shutdown(), producer.subscribe().into_future());
    assert!(matches!(ended, Reason::Shutdown));
    assert!(matches!(subscribed, Err(SubscribeError::Gone)));
}

#[tokio::test]
async fn scenario_194_a_producer_that_refuses() {
    let producer = from_iter(0..).spawn(Closed);
    let refused = producer.subscribe().await.unwrap_err();
    assert!(matches!(refused, SubscribeError::Refused(Refusal::Other(_))));
    assert_eq!(refused.to_string(), "the producer refused the subscription: no thanks");
    assert!(producer.status().await.expect("it lives on").consumers.is_empty());
    // Read alone, there is nobody else to tell but the reader.
    let mut alone = from_iter(0..).stage().dispatcher(Closed).into_stream().fallible();
    let refused = alone.next().await.expect("it is told").expect_err("nothing was sent");
    assert!(matches!(refused, Reason::Refused(Refusal::Other(_))));
    assert!(alone.next().await.is_none());
}

#[tokio::test]
async fn scenario_199_an_endless_source_outlives_its_reader() {
    let numbers = from_iter(0..).stage().spawn();
    let read: Vec<u64> = numbers.subscribe().transient().await.unwrap().take(10).collect().await;
    assert_eq!(read, (0..10).collect::<Vec<_>>());
    settle().await;
    assert!(numbers.status().await.is_ok());
}

#[tokio::test]
async fn scenario_200_a_finite_source_ends_with_its_items() {
    let numbers = from_iter(0..10).stage().spawn();
    let read: Vec<u64> = numbers.subscribe().transient().await.unwrap().collect().await;
    assert_eq!(read, (0..10).collect::<Vec<_>>());
    assert!(matches!(numbers.wait().await, Reason::Normal));
    let numbers = from_stream(stream::iter(0..10)).stage().spawn();
    let read: Vec<u64> = numbers.subscribe().await.unwrap().collect().await;
    assert_eq!(read, (0..10).collect::<Vec<_>>());
    assert!(matches!(numbers.wait().await, Reason::Normal));
}

#[tokio::test]
async fn scenario_202_the_end_of_a_finite_source_is_clean_whatever_the_cancel_mode() {
    for mode in ["permanent", "transient", "temporary"] {
        let numbers = from_iter(1..=5).stage().spawn();
        let subscribe = numbers.subscribe();
        let subscribe = match mode {
            "permanent" => subscribe,
            "transient" => subscribe.transient(),
            _ => subscribe.temporary(),
        };
        let mut read = subscribe.demand(2, 1).await.unwrap();
        assert_eq!(read.by_ref().collect::<Vec<_>>().await, [1, 2, 3, 4, 5], "{mode}");
        assert!(matches!(read.end(), Some(Reason::Normal)), "{mode}");
    }
    assert_eq!(from_iter(1..=5).into_stream().collect::<Vec<_>>().await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn scenario_203_two_finite_sources_in_one_stream() {
    let (low, high) = (from_iter(0..50).stage().spawn(), from_iter(50..100).stage().spawn());
    let low = low.subscribe().demand(10, 5).await.unwrap();
    let high = high.subscribe().demand(10, 5).await.unwrap();
    let both: Vec<u64> = stream::select(low, high).collect().await;
    assert_eq!(sorted(both), (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn scenario_203_two_finite_sources_of_one_consumer() {
    let sources = [0..50, 50..100].map(|numbers| from_iter(numbers).stage().spawn());
    let reader = collect();
    let log = reader.log();
    let [low, high] = sources.each_ref().map(|source| source.subscribe().demand(10, 5).transient());
    let consumer = reader.stage().stop_when_alone().subscribe_to(low).subscribe_to(high).spawn();
    assert!(matches!(consumer.wait().await, Reason::Normal));
    assert_eq!(sorted(log.items()), (0..100).collect::<Vec<_>>());
    assert_eq!(log.cancelled(), ["down normal", "down normal"]);
    for source in sources {
        assert!(matches!(source.wait().await, Reason::Normal));
    }
}

#[tokio::test]
async fn two_finite_sources_of_one_producer_consumer_that_ends_behind_both() {
    let sources = [0..50, 50..100].map(|numbers| from_iter(numbers).stage().spawn());
    let [low, high] = sources.map(|source| source.subscribe().demand(10, 5).transient());
    let merged = identity().stage().stop_when_alone().subscribe_to(low).subscribe_to(high).spawn();
    let read: Vec<u64> = merged.subscribe().demand(7, 3).await.unwrap().collect().await;
    assert_eq!(sorted(read), (0..100).collect::<Vec<_>>());
    assert!(matches!(merged.wait().await, Reason::Normal));
}

#[tokio::test]
async fn scenario_206_what_was_on_its_way_to_one_stream_is_not_for_the_next() {
    let producer = count(0).stage().spawn();
    for expected in [[0, 1, 2], [1000, 1001, 1002]] {
        let read: Vec<u64> = producer.subscribe().await.unwrap().take(3).collect().await;
        assert_eq!(read, expected);
    }
}

#[tokio::test]
async fn scenario_208_a_source_ends_with_its_last_reader_if_it_was_told_to() {
    let cycle = || from_iter([1, 2, 3].into_iter().cycle()).stage();
    for (source, ends) in [(cycle(), false), (cycle().stop_when_alone(), true)] {
        let source = source.spawn();
        let read: Vec<u64> = source.subscribe().await.unwrap().take(5).collect().await;
        assert_eq!(read, [1, 2, 3, 1, 2]);
        settle().await;
        match ends {
            true => assert!(matches!(source.wait().await, Reason::Normal)),
            false => assert!(source.status().await.is_ok()),
        }
    }
}

#[tokio::test]
async fn a_producer_that_stops_when_alone_waits_for_the_first_reader_and_ends_with_the_last() {
    let source = from_iter(0..).stage().dispatcher(Broadcast::new()).stop_when_alone().spawn();
    settle().await;
    let one = source.subscribe().await.unwrap();
    let reader = collect();
    let log = reader.log();
    let consumer = reader.stage().subscribe_to(source.subscribe().demand(4, 2)).spawn();
    settle().await;
    drop(one);
    until("it goes on", || log.items().len() > 10).await;
    consumer.shutdown().await;
    assert!(matches!(source.wait().await, Reason::Normal));
}

#[tokio::test]
async fn a_refused_subscription_leaves_nobody_alone() {
    let source = from_iter(0..).stage().dispatcher(Closed).stop_when_alone().spawn();
    assert!(source.subscribe().await.is_err());
    settle().await;
    assert!(source.status().await.is_ok(), "nobody has left it");
}

#[tokio::test]
async fn a_producer_that_dies_leaves_its_reader_the_batch_that_was_begun() {
    let ends =
        [(Reason::failed("burnt"), "failed: burnt"), (Reason::Aborted, "aborted"), (Reason::Shutdown, "")];
    for (end, said) in ends {
        let producer = count(0).stage().spawn();
        let mut read = producer.subscribe().demand(4, 0).await.unwrap();
        assert_eq!(read.next().await, Some(0));
        producer.stop(end).await;
        // The batch that was begun is still there; behind it is the end.
        let rest =
            AssertUnwindSafe(async { (read.by_ref().take(3).collect::<Vec<_>>().await, read.next().await) });
        match rest.catch_unwind().await {
            Ok(rest) => assert_eq!((rest, said), ((vec![1, 2, 3], None), "")),
            Err(payload) => {
                let text = payload.downcast_ref::<String>().expect("it is a text");
                assert!(!said.is_empty() && text.ends_with(said), "{text}");
            }
        }
        assert_eq!(read.end().map(Reason::is_clean), Some(said.is_empty()));
        assert_eq!(read.next().now_or_never(), Some(None), "it stays ended");
    }
}

#[tokio::test]
async fn a_temporary_subscription_just_ends_when_its_producer_fails() {
    let producer = count(0).stage().spawn();
    let mut read = producer.subscribe().demand(2, 0).temporary().await.unwrap();
    assert_eq!(read.next_batch().await, Some(vec![0, 1]));
    producer.stop(Reason::failed("burnt")).await;
    assert_eq!(read.next_batch().await, None);
    assert_eq!(read.end().map(why), Some("failed: burnt".to_owned()));
}

#[tokio::test]
async fn a_subscription_takes_the_place_of_another_without_losing_anything() {
    let source = count(0);
    let log = source.log();
    let producer = source.stage().spawn();
    let mut read = producer.subscribe().demand(6, 2).await.unwrap();
    let first = read.id();
    assert_eq!((read.next().await, read.next().await), (Some(0), Some(1)));
    // 2 and 3 are left of the batch, 4 and 5 are on their way.
    read.resubscribe(producer.subscribe().demand(3, 0), Reason::failed("a change")).await.unwrap();
    assert_ne!(read.id(), first);
    assert_eq!(log.left(), ["cancel failed: a change"]);
    assert_eq!(read.by_ref().take(10).collect::<Vec<_>>().await, (2..12).collect::<Vec<_>>());
    let consumers = producer.status().await.unwrap().consumers;
    assert_eq!(consumers.iter().map(|each| each.id).collect::<Vec<_>>(), [read.id()]);
    assert!(read.end().is_none(), "the end of the old one is not the end of this");
}

#[tokio::test]
async fn a_subscription_changes_over_to_another_producer() {
    let (producer, new) = (count(0).stage().spawn(), from_iter(100..).stage().spawn());
    let mut read = producer.subscribe().demand(4, 2).await.unwrap();
    assert_eq!(read.next_batch().await, Some(vec![0, 1]));
    read.resubscribe(new.subscribe().demand(3, 0), Reason::Normal).await.unwrap();
    settle().await;
    // What the old one had sent comes first.
    assert_eq!(read.next_batch().await, Some(vec![2, 3]));
    assert_eq!(read.next_batch().await, Some(vec![100, 101, 102]));
    assert!(producer.status().await.unwrap().consumers.is_empty());
    producer.stop(Reason::failed("nobody minds")).await;
    assert_eq!(read.next_batch().await, Some(vec![103, 104, 105]));
}

#[tokio::test]
async fn a_subscription_can_be_taken_up_anew_after_its_end() {
    let first = from_iter(0..2).stage().spawn();
    let mut read = first.subscribe().await.unwrap();
    assert_eq!(read.by_ref().collect::<Vec<_>>().await, [0, 1]);
    let second = from_iter(2..4).stage().spawn();
    read.resubscribe(second.subscribe(), Reason::Normal).await.unwrap();
    assert!(read.end().is_none());
    assert_eq!(read.collect::<Vec<_>>().await, [2, 3]);
}

#[tokio::test]
async fn a_new_subscription_that_is_refused_does_not_cost_what_was_on_its_way() {
    let producer = silent().spawn(Broadcast::new());
    let closed = silent().stage().dispatcher(Closed).spawn();
    let mut read = producer.subscribe().demand(4, 2).await.unwrap();
    assert_eq!(read.next().now_or_never(), None);
    settle().await;
    queue(&producer, [1, 2, 3]).await;
    let refused = read.resubscribe(closed.subscribe(), Reason::Normal).await;
    assert!(matches!(refused, Err(SubscribeError::Refused(_))));
    settle().await;
    assert!(producer.status().await.unwrap().consumers.is_empty(), "the old one has ended");
    let mut read = read.fallible();
    for n in 1..=3 {
        assert_eq!(read.next().await.map(Result::ok), Some(Some(n)));
    }
    // Who has asked for it knows already.
    assert!(read.next().await.is_none());
    assert!(matches!(read.get_ref().end(), Some(Reason::Refused(_))));
}

#[tokio::test]
async fn taking_its_own_place_leaves_a_producer_that_stops_when_alone_alive() {
    let source = from_iter(0..).stage().stop_when_alone().spawn();
    let mut read = source.subscribe().demand(2, 0).await.unwrap();
    assert_eq!(read.next_batch().await, Some(vec![0, 1]));
    let changed = read.resubscribe(source.subscribe().demand(4, 0), Reason::Normal).await;
    assert!(changed.is_ok(), "{changed:?}");
    assert_eq!(read.next_batch().await, Some(vec![2, 3, 4, 5]));
}

#[tokio::test]
async fn a_stage_that_takes_its_own_place_lives_on_as_does_a_producer_that_stops_when_alone() {
    let source = from_iter(0..).stage().stop_when_alone().spawn();
    let reader = collect();
    let log = reader.log();
    let consumer = reader.stage().spawn();
    let old = consumer.subscribe_to(source.subscribe().demand(2, 0)).await.unwrap();
    let new = consumer.resubscribe(old, source.subscribe().demand(4, 0), Reason::Normal).await;
    assert!(new.is_ok(), "{new:?}");
    until("it goes on", || log.batches().iter().any(|batch| batch.len() == 4)).await;
}

#[tokio::test]
async fn dropping_the_last_reader_of_a_stage_without_handles_drops_its_source() {
    let watched = Watched::new();
    let mut read = from_stream(watched.endless()).stage().spawn().subscribe().demand(4, 0).await.unwrap();
    assert_eq!(read.next().await, Some(0));
    assert!(watched.is_alive());
    drop(read);
    settle().await;
    assert!(!watched.is_alive());
}
