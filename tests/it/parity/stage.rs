//! Stages: demand, batches, subscriptions and their ends, messages. Scenarios 1 to 98.
//!
//! Consumers block in some batch where the producer would never end, so that everything comes to rest.

use crate::common::settle;
use crate::stages::{
    Log, Middle, Say, Seen, block, collect, count, double, doubled, dropping, echo_demand, evens, identity,
    in_batches, later, now, silent,
};
use futures::{FutureExt, StreamExt, stream};
use gen_stage::Demand;
use gen_stage::dispatch::{Broadcast, ByDemand, Dispatcher, Partition, Refusal, Subscriber};
use gen_stage::prelude::*;
use gen_stage::stage::{
    CallError, CancelMode, CastError, Control, DemandMode, Handle, IntoStream, Kind, Mode, Output,
    ProducerConsumerHandle, ProducerHandle, Reason, Role, StageError, SubscribeError, Upstream, from_iter,
};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

/// The demands that a counting producer sees, and the batches of its consumer.
type Golden = (Vec<usize>, Vec<Vec<u64>>);

/// Two stages as tasks; the consumer blocks in its last batch.
async fn spawned(demand: Demand, batches: usize) -> Golden {
    let (source, reader) = (count(0), collect().blocking_in(batches));
    let (demands, got) = (source.log(), reader.log());
    let source = source.stage().spawn();
    let _reader = reader.stage().subscribe_to(source.subscribe().with_demand(demand)).spawn();
    settle().await;
    assert_eq!(got.batches().len(), batches, "it blocks in the last batch");
    (demands.demands(), got.batches())
}

/// A producer as a task, read as a stream.
async fn subscribed(demand: Demand, batches: usize) -> Golden {
    let source = count(0);
    let demands = source.log();
    let source = source.stage().spawn();
    let mut reading = source.subscribe().with_demand(demand).await.unwrap();
    let mut got = Vec::new();
    for _ in 0..batches {
        got.push(reading.next_batch().await.unwrap());
    }
    settle().await;
    (demands.demands(), got)
}

/// A producer without a task.
async fn alone(demand: Demand, batches: usize) -> Golden {
    let source = count(0);
    let demands = source.log();
    let got = read(source.into_stream().with_demand(demand), batches).await;
    (demands.demands(), got)
}

async fn read(mut stream: IntoStream<u64>, batches: usize) -> Vec<Vec<u64>> {
    let mut got = Vec::new();
    for _ in 0..batches {
        got.push(stream.next_batch().await.unwrap());
    }
    got
}

/// Checks the first demands and the lengths of the first batches, in all three forms.
async fn golden(demand: Demand, demands: &[usize], lengths: &[usize]) {
    let form = |name, (asked, got): Golden| {
        let said = format!("{name} at {}/{}", demand.max(), demand.min());
        assert_eq!(asked[..demands.len()], *demands, "demands {said}");
        let lengths = in_batches(0, lengths.iter().copied());
        assert_eq!(got[..lengths.len()], lengths, "batches {said}");
        let (asked, read) = (asked.iter().sum::<usize>(), got.iter().map(Vec::len).sum::<usize>());
        assert!(asked <= read + demand.max(), "{asked} asked for and {read} read, {said}");
    };
    form("as tasks", spawned(demand, 14).await);
    form("as a subscription", subscribed(demand, 14).await);
    form("alone", alone(demand, 14).await);
}

fn bounds(max: usize, min: usize) -> Demand {
    Demand::new(max, min).unwrap()
}

#[tokio::test]
async fn scenario_001_the_default_demand_makes_batches_of_500() {
    golden(Demand::default(), &[1000, 500, 500], &[500, 500, 500]).await;
}

#[tokio::test]
async fn scenario_002_batches_are_max_minus_min_long_for_ever() {
    golden(bounds(100, 80), &[100, 20, 20, 20], &[20, 20, 20, 20]).await;
    for (_, got) in [
        spawned(bounds(100, 80), 60).await,
        subscribed(bounds(100, 80), 60).await,
        alone(bounds(100, 80), 60).await,
    ] {
        assert_eq!(got[50], (1000..1020).collect::<Vec<_>>());
        assert_eq!(got, in_batches(0, [20; 60]));
    }
}

#[tokio::test]
async fn scenario_004_max_1_makes_single_items() {
    golden(bounds(1, 0), &[1, 1, 1, 1], &[1, 1, 1, 1]).await;
    golden(Demand::up_to(1).unwrap(), &[1, 1, 1, 1], &[1, 1, 1, 1]).await;
}

#[tokio::test]
async fn scenario_005_min_0_asks_for_everything_again() {
    golden(bounds(10, 0), &[10, 10, 10], &[10, 10, 10]).await;
}

#[tokio::test]
async fn scenario_007_a_high_min_makes_small_batches() {
    golden(bounds(10, 8), &[10, 2, 2, 2], &[2, 2, 2]).await;
}

#[tokio::test]
async fn scenario_008_min_just_below_max_makes_single_items() {
    golden(bounds(10, 9), &[10, 1, 1, 1], &[1, 1, 1]).await;
}

#[tokio::test]
async fn scenario_010_short_batches_where_a_message_ends() {
    golden(bounds(7, 3), &[7, 4, 7, 4], &[4, 3, 4, 4, 3, 4, 4]).await;
}

#[tokio::test]
async fn scenario_011_asks_alternate_with_the_batches() {
    golden(bounds(5, 2), &[5, 3, 5, 3], &[3, 2, 3, 3, 2, 3, 3]).await;
}

#[tokio::test]
async fn scenario_013_a_min_of_three_quarters() {
    golden(bounds(1000, 750), &[1000, 250, 250], &[250, 250, 250]).await;
}

#[tokio::test]
async fn every_pair_of_bounds_has_its_golden_sequence() {
    golden(bounds(10, 5), &[10, 5, 5, 5, 5], &[5, 5, 5, 5]).await;
    golden(bounds(10, 2), &[10, 8, 10, 8, 10, 8], &[8, 2, 8, 8, 2, 8, 8]).await;
    golden(bounds(3, 1), &[3, 2, 3, 2], &[2, 1, 2, 2, 1, 2, 2]).await;
    golden(Demand::up_to(3).unwrap(), &[3, 2, 3, 2], &[2, 1, 2, 2, 1, 2, 2]).await;
    golden(bounds(2, 1), &[2, 1, 1, 1, 1], &[1, 1, 1, 1]).await;
    golden(bounds(4, 3), &[4, 1, 1, 1, 1], &[1, 1, 1, 1]).await;
    golden(bounds(100, 20), &[100, 80, 100, 80], &[80, 20, 80, 80, 20]).await;
    golden(bounds(100, 50), &[100, 50, 50, 50], &[50, 50, 50]).await;
}

#[tokio::test]
async fn scenario_014_short_messages_are_asked_for_together() {
    let (source, reader) = (silent(), collect());
    let (asked, got) = (source.log(), reader.log());
    let source = source.stage().spawn();
    let _reader = reader.stage().subscribe_to(source.subscribe().demand(1000, 750)).spawn();
    settle().await;
    let mut asks = vec![asked.demands().len()];
    for hundred in 0..4 {
        source.cast(Say::Queue((hundred * 100..hundred * 100 + 100).collect())).await.unwrap();
        settle().await;
        asks.push(asked.demands().len());
    }
    assert_eq!(got.batches(), in_batches(0, [100; 4]));
    assert_eq!(asked.demands(), [1000, 300]);
    assert_eq!(asks, [1, 1, 1, 2, 2], "the 300 come right after the third");
}

/// How the stages of a pipeline come together.
#[derive(Debug, Clone, Copy)]
enum Order {
    AtStart,
    TopFirst,
    BottomFirst,
}

