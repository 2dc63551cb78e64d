//! What a stage says of itself. Scenarios 86 and 93.

use super::bounds;
use crate::support::settle;
use crate::support::stages::{collect, identity, silent};
use gen_stage::dispatch::Broadcast;
use gen_stage::prelude::*;
use gen_stage::stage::{AskMode, CancelMode, DemandMode, StageKind};

#[tokio::test]
async fn scenario_086_a_stage_says_what_it_is_and_who_its_peers_are() {
    let source = silent().stage().label("source").dispatcher(Broadcast::new()).spawn();
    let middle = identity().stage().label("middle").subscribe_to(source.subscribe().demand(10, 5)).spawn();
    let reader = collect().stage().label("reader").subscribe_to(middle.subscribe().demand(4, 2)).spawn();
    settle().await;

    let status = source.status().await.unwrap();
    assert_eq!((status.kind, status.label.as_str(), status.buffered), (StageKind::Producer, "source", 0));
    assert_eq!((status.id, status.mode, status.producers.len()), (source.id(), DemandMode::Forward, 0));
    let consumer = &status.consumers[0];
    assert_eq!((status.consumers.len(), consumer.stage, consumer.demand), (1, Some(middle.id()), 10));
    let above = consumer.id;

    let status = middle.status().await.unwrap();
    assert_eq!(
        (status.kind, status.label.as_str(), status.buffered),
        (StageKind::ProducerConsumer, "middle", 0)
    );
    let producer = &status.producers[0];
    assert_eq!((producer.id, producer.label.as_str(), producer.demand), (above, "source", 10));
    assert_eq!((producer.bounds, producer.mode), (bounds(10, 5), AskMode::Automatic));
    assert_eq!(producer.cancel, CancelMode::Permanent);
    let consumer = &status.consumers[0];
    assert_eq!((status.consumers.len(), consumer.stage, consumer.demand), (1, Some(reader.id()), 4));
    let below = consumer.id;

    let status = reader.status().await.unwrap();
    assert_eq!(
        (status.kind, status.label.as_str(), status.consumers.len()),
        (StageKind::Consumer, "reader", 0)
    );
    assert_eq!((status.producers[0].id, status.producers[0].label.as_str()), (below, "middle"));
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
