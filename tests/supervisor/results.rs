//! Children that return values.

use super::SECOND;
use crate::support::{settle, sorted};
use futures::future::BoxFuture;
use futures::stream::{self, FusedStream};
use futures::{FutureExt, SinkExt, Stream, StreamExt};
use gen_stage::prelude::Producer;
use gen_stage::stage::from_iter;
use gen_stage::supervisor::adapters::WithResults;
use gen_stage::supervisor::{
    Child, ChildError, ChildResult, ChildResults, DynamicSupervisor, Restart, Shutdown, StartError,
};
use proptest::prelude::*;
use std::future::{pending, poll_fn};
use std::panic::panic_any;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio_test::{assert_pending, assert_ready_ok};

/// What an attempt does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Returns(u64),
    Fails,
    Panics,
    /// It returns this when it is asked to stop.
    Waits(u64),
    /// It does not end by itself.
    Never,
}

use Step::{Fails, Never, Panics, Returns, Waits};

/// The steps of an item's attempts; the last is repeated.
type Steps = Vec<Step>;

async fn run(steps: Steps, child: Child) -> Result<u64, &'static str> {
    match steps[(child.restarts() as usize).min(steps.len() - 1)] {
        Returns(value) => Ok(value),
        Fails => Err("broken"),
        Panics => panic_any("bad child"),
        Waits(value) => {
            child.stopping().await;
            Ok(value)
        }
        Never => pending().await,
    }
}

fn supervisor()
-> DynamicSupervisor<Steps, WithResults<impl Fn(Steps, Child) -> Running + Send + Sync + 'static>> {
    DynamicSupervisor::with_results(|steps: Steps, child: Child| -> Running { Box::pin(run(steps, child)) })
}

type Running = BoxFuture<'static, Result<u64, &'static str>>;

/// A result in words, with the name of its child.
fn told(result: &ChildResult<u64>) -> String {
    let child = result.child;
    match &result.result {
        Ok(value) => format!("{child} returned {value}"),
        Err(error) => format!("{child}: {error}"),
    }
}

async fn all(results: ChildResults<u64>) -> Vec<String> {
    results.map(|result| told(&result)).collect().await
}

#[tokio::test(start_paused = true)]
async fn each_child_has_one_result_after_all_its_restarts() {
    let mut supervisor =
        supervisor().restart(Restart::Transient).max_restarts(100, SECOND).restarts_per_child(2);
    let results = supervisor.results();
    let handle = supervisor.handle();
    for steps in [
        vec![Returns(10)],
        vec![Fails, Panics, Returns(20)],
        vec![Fails, Panics, Fails, Returns(30)],
        vec![Fails, Fails, Panics],
    ] {
        supervisor.send(steps).await.unwrap();
        settle().await;
    }
    supervisor.close().await.unwrap();
    assert_eq!(
        all(results).await,
        [
            "#1 returned 10",
            "#2 returned 20",
            "#3: the child failed: broken",
            "#4: the child panicked: bad child"
        ]
    );
    let counts = handle.count_children();
    assert_eq!((counts.completed, counts.failed, counts.panicked), (2, 1, 1));
    assert_eq!((counts.restarts, counts.unread), (6, 0));
}

#[tokio::test(start_paused = true)]
async fn children_that_were_cut_short_have_results_that_say_so() {
    let mut supervisor = supervisor()
        .restart(Restart::Transient)
        .backoff(gen_stage::Backoff::new(60 * SECOND, 1.0))
        .shutdown_rule(Shutdown::After(SECOND));
    let results = supervisor.results();
    for steps in [vec![Never], vec![Fails], vec![Waits(7)]] {
        supervisor.send(steps).await.unwrap();
    }
    settle().await;
    supervisor.handle().shutdown().await;
    assert_eq!(
        sorted(all(results).await),
        ["#1: the child was aborted", "#2: the child was not restarted", "#3 returned 7"]
    );
}

#[tokio::test(start_paused = true)]
async fn results_that_are_not_read_hold_new_children_back() {
    let mut supervisor = supervisor().max_demand(2, 1);
    let mut results = supervisor.results();
    let handle = supervisor.handle();
    supervisor.send(vec![Returns(1)]).await.unwrap();
    supervisor.send(vec![Returns(2)]).await.unwrap();
    settle().await;
    assert_eq!((handle.count_children().alive, results.waiting()), (0, 2));
    let mut sending = tokio_test::task::spawn(supervisor.send(vec![Returns(3)]));
    assert_pending!(sending.poll());
    assert_eq!(told(&results.next().await.unwrap()), "#1 returned 1");
    assert!(sending.is_woken(), "a place is free");
    assert_ready_ok!(sending.poll());
    drop(sending);
    settle().await;
    assert_eq!(results.size_hint(), (2, None));
    assert_eq!(handle.count_children().unread, 2);
}