/// Counter, producer-consumer, consumer, the latter with these demands and blocking in its last batch.
async fn pipeline(
    middle: Middle,
    upper: (usize, usize),
    lower: (usize, usize),
    batches: usize,
    order: Order,
) -> (Log, Log, Log) {
    let (source, reader) = (count(0), collect().blocking_in(batches));
    let logs = (source.log(), middle.log(), reader.log());
    let source = source.stage().spawn();
    let above = source.subscribe().demand(upper.0, upper.1);
    let _held = match order {
        Order::AtStart => {
            let middle = middle.stage().subscribe_to(above).spawn();
            let below = middle.subscribe().demand(lower.0, lower.1);
            let reader = reader.stage().subscribe_to(below).spawn();
            settle().await;
            (middle, reader)
        }
        Order::TopFirst | Order::BottomFirst => {
            let (middle, reader) = (middle.stage().spawn(), reader.stage().spawn());
            let below = middle.subscribe().demand(lower.0, lower.1);
            if matches!(order, Order::TopFirst) {
                middle.subscribe_to(above).await.unwrap();
                reader.subscribe_to(below).await.unwrap();
            } else {
                reader.subscribe_to(below).await.unwrap();
                middle.subscribe_to(above).await.unwrap();
            }
            settle().await;
            (middle, reader)
        }
    };
    logs
}

const ORDERS: [Order; 3] = [Order::AtStart, Order::TopFirst, Order::BottomFirst];

fn assert_contains(batches: &[Vec<u64>], run: &[Vec<u64>], said: impl std::fmt::Debug) {
    assert!(batches.windows(run.len()).any(|window| window == run), "{run:?} not in {batches:?}: {said:?}");
}

#[tokio::test]
async fn scenario_016_a_producer_consumer_that_makes_more_than_it_gets() {
    let check = |middle: &[Vec<u64>], reader: &[Vec<u64>], said: &str| {
        assert_eq!(middle[0], (0..20).collect::<Vec<_>>(), "{said}");
        assert_contains(middle, &[(100..120).collect()], said);
        assert_eq!(reader[..2], [doubled(0..20), doubled(20..40)], "{said}");
        assert_contains(reader, &[doubled(120..125), doubled(125..140)], said);
        assert_eq!(reader.concat(), doubled(0..reader.concat().len() as u64 / 2), "{said}");
    };
    for order in ORDERS {
        let logs = pipeline(double(), (100, 80), (100, 50), 21, order).await;
        check(&logs.1.batches(), &logs.2.batches(), &format!("{order:?}"));
    }
    let middle = double();
    let log = middle.log();
    let got = read(count(0).into_stream().demand(100, 80).through(middle).demand(100, 50), 21).await;
    check(&log.batches(), &got, "alone");
}

#[tokio::test]
async fn scenario_017_and_019_in_large_batches_and_in_any_order_of_subscribing() {
    let check = |middle: &[Vec<u64>], reader: &[Vec<u64>], said: &str| {
        assert_eq!(middle[0], (0..80).collect::<Vec<_>>(), "{said}");
        assert_contains(middle, &[(100..180).collect()], said);
        assert_eq!(reader[..3], [doubled(0..25), doubled(25..50), doubled(50..75)], "{said}");
    };
    for order in ORDERS {
        let logs = pipeline(double(), (100, 20), (100, 50), 12, order).await;
        check(&logs.1.batches(), &logs.2.batches(), &format!("{order:?}"));
    }
    let middle = double();
    let log = middle.log();
    let got = read(count(0).into_stream().demand(100, 20).through(middle).demand(100, 50), 12).await;
    check(&log.batches(), &got, "alone");
}

#[tokio::test]
async fn scenario_020_a_stage_that_makes_nothing_keeps_pulling() {
    for order in ORDERS {
        let logs = pipeline(dropping().blocking_in(60), (100, 80), (100, 50), 1, order).await;
        let batches = logs.1.batches();
        assert_eq!(batches, in_batches(0, [20; 60]), "{order:?}");
        for first in [0, 100, 1000] {
            assert!(batches.contains(&(first..first + 20).collect()), "{first} on: {order:?}");
        }
        assert_eq!(logs.2.batches(), [[0; 0]; 0]);
    }
    let middle = dropping();
    let log = middle.log();
    let none = from_iter(0..2000u64).into_stream().demand(100, 80).through(middle).demand(100, 50);
    assert_eq!(none.collect::<Vec<_>>().await, []);
    assert_eq!(log.batches(), in_batches(0, [20; 100]), "alone");
}

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

/// Checks the batches of the producer-consumer and of the consumer, and the demands of the counter, when the consumer
/// blocks in its seventh batch; and that the same come alone.
async fn golden_pipeline(
    make: fn() -> Middle,
    (upper, lower): ((usize, usize), (usize, usize)),
    middle: &[Vec<u64>],
    reader: &[Vec<u64>],
    demands: &[usize],
) {
    for order in ORDERS {
        let logs = pipeline(make(), upper, lower, 7, order).await;
        assert_eq!(logs.1.batches(), middle, "of the producer-consumer, {order:?}");
        assert_eq!(logs.2.batches()[..6], *reader, "of the consumer, {order:?}");
        assert_eq!(logs.0.demands(), demands, "at the counter, {order:?}");
    }
    let (source, through) = (count(0), make());
    let (asked, log) = (source.log(), through.log());
    let stream = source.into_stream().demand(upper.0, upper.1).through(through).demand(lower.0, lower.1);
    let got = read(stream, 30).await;
    assert_eq!(got[..6], *reader, "alone");
    assert_eq!(log.batches()[..middle.len()], *middle, "of the producer-consumer alone");
    assert_eq!(asked.demands()[..demands.len()], *demands, "at the counter alone");
}

fn first_then(first: usize, then: usize, times: usize) -> Vec<usize> {
    std::iter::once(first).chain(std::iter::repeat_n(then, times)).collect()
}

#[tokio::test]
async fn scenario_022_a_pipeline_of_equal_demands() {
    let (fives, asks) = (in_batches(0, [5; 8]), first_then(10, 5, 8));
    golden_pipeline(identity, ((10, 5), (10, 5)), &fives, &fives[..6], &asks).await;
}

#[tokio::test]
async fn scenario_023_a_pipeline_with_a_min_of_0() {
    let (tens, fives) = (in_batches(0, [10; 4]), in_batches(0, [5; 6]));
    golden_pipeline(identity, ((10, 0), (5, 0)), &tens, &fives, &[10; 5]).await;
}

#[tokio::test]
async fn a_pipeline_that_doubles_has_its_golden_sequence() {
    let mut all = doubled(0..100).into_iter();
    let lengths = [40, 40, 20, 50, 30, 20];
    let reader: Vec<Vec<u64>> = lengths.map(|length| all.by_ref().take(length).collect()).into();
    let asks = first_then(100, 20, 8);
    golden_pipeline(double, ((100, 80), (100, 50)), &in_batches(0, [20; 8]), &reader, &asks).await;
}

#[tokio::test]
async fn scenario_025_a_pipeline_that_keeps_the_even() {
    let reader = [vec![0, 2], vec![4], vec![6], vec![8], vec![10, 12], vec![14]];
    golden_pipeline(evens, ((10, 5), (4, 2)), &in_batches(0, [5; 5]), &reader, &first_then(10, 5, 5)).await;
}

#[tokio::test]
async fn scenario_026_a_pipeline_with_small_batches_above() {
    let pairs = in_batches(0, [2; 11]);
    golden_pipeline(identity, ((4, 2), (10, 5)), &pairs, &pairs[..6], &first_then(4, 2, 11)).await;
}

#[tokio::test]
async fn scenario_028_and_029_a_cancel_waits_behind_the_items_that_came_before_it() {
    let (source, middle, reader) = (count(0), double(), collect());
    let (log, got) = (middle.log(), reader.log());
    let (source, middle) = (source.stage().spawn(), middle.stage().spawn());
    let id = middle.subscribe_to(source.subscribe().demand(100, 50).temporary()).await.unwrap();
    settle().await;
    middle.cast(Say::Cancel(id, Reason::failed("done"))).await.unwrap();
    settle().await;
    assert_eq!(log.all(), [Seen::Subscribed(id)], "nothing is handled, and the end is not told");
    assert_eq!(middle.status().await.unwrap().waiting, 100);

    let _reader = reader.stage().subscribe_to(middle.subscribe().demand(100, 50)).spawn();
    settle().await;
    assert_eq!(log.items(), (0..100).collect::<Vec<_>>());
    assert_eq!(log.all().last(), Some(&Seen::Cancelled(id, "cancel failed: done".into())));
    assert_eq!(got.batches()[..2], [doubled(0..25), doubled(25..50)]);
    assert_eq!(got.items(), doubled(0..100));
    assert_eq!(log.end(), None);
    assert_eq!(source.status().await.unwrap().consumers.len(), 0);
}

