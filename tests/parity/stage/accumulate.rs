//! Demand that is held back until it is forwarded. Scenarios 67 to 74.

use crate::support::settle;
use crate::support::stages::{Log, Say, Seen, block, collect, count, echo_demand, in_batches, silent, why};
use gen_stage::dispatch::{Broadcast, Subscriber};
use gen_stage::prelude::*;
use gen_stage::stage::{DemandMode, Output, StageError};

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
    assert_eq!(why(&source.wait().await), "failed: no more");
    assert_eq!(log.demands(), [5], "the first was the last");
    drop((first, second));
    let counts = source.counts();
    assert_eq!((counts.emitted, counts.sent), (7, 5));
    assert_eq!(counts.emitted, counts.sent + counts.discarded, "every item is in one of these numbers");
}
