//! How often children are restarted, and when.

use super::SECOND;
use crate::support::children::{Children, End, Start};
use crate::support::{Watched, numbers, settle};
use futures::{SinkExt, StreamExt, stream};
use gen_stage::Backoff;
use gen_stage::supervisor::{
    Child, ChildSpec, ChildState, DynamicSupervisor, Outcome, Restart, Shutdown, SupervisorEnd,
};
use std::panic::panic_any;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn restarts_of_all_children_count_together() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Transient).max_restarts(2, 5 * SECOND).into_handle();
    for item in 1..=3 {
        handle.start_child(item).unwrap();
    }
    settle().await;
    for number in 1..=2 {
        children.end(number, End::Fail);
        settle().await;
        assert_eq!(handle.count_children().active, 3);
    }
    children.end(3, End::Panic);
    let report = handle.wait().await;
    let SupervisorEnd::GaveUp(given_up) = report.end else { panic!("{}", report.end) };
    assert_eq!((given_up.child.number(), given_up.label, given_up.max_restarts), (3, None, 2));
    assert!(matches!(given_up.outcome, Outcome::Panicked(panic) if panic.message() == "bad child"));
    assert_eq!((report.counts.panicked, report.counts.stopped, report.counts.restarts), (1, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn restarts_that_are_long_ago_do_not_count() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Permanent).max_restarts(1, 5 * SECOND).into_handle();
    handle.start_child(1).unwrap();
    for _ in 0..20 {
        sleep(6 * SECOND).await;
        children.end(1, End::Complete);
    }
    settle().await;
    assert_eq!((handle.count_children().restarts, children.alive()), (20, 1));
    children.end(1, End::Complete);
    assert!(matches!(handle.wait().await.end, SupervisorEnd::GaveUp(_)));
}

#[tokio::test(start_paused = true)]
async fn temporary_children_never_make_it_give_up() {
    let mut supervisor = DynamicSupervisor::new(|_: u64| async { Err("broken") }).max_restarts(0, SECOND);
    let handle = supervisor.handle();
    stream::iter(0..100).map(Ok).forward(supervisor).await.unwrap();
    assert_eq!((handle.count_children().failed, handle.count_children().restarts), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn restarts_on_request_do_not_count() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Transient).max_restarts(0, SECOND).into_handle();
    let child = handle.start_child(1).unwrap();
    for restarts in 1..=10 {
        settle().await;
        handle.restart_child(child).await.unwrap();
        assert_eq!(handle.count_children().restarts, restarts);
    }
}