#[tokio::test]
async fn an_end_waits_behind_the_items_that_came_before_it_and_then_for_what_is_made_of_them() {
    let (source, middle, reader) = (count(0), double(), collect());
    let (log, got) = (middle.log(), reader.log());
    let source = source.stage().spawn();
    let middle = middle.stage().subscribe_to(source.subscribe().demand(10, 5)).spawn();
    settle().await;
    source.stop(Reason::Normal).await;
    settle().await;
    assert_eq!((log.batches().len(), log.cancelled().len(), log.end()), (0, 0, None));

    let reader = reader.stage().subscribe_to(middle.subscribe().demand(4, 2)).spawn();
    assert!(matches!(reader.wait().await, Reason::Normal));
    assert_eq!(log.batches(), in_batches(0, [5, 5]));
    assert_eq!((log.cancelled(), log.end()), (vec!["down normal".into()], Some("normal".into())));
    assert_eq!(got.items(), doubled(0..10));
}

#[tokio::test]
async fn a_failure_above_is_heard_of_behind_the_items_that_came_before_it() {
    let (source, middle, reader) = (count(0), identity(), collect());
    let (log, got) = (middle.log(), reader.log());
    let source = source.stage().spawn();
    let middle = middle.stage().subscribe_to(source.subscribe().demand(10, 5)).spawn();
    settle().await;
    source.abort();
    settle().await;
    assert_eq!((log.batches().len(), log.end()), (0, None));
    let reader = reader.stage().subscribe_to(middle.subscribe().demand(20, 10)).spawn();
    assert!(matches!(reader.wait().await, Reason::Aborted));
    assert_eq!(log.batches(), in_batches(0, [5, 5]));
    assert_eq!(log.cancelled(), ["down aborted"]);
    assert!(matches!(middle.wait().await, Reason::Aborted));
    assert_eq!(got.items(), (0..10).collect::<Vec<_>>());
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

#[tokio::test]
async fn a_stage_with_two_producers_asks_each_by_itself() {
    let (one, two, reader) = (silent(), silent(), collect());
    let (asked, also, got) = (one.log(), two.log(), reader.log());
    let (one, two) = (one.stage().spawn(), two.stage().spawn());
    let reader = reader
        .stage()
        .subscribe_to(one.subscribe().demand(10, 5))
        .subscribe_to(two.subscribe().demand(4, 0))
        .spawn();
    settle().await;
    assert_eq!((asked.demands(), also.demands()), (vec![10], vec![4]));
    one.cast(Say::Queue((0..10).collect())).await.unwrap();
    settle().await;
    assert_eq!((asked.demands(), also.demands()), (vec![10, 5, 5], vec![4]));
    two.cast(Say::Queue((90..94).collect())).await.unwrap();
    settle().await;
    assert_eq!((asked.demands(), also.demands()), (vec![10, 5, 5], vec![4, 4]));
    assert_eq!(got.batches(), [vec![0, 1, 2, 3, 4], vec![5, 6, 7, 8, 9], vec![90, 91, 92, 93]]);
    assert_eq!(reader.status().await.unwrap().producers.len(), 2);
}

#[tokio::test]
async fn in_manual_mode_lists_come_whole_and_nobody_asks() {
    let (source, reader) = (silent(), collect().asking_by_hand());
    let (asked, log) = (source.log(), reader.log());
    let source = source.stage().spawn();
    let reader = reader.stage().spawn();
    let id = reader.subscribe_to(source.subscribe().demand(4, 2)).await.unwrap();
    settle().await;
    assert_eq!(asked.demands(), [0; 0]);
    reader.cast(Say::Ask(id, 10)).await.unwrap();
    settle().await;
    assert_eq!(asked.demands(), [10]);
    source.cast(Say::Queue((0..10).collect())).await.unwrap();
    settle().await;
    assert_eq!(log.batches(), in_batches(0, [10]));
    assert_eq!(asked.demands(), [10]);
}

#[tokio::test]
async fn whether_a_stage_asks_by_itself_is_said_for_each_subscription() {
    let (one, two, reader) = (count(0), count(0), block());
    let (asked, also) = (one.log(), two.log());
    let (one, two) = (one.stage().spawn(), two.stage().spawn());
    let reader = reader
        .stage()
        .subscribe_to(one.subscribe().demand(10, 5).manual())
        .subscribe_to(two.subscribe().demand(4, 2))
        .spawn();
    settle().await;
    assert_eq!((asked.demands(), also.demands()), (vec![], vec![4]));
    drop(reader);
}

#[tokio::test]
async fn asking_for_nothing_asks_nothing() {
    let source = silent();
    let asked = source.log();
    let source = source.stage().spawn();
    let reading = source.subscribe().manual().await.unwrap();
    reading.ask(0);
    settle().await;
    assert_eq!(asked.demands(), [0; 0]);
    reading.ask(2);
    reading.ask(3);
    settle().await;
    assert_eq!(asked.demands(), [2, 3]);
}

#[tokio::test]
async fn scenario_031_an_ended_consumer_does_not_subscribe() {
    let source = silent();
    let log = source.log();
    let (source, reader) = (source.stage().spawn(), collect().stage().spawn());
    reader.shutdown().await;
    let refused = reader.subscribe_to(source.subscribe()).await;
    assert!(matches!(refused, Err(SubscribeError::ConsumerGone)), "{refused:?}");
    settle().await;
    assert_eq!(log.joined(), []);
    assert!(source.status().await.is_ok());
}

#[tokio::test]
async fn scenario_032_and_035_bounds_out_of_range_are_refused_before_anything_happens() {
    let source = silent();
    let log = source.log();
    let source = source.stage().spawn();
    let reader = collect().stage().spawn();
    for (max, min, text) in [
        (0, 0, "max_demand must be at least 1, given 0"),
        (10, 10, "min_demand must be at most 9, one less than max_demand, given 10"),
        (1, 1, "min_demand must be at most 0, one less than max_demand, given 1"),
    ] {
        let refused = catch_unwind(AssertUnwindSafe(|| source.subscribe().demand(max, min)));
        let payload = refused.expect_err("the bounds are out of range");
        assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some(text));
        assert_eq!(Demand::new(max, min).unwrap_err().to_string(), text);
    }
    settle().await;
    assert_eq!(log.all(), []);
    assert_eq!(reader.status().await.unwrap().producers.len(), 0);
}

#[tokio::test]
async fn scenario_040_a_producer_that_had_ended_ends_those_who_depend_on_it() {
    let source = silent().stage().spawn();
    source.shutdown().await;
    for (mode, end) in [
        (CancelMode::Permanent, Some("the producer had already ended")),
        (CancelMode::Transient, Some("the producer had already ended")),
        (CancelMode::Temporary, None),
    ] {
        let (reader, middle) = (collect(), identity());
        let logs = [reader.log(), middle.log()];
        let (reader, middle) = (reader.stage().spawn(), middle.stage().spawn());
        for gone in [
            reader.subscribe_to(source.subscribe().cancel(mode)).await,
            middle.subscribe_to(source.subscribe().cancel(mode)).await,
        ] {
            assert!(matches!(gone, Err(SubscribeError::Gone)), "{mode:?}: {gone:?}");
        }
        settle().await;
        for log in logs {
            assert_eq!(log.end().as_deref(), end, "{mode:?}");
            assert_eq!(log.cancelled(), ["down the producer had already ended"], "{mode:?}");
        }
        assert_eq!(reader.status().await.is_ok(), end.is_none(), "{mode:?}");
    }
}

#[tokio::test]
async fn scenario_041_and_043_a_temporary_subscription_to_an_ended_producer_does_no_harm() {
    let source = silent().stage().spawn();
    source.shutdown().await;
    let reader = collect();
    let log = reader.log();
    let reader = reader.stage().subscribe_to(source.subscribe().temporary()).spawn();
    settle().await;
    assert_eq!(log.end(), None);
    assert_eq!(reader.status().await.unwrap().producers.len(), 0);

    // It can still read from others.
    let source = count(7).stage().spawn();
    reader.subscribe_to(source.subscribe().demand(2, 0).manual()).await.unwrap();
    assert_eq!(reader.status().await.unwrap().producers.len(), 1);
}

#[tokio::test]
async fn a_permanent_subscription_at_the_start_to_an_ended_producer_ends_the_consumer() {
    let source = silent().stage().spawn();
    source.shutdown().await;
    for mode in [CancelMode::Permanent, CancelMode::Transient] {
        let reader = collect().stage().subscribe_to(source.subscribe().cancel(mode)).spawn();
        assert!(matches!(reader.wait().await, Reason::Gone), "{mode:?}");
    }
}

