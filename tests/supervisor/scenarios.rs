//! Scenarios of `DynamicSupervisor` and `ConsumerSupervisor`, by their numbers.

use crate::support::children::{Children, End, Start};
use crate::support::settle;
use crate::support::stages::{Log, Say, count, queue, silent};
use gen_stage::Backoff;
use gen_stage::prelude::*;
use gen_stage::stage::{ProducerHandle, Reason, SubscribeError};
use gen_stage::supervisor::{
    ChildState, Outcome, Restart, Shutdown, StartError, SupervisorEnd, SupervisorHandle, SupervisorReport,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// All children, and those of them that run.
fn workers_and_active<T: Send + 'static>(handle: &SupervisorHandle<T>) -> (usize, usize) {
    let counts = handle.count_children();
    assert_eq!(counts.alive, handle.which_children().len());
    (counts.alive, counts.active)
}

/// How children ended that were stopped, by their labels.
fn stopped(report: &SupervisorReport) -> Vec<String> {
    let mut stopped: Vec<_> = report
        .stopped
        .iter()
        .map(|stopped| format!("{}: {}", stopped.label.as_deref().unwrap_or("-"), stopped.outcome))
        .collect();
    stopped.sort();
    stopped
}

/// RAW: a producer that is told what to emit, and writes down what it is asked for; the supervisor has subscribed to it.
async fn raw(handle: &SupervisorHandle<u64>, max: usize, min: usize) -> (ProducerHandle<u64, (), Say>, Log) {
    let source = silent();
    let log = source.log();
    let source = source.stage().spawn();
    handle.subscribe_to(source.subscribe().demand(max, min)).await.unwrap();
    // So that it sees the first ask before it has anything.
    settle().await;
    (source, log)
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn scenario_403_a_start_that_panics_or_fails_is_the_answer() {
    let children = Children::new();
    children.start(1, Start::Panic);
    children.start(2, Start::Fail);
    children.start(3, Start::Ignore);
    let handle = children.supervisor().restart(Restart::Permanent).into_handle();
    let panicked = handle.start_child(1).unwrap_err();
    assert!(matches!(&panicked, StartError::Panicked(panic) if panic.message() == "bad start"), "{panicked}");
    let failed = handle.start_child(2).unwrap_err();
    assert!(matches!(&failed, StartError::Failed(error) if error.to_string() == "no start"), "{failed}");
    assert!(matches!(handle.start_child(3), Err(StartError::Ignored)));
    settle().await;
    assert_eq!(workers_and_active(&handle), (0, 0));
    assert_eq!(children.attempts(), [1, 2, 3], "none is tried again");
}

#[tokio::test(start_paused = true)]
async fn scenario_404_no_child_may_be_started_on_request() {
    let children = Children::new();
    let handle = children.supervisor().max_children(0).into_handle();
    let refused = handle.start_child(1).unwrap_err();
    assert!(matches!(refused, StartError::MaxChildren { max_children: 0, item: 1 }), "{refused}");
    assert_eq!(children.attempts(), []);
}

#[tokio::test(start_paused = true)]
async fn scenario_406_a_restart_does_not_make_room_for_another() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Permanent).max_children(1).into_handle();
    handle.start_child(1).unwrap();
    settle().await;
    children.end(1, End::Panic);
    settle().await;
    assert_eq!(handle.count_children().restarts, 1);
    let refused = handle.start_child(2).unwrap_err();
    assert!(matches!(refused, StartError::MaxChildren { max_children: 1, item: 2 }), "{refused}");
    assert_eq!(workers_and_active(&handle), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn scenario_407_a_temporary_child_is_gone_however_it_ends() {
    for end in [End::Complete, End::Fail, End::Panic] {
        let children = Children::new();
        let handle = children.supervisor().restart(Restart::Temporary).into_handle();
        handle.start_child(1).unwrap();
        settle().await;
        children.end(1, end);
        settle().await;
        assert_eq!(workers_and_active(&handle), (0, 0), "{end:?}");
        assert_eq!(children.attempts(), [1], "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn scenario_409_a_permanent_child_is_restarted_however_it_ends() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Permanent).into_handle();
    for (number, end) in (1..).zip([End::Complete, End::Fail, End::Panic]) {
        let id = handle.start_child(number).unwrap();
        settle().await;
        children.end(number, end);
        settle().await;
        assert_eq!(workers_and_active(&handle), (number as usize, number as usize), "{end:?}");
        let last = handle.which_children().pop().unwrap();
        assert_eq!((last.id, last.state, last.restarts), (id, ChildState::Running, 1), "it keeps its name");
    }
    assert_eq!(children.attempts(), [1, 1, 2, 2, 3, 3], "with the items they had");
}

#[tokio::test(start_paused = true)]
async fn scenario_410_restarts_that_go_well_find_nothing_to_do_and_fail() {
    let children = Children::new();
    children.restart([Start::Live, Start::Live, Start::Ignore]);
    let handle = children
        .supervisor()
        .restart(Restart::Permanent)
        .max_restarts(1_000_000, SECOND)
        .backoff(Backoff::new(SECOND, 1.0))
        .into_handle();
    let expected = [(1, 1), (2, 2), (2, 2), (3, 2), (4, 2)];
    for (number, expected) in (1..).zip(expected) {
        handle.start_child(number).unwrap();
        settle().await;
        match number {
            4 => children.restart_always(Start::Fail),
            5 => children.restart_always(Start::Panic),
            _ => {}
        }
        children.end(number, End::Fail);
        sleep(SECOND + SECOND / 2).await;
        assert_eq!(workers_and_active(&handle), expected, "child {number}");
    }
    let states: Vec<_> = handle.which_children().iter().map(|child| child.state).collect();
    assert_eq!(
        states,
        [ChildState::Running, ChildState::Running, ChildState::Restarting, ChildState::Restarting,]
    );
}

#[tokio::test(start_paused = true)]
async fn scenario_412_each_restart_that_fails_counts() {
    for failing in [Start::Fail, Start::Panic] {
        let children = Children::new();
        children.restart_always(failing);
        let handle =
            children.supervisor().restart(Restart::Transient).max_restarts(1, 5 * SECOND).into_handle();
        handle.start_child(1).unwrap();
        settle().await;
        children.end(1, End::Panic);
        let report = handle.wait().await;
        assert!(matches!(report.end, SupervisorEnd::GaveUp(_)), "{}", report.end);
        assert_eq!(children.attempts(), [1, 1], "{failing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn scenario_413_restarts_of_one_second_count_when_there_is_no_time() {
    let children = Children::new();
    children.restart_always(Start::Fail);
    let handle =
        children.supervisor().restart(Restart::Transient).max_restarts(3, Duration::ZERO).into_handle();
    handle.start_child(1).unwrap();
    settle().await;
    children.end(1, End::Panic);
    let report = handle.wait().await;
    assert!(matches!(report.end, SupervisorEnd::GaveUp(_)), "{}", report.end);
    assert_eq!(children.attempts().len(), 1 + 3);
}

#[tokio::test(start_paused = true)]
async fn scenario_415_the_fourth_crash_within_five_seconds_is_one_too_many() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Transient).into_handle();
    handle.start_child(1).unwrap();
    for restarts in 1..=3 {
        sleep(SECOND).await;
        children.end(1, End::Panic);
        settle().await;
        assert_eq!(handle.which_children()[0].restarts, restarts);
    }
    sleep(SECOND).await;
    children.end(1, End::Panic);
    let report = handle.wait().await;
    let SupervisorEnd::GaveUp(given_up) = &report.end else { panic!("{}", report.end) };
    assert_eq!((given_up.max_restarts, given_up.within), (3, 5 * SECOND));
    assert_eq!(report.counts.restarts, 3);
}

#[tokio::test(start_paused = true)]
async fn scenario_416_each_rule_of_shutdown_stops_three() {
    let rules =
        [(Shutdown::Brutal, "aborted"), (Shutdown::Wait, "stopped"), (Shutdown::After(SECOND), "stopped")];
    for (rule, outcome) in rules {
        let children = Children::new();
        let handle = children.supervisor().shutdown_rule(rule).label_by(ToString::to_string).into_handle();
        for item in 1..=3 {
            handle.start_child(item).unwrap();
        }
        settle().await;
        let begin = Instant::now();
        let report = handle.shutdown().await;
        assert_eq!(stopped(&report), [1, 2, 3].map(|child| format!("{child}: {outcome}")), "{rule:?}");
        assert_eq!(begin.elapsed(), Duration::ZERO, "{rule:?}");
        assert_eq!(children.alive(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn scenario_418_who_does_not_end_in_time_is_aborted() {
    for time in [Duration::ZERO, Duration::from_millis(1)] {
        let children = Children::new();
        children.start(2, Start::Deaf);
        let handle = children
            .supervisor()
            .shutdown_rule(Shutdown::After(time))
            .label_by(ToString::to_string)
            .into_handle();
        for item in 1..=3 {
            handle.start_child(item).unwrap();
        }
        settle().await;
        let report = handle.shutdown().await;
        assert_eq!(stopped(&report), ["1: stopped", "2: aborted", "3: stopped"], "{time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn scenario_419_permanent_children_that_end_when_asked_are_not_restarted() {
    let children = Children::new();
    let supervisor = children.supervisor().restart(Restart::Permanent).shutdown_rule(Shutdown::Wait);
    let handle = supervisor.label_by(ToString::to_string).into_handle();
    for item in 1..=3 {
        handle.start_child(item).unwrap();
    }
    settle().await;
    let report = handle.shutdown().await;
    assert!(matches!(report.end, SupervisorEnd::ShutDown));
    assert_eq!(stopped(&report), ["1: stopped", "2: stopped", "3: stopped"]);
    assert_eq!((report.counts.stopped, report.counts.restarts), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn scenario_421_a_child_that_waits_to_be_restarted_can_be_terminated() {
    for backoff in [None, Some(Backoff::new(SECOND, 1.0))] {
        let children = Children::new();
        children.restart_always(Start::Fail);
        let mut supervisor =
            children.supervisor().restart(Restart::Permanent).max_restarts(1_000_000, SECOND);
        if let Some(backoff) = backoff {
            supervisor = supervisor.backoff(backoff);
        }
        let handle = supervisor.into_handle();
        let child = handle.start_child(1).unwrap();
        settle().await;
        children.end(1, End::Panic);
        settle().await;
        assert_eq!(handle.which_children()[0].state, ChildState::Restarting);
        assert!(matches!(handle.terminate_child(child).await, Ok(Outcome::NotRestarted)));
        assert!(handle.terminate_child(child).await.is_err());
        assert_eq!(workers_and_active(&handle), (0, 0));
        let attempts = children.attempts().len();
        sleep(10 * SECOND).await;
        assert_eq!(children.attempts().len(), attempts, "it is not tried again");
    }
}

#[tokio::test(start_paused = true)]
async fn scenario_422_a_supervisor_subscribes_to_stages() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    let (_source, log) = raw(&handle, 4, 1).await;
    assert_eq!(log.demands(), [4]);

    // One that has ended is told to who asked; the supervisor has not depended on it yet.
    for temporary in [true, false] {
        let ended = count(0).stage().spawn();
        ended.shutdown().await;
        let subscribe = ended.subscribe();
        let subscribe = if temporary { subscribe.temporary() } else { subscribe };
        let error = handle.subscribe_to(subscribe).await.unwrap_err();
        assert!(matches!(error, SubscribeError::Gone), "{error}");
        handle.start_child(1).unwrap();
    }
    settle().await;
    assert_eq!(workers_and_active(&handle), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn scenario_424_items_whose_start_goes_wrong_have_no_children() {
    let children = Children::new();
    children.start(1, Start::Panic);
    children.start(2, Start::Fail);
    let handle = children.supervisor().restart(Restart::Permanent).into_handle();
    let (source, _) = raw(&handle, 1000, 500).await;
    queue(&source, [1, 2, 1, 2]).await;
    settle().await;
    assert_eq!(workers_and_active(&handle), (0, 0));
    assert_eq!(handle.count_children().not_started, 4);
    queue(&source, [3]).await;
    settle().await;
    assert_eq!(workers_and_active(&handle), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn scenario_425_a_source_of_three_items_has_three_children() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    let source = gen_stage::stage::from_iter(1..=3u64).stage().spawn();
    handle.subscribe_to(source.subscribe()).await.unwrap();
    settle().await;
    assert_eq!(workers_and_active(&handle), (3, 3), "they live on when their producer has come to its end");
    for number in 1..=3 {
        children.end(number, End::Complete);
    }
    let report = handle.wait().await;
    assert!(matches!(report.end, SupervisorEnd::Producer(Reason::Normal)), "{}", report.end);
    assert_eq!(report.counts.completed, 3);
}

/// With `max_demand` 1, a first child that cannot be restarted, and two more items.
async fn restarting_for_ever() -> (Children, SupervisorHandle<u64>, ProducerHandle<u64, (), Say>, Log) {
    let children = Children::new();
    let handle = children
        .supervisor()
        .restart(Restart::Transient)
        .max_restarts(1_000_000, SECOND)
        .backoff(Backoff::new(SECOND, 1.0))
        .into_handle();
    let (source, log) = raw(&handle, 1, 0).await;
    queue(&source, [1]).await;
    settle().await;
    children.restart_always(Start::Fail);
    children.end(1, End::Panic);
    settle().await;
    queue(&source, [2, 3]).await;
    sleep(10 * SECOND).await;
    assert_eq!(workers_and_active(&handle), (1, 0));
    assert_eq!(children.peak(), 1);
    assert!(children.attempts().iter().all(|item| *item == 1), "nothing else starts");
    (children, handle, source, log)
}

#[tokio::test(start_paused = true)]
async fn scenario_427_a_child_that_cannot_be_restarted_keeps_its_place_until_it_is_terminated() {
    let (children, handle, _source, log) = restarting_for_ever().await;
    handle.terminate_child(handle.which_children()[0].id).await.unwrap();
    sleep(10 * SECOND).await;
    assert_eq!(workers_and_active(&handle), (1, 1));
    assert_eq!(children.attempts().last(), Some(&2));
    // The item that was there already has answered the second ask.
    assert_eq!((log.demands(), children.peak()), (vec![1], 1));
}

#[tokio::test(start_paused = true)]
async fn scenario_428_the_next_child_is_restarted_in_its_place() {
    let (children, handle, _source, log) = restarting_for_ever().await;
    handle.terminate_child(handle.which_children()[0].id).await.unwrap();
    children.restart_always(Start::Live);
    settle().await;
    children.end(2, End::Panic);
    sleep(10 * SECOND).await;
    assert_eq!(workers_and_active(&handle), (1, 1));
    assert_eq!(handle.which_children()[0].restarts, 1);
    assert_eq!(children.attempts()[children.attempts().len() - 2..], [2, 2]);
    assert_eq!((log.demands(), children.peak()), (vec![1], 1));
}

#[tokio::test(start_paused = true)]
async fn scenario_430_a_sixth_child_waits_when_three_may_run() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    let (source, log) = raw(&handle, 3, 2).await;
    queue(&source, [1, 2, 3]).await;
    settle().await;
    for number in 1..=2 {
        children.end(number, End::Complete);
        settle().await;
    }
    for item in 4..=6 {
        queue(&source, [item]).await;
        settle().await;
    }
    assert_eq!(workers_and_active(&handle), (3, 3));
    assert_eq!(children.attempts(), [1, 2, 3, 4, 5]);
    assert_eq!((log.demands(), children.peak()), (vec![3, 1, 1], 3));
}

#[tokio::test(start_paused = true)]
async fn scenario_431_half_an_answer_is_not_asked_for_again() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    let (source, log) = raw(&handle, 3, 0).await;
    queue(&source, [1, 2]).await;
    settle().await;
    assert_eq!(workers_and_active(&handle), (2, 2));
    assert_eq!(log.demands(), [3]);
}

/// What is asked for after the first ask, when children of a full subscription end one by one.
async fn asks_as_children_end(max: usize, min: usize, ends: u64) -> Vec<(u64, usize)> {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    let (source, log) = raw(&handle, max, min).await;
    queue(&source, 1..=max as u64).await;
    settle().await;
    let mut asks = Vec::new();
    for number in 1..=ends {
        let before = log.demands().len();
        children.end(number, End::Complete);
        settle().await;
        for asked in log.demands().drain(before..) {
            asks.push((number, asked));
            let next = handle.count_children().started + 1;
            queue(&source, next..next + asked as u64).await;
            settle().await;
        }
    }
    asks
}

#[tokio::test(start_paused = true)]
async fn scenario_433_more_is_asked_for_when_running_children_have_fallen_to_the_min() {
    assert_eq!(asks_as_children_end(4, 2, 4).await, [(2, 2), (4, 2)]);
    assert_eq!(asks_as_children_end(4, 3, 3).await, [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(asks_as_children_end(10, 8, 8).await, [(2, 2), (4, 2), (6, 2), (8, 2)]);
    assert_eq!(asks_as_children_end(4, 0, 8).await, [(4, 4), (8, 4)]);
}

#[tokio::test(start_paused = true)]
async fn scenario_434_starts_that_go_wrong_give_their_places_back_together() {
    let children = Children::new();
    for (item, how) in [(1, Start::Fail), (2, Start::Ignore), (4, Start::Fail)] {
        children.start(item, how);
    }
    let handle = children.supervisor().label_by(ToString::to_string).into_handle();
    let (source, log) = raw(&handle, 2, 0).await;
    let mut items = 1..=6;
    for asked in [2, 2, 1] {
        assert_eq!(log.demands().last(), Some(&asked));
        queue(&source, items.by_ref().take(asked)).await;
        settle().await;
    }
    assert_eq!(log.demands(), [2, 2, 1]);
    let running: Vec<_> = handle.which_children().into_iter().filter_map(|child| child.label).collect();
    assert_eq!(running.iter().map(|label| &**label).collect::<Vec<_>>(), ["3", "5"]);
}

#[tokio::test(start_paused = true)]
async fn scenario_436_a_restart_asks_for_nothing() {
    let children = Children::new();
    let handle = children.supervisor().restart(Restart::Transient).into_handle();
    let (source, log) = raw(&handle, 2, 0).await;
    queue(&source, [1, 2, 3]).await;
    settle().await;
    children.end(1, End::Fail);
    settle().await;
    assert_eq!(handle.count_children().restarts, 1);
    assert_eq!(workers_and_active(&handle), (2, 2));
    assert_eq!((log.demands(), children.peak()), (vec![2], 2));
}
