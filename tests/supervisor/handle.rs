//! Starting, stopping, and looking at children by a handle.

use super::SECOND;
use crate::support::children::{Children, End, Start};
use crate::support::{MetricsBoard, settle};
use futures::{FutureExt, SinkExt};
use gen_stage::Backoff;
use gen_stage::supervisor::{
    Child, ChildId, ChildState, DynamicSupervisor, NotFound, Outcome, Restart, RestartError, Shutdown,
    StartError, SupervisorEnd,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_test::{assert_pending, assert_ready_ok};
use tokio_util::sync::CancellationToken;

#[tokio::test(start_paused = true)]
async fn children_on_request_have_a_limit_of_their_own() {
    let children = Children::new();
    let mut supervisor = children.supervisor().max_demand(1, 0).max_children(2);
    let handle = supervisor.handle();
    supervisor.send(1).await.unwrap();
    let second = handle.start_child(2).unwrap();
    handle.start_child(3).unwrap();
    let refused = handle.start_child(4).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "max_children is 2, and as many children run that were started on request"
    );
    assert_eq!(refused.into_item(), Some(4));
    assert_eq!(children.attempts(), [1, 2, 3]);
    handle.terminate_child(second).await.unwrap();
    assert!(handle.start_child(4).is_ok());
}

#[tokio::test(start_paused = true)]
async fn starts_on_request_that_go_wrong_leave_room() {
    let children = Children::new();
    for (item, how) in [(1, Start::Fail), (2, Start::Panic), (3, Start::Ignore)] {
        children.start(item, how);
    }
    let handle = children.supervisor().max_children(1).into_handle();
    assert_eq!(handle.start_child(1).unwrap_err().into_item(), None, "the factory has had it");
    assert_eq!(handle.start_child(2).unwrap_err().into_item(), None);
    let ignored = handle.start_child(3).unwrap_err();
    assert!(matches!(ignored, StartError::Ignored));
    assert_eq!((&*ignored.to_string(), ignored.into_item()), ("there was nothing to start", None));
    assert!(handle.start_child(4).is_ok());
    assert!(matches!(handle.start_child(5), Err(StartError::MaxChildren { max_children: 1, item: 5 })));
}

#[tokio::test(start_paused = true)]
async fn a_handle_of_an_ended_supervisor_says_so_and_keeps_the_report() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Transient).into_handle();
    let child = handle.start_child(1).unwrap();
    settle().await;
    children.end(1, End::Complete);
    settle().await;
    let report = handle.shutdown().await;
    assert_eq!(report.counts.completed, 1);
    let refused = handle.start_child(2).unwrap_err();
    assert!(matches!(refused, StartError::Ended { end: SupervisorEnd::ShutDown, item: 2 }));
    assert!(handle.terminate_child(child).await.is_err());
    assert!(handle.wait_child(child).await.is_err());
    assert!(matches!(handle.restart_child(child).await, Err(RestartError::NotFound(id)) if id == child));
    assert!(handle.which_children().is_empty());
    handle.abort();
    assert_eq!(handle.wait().await.counts, handle.drain(Some(SECOND)).await.counts);
    assert!(matches!(handle.shutdown().await.end, SupervisorEnd::ShutDown));
}