#[tokio::test]
async fn scenario_044_both_sides_hear_of_a_subscription_by_the_same_name() {
    let (source, reader) = (silent(), collect());
    let (above, below) = (source.log(), reader.log());
    let (source, reader) = (source.stage().spawn(), reader.stage().spawn());
    let id = reader.subscribe_to(source.subscribe().demand(10, 5)).await.unwrap();
    settle().await;
    assert_eq!(above.all(), [Seen::Joined(id), Seen::Demand(10)], "first the consumer, then its demand");
    assert_eq!(below.all(), [Seen::Subscribed(id)]);

    let reading = source.subscribe().await.unwrap();
    assert_eq!(above.joined(), [id, reading.id()]);
}

#[tokio::test]
async fn scenario_047_a_temporary_subscription_that_is_cancelled_ends_nobody() {
    let (source, reader) = (silent(), collect());
    let (above, below) = (source.log(), reader.log());
    let (source, reader) = (source.stage().spawn(), reader.stage().spawn());
    let id = reader.subscribe_to(source.subscribe().temporary()).await.unwrap();
    reader.cast(Say::Cancel(id, Reason::failed("oops"))).await.unwrap();
    settle().await;
    assert_eq!((above.left(), below.cancelled()), (vec!["cancel failed: oops".into()], above.left()));
    assert_eq!(source.status().await.unwrap().consumers.len(), 0);
    assert_eq!(reader.status().await.unwrap().producers.len(), 0);
}

#[tokio::test]
async fn scenario_049_a_temporary_subscription_outlives_a_producer_that_is_killed() {
    let (source, reader) = (silent(), collect());
    let below = reader.log();
    let source = source.stage().spawn();
    let reader = reader.stage().subscribe_to(source.subscribe().temporary()).spawn();
    settle().await;
    source.abort();
    settle().await;
    assert_eq!((below.cancelled(), below.end()), (vec!["down aborted".into()], None));
    assert!(reader.status().await.is_ok());
}

#[tokio::test]
async fn scenario_050_a_permanent_subscription_that_is_cancelled_ends_the_consumer() {
    let (source, reader) = (silent(), collect());
    let (above, below) = (source.log(), reader.log());
    let (source, reader) = (source.stage().spawn(), reader.stage().spawn());
    let id = reader.subscribe_to(source.subscribe()).await.unwrap();
    reader.cast(Say::Cancel(id, Reason::failed("X"))).await.unwrap();
    assert_eq!(reader.wait().await.to_string(), "failed: X");
    let ending = [Seen::Cancelled(id, "cancel failed: X".into()), Seen::Ended("failed: X".into())];
    assert_eq!(below.all()[1..], ending);
    assert_eq!(above.left(), ["cancel failed: X"]);
    assert!(source.status().await.is_ok(), "the cancelled producer lives on");
}

/// The reason a stage has ended with, if it has.
fn ended<R: Role, M: Send + 'static>(stage: &Handle<R, M>) -> Option<String> {
    stage.wait().now_or_never().map(|reason| reason.to_string())
}

/// How a subscription comes to its end.
#[derive(Debug, Clone)]
enum Ending {
    /// The producer is stopped.
    Stop(Reason),
    /// The consumer cancels.
    Cancel(Reason),
    /// The producer ends once everything has gone out.
    Finish,
    /// The producer is killed.
    Abort,
    /// A callback of the producer returns an error.
    Fail,
    /// A callback of the producer panics.
    Panic,
}

fn endings() -> Vec<(Ending, &'static str, bool)> {
    let clean = || [Reason::Normal, Reason::Shutdown, Reason::shutdown_for("x")];
    let names = ["normal", "shutdown", "shutdown: x"];
    let stops = clean().map(Ending::Stop).into_iter().zip(names).map(|(end, name)| (end, name, true));
    let cancels = clean().map(Ending::Cancel).into_iter().zip(names).map(|(end, name)| (end, name, true));
    let others = [
        (Ending::Finish, "normal", true),
        (Ending::Stop(Reason::failed("boom")), "failed: boom", false),
        (Ending::Cancel(Reason::failed("boom")), "failed: boom", false),
        (Ending::Abort, "aborted", false),
        (Ending::Fail, "failed: boom", false),
        (Ending::Panic, "panicked: boom", false),
    ];
    stops.chain(cancels).chain(others).collect()
}

/// What a consumer hears, and the reason it ends with, when its subscription ends so. `through`: it is a
/// producer-consumer, and has a consumer of its own.
async fn after(ending: Ending, mode: CancelMode, through: bool) -> (Vec<String>, Option<String>) {
    let source = silent().stage().spawn();
    let terms = source.subscribe().demand(10, 5).cancel(mode);
    let below = Log::default();
    let (log, address, end): (_, _, Pin<Box<dyn Future<Output = Option<String>>>>) = if through {
        let (middle, reader) = (identity(), collect().writing_in(&below));
        let log = middle.log();
        let middle = middle.stage().subscribe_to(terms).spawn();
        let reader = reader.stage().subscribe_to(middle.subscribe().temporary()).spawn();
        (log, middle.address(), Box::pin(async move { ended(&middle).inspect(|_| drop(reader)) }))
    } else {
        let reader = collect();
        let log = reader.log();
        let reader = reader.stage().subscribe_to(terms).spawn();
        (log, reader.address(), Box::pin(async move { ended(&reader) }))
    };
    settle().await;
    let lives = matches!(ending, Ending::Cancel(_));
    match ending {
        Ending::Stop(reason) => drop(source.stop(reason).await),
        Ending::Cancel(reason) => address.cast(Say::Cancel(log.subscribed()[0], reason)).await.unwrap(),
        Ending::Finish => drop(source.finish().await),
        Ending::Abort => source.abort(),
        Ending::Fail => source.cast(Say::Fail("boom")).await.unwrap(),
        Ending::Panic => source.cast(Say::Panic("boom")).await.unwrap(),
    }
    settle().await;
    assert_eq!(source.status().await.is_ok(), lives, "a producer that was cancelled lives on");
    let end = end.await;
    if through {
        let down: Vec<_> = end.iter().map(|reason| format!("down {reason}")).collect();
        assert_eq!(below.cancelled(), down, "the one below hears of it");
    }
    (log.cancelled(), end)
}

/// The whole table of endings for one cancel mode, of a consumer and of a producer-consumer.
async fn table(mode: CancelMode, ends: fn(bool) -> bool) {
    for (ending, name, clean) in endings() {
        for through in [false, true] {
            let said = format!("{mode:?}, {ending:?}, {through}");
            let how = if matches!(ending, Ending::Cancel(_)) { "cancel" } else { "down" };
            let (heard, end) = after(ending.clone(), mode, through).await;
            assert_eq!(heard, [format!("{how} {name}")], "{said}");
            assert_eq!(end, ends(clean).then(|| name.to_string()), "{said}");
        }
    }
}

#[tokio::test]
async fn a_permanent_consumer_ends_with_its_producer_whatever_the_reason() {
    table(CancelMode::Permanent, |_| true).await;
}

#[tokio::test]
async fn scenario_058_a_transient_consumer_ends_with_its_producer_unless_that_ended_cleanly() {
    table(CancelMode::Transient, |clean| !clean).await;
}

#[tokio::test]
async fn scenario_059_a_temporary_consumer_outlives_its_producer() {
    table(CancelMode::Temporary, |_| false).await;
}

#[tokio::test]
async fn scenario_052_and_053_a_transient_subscription_that_is_cancelled() {
    for (reason, end) in [(Reason::Normal, None), (Reason::failed("X"), Some("failed: X"))] {
        let (source, reader) = (silent(), collect());
        let (above, below) = (source.log(), reader.log());
        let (source, reader) = (source.stage().spawn(), reader.stage().spawn());
        let id = reader.subscribe_to(source.subscribe().transient()).await.unwrap();
        reader.cast(Say::Cancel(id, reason.clone())).await.unwrap();
        settle().await;
        let heard = vec![format!("cancel {reason}")];
        assert_eq!((above.left(), below.cancelled()), (heard.clone(), heard));
        assert_eq!(below.end().as_deref(), end);
        assert!(source.status().await.is_ok());
    }
}

