//! Subscribing, and being refused. Scenarios 31 to 44 and 91 to 94.

use crate::support::settle;
use crate::support::stages::{Say, Seen, block, collect, count, identity, silent, why};
use gen_stage::Demand;
use gen_stage::dispatch::{Broadcast, Refusal, Subscriber};
use gen_stage::prelude::*;
use gen_stage::stage::{AskMode, CancelMode, Control, Output, Reason, StageError, SubscribeError, Upstream};
use std::panic::{AssertUnwindSafe, catch_unwind};

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
    assert_eq!(above.all(), [Seen::JoinLane(id), Seen::Demand(10)], "first the consumer, then its demand");
    assert_eq!(below.all(), [Seen::Subscribed(id)]);

    let reading = source.subscribe().await.unwrap();
    assert_eq!(above.joined(), [id, reading.id()]);
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
async fn scenario_094_a_stage_subscribes_by_handle_when_it_starts() {
    let source = count(0).stage().spawn();
    let reader = block();
    let got = reader.log();
    let _reader = reader.stage().subscribe_to(source.clone().subscribe().demand(3, 1)).spawn();
    settle().await;
    assert_eq!(got.items(), [0, 1]);
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
        async fn handle_subscribe(&mut self, _: &Upstream, _: &mut Control) -> Result<AskMode, StageError> {
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
    assert_eq!(why(&shy.wait().await), "failed: not me");
    settle().await;
    assert_eq!((above.left(), above.demands().len()), (vec!["down failed: not me".into()], 0));

    let shy = Producer::stage(Shy).spawn();
    let reader = reader.stage().subscribe_to(shy.subscribe()).spawn();
    assert_eq!(why(&reader.wait().await), "failed: not me");
    assert_eq!(below.cancelled(), ["down failed: not me"]);
    assert_eq!(why(&shy.wait().await), "failed: not me");
}
