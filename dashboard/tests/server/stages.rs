//! Graphs of stages: what is told of them, and what stages that do not answer hold up.

use crate::client::{ANY_PORT, Follower, STUCK, api, serve};
use futures::{StreamExt, sink, stream};
use gen_stage::dispatch::Partition;
use gen_stage::prelude::*;
use gen_stage::stage::{
    ConsumerHandle, Output, ProducerHandle, Reason, StageError, from_iter, from_sink, from_stream,
};
use gen_stage_dashboard::{Dashboard, DashboardError};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, advance, sleep, timeout};

const EVERY: Duration = Duration::from_secs(1);

/// For how long a reading waits for stages that do not answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// A producer that is stuck as soon as it is asked for items.
struct Stuck;

impl Producer for Stuck {
    type Item = u64;

    async fn handle_demand(&mut self, _demand: usize, _out: &mut Output<u64>) -> Result<(), StageError> {
        pending().await
    }
}

/// A reader that gets no further than its first item.
fn stuck_reader(producer: &ProducerHandle<u64>) -> ConsumerHandle<u64> {
    let sink = Box::pin(sink::unfold((), |(), _: u64| pending::<Result<(), Infallible>>()));
    from_sink(sink).stage().label("stuck").subscribe_to(producer.subscribe().demand(10, 5)).spawn()
}

fn stage<'a>(graph: &'a Value, label: &str) -> &'a Value {
    let stages = graph["stages"].as_array().unwrap();
    stages.iter().find(|stage| stage["label"] == label).expect("it is in the graph")
}

