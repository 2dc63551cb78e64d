//! How subscriptions end, and who ends with them. Scenarios 28, 29, 47 to 59, 88 and 89.

use crate::support::settle;
use crate::support::stages::{
    Log, Say, Seen, block, collect, count, double, doubled, identity, in_batches, silent, why,
};
use futures::FutureExt;
use gen_stage::dispatch::Broadcast;
use gen_stage::prelude::*;
use gen_stage::stage::{CancelMode, Handle, Reason, Role};
use std::future::Future;
use std::pin::Pin;

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
    assert_eq!(why(&reader.wait().await), "failed: X");
    let ending = [Seen::Cancelled(id, "cancel failed: X".into()), Seen::Ended("failed: X".into())];
    assert_eq!(below.all()[1..], ending);
    assert_eq!(above.left(), ["cancel failed: X"]);
    assert!(source.status().await.is_ok(), "the cancelled producer lives on");
}

/// The reason a stage has ended with, if it has.
fn ended<R: Role, M: Send + 'static>(stage: &Handle<R, M>) -> Option<String> {
    stage.wait().now_or_never().map(|reason| why(&reason))
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
    assert_eq!(log.all(), [Seen::JoinLane(fast_id), Seen::JoinLane(slow_id), left, Seen::Demand(5)]);
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
