//! Flows between stages, started, and shut down: scenarios 262 to 281.
//!
//! Sources: S2 is [1, 2, 3] and [4, 5, 6] on 2 lanes, P4 three sources of 1 to 10 partitioned into 4 by the table R4.
//! COPY is a producer-consumer that emits what it gets. A flow that the originals start with `start_link` is one that
//! was [started](gen_stage::Flow::start), or [into stages](gen_stage::Flow::into_stages); its handle takes the place of
//! the coordinator.

use crate::support::stages::{Log, Middle, block, collect, count, identity, until};
use crate::support::{Watched, r4, settle, sorted};
use futures::StreamExt;
use gen_stage::Flow;
use gen_stage::flow::{FlowEnd, FlowError};
use gen_stage::prelude::*;
use gen_stage::stage::{Reason, Setup};
use std::time::Duration;

macro_rules! s2 {
    () => {
        Flow::from_iters([1..=3u64, 4..=6]).lanes(2)
    };
}

macro_rules! p4 {
    () => {
        Flow::from_iters([1..=3u64, 4..=6, 7..=10]).lanes(3).partition_with(4, r4)
    };
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "a filter is given a reference")]
fn even(n: &u64) -> bool {
    n % 2 == 0
}

/// COPY, with its log.
macro_rules! copy {
    () => {{
        let copy: Middle = identity();
        let log = copy.log();
        (copy.stage().stop_when_alone().spawn(), log)
    }};
}

#[tokio::test]
async fn scenario_262_a_flow_into_a_running_consumer() {
    let consumer = collect();
    let log = consumer.log();
    let consumer = consumer.stage().spawn();
    let flow = s2!().filter(even).into_stages([consumer.clone()]).await.unwrap();
    assert!(matches!(flow.wait().await.unwrap().end, Ok(FlowEnd::Finished)));
    consumer.status().await.expect("it lives on");
    assert_eq!(sorted(log.batches()), [vec![2], vec![4, 6]]);
}

#[tokio::test]
async fn scenario_263_a_flow_through_running_stages() {
    for ends_in_a_consumer in [false, true] {
        let ((copy1, log1), (copy2, log2)) = (copy!(), copy!());
        // One lane behind a stage, so that its batches are not shared out.
        let flow = s2!().through_stages([copy1]).lanes(1).filter(even).through_stages([copy2]).lanes(1);
        let got = if ends_in_a_consumer {
            let consumer = collect();
            let log = consumer.log();
            let consumer = consumer.stage().spawn();
            flow.into_stages([consumer.clone()]).await.unwrap().wait().await.unwrap();
            consumer.status().await.expect("it lives on");
            log.items()
        } else {
            flow.collect().await
        };
        assert_eq!(sorted(log1.batches()), [vec![1, 2, 3], vec![4, 5, 6]]);
        // What a lane has ready goes on together, where the original sends what one batch became by itself: [2], [4, 6].
        assert_eq!(sorted(log2.items()), [2, 4, 6]);
        assert_eq!(sorted(got), [2, 4, 6]);
    }
}

#[tokio::test]
async fn scenario_265_a_partition_into_a_running_consumer() {
    for max in [1, 1000] {
        let consumer = collect();
        let log = consumer.log();
        let consumer = consumer.stage().spawn();
        let flow = p4!().filter(even).into_stages([consumer.clone()]).demand(max, 0).await.unwrap();
        flow.wait().await.unwrap();
        consumer.status().await.expect("it lives on");
        if max == 1 {
            assert_eq!(sorted(log.batches()), [[2], [4], [6], [8], [10]]);
        } else {
            // What a lane has ready goes on together: [2, 6, 8] may be one batch here, or several.
            assert_eq!(sorted(log.items()), [2, 4, 6, 8, 10]);
        }
    }
}

#[tokio::test]
async fn scenario_266_a_partition_through_running_stages() {
    let ((copy1, log1), (copy2, log2)) = (copy!(), copy!());
    let flow = p4!().through_stages([copy1]).lanes(1).filter(even).through_stages([copy2]).lanes(1);
    assert_eq!(sorted(flow.collect::<Vec<_>>().await), [2, 4, 6, 8, 10]);
    let batches = log1.batches();
    assert_eq!(sorted(batches.concat()), (1..=10).collect::<Vec<_>>());
    // Each batch is of one partition; those that are ready together are one.
    for batch in batches {
        assert!(batch.iter().all(|n| r4(n) == r4(&batch[0])), "{batch:?}");
        assert!(batch.is_sorted(), "each partition in the order of its sources: {batch:?}");
    }
    assert_eq!(sorted(log2.items()), [2, 4, 6, 8, 10]);
}

#[tokio::test]
async fn scenario_268_a_flow_that_was_started_says_that_its_source_failed() {
    let source = (1..).map(|n: u64| if n == 3 { std::panic::panic_any("oops") } else { n });
    let flow = Flow::from_iter(source).start();
    let Err(FlowError::Panicked(panic)) = flow.wait().await else { panic!("it is to fail") };
    assert_eq!(panic.message(), "oops");
}