#[tokio::test]
async fn scenario_055_and_056_a_producer_consumer_whose_transient_producer_ends() {
    for (kill, heard, end) in [(false, "down shutdown", None), (true, "down aborted", Some("aborted"))] {
        let (source, middle, reader) = (silent(), identity(), collect());
        let log = middle.log();
        let source = source.stage().spawn();
        let middle = middle.stage().subscribe_to(source.subscribe().transient()).spawn();
        let reader = reader.stage().subscribe_to(middle.subscribe()).spawn();
        settle().await;
        if kill {
            source.abort();
        } else {
            source.shutdown().await;
        }
        settle().await;
        assert_eq!(log.cancelled(), [heard]);
        assert_eq!((ended(&middle).as_deref(), ended(&reader).as_deref()), (end, end));
    }
}

#[tokio::test]
async fn a_stage_that_ends_because_its_producer_was_killed_is_terminated_like_any_other() {
    let (source, middle, reader) = (silent(), identity(), collect());
    let (log, below) = (middle.log(), reader.log());
    let source = source.stage().spawn();
    let middle = middle.stage().subscribe_to(source.subscribe()).spawn();
    let reader = reader.stage().subscribe_to(middle.subscribe()).spawn();
    settle().await;
    source.abort();
    reader.wait().await;
    // It was not killed itself, and can clean up.
    assert_eq!((log.end().as_deref(), below.end().as_deref()), (Some("aborted"), Some("aborted")));
}

#[tokio::test]
async fn scenario_061_a_subscription_takes_the_place_of_another() {
    let (source, reader) = (silent(), collect());
    let (above, below) = (source.log(), reader.log());
    let (source, reader) = (source.stage().spawn(), reader.stage().spawn());
    let old = reader.subscribe_to(source.subscribe().temporary().demand(10, 5)).await.unwrap();
    settle().await;
    let new = source.subscribe().temporary().demand(4, 2);
    let new = reader.resubscribe(old, new, Reason::Normal).await.unwrap();
    settle().await;
    assert_ne!(old, new);
    assert_eq!(below.subscribed(), [old, new]);
    assert_eq!(below.cancelled(), ["cancel normal"]);
    // The old one goes before the new one comes, and what it had asked for is set off.
    let seen =
        [Seen::Joined(old), Seen::Demand(10), Seen::Left(old, "cancel normal".into()), Seen::Joined(new)];
    assert_eq!(above.all(), seen);
    source.cast(Say::Queue((0..4).collect())).await.unwrap();
    settle().await;
    assert_eq!(below.batches(), in_batches(0, [2, 2]));
    let status = reader.status().await.unwrap();
    assert_eq!(status.producers.iter().map(|each| each.id).collect::<Vec<_>>(), [new]);
}

#[tokio::test]
async fn scenario_062_a_subscription_that_never_was_can_be_replaced() {
    let (source, reader) = (silent(), collect());
    let (above, below) = (source.log(), reader.log());
    let (source, reader) = (source.stage().spawn(), reader.stage().spawn());
    let unknown = gen_stage::dispatch::SubscriptionId::next();
    let id = reader.resubscribe(unknown, source.subscribe(), Reason::Normal).await.unwrap();
    settle().await;
    assert_eq!((above.joined(), below.subscribed()), (vec![id], vec![id]));
    assert_eq!((above.left().len(), below.cancelled().len(), below.end()), (0, 0, None));
}

#[tokio::test]
async fn scenario_064_resubscribing_need_not_be_waited_for() {
    let (source, reader) = (silent(), collect());
    let below = reader.log();
    let (source, reader) = (source.stage().spawn(), reader.stage().spawn());
    let old = reader.subscribe_to(source.subscribe().temporary()).await.unwrap();
    let asked = reader.resubscribe(old, source.subscribe().temporary(), Reason::Normal).now_or_never();
    assert!(asked.is_none(), "nothing has run yet");
    settle().await;
    let ids = below.subscribed();
    assert_eq!((ids.len(), ids[0]), (2, old));
    assert_ne!(ids[1], old);
    assert_eq!(reader.status().await.unwrap().producers.len(), 1);
}

#[tokio::test]
async fn scenario_065_resubscribing_never_ends_the_consumer() {
    for mode in [CancelMode::Permanent, CancelMode::Transient, CancelMode::Temporary] {
        let (source, reader) = (silent(), collect());
        let (above, below) = (source.log(), reader.log());
        let (source, reader) = (source.stage().spawn(), reader.stage().spawn());
        let old = reader.subscribe_to(source.subscribe().cancel(mode)).await.unwrap();
        let new =
            reader.resubscribe(old, source.subscribe().cancel(mode), Reason::failed("r")).await.unwrap();
        settle().await;
        assert_eq!(above.left(), ["cancel failed: r"], "{mode:?}");
        assert_eq!(below.cancelled(), ["cancel failed: r"], "{mode:?}");
        assert_eq!(below.end(), None, "{mode:?}");
        source.cast(Say::Queue(vec![1])).await.unwrap();
        settle().await;
        assert_eq!(below.items(), [1], "{mode:?}");
        assert_eq!(reader.status().await.unwrap().producers[0].id, new);
    }
}

#[tokio::test]
async fn a_subscription_can_be_replaced_by_one_to_another_producer() {
    let (one, two, middle) = (silent(), count(7), identity());
    let (above, below) = (one.log(), middle.log());
    let (one, two, middle) = (one.stage().spawn(), two.stage().spawn(), middle.stage().spawn());
    let old = middle.subscribe_to(one.subscribe()).await.unwrap();
    middle.resubscribe(old, two.subscribe().demand(2, 0), Reason::failed("r")).await.unwrap();
    let mut reading = middle.subscribe().demand(2, 0).await.unwrap();
    assert_eq!(reading.next_batch().await, Some(vec![7, 8]));
    assert_eq!((above.left(), below.cancelled()), (vec!["cancel failed: r".into()], above.left()));
    assert_eq!(below.end(), None);
}

#[tokio::test]
async fn scenario_067_demand_is_held_back_until_it_is_forwarded() {
    let (source, reader) = (count(0), block());
    let (asked, got) = (source.log(), reader.log());
    let source = source.stage().accumulate().spawn();
    let _reader = reader.stage().subscribe_to(source.subscribe().demand(4, 0)).spawn();
    settle().await;
    assert_eq!((asked.demands().len(), got.batches().len()), (0, 0));
    assert_eq!(source.demand_mode().await, Ok(DemandMode::Accumulate));
    source.forward();
    settle().await;
    assert_eq!((asked.demands(), got.batches()), (vec![4], in_batches(0, [4])));
    assert_eq!(source.demand_mode().await, Ok(DemandMode::Forward));
}

#[tokio::test]
async fn scenario_068_a_running_producer_can_hold_back() {
    let (source, reader) = (count(0), block());
    let (asked, got) = (source.log(), reader.log());
    let source = source.stage().spawn();
    settle().await;
    source.accumulate();
    let _reader = reader.stage().subscribe_to(source.subscribe().demand(4, 0)).spawn();
    settle().await;
    assert_eq!((asked.demands().len(), got.batches().len()), (0, 0));
    source.forward();
    settle().await;
    assert_eq!((asked.demands(), got.batches()), (vec![4], in_batches(0, [4])));
}

#[tokio::test]
async fn forwarding_before_anybody_has_subscribed_is_forwarding() {
    let (source, reader) = (count(0), block());
    let got = reader.log();
    let source = source.stage().accumulate().spawn();
    source.forward();
    source.forward();
    let _reader = reader.stage().subscribe_to(source.subscribe().demand(4, 0)).spawn();
    settle().await;
    assert_eq!(got.batches(), in_batches(0, [4]));
}

#[tokio::test]
async fn scenario_070_holding_back_twice_loses_nothing() {
    let (source, reader) = (count(0), block());
    let (asked, got) = (source.log(), reader.log());
    let source = source.stage().accumulate().spawn();
    let _reader = reader.stage().subscribe_to(source.subscribe().demand(4, 0)).spawn();
    settle().await;
    source.accumulate();
    settle().await;
    assert_eq!(got.batches().len(), 0);
    source.forward();
    settle().await;
    assert_eq!((asked.demands(), got.batches()), (vec![4], in_batches(0, [4])));
}

