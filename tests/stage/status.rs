//! The numbers in the status of a stage.

use crate::support::settle;
use crate::support::stages::{Say, collect, count, identity, now, queue, silent};
use futures::FutureExt;
use gen_stage::dispatch::{Broadcast, Partition};
use gen_stage::prelude::*;
use gen_stage::stage::{BufferKeep, ConsumerStatus, Status};

/// Checks that each item emitted is somewhere, under a dispatcher that gives it to one subscription.
#[track_caller]
fn adds_up(status: &Status) {
    let unsent = (status.buffered + status.dispatching + status.held_back) as u64;
    let counts = status.counts;
    assert_eq!(counts.emitted, counts.sent + counts.discarded + unsent, "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn items_are_followed_from_stage_to_stage() {
    let source = count(0).stage().spawn();
    let middle = identity().stage().subscribe_to(source.subscribe().demand(10, 5)).spawn();
    let mut reader = middle.subscribe().demand(4, 2).await.unwrap();
    assert_eq!(now(&mut reader), None);
    settle().await;
    assert_eq!(now(&mut reader), Some(vec![0, 1]));

    let [above, below] = [source.status().await.unwrap(), middle.status().await.unwrap()];
    adds_up(&above);
    adds_up(&below);
    let [sent, came] = [&above.consumers[0], &below.consumers[0]];
    let from = &below.producers[0];
    assert_eq!((sent.stage, from.stage), (Some(middle.id()), Some(source.id())));
    assert_eq!((sent.sent, sent.taken, sent.undelivered), (from.sent, from.taken, from.undelivered));
    // It handles a list that has come whole, though four are wanted; the next one waits.
    assert_eq!((from.sent, from.taken, below.waiting), (20, 10, 10));
    assert_eq!((below.counts.received, below.counts.emitted, below.buffered), (10, 10, 6));
    assert_eq!((came.sent, came.taken, came.lag, came.label.as_str()), (4, 2, 0, "a stream"));
    assert_eq!(reader.status().taken, 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_counts_what_it_throws_away_apart() {
    let source = silent().quiet().stage().buffer(3, BufferKeep::Last).spawn();
    let mut reader = source.subscribe().demand(2, 0).await.unwrap();
    assert_eq!(now(&mut reader), None);
    queue(&source, 0..10).await;
    let status = source.status().await.unwrap();
    adds_up(&status);
    let counts = status.counts;
    assert_eq!((counts.emitted, counts.sent, status.buffered), (10, 2, 3));
    assert_eq!((counts.overflowed, counts.discarded), (5, 5));
    source.shutdown().await;
    // What was left when it ended was discarded, but no full buffer threw it away.
    assert_eq!((source.counts().overflowed, source.counts().discarded), (5, 8));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_is_counted() {
    let source = silent().stage().accumulate().spawn();
    queue(&source, 0..4).await;
    let status = source.status().await.unwrap();
    adds_up(&status);
    assert_eq!((status.held_back, status.buffered), (4, 0));
    source.forward();
    let status = source.status().await.unwrap();
    adds_up(&status);
    assert_eq!((status.held_back, status.buffered), (0, 4));
}

#[tokio::test(start_paused = true)]
async fn a_partition_tells_of_the_queue_of_each_subscription() {
    let source = silent().stage().dispatcher(Partition::by_key(0..2, |n: &u64| n % 2)).spawn();
    let mut even = source.subscribe().demand(6, 0).in_partition(0).await.unwrap();
    let odd = source.subscribe().demand(6, 0).in_partition(1).await.unwrap();
    assert_eq!(now(&mut even), None);
    queue(&source, [1, 3, 2, 5, 4, 6, 7, 9]).await;
    let status = source.status().await.unwrap();
    adds_up(&status);
    let numbers = |one: &ConsumerStatus| (one.sent, one.demand, one.queued, one.lag);
    let told = status.consumers.iter().map(numbers).collect::<Vec<_>>();
    // The demand of one was answered with items for both; the last two are for no subscription yet.
    assert_eq!(told, [(3, 3, 0, 0), (0, 0, 3, 3)]);
    assert_eq!((status.dispatching, status.buffered), (3, 2));
    drop(odd);
}

#[tokio::test(start_paused = true)]
async fn under_a_broadcast_all_lag_by_what_waits_for_the_slowest() {
    let source = silent().stage().dispatcher(Broadcast::new()).spawn();
    let mut quick = source.subscribe().demand(100, 50).await.unwrap();
    let mut slow = source.subscribe().demand(2, 0).selector(|n| n % 2 == 1).await.unwrap();
    assert_eq!((now(&mut quick), now(&mut slow)), (None, None));
    queue(&source, 0..10).await;
    settle().await;
    let status = source.status().await.unwrap();
    for one in &status.consumers {
        let known = one.sent + one.left_out + one.lag as u64;
        assert_eq!(known, status.counts.emitted, "{one:?}");
    }
    let [quick, slow] = &status.consumers[..] else { panic!("{status:?}") };
    // Of 0 to 3 the selector takes two, which is all that was asked for.
    assert_eq!((quick.sent, quick.left_out, quick.lag), (4, 0, 6));
    assert_eq!((slow.sent, slow.left_out, slow.lag), (2, 2, 6));
    assert_eq!(status.buffered, 6);
}

#[tokio::test(start_paused = true)]
async fn what_a_reader_leaves_behind_is_undelivered() {
    let source = count(0).stage().spawn();
    let mut reader = source.subscribe().demand(10, 6).await.unwrap();
    assert_eq!(reader.next_batch().await.map(|batch| batch.len()), Some(4));
    let before = reader.status();
    assert_eq!((before.sent, before.taken, before.undelivered), (10, 4, 0));
    drop(reader);
    settle().await;
    let counts = source.counts();
    assert_eq!((counts.taken, counts.undelivered, counts.on_their_way()), (4, 6, 0));
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_stream_tells_of_the_subscription_that_took_its_place() {
    let source = count(0).stage().label("source").spawn();
    let mut reader = source.subscribe().demand(2, 0).await.unwrap();
    assert_eq!(reader.next_batch().await, Some(vec![0, 1]));
    let other = count(10).stage().label("other").spawn();
    let old = reader.id();
    reader.resubscribe(other.subscribe().demand(3, 0), gen_stage::stage::Reason::Normal).await.unwrap();
    let status = reader.status();
    assert_eq!((status.label.as_str(), status.stage, status.sent), ("other", Some(other.id()), 0));
    assert!(status.id != old);
    other.shutdown().await;
    assert!(reader.next_batch().now_or_never().is_some());
    assert_eq!(reader.status().stage, Some(other.id()), "after its end too");
}

#[tokio::test(start_paused = true)]
async fn a_reader_counts_what_it_received_from_all_its_producers() {
    let [one, other] = [silent().stage().spawn(), silent().stage().spawn()];
    let reader = collect().stage().subscribe_to(one.subscribe()).subscribe_to(other.subscribe()).spawn();
    settle().await;
    queue(&one, 0..3).await;
    queue(&other, 0..4).await;
    settle().await;
    let status = reader.status().await.unwrap();
    let taken: Vec<_> = status.producers.iter().map(|producer| producer.taken).collect();
    assert_eq!((status.counts.received, taken), (7, vec![3, 4]));
    // A subscription that has ended is in the sum still.
    reader.cast(Say::Cancel(status.producers[0].id, gen_stage::stage::Reason::Normal)).await.unwrap();
    settle().await;
    assert_eq!(reader.counts().received, 7);
}