#[tokio::test]
async fn scenario_269_an_empty_flow_that_was_started_ends_cleanly() {
    let report = Flow::from_iter(0..0u64).start().wait().await.unwrap();
    assert!(matches!(report.end, Ok(FlowEnd::Finished)));
}

#[tokio::test]
async fn scenario_271_a_flow_ends_with_the_task_that_holds_its_handle() {
    let watched = Watched::new();
    let flow = crate::support::numbers(watched.endless()).start();
    let holder = tokio::spawn(async move { flow.wait().await });
    settle().await;
    assert!(watched.is_alive());
    holder.abort();
    assert!(holder.await.unwrap_err().is_cancelled());
    assert!(!watched.is_alive());
}

#[tokio::test]
async fn scenario_272_nothing_is_left_of_a_flow_that_was_started() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    Flow::from_iter(0..100).lanes(4).start().wait().await.unwrap();
    assert_eq!(tasks(), before);
}

#[tokio::test]
async fn scenario_274_a_late_subscriber_of_a_flow_without_consumers() {
    let flow =
        Flow::from_stages([count(0).stage().spawn()]).lanes(1).map(|n| n * 2).into_stage().await.unwrap();
    settle().await;
    let consumer = collect();
    let log = consumer.log();
    let consumer = consumer.stage().spawn();
    consumer.subscribe_to(flow.subscribe().transient().demand(1, 0)).await.unwrap();
    until("it reads", || log.batches().len() >= 4).await;
    // Nothing goes while nobody asks, and so the 0 has not gone before.
    assert_eq!(log.batches()[..4], [[0], [2], [4], [6]]);
}

#[tokio::test]
async fn scenario_275_a_late_subscriber_beside_one_that_is_stuck() {
    let source = count(0).stage().spawn();
    let (blocked, late) = (block(), collect());
    let (log, late_log) = (blocked.log(), late.log());
    let (blocked, late) = (blocked.stage().spawn(), late.stage().spawn());
    let flow = Flow::from_stages([source]).lanes(1).map(|n| n * 2).into_stages([blocked]).demand(1, 0);
    let flow = flow.await.unwrap();
    until("it is stuck", || !log.batches().is_empty()).await;
    late.subscribe_to(flow.subscribe().transient().demand(1, 0)).await.unwrap();
    until("the other one reads", || late_log.batches().len() >= 3).await;
    assert_eq!(log.batches(), [[0]]);
    assert_eq!(late_log.batches()[..3], [[2], [4], [6]]);
}

#[tokio::test]
async fn scenario_277_a_flow_may_end_with_its_last_consumer() {
    // Consumers are not the flow's here, so that it does not fail when they do: whoever owns them hears of that.
    for reason in [Reason::failed("oops"), Reason::Shutdown] {
        let consumer = collect();
        let log = consumer.log();
        let consumer = consumer.stage().spawn();
        let source = count(0).stage().spawn();
        let flow =
            Flow::from_stages([source.clone()]).lanes(1).map(|n| n * 2).into_stages([consumer.clone()]);
        let flow = flow.demand(4, 2).set_up(Setup::stop_when_alone).await.unwrap();
        until("it reads", || !log.batches().is_empty()).await;
        assert_eq!(log.batches()[0], [0, 2]);
        consumer.stop(reason).await;
        assert!(matches!(flow.wait().await, Err(FlowError::Stopped(Reason::Normal))));
        source.status().await.expect("it is not the flow's either");
    }
}

#[tokio::test(start_paused = true)]
async fn scenario_278_a_time_limit_around_the_start() {
    let consumer = collect().stage().spawn();
    let starting = Flow::from_iter([1u64]).into_stages([consumer.clone()]).into_future();
    let started = tokio::time::timeout(Duration::ZERO, starting).await;
    assert!(started.is_err(), "it takes more than no time");
    consumer.status().await.expect("it lives on");
}

#[tokio::test]
async fn scenario_280_a_flow_that_is_started_holding_demand_back() {
    let consumer = collect();
    let log = consumer.log();
    let consumer = consumer.stage().spawn();
    let flow = Flow::from_iter([1u64]).into_stages([consumer.clone()]);
    let flow = flow.set_up(Setup::accumulate).await.unwrap();
    settle().await;
    assert!(log.batches().is_empty() && !flow.is_finished());
    flow.forward();
    flow.wait().await.unwrap();
    settle().await;
    assert_eq!(log.batches(), [[1]]);
}

#[tokio::test]
async fn scenario_281_on_init_is_called_once_a_lane() {
    for lanes in [2, 3] {
        let calls: Log<(usize, usize)> = Log::default();
        let calling = calls.clone();
        let flow = Flow::from_iter(0..10u64).lanes(lanes).on_init(move |lane, of| calling.push((lane, of)));
        assert_eq!(StreamExt::count(flow).await, 10);
        assert_eq!(calls.all(), (0..lanes).map(|lane| (lane, lanes)).collect::<Vec<_>>());
    }
}
