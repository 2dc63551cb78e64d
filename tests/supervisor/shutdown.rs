//! Shutting down, draining, aborting.

use super::SECOND;
use crate::support::children::{Children, End, Start};
use crate::support::{Alive, settle};
use futures::SinkExt;
use gen_stage::Backoff;
use gen_stage::supervisor::{
    ChildState, DynamicSupervisor, Restart, Shutdown, StartError, SupervisorEnd, SupervisorReport,
};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_test::{assert_pending, assert_ready};
use tokio_util::sync::CancellationToken;

fn stopped(report: &SupervisorReport) -> Vec<String> {
    report.stopped.iter().map(|stopped| format!("{} {}", stopped.child, stopped.outcome)).collect()
}

#[tokio::test(start_paused = true)]
async fn children_are_stopped_at_once_and_reported_in_the_order_of_their_ends() {
    let rules = [Shutdown::Wait, Shutdown::After(3 * SECOND), Shutdown::Brutal, Shutdown::After(SECOND)];
    let children = Children::new();
    for item in 1..=3 {
        children.start(item, Start::Deaf);
    }
    let mut supervisor =
        children.supervisor().shutdown_rule_by(move |item| rules[*item as usize]).max_demand(10, 5);
    let handle = supervisor.handle();
    for item in 0..4 {
        supervisor.send(item).await.unwrap();
    }
    settle().await;
    let begin = Instant::now();
    let shutting_down = handle.shutdown();
    assert!(handle.which_children().iter().all(|child| child.state == ChildState::Stopping));
    assert!(matches!(
        handle.start_child(9),
        Err(StartError::Ended { end: SupervisorEnd::ShutDown, item: 9 })
    ));
    assert_eq!(supervisor.start_send_unpin(9).unwrap_err().into_item(), Some(9));
    let mut ready = tokio_test::task::spawn(poll_fn(|cx| supervisor.poll_ready_unpin(cx)));
    assert_pending!(ready.poll());
    let report = shutting_down.await;
    assert_eq!(stopped(&report), ["#1 stopped", "#3 aborted", "#4 aborted", "#2 aborted"]);
    assert_eq!(begin.elapsed(), 3 * SECOND);
    assert!(ready.is_woken());
    let error = assert_ready!(ready.poll()).unwrap_err();
    assert!(matches!(
        (error.end(), error.to_string().as_str()),
        (SupervisorEnd::ShutDown, "the supervisor was shut down")
    ));
    drop(ready);
    supervisor.close().await.unwrap();
    assert_eq!(children.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_children_and_restarts_them() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Transient).into_handle();
    handle.start_child(1).unwrap();
    handle.start_child(2).unwrap();
    settle().await;
    children.end(2, End::Complete);
    settle().await;
    let mut draining = tokio_test::task::spawn(handle.drain(None));
    assert_pending!(draining.poll());
    sleep(3600 * SECOND).await;
    children.end(1, End::Fail);
    settle().await;
    assert_pending!(draining.poll());
    assert_eq!((children.alive(), handle.count_children().restarts), (1, 1));
    assert_eq!(handle.start_child(3).unwrap_err().into_item(), Some(3));
    children.end(1, End::Complete);
    let report = draining.await;
    assert!(matches!(report.end, SupervisorEnd::ShutDown));
    assert_eq!(stopped(&report), ["#1 completed"], "not the one that had ended before");
    assert_eq!(report.counts.completed, 2);
}

