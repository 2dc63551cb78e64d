//! Supervisors that read stages.

use super::SECOND;
use crate::support::children::{Children, End, Start};
use crate::support::stages::{Log, Say, adds_up, count, queue, silent};
use crate::support::{Live, Lives, settle};
use futures::SinkExt;
use gen_stage::prelude::*;
use gen_stage::stage::{CancelMode, ProducerHandle, Reason, SubscribeError, from_iter};
use gen_stage::supervisor::{DynamicSupervisor, Restart, Shutdown, SupervisorEnd, SupervisorHandle};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready, assert_ready_ok};

fn quiet() -> (ProducerHandle<u64, (), Say>, Log) {
    let source = silent();
    let log = source.log();
    (source.stage().label("source").spawn(), log)
}

#[tokio::test(start_paused = true)]
async fn each_stage_has_places_of_its_own() {
    let children = Children::new();
    let mut supervisor = children.supervisor().max_demand(1, 0).max_children(1);
    let handle = supervisor.handle();
    let (first, second) = (count(100), count(200));
    let logs = [first.log(), second.log()];
    let (first, second) = (first.stage().spawn(), second.stage().spawn());
    handle.subscribe_to(first.subscribe().demand(2, 1)).await.unwrap();
    handle.subscribe_to(second.subscribe().demand(3, 0)).await.unwrap();
    supervisor.send(1).await.unwrap();
    handle.start_child(2).unwrap();
    settle().await;
    assert_eq!((children.alive(), handle.count_children().active), (2 + 3 + 1 + 1, 7));
    assert_eq!(logs.each_ref().map(Log::demands), [vec![2], vec![3]]);
    let mut started = children.attempts();
    started.sort();
    assert_eq!(started, [1, 2, 100, 101, 200, 201, 202]);

    // Children of a stage that end make room for its items only.
    let of = |item: u64| 1 + children.attempts().iter().position(|started| *started == item).unwrap() as u64;
    children.end(of(200), End::Complete);
    children.end(of(201), End::Fail);
    settle().await;
    assert_eq!(logs.each_ref().map(Log::demands), [vec![2], vec![3]]);
    children.end(of(100), End::Panic);
    settle().await;
    assert_eq!(logs.each_ref().map(Log::demands), [vec![2, 1], vec![3]]);
    children.end(of(202), End::Complete);
    settle().await;
    assert_eq!(logs.each_ref().map(Log::demands), [vec![2, 1], vec![3, 3]]);
    assert!(handle.start_child(3).is_err());
    assert_eq!(children.alive(), 7);
}