#[tokio::test]
async fn scenario_071_each_held_demand_is_forwarded_by_itself() {
    let (source, one, two) = (echo_demand(), collect().blocking_in(2), collect().blocking_in(2));
    let (asked, got, also) = (source.log(), one.log(), two.log());
    let source = source.stage().accumulate().spawn();
    let _one = one.stage().subscribe_to(source.subscribe().demand(2, 1)).spawn();
    let _two = two.stage().subscribe_to(source.subscribe().demand(2, 1)).spawn();
    settle().await;
    source.forward();
    settle().await;
    assert_eq!(asked.demands()[..3], [2, 2, 1]);
    assert_eq!((got.items(), also.items()), (vec![2, 1], vec![2, 1]));
}

#[tokio::test]
async fn scenario_073_what_is_emitted_meanwhile_is_held_back_as_well() {
    let (one, two) = (collect(), collect());
    let source = silent().stage().dispatcher(Broadcast::new()).spawn();
    let old = [one, two].map(|reader| reader.stage().subscribe_to(source.subscribe()).spawn());
    settle().await;
    source.accumulate();
    for reader in old {
        reader.shutdown().await;
    }
    for item in 1..=4 {
        source.cast(Say::Queue(vec![item])).await.unwrap();
    }
    let (one, two) = (collect(), collect());
    let logs = [one.log(), two.log()];
    let _new = [one, two].map(|reader| reader.stage().subscribe_to(source.subscribe()).spawn());
    settle().await;
    assert_eq!(logs.each_ref().map(Log::items), [[0; 0], [0; 0]]);
    source.forward();
    settle().await;
    for log in logs {
        assert_eq!(log.batches(), in_batches(1, [1; 4]));
    }
    assert_eq!(source.estimate_buffered_count().await, Ok(0));
}

#[tokio::test]
async fn scenario_074_items_and_demand_are_forwarded_in_the_order_they_came() {
    let (source, one, two) = (silent(), collect(), collect());
    let (asked, got, also) = (source.log(), one.log(), two.log());
    let source = source.stage().accumulate().spawn();
    let one = one.stage().subscribe_to(source.subscribe().demand(4, 2)).spawn();
    let two = two.stage().subscribe_to(source.subscribe().demand(4, 2)).spawn();
    settle().await;
    source.cast(Say::Queue(vec![101, 102])).await.unwrap();
    settle().await;
    assert_eq!((got.batches().len(), also.batches().len(), asked.demands().len()), (0, 0, 0));
    source.forward();
    settle().await;
    assert_eq!(asked.demands(), [4, 4, 2]);
    assert_eq!([got.batches(), also.batches()].concat(), [[101, 102]]);
    drop((one, two));
}

#[tokio::test]
async fn forwarding_ends_where_a_callback_ends_the_stage() {
    struct Once(Log);
    impl Producer for Once {
        type Item = u64;
        async fn handle_start(&mut self, out: &mut Output<u64>) -> Result<(), StageError> {
            out.extend([1, 2, 3]);
            Ok(())
        }
        async fn handle_demand(&mut self, demand: usize, _: &mut Output<u64>) -> Result<(), StageError> {
            self.0.push(Seen::Demand(demand));
            Err("no more".into())
        }
        async fn handle_subscribe(&mut self, _: Subscriber, out: &mut Output<u64>) -> Result<(), StageError> {
            out.extend([4, 5]);
            Ok(())
        }
    }
    let log = Log::default();
    let source = Once(log.clone()).stage().accumulate().spawn();
    let first = source.subscribe().manual().await.unwrap();
    first.ask(5);
    first.ask(4);
    first.ask(3);
    let second = source.subscribe().await.unwrap();
    source.forward();
    assert_eq!(source.wait().await.to_string(), "failed: no more");
    assert_eq!(log.demands(), [5], "the first was the last");
    drop((first, second));
    let counts = source.counts();
    assert_eq!((counts.emitted, counts.sent), (7, 5));
    assert_eq!(counts.emitted, counts.sent + counts.discarded, "every item is in one of these numbers");
}

type Start = fn(&mut Control) -> Result<(), StageError>;

#[tokio::test]
async fn scenario_076_a_start_that_fails_ends_the_stage() {
    struct Fails(Start);
    impl Producer for Fails {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Output<u64>) -> Result<(), StageError> {
            unreachable!("it never starts")
        }
        async fn handle_start(&mut self, out: &mut Output<u64>) -> Result<(), StageError> {
            (self.0)(out)
        }
    }
    impl ProducerConsumer for Fails {
        type Input = u64;
        type Item = u64;
        async fn handle_items(
            &mut self,
            _: Vec<u64>,
            _: &Upstream,
            _: &mut Output<u64>,
        ) -> Result<(), StageError> {
            unreachable!("it never starts")
        }
        async fn handle_start(&mut self, out: &mut Output<u64>) -> Result<(), StageError> {
            (self.0)(out)
        }
    }
    impl Consumer for Fails {
        type Input = u64;
        async fn handle_items(
            &mut self,
            _: Vec<u64>,
            _: &Upstream,
            _: &mut Control,
        ) -> Result<(), StageError> {
            unreachable!("it never starts")
        }
        async fn handle_start(&mut self, stage: &mut Control) -> Result<(), StageError> {
            (self.0)(stage)
        }
    }
    let starts: [(Start, &str); 3] = [
        (|_| Err("oops".into()), "failed: oops"),
        (
            |stage| {
                stage.stop(Reason::failed("oops"));
                Ok(())
            },
            "failed: oops",
        ),
        (
            |stage| {
                stage.stop(Reason::Normal);
                Ok(())
            },
            "normal",
        ),
    ];
    for (start, end) in starts {
        let source = count(0).stage().spawn();
        let producer = Producer::stage(Fails(start)).spawn();
        let middle = ProducerConsumer::stage(Fails(start)).subscribe_to(source.subscribe()).spawn();
        let reader = Consumer::stage(Fails(start)).subscribe_to(source.subscribe()).spawn();
        let reasons = [producer.wait().await, middle.wait().await, reader.wait().await];
        assert_eq!(reasons.map(|reason| reason.to_string()), [end; 3]);
        assert!(matches!(producer.subscribe().await, Err(SubscribeError::Gone)));
        assert_eq!(source.status().await.unwrap().consumers.len(), 0);
    }
}

#[tokio::test]
async fn scenario_080_the_answer_to_a_call_comes_behind_what_it_emits() {
    let source = silent().stage().spawn();
    let mut reading = source.subscribe().manual().await.unwrap();
    reading.ask(3);
    assert_eq!(source.call(|reply| Say::Call(vec![1, 2, 3], reply)).await, Ok(0));
    assert_eq!(now(&mut reading), Some(vec![1, 2, 3]));
}

#[tokio::test]
async fn a_call_can_be_answered_before_what_it_emits_goes_out() {
    let source = silent().stage().spawn();
    let mut reading = source.subscribe().manual().await.unwrap();
    reading.ask(3);
    assert_eq!(source.call(|reply| Say::CallFirst(vec![1, 2, 3], reply)).await, Ok(0));
    assert_eq!(now(&mut reading), None);
    settle().await;
    settle().await;
    assert_eq!(now(&mut reading), Some(vec![1, 2, 3]));
}

#[tokio::test]
async fn scenario_082_a_call_that_ends_the_stage_is_answered() {
    let (source, middle, reader) = (count(7), identity(), collect());
    let logs = [source.log(), middle.log(), reader.log()];
    let (source, middle, reader) = (source.stage().spawn(), middle.stage().spawn(), reader.stage().spawn());
    let stop = |reply| Say::CallStop(Reason::Shutdown, reply);
    assert_eq!(source.call(stop).await, Ok(7));
    assert_eq!(middle.call(stop).await, Ok(0));
    assert_eq!(reader.call(stop).await, Ok(0));
    let reasons = [source.wait().await, middle.wait().await, reader.wait().await];
    assert!(reasons.iter().all(|reason| matches!(reason, Reason::Shutdown)), "{reasons:?}");
    assert_eq!(logs.map(|log| log.end()), [const { Some("shutdown") }; 3].map(|end| end.map(String::from)));
}

#[tokio::test]
async fn a_callback_that_stops_sends_what_it_emits_and_no_more() {
    let source = silent();
    let log = source.log();
    let source = source.stage().spawn();
    let mut reading = source.subscribe().manual().await.unwrap();
    reading.ask(2);
    source.cast(Say::Stop(vec![1, 2, 3], Reason::Shutdown)).await.unwrap();
    assert!(matches!(source.wait().await, Reason::Shutdown));
    assert_eq!(now(&mut reading), Some(vec![1, 2]));
    assert_eq!(reading.next_batch().await, None);
    assert!(matches!(reading.end(), Some(Reason::Shutdown)));
    assert_eq!(log.end().as_deref(), Some("shutdown"));
    assert_eq!((source.counts().sent, source.counts().discarded), (2, 1));
}

