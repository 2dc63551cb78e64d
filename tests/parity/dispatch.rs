//! Dispatchers in their stages: what of scenarios 160 to 187, and of 73, 91 and 92, takes a stage to show.

use crate::support::settle;
use crate::support::stages::{
    Reader, Say, Source, adds_up, block, collect, count, double, queue, silent, until, why,
};
use futures::{FutureExt, StreamExt};
use gen_stage::dispatch::{Broadcast, ByDemand, Partition, PartitionName, Refusal};
use gen_stage::prelude::*;
use gen_stage::stage::{ProducerHandle, Reason, SubscribeError};
use std::panic::AssertUnwindSafe;

type Partitioned = ProducerHandle<u64, PartitionName<u64>, Say>;

/// Numbers, the even in partition 0 and the odd in partition 1.
fn by_parity(source: Source, queue_size: usize) -> Partitioned {
    source.spawn(Partition::by_key([0, 1], |n: &u64| n % 2).queue_size(queue_size))
}

#[tokio::test]
async fn subscriptions_read_as_streams_are_no_stage_and_may_be_many() {
    let producer = count(0).spawn(Broadcast::new());
    let mut one = producer.subscribe().demand(2, 0).await.unwrap();
    let mut two = producer.subscribe().demand(2, 0).await.unwrap();
    assert_eq!(futures::join!(one.next(), two.next()), (Some(0), Some(0)));
}

