//! The sink: places, readiness, flush, close, drop.

use crate::support::children::{Children, End, Start};
use crate::support::{Live, Lives, settle};
use futures::{FutureExt, Sink, SinkExt, StreamExt, stream};
use gen_stage::prelude::*;
use gen_stage::stage::{Reason, from_iter, from_sink};
use gen_stage::supervisor::{ChildCounts, DynamicSupervisor, Restart, Shutdown, SupervisorEnd};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready_ok};

fn is_ready<T>(sink: &mut (impl Sink<T> + Unpin)) -> bool {
    poll_fn(|cx| sink.poll_ready_unpin(cx)).now_or_never().is_some_and(|ready| ready.is_ok())
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_without_children_closes_at_once() {
    let mut supervisor = Children::new().supervisor();
    let handle = supervisor.handle();
    supervisor.close().await.unwrap();
    let report = handle.wait().await;
    assert!(matches!(report.end, SupervisorEnd::Closed));
    assert_eq!((report.counts, report.stopped.len()), (ChildCounts::default(), 0));
}

#[tokio::test(start_paused = true)]
async fn each_item_has_a_child() {
    for items in [1, 2, 5000] {
        let lives = Lives::new();
        let alive = lives.clone();
        let mut supervisor = DynamicSupervisor::new(move |n: u64| {
            let life = Live::new(n, &alive);
            async move {
                tokio::task::yield_now().await;
                drop(life);
            }
        })
        .max_demand(10, 5);
        let handle = supervisor.handle();
        for n in 0..items {
            supervisor.send(n).await.unwrap();
        }
        supervisor.close().await.unwrap();
        let counts = handle.count_children();
        assert_eq!((counts.started, counts.completed, counts.alive), (items, items, 0));
        assert_eq!(lives.now(), 0);
        assert!(lives.peak() <= 10, "{}", lives.peak());
    }
}

#[tokio::test(start_paused = true)]
async fn with_max_demand_1_children_run_one_by_one() {
    let lives = Lives::new();
    let alive = lives.clone();
    let supervisor = DynamicSupervisor::new(move |n: u64| {
        let life = Live::new(n, &alive);
        async move {
            sleep(Duration::from_millis(n % 3)).await;
            drop(life);
        }
    })
    .max_demand(1, 0);
    stream::iter(0..50).map(Ok).forward(supervisor).await.unwrap();
    assert_eq!((lives.now(), lives.peak()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_full_sink_is_woken_when_running_children_have_fallen_to_the_min() {
    let children = Children::new();
    let mut supervisor = children.supervisor().max_demand(4, 1);
    for n in 1..=4 {
        assert!(is_ready(&mut supervisor));
        supervisor.start_send_unpin(n).unwrap();
    }
    settle().await;
    let mut waiting = tokio_test::task::spawn(poll_fn(|cx| supervisor.poll_ready_unpin(cx)));
    assert_pending!(waiting.poll());
    for number in 1..=2 {
        children.end(number, End::Complete);
        settle().await;
        assert!(!waiting.is_woken());
        assert_pending!(waiting.poll());
    }
    children.end(3, End::Fail);
    settle().await;
    assert!(waiting.is_woken());
    assert_ready_ok!(waiting.poll());
    drop(waiting);
    // And then until there are as many again.
    for n in 5..=7 {
        assert!(is_ready(&mut supervisor));
        supervisor.start_send_unpin(n).unwrap();
    }
    assert!(!is_ready(&mut supervisor));
    settle().await;
    assert_eq!((children.alive(), children.peak()), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn being_ready_twice_takes_one_place() {
    let children = Children::new();
    let mut supervisor = children.supervisor().max_demand(1, 0);
    assert!(is_ready(&mut supervisor) && is_ready(&mut supervisor));
    supervisor.start_send_unpin(1).unwrap();
    assert!(!is_ready(&mut supervisor));
}

#[tokio::test(start_paused = true)]
async fn a_restart_takes_no_new_place_and_gives_none_back() {
    let children = Children::new();
    let mut supervisor =
        children.supervisor().max_demand(2, 1).restart(Restart::Transient).max_restarts(100, Duration::ZERO);
    supervisor.send(1).await.unwrap();
    supervisor.send(2).await.unwrap();
    settle().await;
    for end in [End::Fail, End::Panic, End::Fail] {
        children.end(1, end);
        settle().await;
        assert!(!is_ready(&mut supervisor));
    }
    assert_eq!((children.alive(), children.peak()), (2, 2));
    children.end(1, End::Complete);
    settle().await;
    assert!(is_ready(&mut supervisor));
}

#[tokio::test(start_paused = true)]
async fn never_more_children_than_the_max_run_when_they_fail_and_are_restarted() {
    for (max, min) in [(1, 0), (2, 0), (3, 2), (10, 5), (64, 1)] {
        let lives = Lives::new();
        let alive = lives.clone();
        let supervisor = DynamicSupervisor::with_child(move |n: u64, child| {
            let life = Live::new(n, &alive);
            async move {
                sleep(Duration::from_millis(n % 7)).await;
                drop(life);
                if u64::from(child.restarts()) < n % 3 { Err("not yet") } else { Ok(()) }
            }
        });
        let mut supervisor = supervisor
            .max_demand(max, min)
            .restart(Restart::Transient)
            .max_restarts(usize::MAX, Duration::ZERO);
        let handle = supervisor.handle();
        Flow::from_iter(0..600u64).lanes(2).forward(supervisor).await.unwrap();
        let counts = handle.count_children();
        assert_eq!((counts.completed, counts.restarts), (600, 200 + 2 * 200));
        assert!(lives.peak() <= max, "{} of {max}", lives.peak());
        assert!(lives.peak() >= max.min(3), "{} of {max}", lives.peak());
    }
}

#[tokio::test(start_paused = true)]
async fn children_that_could_not_be_started_take_no_place() {
    let children = Children::new();
    for (item, how) in [(1, Start::Fail), (2, Start::Ignore), (3, Start::Panic)] {
        children.start(item, how);
    }
    let mut supervisor = children.supervisor().max_demand(1, 0);
    let handle = supervisor.handle();
    for item in [1, 2, 3, 2, 1, 4] {
        assert!(is_ready(&mut supervisor), "in front of {item}");
        supervisor.start_send_unpin(item).unwrap();
    }
    assert!(!is_ready(&mut supervisor));
    let counts = handle.count_children();
    assert_eq!((counts.started, counts.alive, counts.ignored, counts.not_started), (1, 1, 2, 3));
}

#[tokio::test(start_paused = true)]
async fn children_are_reaped_while_nobody_polls_the_sink() {
    let lives = Lives::new();
    let alive = lives.clone();
    let mut supervisor = DynamicSupervisor::new(move |n: u64| {
        let life = Live::new(n, &alive);
        async move { drop(life) }
    });
    let handle = supervisor.handle();
    for n in 0..1000 {
        supervisor.send_when_ready(n);
    }
    settle().await;
    assert_eq!(handle.count_children().completed, 1000);
    assert_eq!((handle.which_children().len(), lives.now()), (0, 0));
}

/// `start_send` of a sink that is ready.
trait StartSend<T> {
    fn send_when_ready(&mut self, item: T);
}

impl<T, S: Sink<T> + Unpin> StartSend<T> for S {
    #[track_caller]
    fn send_when_ready(&mut self, item: T) {
        assert!(is_ready(self));
        assert!(self.start_send_unpin(item).is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_children_leave_nothing_behind() {
    let lives = Lives::new();
    let alive = lives.clone();
    let mut supervisor = DynamicSupervisor::new(move |n: u64| {
        let life = Live::new(n, &alive);
        async move { drop(life) }
    })
    .max_demand(100, 50);
    let handle = supervisor.handle();
    for n in 0..100_000 {
        supervisor.feed(n).await.unwrap();
    }
    settle().await;
    let counts = handle.count_children();
    assert_eq!((counts.started, counts.completed, counts.alive), (100_000, 100_000, 0));
    assert!(handle.which_children().is_empty());
    assert!((lives.now(), lives.peak()) <= (0, 100), "{}", lives.peak());
    let next = handle.start_child(0).unwrap();
    assert_eq!(next.number(), 100_001);
    let again = handle.terminate_child(next);
    assert!(again.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn send_and_flush_do_not_wait_for_children() {
    let children = Children::new();
    let mut supervisor = children.supervisor();
    supervisor.send(1).await.unwrap();
    supervisor.send(2).await.unwrap();
    SinkExt::<u64>::flush(&mut supervisor).now_or_never().expect("it is at once").unwrap();
    settle().await;
    assert_eq!(children.alive(), 2);
}

#[tokio::test(start_paused = true)]
async fn close_waits_for_all_children_and_then_takes_nothing_more() {
    let children = Children::new();
    let mut supervisor = children.supervisor();
    let handle = supervisor.handle();
    supervisor.send(1).await.unwrap();
    supervisor.send(2).await.unwrap();
    handle.start_child(3).unwrap();
    settle().await;
    for number in 1..=3 {
        let mut closing = tokio_test::task::spawn(supervisor.close());
        assert_pending!(closing.poll());
        children.end(number, End::Fail);
        settle().await;
        assert_eq!(closing.is_woken(), number == 3);
    }
    supervisor.close().await.unwrap();
    supervisor.close().await.unwrap();
    let error = poll_fn(|cx| supervisor.poll_ready_unpin(cx)).await.unwrap_err();
    assert!(matches!(error.end(), SupervisorEnd::Closed));
    let error = supervisor.start_send_unpin(4).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.into_item()), ("the supervisor was closed", Some(4)));
    assert_eq!(handle.start_child(5).unwrap_err().into_item(), Some(5));
}

#[tokio::test(start_paused = true)]
async fn children_may_still_be_started_on_request_while_the_sink_closes() {
    let children = Children::new();
    let mut supervisor = children.supervisor();
    let handle = supervisor.handle();
    supervisor.send(1).await.unwrap();
    let mut closing = tokio_test::task::spawn(supervisor.close());
    assert_pending!(closing.poll());
    handle.start_child(2).unwrap();
    settle().await;
    children.end(1, End::Complete);
    settle().await;
    assert_pending!(closing.poll());
    children.end(2, End::Complete);
    settle().await;
    assert_ready_ok!(closing.poll());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_sink_aborts_all_children() {
    let children = Children::new();
    children.start(2, Start::Deaf);
    let mut supervisor = children.supervisor().shutdown_rule(Shutdown::Wait).restart(Restart::Permanent);
    let handle = supervisor.handle();
    supervisor.send(1).await.unwrap();
    handle.start_child(2).unwrap();
    settle().await;
    assert_eq!(children.alive(), 2);
    drop(supervisor);
    let report = handle.wait().await;
    assert!(matches!(report.end, SupervisorEnd::Aborted));
    assert_eq!((children.alive(), report.counts.aborted, report.stopped.len()), (0, 2, 2));
    assert_eq!(children.attempts(), [1, 2], "none is restarted");
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_has_started_its_child_or_not_touched_its_item() {
    let children = Children::new();
    let mut supervisor = children.supervisor().max_demand(1, 0);
    supervisor.send(1).await.unwrap();
    assert!(supervisor.send(2).now_or_never().is_none());
    settle().await;
    children.end(1, End::Complete);
    settle().await;
    assert_eq!(children.attempts(), [1]);
    supervisor.send(3).now_or_never().expect("there is a place").unwrap();
    assert_eq!(children.attempts(), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn start_send_without_a_place_panics() {
    let mut supervisor = Children::new().supervisor();
    let caught = catch_unwind(AssertUnwindSafe(|| supervisor.start_send_unpin(1))).unwrap_err();
    assert_eq!(caught.downcast_ref::<&str>(), Some(&"start_send called without poll_ready"));
}

#[tokio::test(start_paused = true)]
async fn a_stage_may_write_into_a_supervisor() {
    let lives = Lives::new();
    let alive = lives.clone();
    let mut supervisor = DynamicSupervisor::new(move |n: u64| {
        let life = Live::new(n, &alive);
        async move {
            sleep(Duration::from_millis(n % 5)).await;
            drop(life);
        }
    })
    .max_demand(7, 3);
    let handle = supervisor.handle();
    let numbers = from_iter(0..1000u64).stage().spawn();
    let writer = from_sink(supervisor).stage().subscribe_to(numbers.subscribe().demand(20, 10)).spawn();
    assert!(matches!(writer.wait().await, Reason::Normal));
    assert_eq!(handle.count_children().completed, 1000, "it ends when all children have");
    assert!(lives.peak() <= 7);
}

#[tokio::test(start_paused = true)]
async fn a_flow_waits_for_places() {
    let children = Children::new();
    let mut supervisor = children.supervisor().max_demand(3, 0);
    let handle = supervisor.handle();
    let mut forwarding = tokio_test::task::spawn(Flow::from_iter(1..=4u64).forward(supervisor));
    for _ in 0..5 {
        assert_pending!(forwarding.poll());
        settle().await;
    }
    assert_eq!(handle.count_children().started, 3);
    for number in 1..=3 {
        children.end(number, End::Complete);
    }
    settle().await;
    assert!(forwarding.is_woken());
    for _ in 0..5 {
        assert_pending!(forwarding.poll());
        settle().await;
    }
    children.end(4, End::Complete);
    settle().await;
    assert_ready_ok!(forwarding.poll());
}

#[tokio::test(start_paused = true)]
async fn options_must_be_set_before_it_is_used() {
    let mut supervisor = DynamicSupervisor::new(|_: u64| ready(()));
    let _handle = supervisor.handle();
    let caught = catch_unwind(AssertUnwindSafe(|| supervisor.max_children(1))).unwrap_err();
    assert_eq!(
        caught.downcast_ref::<String>().map(String::as_str),
        Some("max_children of a supervisor must be set before it is used")
    );
}

#[test]
fn bounds_out_of_range_name_themselves() {
    let caught = catch_unwind(|| DynamicSupervisor::new(|_: u64| ready(())).max_demand(3, 3)).unwrap_err();
    let text = caught.downcast_ref::<String>().unwrap();
    assert!(text.contains("min_demand") && text.contains('3'), "{text}");
}

#[test]
fn children_run_in_the_runtime_that_was_named_and_end_with_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let lives = Lives::new();
    let alive = lives.clone();
    let mut supervisor = DynamicSupervisor::new(move |n: u64| {
        let life = Live::new(n, &alive);
        async move {
            pending::<()>().await;
            drop(life);
        }
    })
    .on(runtime.handle().clone())
    .restart(Restart::Permanent);
    let handle = supervisor.handle();
    futures::executor::block_on(supervisor.send(1)).unwrap();
    drop(runtime);
    assert_eq!(lives.now(), 0);
    let counts = handle.count_children();
    assert_eq!((counts.alive, counts.aborted, counts.restarts), (0, 1, 0));
    // A runtime that is gone takes nothing: what is started now is aborted at once.
    futures::executor::block_on(supervisor.send(2)).unwrap();
    futures::executor::block_on(supervisor.close()).unwrap();
    let report = futures::executor::block_on(handle.wait());
    assert_eq!((report.counts.started, report.counts.aborted, lives.now()), (2, 2, 0));
}

#[test]
fn without_a_runtime_its_first_use_panics() {
    let mut supervisor = DynamicSupervisor::new(|_: u64| ready(()));
    assert!(catch_unwind(AssertUnwindSafe(|| supervisor.handle())).is_err());
}

#[tokio::test(start_paused = true)]
async fn start_all_takes_an_item_when_there_is_a_place_and_may_be_dropped_at_any_time() {
    let children = Children::new();
    let mut supervisor = children.supervisor().max_demand(2, 1);
    let mut items = stream::iter(1..=5);
    for taken in [2, 3, 4, 5] {
        assert!(supervisor.start_all(&mut items).now_or_never().is_none_or(|_| taken == 5));
        assert_eq!(children.attempts(), (1..=taken).collect::<Vec<_>>());
        settle().await;
        children.end(taken - 1, End::Complete);
        settle().await;
    }
    supervisor.start_all(&mut items).await.unwrap();
    assert_eq!((children.attempts().len(), children.peak()), (5, 2));
    supervisor.start(6).await.unwrap();
    supervisor.handle().shutdown().await;
    assert_eq!(supervisor.start(7).await.unwrap_err().into_item(), Some(7));
    let mut rest = stream::iter(8..10);
    assert!(supervisor.start_all(&mut rest).await.is_err());
    assert_eq!(rest.next().await, Some(8), "it was not touched");
}

#[tokio::test(start_paused = true)]
async fn start_all_sees_the_end_while_its_stream_has_nothing() {
    let children = Children::new();
    let mut supervisor = children.supervisor();
    let handle = supervisor.handle();
    let mut starting = tokio_test::task::spawn(supervisor.start_all(stream::pending()));
    assert_pending!(starting.poll());
    handle.shutdown().await;
    assert!(starting.is_woken());
    let error = tokio_test::assert_ready!(starting.poll()).unwrap_err();
    assert!(matches!(error.end(), SupervisorEnd::ShutDown));
}