#[tokio::test(start_paused = true)]
async fn a_child_is_terminated_by_its_rule() {
    let deaf = [
        (Shutdown::Brutal, Some(Duration::ZERO)),
        (Shutdown::After(SECOND), Some(SECOND)),
        (Shutdown::Wait, None),
    ];
    for (rule, took) in deaf {
        let children = Children::new();
        children.start(1, Start::Deaf);
        let handle = children.supervisor().restart(Restart::Permanent).shutdown_rule(rule).into_handle();
        let child = handle.start_child(1).unwrap();
        let other = handle.start_child(2).unwrap();
        settle().await;
        let begin = Instant::now();
        let mut terminating = tokio_test::task::spawn(handle.terminate_child(child));
        assert_pending!(terminating.poll());
        assert_eq!(handle.which_children()[0].state, ChildState::Stopping);
        match took {
            Some(took) => {
                assert!(matches!(terminating.await, Ok(Outcome::Aborted)), "{rule:?}");
                assert_eq!(begin.elapsed(), took, "{rule:?}");
            }
            None => {
                sleep(3600 * SECOND).await;
                assert_pending!(terminating.poll());
                children.end(1, End::Fail);
                let outcome = terminating.await.unwrap();
                assert_eq!(outcome.to_string(), "failed: broken");
            }
        }
        let left: Vec<_> = handle.which_children().iter().map(|child| child.id).collect();
        assert_eq!((left, handle.count_children().restarts), (vec![other], 0), "{rule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ends_when_asked_is_not_aborted_and_not_restarted() {
    for rule in [Shutdown::After(SECOND), Shutdown::Wait] {
        let children = Children::new();
        let handle = children.supervisor().restart(Restart::Permanent).shutdown_rule(rule).into_handle();
        let child = handle.start_child(1).unwrap();
        settle().await;
        assert!(matches!(handle.terminate_child(child).await, Ok(Outcome::Stopped)));
        sleep(10 * SECOND).await;
        assert_eq!(children.attempts(), [1]);
    }
}

#[tokio::test(start_paused = true)]
async fn terminating_twice_tells_both() {
    let children = Children::new();
    children.start(1, Start::Deaf);
    let handle = children.supervisor().shutdown_rule(Shutdown::After(SECOND)).into_handle();
    let child = handle.start_child(1).unwrap();
    let waiting = handle.wait_child(child);
    let (first, second) = futures::join!(handle.terminate_child(child), handle.terminate_child(child));
    assert!(matches!((first, second, waiting.await), (Ok(Outcome::Aborted), Ok(_), Ok(Outcome::Aborted))));
}

#[tokio::test(start_paused = true)]
async fn a_request_counts_from_the_call_whether_or_not_it_is_awaited() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Transient).into_handle();
    let child = handle.start_child(1).unwrap();
    settle().await;
    drop(handle.restart_child(child));
    settle().await;
    assert_eq!(handle.which_children()[0].restarts, 1);
    drop(handle.terminate_child(child));
    settle().await;
    assert_eq!(children.alive(), 0);
    handle.start_child(2).unwrap();
    settle().await;
    drop(handle.shutdown());
    settle().await;
    assert!(handle.wait().now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_child_is_restarted_on_request_whatever_its_rule() {
    let rules = [(Shutdown::Brutal, Duration::ZERO), (Shutdown::After(SECOND), SECOND)];
    for (rule, deaf_takes) in rules {
        for (start, takes) in [(Start::Live, Duration::ZERO), (Start::Deaf, deaf_takes)] {
            let children = Children::new();
            children.start(1, start);
            let handle = children
                .supervisor()
                .restart(Restart::Transient)
                .max_restarts(0, SECOND)
                .shutdown_rule(rule)
                .into_handle();
            let child = handle.start_child(1).unwrap();
            settle().await;
            let begin = Instant::now();
            handle.restart_child(child).await.unwrap();
            assert_eq!(begin.elapsed(), takes, "{rule:?}, {start:?}");
            let info = handle.which_children().pop().unwrap();
            assert_eq!((info.id, info.state, info.restarts), (child, ChildState::Running, 1));
            settle().await;
            assert_eq!((children.alive(), children.peak()), (1, 1));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_one_stop_does_not_run_out_for_the_next_attempt() {
    let children = Children::new();
    let handle = children
        .supervisor()
        .restart(Restart::Transient)
        .shutdown_rule(Shutdown::After(5 * SECOND))
        .into_handle();
    let child = handle.start_child(1).unwrap();
    settle().await;
    handle.restart_child(child).await.unwrap();
    sleep(60 * SECOND).await;
    assert_eq!((children.alive(), handle.count_children().active), (1, 1));
    assert_eq!(children.attempts(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_pauses_is_restarted_at_once_on_request() {
    let children = Children::new();
    let handle = children
        .supervisor()
        .restart(Restart::Transient)
        .max_restarts(1, 100 * SECOND)
        .backoff(Backoff::new(10 * SECOND, 1.0))
        .into_handle();
    let events = handle.events();
    let child = handle.start_child(1).unwrap();
    settle().await;
    children.end(1, End::Fail);
    settle().await;
    assert_eq!(handle.which_children()[0].state, ChildState::Restarting);
    let begin = Instant::now();
    handle.restart_child(child).await.unwrap();
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let info = handle.which_children().pop().unwrap();
    assert_eq!((info.state, info.restarts), (ChildState::Running, 1), "it was restarted once");
    sleep(60 * SECOND).await;
    assert_eq!((children.alive(), children.peak(), children.attempts().len()), (1, 1, 2));
    handle.shutdown().await;
    let events: Vec<_> = futures::StreamExt::collect::<Vec<_>>(events).await;
    let events: Vec<_> = events.iter().map(ToString::to_string).collect();
    let told = ["started", "failed: broken", "restarted (1)", "stopped"];
    assert_eq!(events, told.map(|what| format!("child #1: {what}")));
}

#[tokio::test(start_paused = true)]
async fn temporary_children_cannot_be_restarted() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    let child = handle.start_child(1).unwrap();
    let error = handle.restart_child(child).await.unwrap_err();
    assert_eq!(error.to_string(), "child #1 is temporary, its item was not kept");
    settle().await;
    assert_eq!(children.alive(), 1, "it runs on");
}

#[tokio::test(start_paused = true)]
async fn two_requests_at_once_restart_a_child_once() {
    for start in [Start::Live, Start::Deaf] {
        let children = Children::new();
        children.start(1, start);
        let handle = children.supervisor().restart(Restart::Transient).into_handle();
        let child = handle.start_child(1).unwrap();
        settle().await;
        let (first, second) = futures::join!(handle.restart_child(child), handle.restart_child(child));
        assert!(first.is_ok() && second.is_ok());
        sleep(60 * SECOND).await;
        assert_eq!(children.attempts(), [1, 1]);
        assert_eq!(handle.which_children()[0].restarts, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_on_request_that_fails_is_tried_again_by_the_rule() {
    let children = Children::new();
    children.restart([Start::Panic, Start::Fail]);
    let handle = children.supervisor().restart(Restart::Transient).max_restarts(2, SECOND).into_handle();
    let child = handle.start_child(1).unwrap();
    settle().await;
    handle.restart_child(child).await.unwrap();
    settle().await;
    assert_eq!((children.alive(), children.attempts().len()), (1, 4));

    children.restart_always(Start::Fail);
    let error = handle.restart_child(child).await.unwrap_err();
    assert_eq!(error.to_string(), "child #1 failed: no start");
    assert!(matches!(handle.wait().await.end, SupervisorEnd::GaveUp(_)));
}

#[tokio::test(start_paused = true)]
async fn a_restart_on_request_that_finds_nothing_to_do_ends_the_child() {
    let children = Children::new();
    children.restart([Start::Ignore]);
    let handle = children.supervisor().restart(Restart::Permanent).into_handle();
    let child = handle.start_child(1).unwrap();
    settle().await;
    let error = handle.restart_child(child).await.unwrap_err();
    assert!(matches!(error, RestartError::Gone { outcome: Outcome::NotRestarted, .. }), "{error}");
    assert_eq!(handle.count_children().alive, 0);
}

#[tokio::test(start_paused = true)]
async fn terminating_wins_over_restarting() {
    let children = Children::new();
    children.start(1, Start::Deaf);
    let handle = children
        .supervisor()
        .restart(Restart::Permanent)
        .shutdown_rule(Shutdown::After(SECOND))
        .into_handle();
    let child = handle.start_child(1).unwrap();
    settle().await;
    let restarting = handle.restart_child(child);
    let outcome = handle.terminate_child(child).await.unwrap();
    assert!(matches!(outcome, Outcome::Aborted));
    let error = restarting.await.unwrap_err();
    assert!(matches!(error, RestartError::Gone { outcome: Outcome::Aborted, .. }), "{error}");
    // And one that is being stopped is not restarted.
    let child = handle.start_child(1).unwrap();
    settle().await;
    let terminating = handle.terminate_child(child);
    assert!(matches!(handle.restart_child(child).await, Err(RestartError::NotFound(_))));
    assert!(terminating.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_child_takes_in_its_restarts() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Transient).into_handle();
    let child = handle.start_child(1).unwrap();
    let mut waiting = tokio_test::task::spawn(handle.wait_child(child));
    settle().await;
    children.end(1, End::Fail);
    settle().await;
    assert_pending!(waiting.poll());
    children.end(1, End::Complete);
    settle().await;
    assert!(matches!(assert_ready_ok!(waiting.poll()), Outcome::Completed));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_a_token_of_its_own() {
    let tokens: Arc<Mutex<Vec<(u32, CancellationToken)>>> = Arc::default();
    let seen = tokens.clone();
    let handle = DynamicSupervisor::with_child(move |_: u64, child: Child| {
        seen.lock().unwrap().push((child.restarts(), child.token()));
        async move { child.stopping().await }
    })
    .restart(Restart::Transient)
    .into_handle();
    let child = handle.start_child(1).unwrap();
    settle().await;
    handle.restart_child(child).await.unwrap();
    settle().await;
    let cancelled = || {
        let tokens = tokens.lock().unwrap();
        tokens.iter().map(|(restarts, token)| (*restarts, token.is_cancelled())).collect::<Vec<_>>()
    };
    assert_eq!(cancelled(), [(0, true), (1, false)]);
    handle.terminate_child(child).await.unwrap();
    assert_eq!(cancelled(), [(0, true), (1, true)]);
}

#[tokio::test(start_paused = true)]
async fn what_an_old_attempt_keeps_says_that_it_is_over() {
    let kept: Arc<Mutex<Option<Child>>> = Arc::default();
    let keep = kept.clone();
    let handle = DynamicSupervisor::with_child(move |_: u64, child: Child| {
        keep.lock().unwrap().get_or_insert(child.clone());
        async move { child.stopping().await }
    })
    .restart(Restart::Transient)
    .into_handle();
    let id = handle.start_child(1).unwrap();
    let old = kept.lock().unwrap().clone().unwrap();
    assert_eq!((old.id(), old.restarts()), (id, 0));
    assert!(old.stopping().now_or_never().is_none());
    settle().await;
    handle.restart_child(id).await.unwrap();
    assert!(old.token().is_cancelled());
    assert!(old.stopping().now_or_never().is_some());
    settle().await;
    assert_eq!(handle.count_children().active, 1, "the new attempt was not asked");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_asked_before_it_has_begun_sees_it() {
    for rule in [Shutdown::After(SECOND), Shutdown::Wait] {
        let children = Children::new();
        let handle = children.supervisor().shutdown_rule(rule).into_handle();
        let child = handle.start_child(1).unwrap();
        assert!(matches!(handle.terminate_child(child).await, Ok(Outcome::Stopped)), "{rule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn children_are_shown_in_the_order_of_their_starts() {
    let children = Children::new();
    let handle = children.supervisor().label_by(|item| format!("worker {item}")).into_handle();
    let ids: Vec<_> = (1..=4).map(|item| handle.start_child(item).unwrap()).collect();
    sleep(SECOND).await;
    handle.terminate_child(ids[1]).await.unwrap();
    let last = handle.start_child(9).unwrap();
    sleep(SECOND).await;
    let shown: Vec<_> = handle
        .which_children()
        .into_iter()
        .map(|child| (child.id, child.label.unwrap().to_string(), child.age))
        .collect();
    let expected = [(ids[0], 1, 2), (ids[2], 3, 2), (ids[3], 4, 2), (last, 9, 1)];
    assert_eq!(shown, expected.map(|(id, item, age)| (id, format!("worker {item}"), age * SECOND)));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_of_a_supervisor_without_a_sink_aborts_it() {
    let children = Children::new();
    let handle = children.supervisor().shutdown_rule(Shutdown::Wait).into_handle();
    handle.start_child(1).unwrap();
    let other = handle.clone();
    let waiting = handle.wait();
    drop(handle);
    settle().await;
    assert_eq!(children.alive(), 1);
    drop(other);
    let report = waiting.await;
    assert!(matches!(report.end, SupervisorEnd::Aborted));
    assert_eq!((children.alive(), report.stopped.len()), (0, 1));
}

#[tokio::test]
async fn its_counts_go_to_metrics_under_their_names() {
    let mut supervisor =
        DynamicSupervisor::new(|n: u32| async move { if n < 2 { Ok(()) } else { Err("no") } });
    let handle = supervisor.handle();
    for n in 0..5 {
        supervisor.send(n).await.unwrap();
    }
    let numbers = MetricsBoard::of(|| handle.count_children().record_metrics("jobs"));
    assert_eq!(numbers["gen_stage_supervisor_children{supervisor=jobs,state=active}"], 5.0);
    supervisor.close().await.unwrap();
    let numbers = MetricsBoard::of(|| handle.count_children().record_metrics("jobs"));
    let some: Vec<_> =
        numbers.iter().filter(|(_, number)| **number > 0.0).map(|(name, n)| (&name[..], *n)).collect();
    let expected = [
        ("gen_stage_supervisor_ended_total{supervisor=jobs,outcome=completed}", 2.0),
        ("gen_stage_supervisor_ended_total{supervisor=jobs,outcome=failed}", 3.0),
        ("gen_stage_supervisor_started_total{supervisor=jobs}", 5.0),
    ];
    assert_eq!(some, expected);
    assert_eq!(numbers.len(), 2 + 1 + 2 + 6 + 3, "{numbers:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_id_goes_through_a_number_and_back_and_a_number_that_no_child_has_is_no_child() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Transient).into_handle();
    let ids: Vec<_> = (1..=3).map(|n| handle.start_child(n).unwrap()).collect();
    // Slots that are free, one of them used again: number 4 is where 2 was.
    for id in &ids[..2] {
        handle.terminate_child(*id).await.unwrap();
    }
    let fourth = handle.start_child(4).unwrap();
    settle().await;
    for number in [0, 1, 2, 5, 1 << 32, u64::MAX] {
        let id = ChildId::from(number);
        assert_eq!(handle.wait_child(id).await.unwrap_err(), NotFound(id));
        assert_eq!(handle.terminate_child(id).await.unwrap_err(), NotFound(id));
        assert!(matches!(handle.restart_child(id).await, Err(RestartError::NotFound(no)) if no == id));
    }
    assert_eq!(handle.count_children().alive, 2);

    for id in [ids[2], fourth] {
        let again = ChildId::from(u64::from(id));
        assert_eq!((again, again.cmp(&id)), (id, std::cmp::Ordering::Equal));
        assert_eq!(std::collections::HashSet::from([id, again]).len(), 1);
        assert_eq!(format!("{again:?} {again}"), format!("{id:?} {id}"));
        handle.restart_child(again).await.unwrap();
        settle().await;
        let waiting = handle.wait_child(again);
        assert!(handle.terminate_child(again).await.is_ok());
        assert!(waiting.await.is_ok());
    }
    assert_eq!(handle.count_children().alive, 0);
}

#[tokio::test(start_paused = true)]
async fn an_id_of_another_supervisor_is_its_number() {
    let (children, others) = (Children::new(), Children::new());
    let (handle, other) = (children.supervisor().into_handle(), others.supervisor().into_handle());
    // Number 1 is in the second slot of the first supervisor, and in the first of the other.
    let gone = handle.start_child(1).unwrap();
    let foreign = other.start_child(1).unwrap();
    assert_eq!(gone, foreign);
    handle.terminate_child(gone).await.unwrap();
    assert_eq!(handle.terminate_child(foreign).await.unwrap_err(), NotFound(foreign));
    let second = other.start_child(2).unwrap();
    assert!(handle.terminate_child(second).await.is_err());
    assert_eq!(other.count_children().alive, 2);
}