#[tokio::test]
async fn ending_a_stage_says_why_and_terminates_it_first() {
    for reason in [Reason::Normal, Reason::Shutdown, Reason::shutdown_for("tea"), Reason::failed("boom")] {
        let source = silent();
        let log = source.log();
        let source = source.stage().spawn();
        let said = reason.to_string();
        assert_eq!(source.stop(reason).await.to_string(), said);
        assert_eq!(log.end(), Some(said.clone()));
        assert_eq!(source.stop(Reason::failed("late")).await.to_string(), said, "it had ended before");
    }
    let source = silent();
    let log = source.log();
    let source = source.stage().spawn();
    source.abort();
    assert!(matches!(source.wait().await, Reason::Aborted));
    assert_eq!(log.end(), None, "who is killed does not clean up");
}

#[tokio::test]
async fn an_ended_stage_answers_no_messages() {
    let source = silent().stage().spawn();
    source.shutdown().await;
    assert!(matches!(source.cast(Say::Note('a')).await, Err(CastError::Ended(Say::Note('a')))));
    assert!(matches!(source.try_cast(Say::Note('a')), Err(CastError::Ended(Say::Note('a')))));
    assert!(matches!(source.info(Say::Note('a')).await, Err(CastError::Ended(Say::Note('a')))));
    assert_eq!(source.call(|reply| Say::Call(vec![], reply)).await, Err(CallError::Ended));
    assert!(source.status().await.is_err());
    assert!(source.estimate_buffered_count().await.is_err());
}

#[tokio::test]
async fn a_message_without_a_handler_fails_the_stage() {
    struct Deaf;
    impl Consumer<u32> for Deaf {
        type Input = u64;
        async fn handle_items(
            &mut self,
            _: Vec<u64>,
            _: &Upstream,
            _: &mut Control<u32>,
        ) -> Result<(), StageError> {
            Ok(())
        }
    }
    let deaf = Deaf.stage().spawn();
    deaf.cast(7).await.unwrap();
    let reason = deaf.wait().await.to_string();
    assert!(reason.contains("Deaf") && reason.contains("handle_message"), "{reason}");
}

#[tokio::test]
async fn scenario_086_a_stage_says_what_it_is_and_who_its_peers_are() {
    let source = silent().stage().label("source").dispatcher(Broadcast::new()).spawn();
    let middle = identity().stage().label("middle").subscribe_to(source.subscribe().demand(10, 5)).spawn();
    let reader = collect().stage().label("reader").subscribe_to(middle.subscribe().demand(4, 2)).spawn();
    settle().await;

    let status = source.status().await.unwrap();
    assert_eq!((status.kind, status.label.as_str(), status.buffered), (Kind::Producer, "source", 0));
    assert_eq!((status.id, status.mode, status.producers.len()), (source.id(), DemandMode::Forward, 0));
    let consumer = &status.consumers[0];
    assert_eq!((status.consumers.len(), consumer.stage, consumer.demand), (1, Some(middle.id()), 10));
    let above = consumer.id;

    let status = middle.status().await.unwrap();
    assert_eq!((status.kind, status.label.as_str(), status.buffered), (Kind::ProducerConsumer, "middle", 0));
    let producer = &status.producers[0];
    assert_eq!((producer.id, producer.label.as_str(), producer.demand), (above, "source", 10));
    assert_eq!((producer.bounds, producer.mode), (bounds(10, 5), Mode::Automatic));
    assert_eq!(producer.cancel, CancelMode::Permanent);
    let consumer = &status.consumers[0];
    assert_eq!((status.consumers.len(), consumer.stage, consumer.demand), (1, Some(reader.id()), 4));
    let below = consumer.id;

    let status = reader.status().await.unwrap();
    assert_eq!((status.kind, status.label.as_str(), status.consumers.len()), (Kind::Consumer, "reader", 0));
    assert_eq!((status.producers[0].id, status.producers[0].label.as_str()), (below, "middle"));
}

#[tokio::test]
async fn scenario_088_asks_of_a_cancelled_subscription_are_nothing() {
    let source = silent();
    let log = source.log();
    let source = source.stage().spawn();
    let mut reading = source.subscribe().manual().await.unwrap();
    reading.cancel(Reason::Normal);
    reading.ask(10);
    reading.cancel(Reason::failed("again"));
    settle().await;
    assert_eq!(log.demands(), [0; 0]);
    assert_eq!(log.left(), ["cancel normal"]);
    assert_eq!(reading.next_batch().await, None);
    assert!(matches!(reading.end(), Some(Reason::Normal)));
}

#[tokio::test]
async fn scenario_089_what_comes_for_a_stage_that_has_ended_is_undelivered() {
    let source = silent().stage().spawn();
    let reader = block().stage().subscribe_to(source.subscribe().demand(10, 5)).spawn();
    settle().await;
    source.cast(Say::Queue((0..10).collect())).await.unwrap();
    settle().await;
    reader.abort();
    settle().await;
    let counts = source.counts();
    assert_eq!((counts.sent, counts.taken, counts.undelivered), (10, 5, 5));
}

#[tokio::test]
async fn scenario_091_a_stage_subscribes_to_a_broadcast_once_however_often_it_tries() {
    let (source, reader) = (silent(), collect());
    let (above, below) = (source.log(), reader.log());
    let source = source.stage().dispatcher(Broadcast::new()).spawn();
    let reader = reader.stage().spawn();
    let id = reader.subscribe_to(source.subscribe()).await.unwrap();
    for _ in 0..3 {
        let refused = reader.subscribe_to(source.subscribe()).await;
        let already = matches!(refused, Err(SubscribeError::Refused(Refusal::AlreadySubscribed)));
        assert!(already, "{refused:?}");
    }
    settle().await;
    let told = "cancel refused: the stage is already subscribed";
    assert_eq!((below.cancelled(), below.end()), (vec![told.to_string(); 3], None));
    assert_eq!((above.joined(), above.left().len()), (vec![id], 0));
    assert_eq!(reader.status().await.unwrap().producers.len(), 1);
    source.cast(Say::Queue(vec![1])).await.unwrap();
    settle().await;
    assert_eq!(below.items(), [1]);
}

#[tokio::test]
async fn scenario_092_two_stages_that_subscribe_twice_to_a_broadcast_have_one_subscription_each() {
    let (one, two) = (collect(), identity());
    let logs = [one.log(), two.log()];
    let source = silent().stage().dispatcher(Broadcast::new()).spawn();
    let (one, two) = (one.stage().spawn(), two.stage().spawn());
    for _ in 0..2 {
        let _ = one.subscribe_to(source.subscribe()).await;
        let _ = two.subscribe_to(source.subscribe()).await;
    }
    settle().await;
    assert_eq!(source.status().await.unwrap().consumers.len(), 2);
    assert_eq!(one.status().await.unwrap().producers.len(), 1);
    assert_eq!(two.status().await.unwrap().producers.len(), 1);
    assert_eq!(logs.map(|log| log.end()), [None, None]);
}

#[tokio::test]
async fn a_second_subscription_at_the_start_is_refused_and_ends_the_stage() {
    for (mode, ends) in [(CancelMode::Permanent, true), (CancelMode::Temporary, false)] {
        let source = silent().stage().dispatcher(Broadcast::new()).spawn();
        let reader = collect();
        let log = reader.log();
        let subscribe = || source.subscribe().cancel(mode);
        let _reader = reader.stage().subscribe_to(subscribe()).subscribe_to(subscribe()).spawn();
        settle().await;
        let end = ends.then(|| "refused: the stage is already subscribed".to_string());
        assert_eq!(log.end(), end, "{mode:?}");
        assert!(source.status().await.is_ok());
    }
}

#[tokio::test]
async fn scenario_093_any_stage_says_its_demand_mode() {
    let (source, middle) = (silent().stage().accumulate().spawn(), identity().stage().spawn());
    assert_eq!(source.demand_mode().await, Ok(DemandMode::Accumulate));
    source.forward();
    assert_eq!(source.demand_mode().await, Ok(DemandMode::Forward));
    assert_eq!(middle.status().await.unwrap().mode, DemandMode::Forward);
    assert_eq!(collect().stage().spawn().status().await.unwrap().mode, DemandMode::Forward);
}