#[tokio::test]
async fn scenario_160_one_that_asks_for_nothing_holds_up_the_others_until_it_leaves() {
    let producer = count(0).spawn(Broadcast::new());
    let raw = producer.subscribe().await.unwrap();
    let readers = [collect(), collect()];
    let both = readers.each_ref().map(Reader::log);
    let _handles = readers.map(|reader| reader.stage().subscribe_to(producer.subscribe()).spawn());
    settle().await;
    assert!(both.iter().all(|each| each.batches().is_empty()));
    drop(raw);
    until("both have 1010 items", || both.iter().all(|each| each.items().len() >= 1010)).await;
    for each in &both {
        assert_eq!(each.items()[..1010], (0..1010).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn scenario_161_the_smallest_demand_is_passed_up() {
    let source = silent();
    let above = source.log();
    let producer = source.spawn(Broadcast::new());
    let _handles =
        [10, 20].map(|max| block().stage().subscribe_to(producer.subscribe().demand(max, 0)).spawn());
    settle().await;
    assert_eq!(above.demands(), [10]);
}

#[tokio::test]
async fn scenario_163_a_producer_consumer_that_broadcasts() {
    let producer = count(0).stage().spawn();
    let middle = double()
        .stage()
        .dispatcher(Broadcast::new())
        .subscribe_to(producer.subscribe().demand(100, 80))
        .spawn();
    let readers = [collect(), collect()];
    let both = readers.each_ref().map(Reader::log);
    let _handles: Vec<_> = readers
        .into_iter()
        .zip([10, 20])
        .map(|(reader, max)| reader.stage().subscribe_to(middle.subscribe().demand(max, 0)).spawn())
        .collect();
    until("both have come to 204", || both.iter().all(|each| each.items().contains(&204))).await;
    let batch: Vec<u64> = (200..=204).flat_map(|n| [n, n]).collect();
    for each in both {
        assert!(each.batches().contains(&batch));
    }
}

#[tokio::test]
async fn scenario_164_what_a_selector_leaves_out_is_asked_again_and_nothing_is_sent() {
    let source = silent();
    let above = source.log();
    let producer = source.spawn(Broadcast::new());
    let mut even = producer.subscribe().manual().selector(|n| n % 2 == 0).await.unwrap();
    even.ask(5);
    queue(&producer, [1, 3, 5]).await;
    assert_eq!(even.next_batch().now_or_never(), None);
    assert_eq!(above.demands(), [5, 3]);
    queue(&producer, [2, 3, 4, 5, 6, 8, 10, 12]).await;
    let mut got = Vec::new();
    while let Some(batch) = even.next_batch().now_or_never() {
        got.extend(batch.expect("the producer lives"));
        settle().await;
    }
    assert_eq!(got, [2, 4, 6, 8, 10], "five were asked for");
    assert_eq!(producer.estimate_buffered_count().await, Ok(1));
}

#[tokio::test]
async fn selectors_of_several_stages_leave_out_what_each_does_not_want() {
    let producer = count(0).spawn(Broadcast::new());
    let readers = [0, 1, 2].map(|rest| (rest, collect()));
    let thirds = readers.each_ref().map(|(rest, reader)| (*rest, reader.log()));
    let _handles = readers.map(|(rest, reader)| {
        let subscribe = producer.subscribe().demand(10, 5).selector(move |n| n % 3 == rest);
        reader.stage().subscribe_to(subscribe).spawn()
    });
    until("all have 100", || thirds.iter().all(|(_, each)| each.items().len() >= 100)).await;
    for (rest, log) in thirds {
        let got = log.items();
        // Those that were there before all had subscribed may have got some before the others.
        let expected: Vec<u64> =
            (0..).filter(|n| n % 3 == rest).skip_while(|n| *n < got[0]).take(100).collect();
        assert_eq!(got[..100], expected);
    }
}

#[tokio::test]
async fn scenario_166_a_selector_that_panics_ends_the_producer_and_its_permanent_consumers() {
    let source = silent();
    let above = source.log();
    let producer = source.spawn(Broadcast::new());
    let reader = collect();
    let below = reader.log();
    let consumer = reader.stage().subscribe_to(producer.subscribe().demand(5, 0)).spawn();
    let broken = producer.subscribe().demand(5, 0).selector(|_| panic!("no opinion")).await.unwrap();
    let mut broken = broken.fallible();
    assert!(broken.next().now_or_never().is_none());
    settle().await;
    let reply = producer.call(|reply| Say::Call(vec![1, 2, 3], reply)).await;
    assert!(reply.is_err());
    assert_eq!(why(&producer.wait().await), "panicked: no opinion");
    assert_eq!(why(&consumer.wait().await), "panicked: no opinion");
    assert_eq!(below.cancelled(), ["down panicked: no opinion"]);
    let end = broken.next().await.expect("it is told").expect_err("nothing was sent");
    assert_eq!(why(&end), "panicked: no opinion");
    assert_eq!(above.end().as_deref(), Some("panicked: no opinion"));
}

#[tokio::test]
async fn items_are_accounted_for_when_a_selector_panics() {
    let producer = silent().spawn(Broadcast::new());
    let mut broken = producer.subscribe().demand(5, 0).selector(|_| panic!("no opinion")).await.unwrap();
    assert!(broken.next_batch().now_or_never().is_none());
    settle().await;
    assert!(producer.call(|reply| Say::Call(vec![1, 2, 3], reply)).await.is_err());
    producer.wait().await;
    drop(broken);
    assert_eq!(producer.counts().emitted, 3);
    adds_up(producer.counts(), "the producer");
}

#[tokio::test]
async fn scenario_181_an_unknown_partition_of_an_item_ends_the_producer() {
    let producer = silent().spawn(Partition::by_key(["odd", "even"], |n: &u64| match n % 3 {
        0 => "even",
        1 => "odd",
        _ => "other",
    }));
    let mut odd = producer.subscribe().in_partition("odd").demand(5, 0).await.unwrap().fallible();
    assert!(odd.next().now_or_never().is_none());
    settle().await;
    assert!(producer.call(|reply| Say::Call(vec![1, 2], reply)).await.is_err());
    let text = "panicked: an item was assigned to the unknown partition \"other\"; \
                the known ones are [\"odd\", \"even\"]";
    assert_eq!(why(&producer.wait().await), text);
    let end = odd.next().await.expect("it is told").expect_err("nothing was sent");
    assert_eq!(why(&end), text);
}

#[tokio::test]
async fn items_are_accounted_for_when_a_partition_is_unknown() {
    let producer = silent().spawn(Partition::by_key([0], |n: &u64| *n));
    let mut zero = producer.subscribe().in_partition(0).demand(5, 0).await.unwrap();
    assert!(zero.next_batch().now_or_never().is_none());
    settle().await;
    assert!(producer.call(|reply| Say::Call(vec![0, 1, 0], reply)).await.is_err());
    producer.wait().await;
    drop(zero);
    assert_eq!(producer.counts().emitted, 3);
    adds_up(producer.counts(), "the producer");
}

#[tokio::test]
async fn scenario_185_a_bad_subscription_is_refused_to_the_subscriber_and_nobody_else_notices() {
    let source = count(0);
    let above = source.log();
    let producer = by_parity(source, 10);
    let mut even = producer.subscribe().in_partition(0).demand(4, 0).await.unwrap();
    assert!(even.next().now_or_never().is_none());

    let required = producer.subscribe().await.unwrap_err();
    assert!(matches!(required, SubscribeError::Refused(Refusal::PartitionRequired { .. })));
    let text = "the producer refused the subscription: the option partition is required, one of [0, 1]";
    assert_eq!(required.to_string(), text);
    let taken = producer.subscribe().in_partition(0).await.unwrap_err();
    assert!(matches!(taken, SubscribeError::Refused(Refusal::PartitionTaken { .. })));
    assert_eq!(taken.to_string(), "the producer refused the subscription: partition 0 is already taken");
    let unknown = producer.subscribe().in_partition(2).await.unwrap_err();
    assert!(matches!(unknown, SubscribeError::Refused(Refusal::UnknownPartition { .. })));
    let text = "the producer refused the subscription: partition must be one of [0, 1], given 2";
    assert_eq!(unknown.to_string(), text);

    // Neither the one that was there before, nor the producer.
    assert_eq!(even.next().await, Some(0));
    assert_eq!(producer.status().await.unwrap().consumers.len(), 1);
    assert!(above.left().is_empty());
    drop(even);
    assert!(producer.subscribe().in_partition(0).await.is_ok(), "it is free again");
}

#[tokio::test]
async fn scenario_185_a_stage_that_is_refused_while_it_runs_lives_on() {
    let producer = by_parity(count(0), 10);
    let reader = collect();
    let below = reader.log();
    let consumer = reader.stage().spawn();
    for _ in 0..2 {
        let refused = consumer.subscribe_to(producer.subscribe().in_partition(9)).await;
        assert!(matches!(refused, Err(SubscribeError::Refused(Refusal::UnknownPartition { .. }))));
    }
    assert!(consumer.status().await.expect("it lives on").producers.is_empty());
    assert_eq!(below.cancelled(), ["cancel refused: partition must be one of [0, 1], given 9"; 2]);
    assert!(consumer.subscribe_to(producer.subscribe().in_partition(1)).await.is_ok());
}

#[tokio::test]
async fn scenario_185_a_stage_that_is_refused_at_its_start_ends_unless_it_is_temporary() {
    let producer = by_parity(silent(), 10);
    let subscribe = || producer.subscribe().in_partition(9);
    for subscribe in [subscribe(), subscribe().transient()] {
        let reader = collect();
        let below = reader.log();
        let consumer = reader.stage().subscribe_to(subscribe).spawn();
        let reason = consumer.wait().await;
        assert!(matches!(reason, Reason::Refused(Refusal::UnknownPartition { .. })), "{reason}");
        let text = "refused: partition must be one of [0, 1], given 9";
        assert_eq!(below.end().as_deref(), Some(text));
    }
    let consumer = collect().stage().subscribe_to(subscribe().temporary()).spawn();
    settle().await;
    assert!(consumer.status().await.expect("it lives on").producers.is_empty());
    assert!(producer.status().await.is_ok());
}

#[tokio::test]
async fn scenario_187_a_blocked_partition_gives_way_when_it_leaves_and_loses_nothing() {
    let producer = by_parity(silent(), 10);
    let (reader, blocking) = (collect(), block());
    let (zero, one) = (reader.log(), blocking.log());
    let demanding = |partition| producer.subscribe().in_partition(partition).demand(4, 0).temporary();
    let _zero = reader.stage().subscribe_to(demanding(0)).spawn();
    let blocked = blocking.stage().subscribe_to(demanding(1)).spawn();
    settle().await;
    queue(&producer, [1, 3, 5, 7, 9, 11]).await;
    queue(&producer, [2, 4, 6]).await;
    settle().await;
    assert_eq!((zero.batches(), one.batches()), (vec![vec![2, 4]], vec![vec![1, 3, 5, 7]]));
    let now = producer.status().await.unwrap();
    assert_eq!((now.buffered, now.dispatching), (1, 2), "6 is in the buffer, 9 and 11 in their queue");

    blocked.abort();
    settle().await;
    assert_eq!(zero.batches(), [vec![2, 4], vec![6]]);
    // The queue is still there for the next one.
    assert_eq!(producer.status().await.unwrap().dispatching, 2);
    let reader = collect();
    let next = reader.log();
    let _next = reader.stage().subscribe_to(demanding(1)).spawn();
    settle().await;
    assert_eq!(next.items(), [9, 11]);
    queue(&producer, [13, 8]).await;
    settle().await;
    assert_eq!((zero.items(), next.items()), (vec![2, 4, 6, 8], vec![9, 11, 13]));
}

#[tokio::test]
async fn a_partition_that_nobody_reads_stalls_the_producer_and_fills_no_memory() {
    let (source, reader) = (count(0), collect());
    let (above, zero) = (source.log(), reader.log());
    let producer = by_parity(source, 5);
    let subscribe = producer.subscribe().in_partition(0).demand(20, 10);
    let _zero = reader.stage().subscribe_to(subscribe).spawn();
    let mut peak = 0;
    for _ in 0..20 {
        settle().await;
        let now = producer.status().await.unwrap();
        peak = peak.max(now.dispatching);
        assert!(now.buffered <= 20, "{now:?}");
    }
    assert_eq!(peak, 5 + 1, "the queue and the one item too many");
    let stalled = (zero.items(), above.demands());
    settle().await;
    assert_eq!((zero.items(), above.demands()), stalled, "nothing moves");
    assert_eq!(zero.items(), [0, 2, 4, 6, 8, 10], "11 did not fit");

    // Somebody reads it: everything goes on, and nothing was lost.
    let reader = collect();
    let one = reader.log();
    let subscribe = producer.subscribe().in_partition(1).demand(20, 10);
    let _one = reader.stage().subscribe_to(subscribe).spawn();
    until("both have 100", || zero.items().len() >= 100 && one.items().len() >= 100).await;
    assert_eq!(zero.items()[..100], (0..100).map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(one.items()[..100], (0..100).map(|n| n * 2 + 1).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_queue_outlives_many_subscriptions_and_keeps_its_order() {
    let producer = by_parity(count(0), 1000);
    let subscribe = producer.subscribe().in_partition(0).demand(10, 0);
    let _reader = collect().stage().subscribe_to(subscribe).spawn();
    settle().await;
    let mut got = Vec::new();
    for _ in 0..10 {
        let mut one = producer.subscribe().in_partition(1).demand(7, 0).await.unwrap();
        // All it has asked for is read, so that nothing is lost with it.
        got.extend(one.by_ref().take(7).collect::<Vec<_>>().await);
        drop(one);
        settle().await;
    }
    assert_eq!(got, (0..got.len() as u64).map(|n| n * 2 + 1).collect::<Vec<_>>());
    assert_eq!(got.len(), 70);
}

#[tokio::test]
async fn turns_are_fair_however_much_the_others_ask_for() {
    let shares = |dispatcher: ByDemand| async {
        let producer = silent().spawn(dispatcher);
        let readers = [collect(), collect()];
        let [greedy, modest] = readers.each_ref().map(Reader::log);
        let [first, second] = readers;
        let _handles = [(first, (1000, 500)), (second, (5, 2))].map(|(each, (max, min))| {
            each.stage().subscribe_to(producer.subscribe().demand(max, min)).spawn()
        });
        settle().await;
        for n in 0..100 {
            queue(&producer, [n]).await;
            settle().await;
        }
        let got = crate::support::sorted([greedy.items(), modest.items()].concat());
        assert_eq!(got, (0..100).collect::<Vec<_>>());
        (greedy.items().len(), modest.items().len())
    };
    assert_eq!(shares(ByDemand::new().fair()).await, (50, 50));
    assert_eq!(shares(ByDemand::new()).await, (100, 0), "who wants most gets all");
}

#[tokio::test]
async fn fair_turns_are_not_held_up_by_one_that_blocks() {
    let producer = count(0).spawn(ByDemand::new().fair());
    let readers = [block(), collect()];
    let [stuck, running] = readers.each_ref().map(Reader::log);
    let _handles = readers.map(|each| each.stage().subscribe_to(producer.subscribe().demand(10, 5)).spawn());
    until("it has 1000", || running.items().len() >= 1000).await;
    let sent = producer.status().await.unwrap().consumers;
    assert_eq!(stuck.batches().len(), 1);
    assert_eq!(sent.len(), 2);
}

#[tokio::test]
async fn a_panicking_partition_raises_in_whoever_reads_a_stream() {
    let producer = count(0).spawn(Partition::by_key([0], |n: &u64| *n / 3));
    let reading = producer.subscribe().in_partition(0).demand(10, 0).await.unwrap().collect::<Vec<_>>();
    let payload = AssertUnwindSafe(reading).catch_unwind().await.unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("the unknown partition 1"));
}
