//! A subscription in the place of another. Scenarios 61 to 65.

use crate::support::settle;
use crate::support::stages::{Say, Seen, collect, count, identity, in_batches, silent};
use futures::FutureExt;
use gen_stage::prelude::*;
use gen_stage::stage::{CancelMode, Reason};

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
        [Seen::JoinLane(old), Seen::Demand(10), Seen::Left(old, "cancel normal".into()), Seen::JoinLane(new)];
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