#[tokio::test(start_paused = true)]
async fn results_that_are_not_read_hold_children_on_request_back() {
    let mut supervisor = supervisor().max_children(1);
    let mut results = supervisor.results();
    let handle = supervisor.into_handle();
    assert!(handle.start_child(vec![Returns(1)]).is_ok());
    settle().await;
    assert_eq!(handle.count_children().alive, 0);
    assert!(matches!(handle.start_child(vec![Returns(2)]), Err(StartError::MaxChildren { .. })));
    results.next().await.unwrap();
    assert!(handle.start_child(vec![Returns(2)]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn results_that_are_not_read_hold_a_stage_back() {
    let mut supervisor = supervisor();
    let mut results = supervisor.results();
    let handle = supervisor.into_handle();
    let numbers = from_iter((0..10).map(|n| vec![Returns(n)])).stage().spawn();
    handle.subscribe_to(numbers.subscribe().demand(3, 2)).await.unwrap();
    for read in 0..10 {
        settle().await;
        assert_eq!(handle.count_children().started, 10.min(3 + read));
        assert_eq!(results.next().await.unwrap().result.unwrap(), read);
    }
    assert!(results.next().await.is_none(), "the supervisor ends with its producer");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_supervisor_does_not_wait_for_the_reader_and_loses_no_result() {
    for close in [false, true] {
        let mut supervisor = supervisor();
        let results = supervisor.results();
        let handle = supervisor.handle();
        for n in 0..100 {
            supervisor.send(vec![Returns(n)]).await.unwrap();
        }
        if close {
            supervisor.close().await.unwrap();
        } else {
            drop(handle.drain(None));
        }
        let report = handle.wait().await;
        assert_eq!((report.counts.completed, report.counts.unread), (100, 100));
        drop(supervisor);
        let values: Vec<u64> = results.map(|result| result.result.unwrap()).collect().await;
        assert_eq!(sorted(values), (0..100).collect::<Vec<_>>());
        assert_eq!(handle.count_children().unread, 0, "they were read after the report");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_is_woken_by_a_result_and_by_the_end() {
    let mut supervisor = supervisor();
    let mut results = tokio_test::task::spawn(supervisor.results());
    let handle = supervisor.into_handle();
    assert!(results.poll_next().is_pending());
    handle.start_child(vec![Returns(1)]).unwrap();
    settle().await;
    assert!(results.is_woken());
    assert!(results.poll_next().is_ready());
    assert!(results.poll_next().is_pending());
    assert!(!results.is_terminated());
    handle.abort();
    assert!(results.is_woken());
    assert!(matches!(results.poll_next(), Poll::Ready(None)));
    assert!(results.is_terminated());
    assert!(matches!(results.poll_next(), Poll::Ready(None)), "it stays ended");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_goes_gives_the_places_back_and_what_it_did_not_read_is_counted() {
    let mut supervisor = supervisor().max_demand(2, 1);
    let results = supervisor.results();
    let handle = supervisor.handle();
    supervisor.send(vec![Returns(1)]).await.unwrap();
    supervisor.send(vec![Fails]).await.unwrap();
    settle().await;
    assert!(poll_fn(|cx| supervisor.poll_ready_unpin(cx)).now_or_never().is_none());
    drop(results);
    assert_eq!(handle.count_children().unread, 2);
    for n in 0..10 {
        supervisor.send(vec![Returns(n)]).await.unwrap();
        settle().await;
    }
    assert_eq!(handle.count_children().unread, 12);

    // Another may come.
    let mut results = supervisor.results();
    supervisor.send(vec![Returns(50)]).await.unwrap();
    assert_eq!(results.next().await.unwrap().result.unwrap(), 50);
    supervisor.close().await.unwrap();
    let report = handle.wait().await;
    assert_eq!((report.counts.completed, report.counts.failed, report.counts.unread), (12, 1, 12));
}

#[tokio::test(start_paused = true)]
async fn values_without_a_reader_are_dropped_as_they_come_and_counted() {
    let value = Arc::new(());
    let returned = value.clone();
    let mut supervisor = DynamicSupervisor::with_results(move |_: u64, _: Child| {
        let value = returned.clone();
        async move { Ok::<_, String>(value) }
    })
    .max_demand(1, 0);
    for n in 0..10 {
        supervisor.send(n).await.unwrap();
    }
    let report = supervisor.handle().drain(None).await;
    assert_eq!((report.counts.completed, report.counts.unread), (10, 10));
    assert_eq!(Arc::strong_count(&value), 2, "this, and that of the function");
}

#[tokio::test(start_paused = true)]
async fn a_restart_on_request_drops_what_the_attempt_returned_and_counts_it() {
    let mut supervisor = supervisor().restart(Restart::Transient);
    let results = supervisor.results();
    let handle = supervisor.into_handle();
    let child = handle.start_child(vec![Waits(1), Returns(2)]).unwrap();
    settle().await;
    handle.restart_child(child).await.unwrap();
    settle().await;
    assert_eq!(handle.drain(None).await.counts.unread, 1 + 1, "one is gone, one waits");
    assert_eq!(all(results).await, ["#1 returned 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_panics_when_it_is_dropped_has_not_returned() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any("bad drop");
        }
    }
    for restart in [Restart::Temporary, Restart::Transient] {
        let mut supervisor = DynamicSupervisor::with_results(|_: u64, child: Child| {
            let bomb = (child.restarts() == 0).then(|| Bomb);
            // Its bomb is in it when it is ready, and goes off when it is dropped.
            poll_fn(move |_| {
                let _bomb = &bomb;
                Poll::Ready(Ok::<u64, String>(5))
            })
        })
        .restart(restart);
        let mut results = supervisor.results();
        supervisor.send(1).await.unwrap();
        let result = results.next().await.unwrap().result;
        if restart == Restart::Temporary {
            assert!(matches!(result, Err(ChildError::Panicked(panic)) if panic.message() == "bad drop"));
        } else {
            assert_eq!(result.unwrap(), 5, "of the second attempt");
        }
        assert_eq!(supervisor.handle().count_children().unread, 0);
    }
}

#[tokio::test]
#[should_panic(
    expected = "restart must be Temporary or Transient for children with results, given Permanent"
)]
async fn children_with_results_are_not_permanent() {
    drop(supervisor().restart(Restart::Permanent));
}

#[tokio::test]
#[should_panic(expected = "the results of a supervisor have one reader, and it is there already")]
async fn results_have_one_reader() {
    let mut supervisor = supervisor();
    let _results = supervisor.results();
    let _again = supervisor.results();
}

#[test]
fn children_that_a_runtime_takes_with_it_have_results() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (results, handle) = {
        let _guard = runtime.enter();
        let mut supervisor = supervisor();
        let results = supervisor.results();
        let handle = supervisor.into_handle();
        handle.start_child(vec![Never]).unwrap();
        (results, handle)
    };
    drop(runtime);
    drop(handle.shutdown());
    assert_eq!(futures::executor::block_on(all(results)), ["#1: the child was aborted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_results_are_read_while_children_run_on_other_threads() {
    for (max, min) in [(1, 0), (7, 3), (1000, 500)] {
        let mut supervisor = supervisor().max_demand(max, min);
        let results = supervisor.results();
        let handle = supervisor.handle();
        let sending = tokio::spawn(stream::iter(0..5000).map(|n| Ok(vec![Returns(n)])).forward(supervisor));
        let values: Vec<u64> = results.map(|result| result.result.unwrap()).collect().await;
        sending.await.unwrap().unwrap();
        assert!(sorted(values).into_iter().eq(0..5000));
        assert_eq!(handle.count_children().unread, 0);
    }
}

fn steps() -> impl Strategy<Value = Steps> {
    let step = prop_oneof![3 => (0..100_u64).prop_map(Returns), 2 => Just(Fails), 1 => Just(Panics)];
    proptest::collection::vec(step, 1..4)
}

/// What comes of an item by a loop: each attempt until one returns, at most two restarts.
fn model(child: usize, steps: &Steps, restart: Restart) -> String {
    let attempts = if restart == Restart::Temporary { 1 } else { 3 };
    let made = (0..attempts).map(|attempt: usize| steps[attempt.min(steps.len() - 1)]);
    let made: Vec<Step> = made.collect();
    match made.iter().find(|step| matches!(step, Returns(_))).or(made.last()) {
        Some(Returns(value)) if restart == Restart::Transient || made[0] == Returns(*value) => {
            format!("#{child} returned {value}")
        }
        Some(Fails) => format!("#{child}: the child failed: broken"),
        Some(Panics) => format!("#{child}: the child panicked: bad child"),
        other => unreachable!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn results_are_those_of_a_loop_however_few_are_read_at_a_time(
        items in proptest::collection::vec(steps(), 0..40),
        transient in any::<bool>(),
        (max, min) in (1..6_usize).prop_flat_map(|max| (Just(max), 0..max)),
        pause in 0..3_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async move {
            let restart = if transient { Restart::Transient } else { Restart::Temporary };
            let mut supervisor = supervisor()
                .max_demand(max, min)
                .restart(restart)
                .restarts_per_child(2)
                .max_restarts(usize::MAX, SECOND);
            let mut results = supervisor.results();
            let handle = supervisor.handle();
            let expected: Vec<_> = (1..).zip(&items).map(|(n, steps)| model(n, steps, restart)).collect();
            let sending = tokio::spawn(stream::iter(items).map(Ok).forward(supervisor));
            let mut got = Vec::new();
            while let Some(result) = results.next().await {
                let counts = handle.count_children();
                assert!(counts.alive + results.waiting() <= max, "{} of {max}", results.waiting());
                got.push(told(&result));
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            sending.await.unwrap().unwrap();
            assert_eq!(sorted(got), sorted(expected));
            assert_eq!(handle.count_children().unread, 0);
        });
    }
}