#[tokio::test(start_paused = true)]
async fn a_drain_stops_those_who_have_not_ended_by_its_deadline() {
    let children = Children::new();
    children.start(3, Start::Deaf);
    let handle = children.supervisor().shutdown_rule(Shutdown::After(2 * SECOND)).into_handle();
    for item in 1..=3 {
        handle.start_child(item).unwrap();
    }
    settle().await;
    let begin = Instant::now();
    let draining = handle.drain(Some(10 * SECOND));
    settle().await;
    children.end(1, End::Fail);
    let report = draining.await;
    assert_eq!(begin.elapsed(), 12 * SECOND);
    assert_eq!(stopped(&report), ["#1 failed: broken", "#2 stopped", "#3 aborted"]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_children_is_over_at_once_and_so_is_a_deadline_of_none_left() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    assert!(handle.drain(Some(SECOND)).await.stopped.is_empty());

    let handle = children.supervisor().into_handle();
    handle.start_child(1).unwrap();
    let begin = Instant::now();
    assert_eq!(stopped(&handle.drain(Some(Duration::ZERO)).await), ["#1 stopped"]);
    assert!(begin.elapsed() <= Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn a_drain_can_be_cut_short_by_a_shutdown_and_not_the_other_way_round() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    handle.start_child(1).unwrap();
    settle().await;
    let draining = handle.drain(None);
    let report = handle.shutdown().await;
    assert_eq!(stopped(&report), ["#1 stopped"]);
    assert_eq!(stopped(&draining.await), ["#1 stopped"]);

    let children = Children::new();
    children.start(1, Start::Deaf);
    let handle = children.supervisor().shutdown_rule(Shutdown::After(SECOND)).into_handle();
    handle.start_child(1).unwrap();
    settle().await;
    let begin = Instant::now();
    drop(handle.shutdown());
    assert_eq!(stopped(&handle.drain(Some(60 * SECOND)).await), ["#1 aborted"]);
    assert_eq!(begin.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_pauses_is_not_waited_for_by_a_shutdown() {
    for rule in [Shutdown::Brutal, Shutdown::After(SECOND), Shutdown::Wait] {
        let children = Children::new();
        let handle = children
            .supervisor()
            .restart(Restart::Permanent)
            .backoff(Backoff::new(60 * SECOND, 1.0).max_delay(60 * SECOND))
            .shutdown_rule(rule)
            .into_handle();
        handle.start_child(1).unwrap();
        settle().await;
        children.end(1, End::Complete);
        settle().await;
        let begin = Instant::now();
        let report = handle.shutdown().await;
        assert_eq!((stopped(&report), begin.elapsed()), (vec!["#1 not restarted".into()], Duration::ZERO));
        assert_eq!((report.counts.not_restarted, report.counts.restarting), (1, 0));
        sleep(100 * SECOND).await;
        assert_eq!(children.attempts(), [1]);
    }
}

#[tokio::test(start_paused = true)]
async fn shutting_down_twice_tells_both_the_same() {
    let children = Children::new();
    children.start(1, Start::Deaf);
    let handle = children.supervisor().shutdown_rule(Shutdown::After(SECOND)).into_handle();
    handle.start_child(1).unwrap();
    settle().await;
    let begin = Instant::now();
    let first = handle.shutdown();
    sleep(SECOND / 2).await;
    let (first, second) = futures::join!(first, handle.shutdown());
    assert_eq!(begin.elapsed(), SECOND, "the time of the first");
    assert_eq!((stopped(&first), first.counts), (stopped(&second), second.counts));
}

#[tokio::test(start_paused = true)]
async fn an_abort_cuts_a_shutdown_short() {
    let children = Children::new();
    children.start(1, Start::Deaf);
    let handle = children.supervisor().shutdown_rule(Shutdown::Wait).into_handle();
    handle.start_child(1).unwrap();
    settle().await;
    let shutting_down = handle.shutdown();
    sleep(3600 * SECOND).await;
    assert_eq!(children.alive(), 1);
    handle.abort();
    let report = shutting_down.await;
    assert_eq!(stopped(&report), ["#1 aborted"]);
    assert!(matches!(report.end, SupervisorEnd::ShutDown), "that is what it was told first");
    assert_eq!(children.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_asked_alone_is_in_the_report_of_a_shutdown_that_follows() {
    let children = Children::new();
    children.start(1, Start::Deaf);
    let handle = children.supervisor().shutdown_rule(Shutdown::After(SECOND)).into_handle();
    let child = handle.start_child(1).unwrap();
    settle().await;
    let begin = Instant::now();
    let terminating = handle.terminate_child(child);
    sleep(SECOND / 2).await;
    let report = handle.shutdown().await;
    assert_eq!((stopped(&report), begin.elapsed()), (vec!["#1 aborted".into()], SECOND));
    assert!(terminating.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_wins_over_a_restart_on_request() {
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
    let report = handle.shutdown().await;
    assert_eq!(stopped(&report), ["#1 aborted"]);
    assert_eq!(restarting.await.unwrap_err().to_string(), "child #1 aborted");
    assert_eq!(children.attempts(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_report_says_whether_the_end_was_clean() {
    let handle = Children::new().supervisor().into_handle();
    assert!(handle.shutdown().await.into_result().is_ok());
    let handle = Children::new().supervisor().into_handle();
    handle.abort();
    let end = handle.wait().await.into_result().unwrap_err();
    assert_eq!(end.to_string(), "the supervisor was aborted");
}

#[test]
fn children_that_a_runtime_takes_with_it_are_aborted() {
    let children = Children::new();
    children.start(1, Start::Deaf);
    let (handle, events) = {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let guard = runtime.enter();
        let handle = children
            .supervisor()
            .restart(Restart::Permanent)
            .max_restarts(1000, SECOND)
            .shutdown_rule(Shutdown::After(SECOND))
            .into_handle();
        let events = handle.events();
        let child = handle.start_child(1).unwrap();
        handle.start_child(2).unwrap();
        // Neither of these is finished when the runtime is gone.
        drop(handle.restart_child(child));
        drop(handle.terminate_child(child));
        drop(guard);
        (handle, events)
    };
    let report = futures::executor::block_on(handle.shutdown());
    assert!(matches!(report.end, SupervisorEnd::ShutDown));
    assert_eq!((report.counts.started, report.counts.alive, children.alive()), (2, 0, 0));
    let told = futures::executor::block_on(futures::StreamExt::collect::<Vec<_>>(events));
    let told: Vec<_> = told.iter().map(ToString::to_string).collect();
    assert!(told.contains(&"child #2: aborted".to_string()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdowns_from_many_threads_while_children_start_leave_none_behind() {
    for round in 0..50 {
        let alive = Arc::new(AtomicUsize::new(0));
        let counted = alive.clone();
        let mut supervisor = DynamicSupervisor::new(move |_: u64| {
            let alive = Alive::new(&counted);
            async move {
                tokio::task::yield_now().await;
                drop(alive);
            }
        })
        .restart(Restart::Permanent)
        .max_restarts(usize::MAX, Duration::ZERO)
        .shutdown_rule(if round % 2 == 0 {
            Shutdown::Brutal
        } else {
            Shutdown::After(Duration::ZERO)
        });
        let handle = supervisor.handle();
        let starting = {
            let handle = handle.clone();
            tokio::spawn(async move {
                let mut started = 0;
                while handle.start_child(1).is_ok() {
                    started += 1;
                    tokio::task::yield_now().await;
                }
                started
            })
        };
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let report = handle.shutdown().await;
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        let started: u64 = starting.await.unwrap();
        assert_eq!((report.counts.started, report.counts.alive), (started, 0));
        // Permanent children end only when they are stopped, and then in one of these ways.
        let counts = report.counts;
        assert_eq!(counts.completed + counts.stopped + counts.aborted + counts.not_restarted, started);
        assert_eq!(report.stopped.len() as u64, started);
        supervisor.close().await.unwrap();
    }
}

/// What a child does when it may be asked to stop.
#[derive(Debug, Clone, Copy)]
enum Manners {
    /// It returns when it is asked.
    Returns,
    /// It returns an error then.
    Fails,
    /// It ends after a second, and never took its token.
    NeverKnows,
    /// It ends after a second, and does not look at the token that it has.
    DoesNotLook,
}

fn mannered() -> DynamicSupervisor<Manners, impl gen_stage::supervisor::ChildSpec<Manners>> {
    DynamicSupervisor::with_child(|manners: Manners, child: gen_stage::supervisor::Child| async move {
        let _token = matches!(manners, Manners::DoesNotLook).then(|| child.token());
        match manners {
            Manners::Returns | Manners::Fails => child.stopping().await,
            Manners::NeverKnows | Manners::DoesNotLook => sleep(SECOND).await,
        }
        if let Manners::Fails = manners { Err("it could not be saved") } else { Ok(()) }
    })
    .restart(Restart::Permanent)
}

#[tokio::test(start_paused = true)]
async fn a_child_that_returns_because_it_was_asked_to_stop_has_stopped_however_it_was_asked() {
    let outcomes = [
        (Manners::Returns, "stopped"),
        (Manners::Fails, "failed: it could not be saved"),
        (Manners::NeverKnows, "completed"),
        (Manners::DoesNotLook, "stopped"),
    ];
    for (manners, outcome) in outcomes {
        for terminated in [true, false] {
            let handle = mannered().into_handle();
            let events = handle.events();
            let child = handle.start_child(manners).unwrap();
            settle().await;
            let told = if terminated { Some(handle.terminate_child(child).await.unwrap()) } else { None };
            let report = handle.shutdown().await;
            let told = told.unwrap_or_else(|| report.stopped[0].outcome.clone());
            assert_eq!(told.to_string(), outcome, "{manners:?}");
            assert_eq!(told.is_clean(), !outcome.starts_with("failed"));
            let counts = report.counts;
            let [completed, stopped, failed] =
                ["completed", "stopped", "failed"].map(|how| u64::from(outcome.starts_with(how)));
            assert_eq!((counts.completed, counts.stopped, counts.failed), (completed, stopped, failed));
            let events: Vec<_> = futures::StreamExt::collect(events).await;
            let texts: Vec<_> = events.iter().map(ToString::to_string).collect();
            assert_eq!(texts, ["child #1: started".to_string(), format!("child #1: {outcome}")]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_restarted_on_request_has_stopped_before() {
    let handle = mannered().into_handle();
    let events = handle.events();
    let child = handle.start_child(Manners::Returns).unwrap();
    settle().await;
    handle.restart_child(child).await.unwrap();
    handle.shutdown().await;
    let events: Vec<_> = futures::StreamExt::collect(events).await;
    let texts: Vec<_> =
        events.iter().map(|event| event.what.clone()).map(|what| format!("{what:?}")).collect();
    assert_eq!(texts, ["Started", "Stopped", "Restarted { restarts: 1 }", "Stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_shuts_a_supervisor_down_by_the_rules_of_its_children() {
    let children = Children::new();
    children.start(2, Start::Deaf);
    let token = CancellationToken::new();
    let handle = children
        .supervisor()
        .shutdown_rule(Shutdown::After(SECOND))
        .stop_when(token.child_token())
        .into_handle();
    for item in 1..=2 {
        handle.start_child(item).unwrap();
    }
    settle().await;
    assert_eq!(children.alive(), 2);
    let begin = Instant::now();
    token.cancel();
    let report = handle.wait().await;
    assert!(matches!(report.end, SupervisorEnd::ShutDown));
    assert_eq!((stopped(&report), begin.elapsed()), (vec!["#1 stopped".into(), "#2 aborted".into()], SECOND));
    assert!(handle.start_child(3).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_token_cuts_a_drain_short_and_changes_nothing_after_the_end() {
    let children = Children::new();
    let token = CancellationToken::new();
    let handle = children.supervisor().stop_when(token.clone()).into_handle();
    handle.start_child(1).unwrap();
    settle().await;
    let draining = handle.drain(None);
    token.cancel();
    assert_eq!(stopped(&draining.await), ["#1 stopped"]);

    let token = CancellationToken::new();
    let mut supervisor = children.supervisor().stop_when(token.clone());
    let handle = supervisor.handle();
    supervisor.close().await.unwrap();
    token.cancel();
    settle().await;
    assert!(matches!(handle.wait().await.end, SupervisorEnd::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_cancelled_before_lets_nothing_start() {
    let children = Children::new();
    let token = CancellationToken::new();
    token.cancel();
    let mut supervisor = children.supervisor().stop_when(token);
    let refused = supervisor.start(1).await.unwrap_err();
    assert!(matches!(refused.end(), SupervisorEnd::ShutDown));
    assert_eq!(children.attempts(), []);
}

#[tokio::test(start_paused = true)]
async fn a_token_does_not_keep_a_supervisor_alive() {
    let children = Children::new();
    let token = CancellationToken::new();
    let handle = children.supervisor().stop_when(token.clone()).into_handle();
    handle.start_child(1).unwrap();
    let weak = handle.downgrade();
    drop(handle);
    assert!(matches!(weak.wait().await.end, SupervisorEnd::Aborted));
    assert_eq!(children.alive(), 0);
}
