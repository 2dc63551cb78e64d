//! How much a stage asks for, and in which batches it gets it. Scenarios 1 to 14.

use super::{bounds, read};
use crate::support::settle;
use crate::support::stages::{Say, block, collect, count, in_batches, now, silent};
use gen_stage::Demand;
use gen_stage::dispatch::Broadcast;
use gen_stage::prelude::*;

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