#[tokio::test]
async fn scenario_094_a_stage_subscribes_by_handle_when_it_starts() {
    let source = count(0).stage().spawn();
    let reader = block();
    let got = reader.log();
    let _reader = reader.stage().subscribe_to(source.clone().subscribe().demand(3, 1)).spawn();
    settle().await;
    assert_eq!(got.items(), [0, 1]);
}

#[tokio::test]
async fn scenario_097_an_info_to_a_consumer_is_handled_at_once() {
    let reader = collect();
    let log = reader.log();
    let reader = reader.stage().spawn();
    reader.info(Say::Note('a')).await.unwrap();
    reader.cast(Say::QueueAndNote(vec![], 'b')).await.unwrap();
    settle().await;
    assert_eq!(log.notes(), "ab");
}

#[tokio::test]
async fn scenario_098_an_info_with_nothing_buffered_is_handled_at_once() {
    let (source, middle) = (silent(), identity());
    let logs = [source.log(), middle.log()];
    let source = source.stage().spawn();
    let middle = middle.stage().subscribe_to(source.subscribe()).spawn();
    settle().await;
    source.info(Say::Note('a')).await.unwrap();
    source.cast(Say::QueueAndNote(vec![], 'b')).await.unwrap();
    middle.info(Say::Note('a')).await.unwrap();
    middle.cast(Say::QueueAndNote(vec![], 'b')).await.unwrap();
    settle().await;
    assert_eq!(logs.map(|log| log.notes()), ["ab", "ab"]);
}

#[tokio::test]
async fn a_producer_learns_of_a_cancel_before_the_demand_that_it_releases() {
    let source = silent();
    let log = source.log();
    let source = source.stage().dispatcher(Broadcast::new()).spawn();
    let (fast, slow) =
        (source.subscribe().manual().await.unwrap(), source.subscribe().manual().await.unwrap());
    let (fast_id, slow_id) = (fast.id(), slow.id());
    fast.ask(5);
    settle().await;
    assert_eq!(log.demands(), [0; 0]);
    drop(slow);
    settle().await;
    let left = Seen::Left(slow_id, "cancel normal".into());
    assert_eq!(log.all(), [Seen::Joined(fast_id), Seen::Joined(slow_id), left, Seen::Demand(5)]);
}

#[tokio::test]
async fn a_consumer_that_ends_leaves_its_producer() {
    for (ending, heard) in [
        (Ending::Stop(Reason::Normal), "down normal"),
        (Ending::Abort, "down aborted"),
        (Ending::Fail, "down failed: boom"),
        (Ending::Panic, "down panicked: boom"),
    ] {
        let (source, reader) = (silent(), collect());
        let log = source.log();
        let source = source.stage().spawn();
        let reader = reader.stage().subscribe_to(source.subscribe().demand(10, 5)).spawn();
        settle().await;
        match ending {
            Ending::Stop(reason) => drop(reader.stop(reason).await),
            Ending::Fail => reader.cast(Say::Fail("boom")).await.unwrap(),
            Ending::Panic => reader.cast(Say::Panic("boom")).await.unwrap(),
            _ => reader.abort(),
        }
        settle().await;
        assert_eq!(log.left(), [heard]);
        assert_eq!(source.status().await.unwrap().consumers.len(), 0);
    }
}

#[tokio::test]
async fn a_producer_consumer_that_finishes_hands_out_what_it_has_made() {
    let (source, middle) = (count(0), identity());
    let log = middle.log();
    let source = source.stage().spawn();
    let middle = middle.stage().subscribe_to(source.subscribe().demand(10, 5)).spawn();
    let mut reading = middle.subscribe().manual().await.unwrap();
    reading.ask(1);
    settle().await;
    assert_eq!(middle.status().await.unwrap().buffered, 9);
    source.stop(Reason::Shutdown).await;
    settle().await;
    assert_eq!(log.end(), None, "nine are still to go out");
    reading.ask(4);
    settle().await;
    assert_eq!(log.end(), None, "five are still to go out");
    reading.ask(14);
    settle().await;
    assert_eq!(log.end(), None, "the last item is still to go out");
    reading.ask(1);
    assert!(matches!(middle.wait().await, Reason::Shutdown));
    let mut got = Vec::new();
    while let Some(batch) = reading.next_batch().await {
        got.extend(batch);
    }
    // Ten were handled before the end, and ten had come before it.
    assert_eq!(got, (0..20).collect::<Vec<_>>());
    assert!(matches!(reading.end(), Some(Reason::Shutdown)));
}

#[tokio::test]
async fn a_stage_that_is_told_to_finish_takes_messages_until_everything_is_out() {
    let source = count(0);
    let log = source.log();
    let source = source.stage().spawn();
    source.cast(Say::Finish(vec![101, 102, 103])).await.unwrap();
    settle().await;
    source.cast(Say::Note('m')).await.unwrap();
    let read: Vec<u64> = source.subscribe().demand(2, 0).await.unwrap().collect().await;
    assert_eq!(read, [101, 102, 103]);
    assert!(matches!(source.wait().await, Reason::Normal));
    assert_eq!((log.notes().as_str(), log.demands().len()), ("m", 0), "no demand reaches it any more");
}

#[tokio::test]
async fn a_producer_consumer_alone_reads_any_stream() {
    let middle = double();
    let log = middle.log();
    let got: Vec<u64> = middle.through(stream::iter(0..10)).collect().await;
    assert_eq!(got, doubled(0..10));
    assert_eq!((log.cancelled(), log.end()), (vec!["down normal".into()], Some("normal".into())));
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
    let reading = middle.subscribe().partition(0).manual().await.unwrap();
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
    let mut reading = middle.subscribe().partition(0).manual().await.unwrap();
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

#[tokio::test]
async fn asking_for_more_than_can_be_counted_harms_nobody() {
    let (source, middle) = (silent(), silent());
    let (source, by_all) = (source.stage().spawn(), middle.stage().dispatcher(Broadcast::new()).spawn());
    let mut reading = source.subscribe().manual().await.unwrap();
    let mut all = by_all.subscribe().manual().await.unwrap();
    for _ in 0..2 {
        reading.ask(usize::MAX);
        all.ask(usize::MAX);
        settle().await;
    }
    for stage in [source.cast(Say::Queue(vec![1])).await, by_all.cast(Say::Queue(vec![1])).await] {
        assert!(stage.is_ok(), "the producer has died of an ask");
    }
    settle().await;
    assert_eq!([now(&mut reading), now(&mut all)], [Some(vec![1]), Some(vec![1])]);
}

#[tokio::test]
async fn a_stage_that_fails_at_a_subscription_ends_and_the_other_side_hears_of_it() {
    struct Shy;
    impl Consumer for Shy {
        type Input = u64;
        async fn handle_items(
            &mut self,
            _: Vec<u64>,
            _: &Upstream,
            _: &mut Control,
        ) -> Result<(), StageError> {
            unreachable!("it has no subscription")
        }
        async fn handle_subscribe(&mut self, _: &Upstream, _: &mut Control) -> Result<Mode, StageError> {
            Err("not me".into())
        }
    }
    impl Producer for Shy {
        type Item = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Output<u64>) -> Result<(), StageError> {
            unreachable!("it has no subscription")
        }
        async fn handle_subscribe(&mut self, _: Subscriber, _: &mut Output<u64>) -> Result<(), StageError> {
            Err("not me".into())
        }
    }
    let (source, reader) = (silent(), collect());
    let (above, below) = (source.log(), reader.log());
    let source = source.stage().spawn();
    let shy = Consumer::stage(Shy).subscribe_to(source.subscribe()).spawn();
    assert_eq!(shy.wait().await.to_string(), "failed: not me");
    settle().await;
    assert_eq!((above.left(), above.demands().len()), (vec!["down failed: not me".into()], 0));

    let shy = Producer::stage(Shy).spawn();
    let reader = reader.stage().subscribe_to(shy.subscribe()).spawn();
    assert_eq!(reader.wait().await.to_string(), "failed: not me");
    assert_eq!(below.cancelled(), ["down failed: not me"]);
    assert_eq!(shy.wait().await.to_string(), "failed: not me");
}