#[tokio::test(start_paused = true)]
async fn never_more_children_of_a_stage_than_its_max_demand_run() {
    for (max, min) in [(1, 0), (2, 1), (3, 0), (10, 5), (100, 99)] {
        let lives = Lives::new();
        let alive = lives.clone();
        let handle = DynamicSupervisor::new(move |n: u64| {
            let life = Live::new(n, &alive);
            async move {
                sleep(Duration::from_millis(n % 7)).await;
                drop(life);
            }
        })
        .into_handle();
        let numbers = from_iter(0..2000u64).stage().spawn();
        handle.subscribe_to(numbers.subscribe().demand(max, min)).await.unwrap();
        let report = handle.wait().await;
        assert_eq!(report.counts.completed, 2000);
        assert!(lives.peak() <= max, "{} of {max}", lives.peak());
        assert_eq!(lives.now(), 0);
        adds_up(numbers.counts(), "numbers");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_sends_more_than_asked_has_all_its_items_started() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    let (source, _) = quiet();
    handle.subscribe_to(source.subscribe().demand(2, 0)).await.unwrap();
    queue(&source, 0..10).await;
    settle().await;
    assert_eq!(children.alive(), 2, "what was not asked for waits in the buffer of the stage");
    for number in 1..=10 {
        children.end(number, End::Complete);
        settle().await;
    }
    assert_eq!((handle.count_children().completed, children.peak()), (10, 2));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Normal,
    Shutdown,
    Fails,
    Panics,
    Aborted,
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_producer_ends_the_supervisor_by_the_cancel_mode() {
    use How::{Aborted, Fails, Normal, Panics, Shutdown};
    for mode in [CancelMode::Permanent, CancelMode::Transient, CancelMode::Temporary] {
        for how in [Normal, Shutdown, Fails, Panics, Aborted] {
            let clean = matches!(how, Normal | Shutdown);
            let ends = match mode {
                CancelMode::Permanent => true,
                CancelMode::Transient => !clean,
                CancelMode::Temporary => false,
            };
            let children = Children::new();
            let mut supervisor = children.supervisor();
            let handle = supervisor.handle();
            let (source, _) = quiet();
            handle.subscribe_to(source.subscribe().cancel(mode)).await.unwrap();
            queue(&source, [1]).await;
            supervisor.send(2).await.unwrap();
            settle().await;
            match how {
                Normal => assert!(source.try_cast(Say::Finish(vec![])).is_ok()),
                Shutdown => drop(source.shutdown()),
                Fails => assert!(source.try_cast(Say::Fail("no more")).is_ok()),
                Panics => assert!(source.try_cast(Say::Panic("no more")).is_ok()),
                Aborted => source.abort(),
            }
            settle().await;
            let case = format!("{mode:?}, {how:?}");
            if !ends {
                assert_eq!(children.alive(), 2, "{case}");
                supervisor.send(3).await.unwrap();
                settle().await;
                for number in 1..=3 {
                    children.end(number, End::Complete);
                }
                supervisor.close().await.unwrap();
                assert!(matches!(handle.wait().await.end, SupervisorEnd::Closed), "{case}");
                continue;
            }
            assert_eq!(handle.start_child(4).unwrap_err().into_item(), Some(4), "{case}");
            if clean {
                assert_eq!(children.alive(), 2, "{case}: children come to their ends");
                children.end(1, End::Complete);
                children.end(2, End::Complete);
            }
            let report = handle.wait().await;
            assert_eq!((children.alive(), report.stopped.len()), (0, 2), "{case}");
            let SupervisorEnd::Producer(reason) = &report.end else { panic!("{case}: {}", report.end) };
            let expected = match how {
                Normal => "normal",
                Shutdown => "shutdown",
                Fails => "the producer `source` failed: no more",
                Panics => "the producer `source` panicked: no more",
                Aborted => "aborted",
            };
            assert_eq!(reason.to_string(), expected, "{case}");
            assert_eq!(report.end.is_clean(), clean, "{case}");
            assert_eq!(supervisor.close().await.is_ok(), clean, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn children_of_a_stage_that_is_not_read_any_more_live_on() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    for round in 0..5 {
        let (source, _) = quiet();
        handle.subscribe_to(source.subscribe().demand(2, 0).temporary()).await.unwrap();
        queue(&source, [1, 2]).await;
        settle().await;
        source.shutdown().await;
        settle().await;
        assert_eq!(children.alive(), 2 * (round + 1));
    }
    for number in 1..=10 {
        children.end(number, End::Complete);
    }
    settle().await;
    assert_eq!((handle.count_children().completed, handle.count_children().alive), (10, 0));
    // And its place is one for another.
    let (source, log) = quiet();
    handle.subscribe_to(source.subscribe().demand(2, 0)).await.unwrap();
    settle().await;
    assert_eq!(log.demands(), [2]);
}

#[tokio::test(start_paused = true)]
async fn closing_the_sink_waits_for_stages() {
    let children = Children::new();
    let mut supervisor = children.supervisor();
    let handle = supervisor.handle();
    let (source, _) = quiet();
    handle.subscribe_to(source.subscribe().temporary()).await.unwrap();
    supervisor.send(1).await.unwrap();
    settle().await;
    let mut closing = tokio_test::task::spawn(supervisor.close());
    assert_pending!(closing.poll());
    children.end(1, End::Complete);
    settle().await;
    assert_pending!(closing.poll());
    queue(&source, [2]).await;
    settle().await;
    assert_eq!(children.alive(), 1, "it is read on");
    source.shutdown().await;
    settle().await;
    assert_pending!(closing.poll());
    children.end(2, End::Complete);
    settle().await;
    assert_ready_ok!(closing.poll());
    assert!(matches!(handle.wait().await.end, SupervisorEnd::Closed));
}

#[tokio::test(start_paused = true)]
async fn an_ended_supervisor_does_not_subscribe() {
    let handle = Children::new().supervisor().into_handle();
    handle.shutdown().await;
    let numbers = from_iter(0..10u64).stage().spawn();
    let error = handle.subscribe_to(numbers.subscribe()).await.unwrap_err();
    assert!(matches!(error, SubscribeError::ConsumerGone), "{error}");
    assert_eq!(numbers.counts().emitted, 0);
}

#[tokio::test(start_paused = true)]
async fn subscribing_while_it_shuts_down_leaves_nothing_behind() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    let numbers = from_iter(0..10u64).stage().spawn();
    let mut subscribing = tokio_test::task::spawn(handle.subscribe_to(numbers.subscribe()));
    assert_pending!(subscribing.poll());
    let mut shutting_down = tokio_test::task::spawn(handle.shutdown());
    assert_ready!(shutting_down.poll());
    settle().await;
    let _ = assert_ready!(subscribing.poll());
    settle().await;
    assert_eq!((children.attempts(), handle.count_children().refused), (vec![], 0));
    assert!(matches!(handle.wait().await.end, SupervisorEnd::ShutDown));
}

#[tokio::test(start_paused = true)]
async fn items_that_have_come_when_it_takes_no_more_are_counted() {
    let handle: Arc<OnceLock<SupervisorHandle<u64>>> = Arc::default();
    let seen = handle.clone();
    let supervisor = DynamicSupervisor::new(move |n: u64| {
        if n == 1 {
            drop(seen.get().unwrap().shutdown());
        }
        std::future::pending::<()>()
    })
    .shutdown_rule(Shutdown::Brutal);
    handle.set(supervisor.into_handle()).ok().unwrap();
    let handle = handle.get().unwrap();
    let numbers = from_iter(0..5u64).stage().spawn();
    handle.subscribe_to(numbers.subscribe().demand(5, 0)).await.unwrap();
    let report = handle.wait().await;
    assert_eq!((report.counts.started, report.counts.aborted, report.counts.refused), (2, 2, 3));
    assert_eq!(numbers.counts().taken, 5);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_when_it_is_shut_down_while_it_reads_stages() {
    for turns in 0..60 {
        for abort in [false, true] {
            let lives = Lives::new();
            let alive = lives.clone();
            let handle = DynamicSupervisor::new(move |n: u64| {
                let life = Live::new(n, &alive);
                async move {
                    for _ in 0..n % 4 {
                        tokio::task::yield_now().await;
                    }
                    drop(life);
                }
            })
            .shutdown_rule(Shutdown::Brutal)
            .into_handle();
            let sources = [from_iter(0..).stage().spawn(), from_iter(0..).stage().spawn()];
            for source in &sources {
                handle.subscribe_to(source.subscribe().demand(7, 3)).await.unwrap();
            }
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            if abort {
                handle.abort();
            }
            let report = handle.shutdown().await;
            settle().await;
            assert_eq!(lives.now(), 0);
            let counts = sources.each_ref().map(gen_stage::stage::ProducerHandle::counts);
            for source in sources {
                source.shutdown().await;
            }
            let sum = |of: fn(&gen_stage::stage::Counts) -> u64| counts.iter().map(of).sum::<u64>();
            let case = format!("{turns} turns: {:?}, {counts:?}", report.counts);
            assert_eq!(sum(|counts| counts.sent), sum(|counts| counts.taken + counts.undelivered), "{case}");
            assert_eq!(sum(|counts| counts.taken), report.counts.started + report.counts.refused, "{case}");
            let ended = report.counts.completed + report.counts.stopped + report.counts.aborted;
            assert_eq!((report.counts.started, report.counts.alive), (ended, 0), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_gives_up_tells_its_producers() {
    let children = Children::new();
    children.restart_always(Start::Fail);
    let handle = children.supervisor().restart(Restart::Transient).max_restarts(1, SECOND).into_handle();
    let (source, log) = quiet();
    handle.subscribe_to(source.subscribe()).await.unwrap();
    queue(&source, [1, 2]).await;
    settle().await;
    children.end(1, End::Fail);
    let report = handle.wait().await;
    assert!(matches!(report.end, SupervisorEnd::GaveUp(_)));
    assert_eq!((report.counts.stopped, report.counts.failed), (1, 1));
    settle().await;
    assert_eq!(log.left().len(), 1);
    assert!(source.status().await.unwrap().consumers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_producer_lives_on_when_the_supervisor_has_ended_and_another_one_reads_it() {
    let (source, _) = quiet();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let children = Children::new();
        let handle = children.supervisor().into_handle();
        handle.subscribe_to(source.subscribe().demand(2, 0)).await.unwrap();
        queue(&source, [1, 2, 3]).await;
        settle().await;
        handle.shutdown().await;
        settle().await;
        seen.extend(children.attempts());
    }
    // Each takes two of what is there, and leaves the rest.
    assert_eq!(seen, [1, 2, 3, 1, 2, 3]);
    assert!(matches!(source.shutdown().await, Reason::Shutdown));
}