/// When attempts began, of a child that fails at once so many times.
async fn attempts(fails: u32, backoff: Backoff) -> Vec<Duration> {
    let begin = Instant::now();
    let times: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let seen = times.clone();
    let mut supervisor = DynamicSupervisor::with_child(move |_: u64, child: Child| {
        seen.lock().unwrap().push(begin.elapsed());
        async move { if child.restarts() < fails { Err("not yet") } else { Ok(()) } }
    })
    .restart(Restart::Transient)
    .max_restarts(100, SECOND)
    .backoff(backoff);
    supervisor.send(1).await.unwrap();
    supervisor.close().await.unwrap();
    std::mem::take(&mut *times.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_backoff_spaces_restarts() {
    let times = attempts(5, Backoff::new(SECOND, 2.0).max_delay(6 * SECOND)).await;
    assert_eq!(times.iter().map(Duration::as_secs).collect::<Vec<_>>(), [0, 1, 3, 7, 13, 19]);
}

#[tokio::test(start_paused = true)]
async fn jitter_only_shortens_the_pauses() {
    let times = attempts(50, Backoff::new(10 * SECOND, 1.0).jitter(0.5)).await;
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let millisecond = Duration::from_millis(1);
    assert!(
        pauses.iter().all(|pause| (5 * SECOND..=10 * SECOND + millisecond).contains(pause)),
        "{pauses:?}"
    );
    let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
    assert!(*most - *least > SECOND, "they differ: {pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn the_pauses_of_a_child_that_ran_for_long_begin_anew() {
    let children = Children::new();
    let handle = children
        .supervisor()
        .restart(Restart::Transient)
        .max_restarts(100, 5 * SECOND)
        .backoff(Backoff::new(SECOND, 10.0))
        .into_handle();
    handle.start_child(1).unwrap();
    settle().await;
    let pause = async || {
        let begin = Instant::now();
        children.end(1, End::Fail);
        settle().await;
        while handle.which_children()[0].state == ChildState::Restarting {
            sleep(SECOND / 10).await;
        }
        settle().await;
        begin.elapsed().as_secs()
    };
    assert_eq!((pause().await, pause().await), (1, 10));
    sleep(6 * SECOND).await;
    assert_eq!((pause().await, pause().await), (1, 10));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_pauses_keeps_its_place_and_is_not_active() {
    let children = Children::new();
    let mut supervisor =
        children.supervisor().max_demand(1, 0).restart(Restart::Transient).backoff(Backoff::new(SECOND, 1.0));
    let handle = supervisor.handle();
    supervisor.send(1).await.unwrap();
    settle().await;
    children.end(1, End::Fail);
    settle().await;
    let counts = handle.count_children();
    assert_eq!((counts.alive, counts.active, counts.restarting), (1, 0, 1));
    let mut sending = tokio_test::task::spawn(supervisor.send(2));
    tokio_test::assert_pending!(sending.poll());
    sleep(2 * SECOND).await;
    assert!(!sending.is_woken());
    drop(sending);
    assert_eq!((children.attempts(), children.alive()), (vec![1, 1], 1));
}

/// Three children: one that crashes, one that ends when asked, and one that does not.
fn three(rule: Shutdown) -> (Children, DynamicSupervisor<u64, impl ChildSpec<u64>>) {
    let children = Children::new();
    children.start(3, Start::Deaf);
    let supervisor = children
        .supervisor()
        .max_demand(3, 2)
        .restart(Restart::Transient)
        .max_restarts(0, SECOND)
        .shutdown_rule(rule)
        .label_by(ToString::to_string);
    (children, supervisor)
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_gives_up_stops_all_children_by_their_rules_and_its_sink_fails() {
    let rules = [
        (Shutdown::Brutal, ["2 aborted", "3 aborted"], Duration::ZERO),
        (Shutdown::After(SECOND), ["2 stopped", "3 aborted"], SECOND),
    ];
    for (rule, outcomes, took) in rules {
        let (children, mut supervisor) = three(rule);
        let handle = supervisor.handle();
        for item in 1..=3 {
            supervisor.send(item).await.unwrap();
        }
        settle().await;
        let begin = Instant::now();
        children.end(1, End::Fail);
        let error = supervisor.send(4).await.unwrap_err();
        assert_eq!(begin.elapsed(), took, "it is told when all have ended");
        assert!(matches!(error.end(), SupervisorEnd::GaveUp(_)));
        assert_eq!(
            error.to_string(),
            "the supervisor gave up: child 1 failed: broken, and there may be 0 restarts within 1s"
        );
        assert_eq!(children.alive(), 0);
        let report = handle.wait().await;
        let stopped: Vec<_> = report
            .stopped
            .iter()
            .map(|stopped| format!("{} {}", stopped.label.as_deref().unwrap(), stopped.outcome))
            .collect();
        assert_eq!(stopped, outcomes);
        let error = supervisor.start_send_unpin(5).unwrap_err();
        assert!(matches!(error.end(), SupervisorEnd::GaveUp(_)));
        assert_eq!(error.into_item(), Some(5));
        assert!(matches!(supervisor.close().await.unwrap_err().end(), SupervisorEnd::GaveUp(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_for_which_there_was_a_place_is_handed_back_when_the_supervisor_has_given_up() {
    let (children, mut supervisor) = three(Shutdown::Brutal);
    supervisor.send(1).await.unwrap();
    std::future::poll_fn(|cx| supervisor.poll_ready_unpin(cx)).await.unwrap();
    settle().await;
    children.end(1, End::Fail);
    settle().await;
    let error = supervisor.start_send_unpin(2).unwrap_err();
    assert!(matches!(error.end(), SupervisorEnd::GaveUp(_)));
    assert_eq!(error.into_item(), Some(2));
    assert_eq!(children.attempts(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_flow_into_a_supervisor_that_gives_up_fails() {
    let watched = Watched::new();
    let supervisor =
        DynamicSupervisor::new(|n: u64| async move { if n == 77 { Err("broken") } else { Ok(()) } })
            .max_demand(10, 5)
            .restart(Restart::Transient)
            .shutdown_rule(Shutdown::Brutal);
    let flow = numbers(watched.endless());
    let error = flow.demand(10, 5).forward(supervisor).await.unwrap_err();
    assert!(error.to_string().starts_with("the supervisor gave up: child #78 failed: broken"), "{error}");
    assert!(!watched.is_alive());
}

#[tokio::test(start_paused = true)]
async fn the_last_child_of_a_closing_sink_that_is_given_up_is_an_error() {
    let (children, mut supervisor) = three(Shutdown::Wait);
    let handle = supervisor.handle();
    supervisor.send(1).await.unwrap();
    let mut closing = tokio_test::task::spawn(supervisor.close());
    tokio_test::assert_pending!(closing.poll());
    settle().await;
    children.end(1, End::Fail);
    let error = closing.await.unwrap_err();
    assert!(matches!(error.end(), SupervisorEnd::GaveUp(_)), "{error}");
    assert!(matches!(handle.wait().await.end, SupervisorEnd::GaveUp(_)));
}

#[tokio::test(start_paused = true)]
async fn the_last_child_of_a_drain_that_is_given_up_is_an_error() {
    for others in 0..2 {
        let (children, supervisor) = three(Shutdown::Wait);
        let handle = supervisor.into_handle();
        for item in 1..=1 + others {
            handle.start_child(item).unwrap();
        }
        settle().await;
        let draining = handle.drain(None);
        children.end(1, End::Fail);
        let report = draining.await;
        assert!(matches!(report.end, SupervisorEnd::GaveUp(_)), "{others} others: {}", report.end);
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_restarted_often_enough_is_let_go_and_the_others_live_on() {
    for max in 0..=3 {
        let children = Children::new();
        let handle = children
            .supervisor()
            .restart(Restart::Permanent)
            .max_restarts(3, 5 * SECOND)
            .restarts_per_child(max)
            .into_handle();
        let child = handle.start_child(1).unwrap();
        handle.start_child(2).unwrap();
        let outcome = handle.wait_child(child);
        settle().await;
        for _ in 0..=max {
            children.end(1, End::Fail);
            settle().await;
        }
        assert_eq!(outcome.await.unwrap().to_string(), "failed: broken");
        let counts = handle.count_children();
        assert_eq!((counts.alive, counts.active, counts.restarting), (1, 1, 0), "{max}");
        assert_eq!((counts.failed, counts.restarts), (1, max.into()), "{max}");
    }
}

#[tokio::test(start_paused = true)]
async fn failing_restarts_of_a_child_count_and_those_on_request_are_always_made() {
    let children = Children::new();
    children.restart_always(Start::Panic);
    let handle = children.supervisor().restart(Restart::Transient).restarts_per_child(2).into_handle();
    handle.start_child(1).unwrap();
    settle().await;
    children.end(1, End::Fail);
    settle().await;
    let counts = handle.count_children();
    assert_eq!((counts.alive, counts.panicked, counts.restarts), (0, 1, 0));
    assert_eq!(children.attempts(), [1, 1, 1]);

    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Transient).restarts_per_child(0).into_handle();
    let child = handle.start_child(1).unwrap();
    for _ in 0..3 {
        settle().await;
        handle.restart_child(child).await.unwrap();
    }
    settle().await;
    children.end(1, End::Fail);
    settle().await;
    let counts = handle.count_children();
    assert_eq!((counts.alive, counts.failed, counts.restarts), (0, 1, 3));
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("for now")]
    ForNow,
    #[error("for good")]
    ForGood,
}

#[tokio::test(start_paused = true)]
async fn an_error_may_say_that_there_is_no_use_in_a_restart() {
    for at_start in [false, true] {
        let trouble = |child: &Child| if child.restarts() < 2 { Trouble::ForNow } else { Trouble::ForGood };
        let handle = DynamicSupervisor::try_new(move |_: u64, child: Child| {
            if at_start && child.restarts() > 0 {
                return Err(trouble(&child));
            }
            Ok(Some(async move { Err::<(), _>(trouble(&child)) }))
        })
        .restart(Restart::Transient)
        .restart_when(|outcome| match outcome {
            Outcome::Failed(error) => matches!(error.downcast_ref(), Some(Trouble::ForNow)),
            _ => true,
        })
        .into_handle();
        let child = handle.start_child(1).unwrap();
        let outcome = handle.wait_child(child).await.unwrap();
        assert_eq!(outcome.to_string(), "failed: for good");
        let report = handle.drain(None).await;
        assert_eq!(report.counts.restarts, if at_start { 0 } else { 2 });
        assert!(report.end.is_clean(), "{}", report.end);
    }
}

#[tokio::test(start_paused = true)]
async fn each_end_that_would_be_restarted_is_asked_about_and_no_other() {
    for (restart, asked) in [
        (Restart::Temporary, &[][..]),
        (Restart::Transient, &["failed: broken", "panicked: bad child"]),
        (Restart::Permanent, &["completed", "failed: broken", "panicked: bad child"]),
    ] {
        let children = Children::new();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let sees = seen.clone();
        let handle = children
            .supervisor()
            .restart(restart)
            .restart_when(move |outcome| {
                sees.lock().unwrap().push(outcome.to_string());
                false
            })
            .into_handle();
        for (item, end) in [(1, End::Complete), (2, End::Fail), (3, End::Panic)] {
            handle.start_child(item).unwrap();
            settle().await;
            children.end(item, end);
            settle().await;
        }
        assert_eq!(*seen.lock().unwrap(), asked, "{restart:?}");
        let counts = handle.count_children();
        assert_eq!((counts.completed, counts.failed, counts.panicked), (1, 1, 1));
        assert_eq!((counts.restarts, counts.alive), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_on_request_is_made_whatever_is_said_of_others() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Permanent).restart_when(|_| false).into_handle();
    let child = handle.start_child(1).unwrap();
    settle().await;
    handle.restart_child(child).await.unwrap();
    assert_eq!(handle.count_children().restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_what_is_asked_is_that_of_the_child_which_is_gone() {
    for (end, at_start) in [(End::Complete, false), (End::Fail, false), (End::Fail, true)] {
        let children = Children::new();
        children.restart_always(Start::Fail);
        let handle = children
            .supervisor()
            .restart(Restart::Permanent)
            .max_restarts(100, SECOND)
            .restart_when(move |outcome| match outcome {
                Outcome::Failed(error) if at_start && error.to_string() == "broken" => true,
                _ => panic_any("bad rule"),
            })
            .into_handle();
        let child = handle.start_child(1).unwrap();
        settle().await;
        children.end(1, end);
        let outcome = handle.wait_child(child).await.unwrap();
        assert_eq!(outcome.to_string(), "panicked: bad rule");
        assert_eq!((handle.count_children().panicked, handle.count_children().alive), (1, 0));
    }
}