#[tokio::test(start_paused = true)]
async fn stages_and_their_subscriptions_are_told_of_with_rates() {
    // One each 10 ms, and the clock is a virtual one.
    let ticks = stream::iter(0_u64..).then(|n| async move {
        sleep(Duration::from_millis(10)).await;
        n
    });
    let source = from_stream(Box::pin(ticks)).stage().label("ticks").spawn();
    let reader = from_sink(sink::drain()).stage().label("nowhere");
    let reader = reader.subscribe_to(source.subscribe().demand(20, 10).transient()).spawn();
    let dashboard = Dashboard::new().watch_stages("pipeline", [reader.stage_ref()]);
    let (addr, _serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    sleep(Duration::from_millis(500)).await;
    let first = api(addr).await["graphs"][0].take();
    sleep(Duration::from_secs(2)).await;
    let second = api(addr).await["graphs"][0].take();

    assert_eq!((&second["name"], &second["state"]), (&json!("pipeline"), &json!("running")));
    let [ticks, nowhere] = [&second["stages"][0], &second["stages"][1]];
    assert_eq!((&ticks["label"], &ticks["kind"]), (&json!("ticks"), &json!("producer")));
    assert_eq!((&ticks["dispatcher"], &ticks["state"]), (&json!("ByDemand"), &json!("running")));
    assert_eq!((&nowhere["kind"], &nowhere["dispatcher"]), (&json!("consumer"), &Value::Null));
    let subscription = &second["subscriptions"][0];
    assert_eq!((&subscription["from"], &subscription["to"]), (&json!(0), &json!(1)));
    assert_eq!((&subscription["max_demand"], &subscription["cancel"]), (&json!(20), &json!("transient")));
    let numbers = ["demand", "on_their_way", "queued"].map(|field| subscription[field].as_u64().unwrap());
    assert!((1..=20).contains(&numbers.iter().sum::<u64>()), "no more than was asked for: {subscription}");

    // The first look has nothing to compare with.
    assert_eq!((&first["window_ms"], &first["stages"][0]["emitted_per_second"]), (&json!(0), &Value::Null));
    assert!(second["window_ms"].as_u64().unwrap() >= 2000, "{second}");
    let rates = [
        &ticks["emitted_per_second"],
        &nowhere["received_per_second"],
        &subscription["sent_per_second"],
        &subscription["taken_per_second"],
    ];
    for rate in rates {
        assert!((90.0..=110.0).contains(&rate.as_f64().unwrap()), "{second}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_does_not_answer_is_silent_and_the_others_are_told_of_in_full() {
    let source = from_iter(0_u64..).stage().label("numbers").spawn();
    let reader = stuck_reader(&source);
    let stuck = Stuck.stage().label("producer").spawn();
    let mut items = stuck.subscribe().await.unwrap();
    assert!(timeout(EVERY, items.next_batch()).await.is_err(), "it makes nothing");
    let dashboard = Dashboard::new()
        .every(EVERY)
        .watch_stages("pipeline", [source.stage_ref()])
        .watch_stages("other", [stuck.stage_ref()]);
    let (addr, _serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    let begun = Instant::now();
    let snapshot = api(addr).await;
    assert_eq!(begun.elapsed().as_millis(), PATIENCE.as_millis(), "all graphs are waited for at once");

    let [pipeline, other] = [&snapshot["graphs"][0], &snapshot["graphs"][1]];
    assert_eq!((&pipeline["state"], &other["state"]), (&json!("running"), &json!("silent")));
    let reader_seen = stage(pipeline, "stuck");
    assert_eq!((&reader_seen["state"], &reader_seen["end"]), (&json!("silent"), &Value::Null));
    assert_eq!((&reader_seen["unsent"], &reader_seen["waiting"]), (&Value::Null, &Value::Null));
    assert_eq!(reader_seen["counts"]["received"], reader.counts().received, "counters need no answer");
    let subscription = &pipeline["subscriptions"][0];
    assert_eq!((&subscription["sent"], &subscription["lag"]), (&json!(10), &json!(0)));
    // Its reader is no stage that could tell of it.
    assert_eq!(
        (stage(other, "producer")["state"].as_str(), &other["subscriptions"]),
        (Some("silent"), &json!([]))
    );
}

#[tokio::test(start_paused = true)]
async fn what_only_a_silent_sender_knows_is_null() {
    let stuck = Stuck.stage().label("stuck").spawn();
    let reader = from_sink(sink::drain()).stage().label("reader").subscribe_to(stuck.subscribe()).spawn();
    sleep(EVERY).await;
    let dashboard = Dashboard::new().watch_stages("pipeline", [reader.stage_ref()]);
    let (addr, _serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    let graph = api(addr).await["graphs"][0].take();
    assert_eq!(stage(&graph, "stuck")["state"], "silent");
    let subscription = &graph["subscriptions"][0];
    assert_eq!((&subscription["demand"], &subscription["sent"]), (&json!(1000), &json!(0)));
    for field in ["left_out", "queued", "lag"] {
        assert_eq!(subscription[field], Value::Null, "{field}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_lags_is_told_with_what_is_kept_for_it() {
    let parity = Partition::by_key(0..2, |n: &u64| n % 2);
    let source = from_iter(0_u64..).stage().dispatcher(parity).spawn();
    let mut even = source.subscribe().demand(6, 0).in_partition(0).await.unwrap();
    let odd = source.subscribe().demand(6, 0).in_partition(1).await.unwrap();
    assert!(timeout(EVERY, even.next_batch()).await.unwrap_or_default().is_none_or(|batch| batch.len() == 3));
    let dashboard = Dashboard::new().watch_stages("parity", [source.stage_ref()]);
    let (addr, _serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    let graph = api(addr).await["graphs"][0].take();
    let [_, slow] = &graph["subscriptions"].as_array().unwrap()[..] else { panic!("{graph}") };
    assert_eq!((&slow["id"], &slow["to"]), (&json!(odd.id().to_string()), &Value::Null));
    assert_eq!((&slow["lag"], &slow["queued"], &slow["sent"]), (&json!(3), &json!(3), &json!(0)));
    assert_eq!(graph["stages"][0]["unsent"], 3);
}

#[tokio::test(start_paused = true)]
async fn stages_that_come_later_are_found_and_the_watched_ones_stay_when_they_have_ended() {
    let source = from_iter(0_u64..).stage().label("numbers").spawn();
    let dashboard = Dashboard::new().every(EVERY).watch_stages("pipeline", [source.stage_ref()]);
    let (addr, _serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    let graph = api(addr).await["graphs"][0].take();
    assert_eq!((graph["stages"].as_array().unwrap().len(), &graph["subscriptions"]), (1, &json!([])));

    let reader = from_sink(sink::drain()).stage().label("late");
    let reader = reader.subscribe_to(source.subscribe().demand(10, 5)).spawn();
    advance(EVERY).await;
    let graph = api(addr).await["graphs"][0].take();
    assert_eq!(stage(&graph, "late")["state"], "running");
    // It has not been there at the reading before.
    assert_eq!(stage(&graph, "late")["received_per_second"], Value::Null);
    assert_eq!(graph["subscriptions"][0]["taken_per_second"], Value::Null);
    assert_ne!(stage(&graph, "numbers")["emitted_per_second"], Value::Null);

    source.shutdown().await;
    reader.wait().await;
    advance(EVERY).await;
    let graph = api(addr).await["graphs"][0].take();
    let [numbers] = &graph["stages"].as_array().unwrap()[..] else { panic!("{graph}") };
    assert_eq!((&graph["state"], &numbers["state"]), (&json!("ended"), &json!("ended")));
    assert_eq!(numbers["end"], Reason::Shutdown.to_string());
    assert_eq!(numbers["counts"]["emitted"], source.counts().emitted, "its last numbers stay");
    assert_eq!(numbers["accumulates"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn many_who_look_at_once_share_one_walk() {
    let source = from_iter(0_u64..).stage().spawn();
    let _reader = stuck_reader(&source);
    let dashboard = Dashboard::new().every(EVERY).watch_stages("pipeline", [source.stage_ref()]);
    let dashboard = dashboard.bind(ANY_PORT).await.unwrap();
    sleep(EVERY).await;
    let begun = Instant::now();
    let looks = futures::future::join_all((0..20).map(|_| dashboard.json())).await;
    assert_eq!(begun.elapsed().as_millis(), PATIENCE.as_millis(), "no look begins a walk of its own");
    let first: Value = serde_json::from_str(&looks[0]).unwrap();
    assert_eq!(first["reading"], 1);
    assert!(looks.iter().all(|look| *look == looks[0]));
    // As old as the walk took, it is still the newest; the interval counts from when it began.
    assert_eq!(dashboard.json().await, looks[0]);
    advance(EVERY - PATIENCE).await;
    assert_ne!(dashboard.json().await, looks[0]);
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_was_given_up_is_completed_by_the_next_who_looks() {
    let source = from_iter(0_u64..).stage().label("numbers").spawn();
    let _reader = stuck_reader(&source);
    let dashboard = Dashboard::new().every(EVERY).watch_stages("pipeline", [source.stage_ref()]);
    let dashboard = dashboard.bind(ANY_PORT).await.unwrap();
    sleep(EVERY).await;
    let begun = Instant::now();
    assert!(timeout(PATIENCE / 2, dashboard.json()).await.is_err(), "it waits for a stage");
    // After the time of the walk: it went on meanwhile, so that what answered is not silent.
    sleep(PATIENCE).await;
    let seen: Value = serde_json::from_str(&dashboard.json().await).unwrap();
    assert_eq!(begun.elapsed().as_millis(), (PATIENCE * 3 / 2).as_millis(), "it waits no more");
    assert_eq!(seen["reading"], 1);
    assert_eq!(stage(&seen["graphs"][0], "numbers")["state"], "running");
    assert_eq!(stage(&seen["graphs"][0], "stuck")["state"], "silent");
}

#[tokio::test(start_paused = true)]
async fn with_long_intervals_a_silent_stage_is_waited_for_no_longer_than_two_seconds() {
    let source = from_iter(0_u64..).stage().spawn();
    let _reader = stuck_reader(&source);
    let dashboard = Dashboard::new().every(EVERY * 60).watch_stages("pipeline", [source.stage_ref()]);
    let dashboard = dashboard.bind(ANY_PORT).await.unwrap();
    sleep(EVERY).await;
    let begun = Instant::now();
    assert!(dashboard.json().await.contains(r#""state":"silent""#));
    assert_eq!(begun.elapsed().as_millis(), 2000);
}

#[tokio::test(start_paused = true)]
async fn events_of_a_dashboard_that_is_dropped_in_the_middle_of_a_walk_end() {
    let source = from_iter(0_u64..).stage().spawn();
    let _reader = stuck_reader(&source);
    let dashboard = Dashboard::new().every(EVERY).watch_stages("pipeline", [source.stage_ref()]);
    sleep(EVERY).await;
    let (addr, serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    let mut follower = Follower::new(addr).await;
    let seen = timeout(PATIENCE / 2, follower.next()).await;
    assert!(seen.is_err(), "it waits for a stage");
    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    let end = timeout(STUCK, follower.next()).await.expect("the stream comes to its end");
    assert_eq!(end, None);
}

#[tokio::test]
async fn to_be_watched_keeps_no_stage_alive() {
    let source = from_iter(0_u64..).stage().spawn();
    let mut items = source.subscribe().demand(4, 2).await.unwrap();
    let watched = source.stage_ref();
    let dashboard = Dashboard::new().watch_stages("pipeline", [watched.clone()]);
    let dashboard = dashboard.bind(ANY_PORT).await.unwrap();
    assert!(items.next_batch().await.is_some());
    drop((source, items));
    timeout(STUCK, async {
        while watched.end().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it ends with its last handle and subscription");
    let seen: Value = serde_json::from_str(&dashboard.json().await).unwrap();
    let stage = &seen["graphs"][0]["stages"][0];
    assert_eq!((&stage["state"], &stage["end"]), (&json!("ended"), &json!(Reason::Aborted.to_string())));
}

#[tokio::test]
async fn stages_are_watched_under_a_name_of_their_own_and_from_one_stage_at_least() {
    let source = from_iter(0_u64..).stage().spawn();
    let jobs = DynamicSupervisor::new(|_: u64| pending::<()>()).into_handle();
    let twice = Dashboard::new().watch_supervisor("a", &jobs).watch_stages("a", [source.stage_ref()]);
    let error = twice.bind(ANY_PORT).await.unwrap_err();
    assert!(matches!(&error, DashboardError::NameTwice { name } if name == "a"), "{error:?}");

    let refused = std::panic::catch_unwind(|| Dashboard::new().watch_stages("b", [])).unwrap_err();
    let text = refused.downcast_ref::<String>().unwrap();
    assert_eq!(text, "watch_stages must be given 1 stage or more, given 0 for `b`");
}
