//! A producer-consumer between two stages. Scenarios 16 to 26.

use super::read;
use crate::support::settle;
use crate::support::stages::{
    Log, Middle, collect, count, double, doubled, dropping, evens, identity, in_batches,
};
use futures::{StreamExt, stream};
use gen_stage::prelude::*;
use gen_stage::stage::from_iter;

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
async fn a_producer_consumer_alone_reads_any_stream() {
    let middle = double();
    let log = middle.log();
    let got: Vec<u64> = middle.through(stream::iter(0..10)).collect().await;
    assert_eq!(got, doubled(0..10));
    assert_eq!((log.cancelled(), log.end()), (vec!["down normal".into()], Some("normal".into())));
}
