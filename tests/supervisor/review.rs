//! What supervisors keep and let go, and the code of users in places where nobody expects it.

use crate::support::Lines;
use futures::task::noop_waker;
use futures::{FutureExt, SinkExt, StreamExt};
use gen_stage::Backoff;
use gen_stage::prelude::*;
use gen_stage::stage::from_iter;
use gen_stage::supervisor::{
    Child, DynamicSupervisor, EventKind, Outcome, Restart, Shutdown, StartError, StreamSupervised,
    SupervisorEnd, SupervisorHandle,
};
use std::error::Error;
use std::fmt;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;

const HOUR: Duration = Duration::from_secs(3600);

/// Looks at the supervisor when it is shown.
#[derive(Debug, Clone)]
struct Curious(Arc<OnceLock<SupervisorHandle<u32>>>);

impl fmt::Display for Curious {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let started = self.0.get().map(|handle| handle.count_children().started);
        write!(f, "{} started", started.unwrap_or(0))
    }
}

impl Error for Curious {}

/// Panics when it is shown.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words for it")
    }
}

impl Error for Unspeakable {}

struct Counted(AtomicUsize);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_looks_at_the_supervisor_is_logged_when_it_gives_up() {
    let lines = Lines::listen();
    let looks = Arc::new(OnceLock::new());
    let error = Curious(Arc::clone(&looks));
    let mut supervisor = DynamicSupervisor::new(move |_: u32| {
        let error = error.clone();
        async move { Err::<(), _>(error) }
    })
    .restart(Restart::Transient)
    .max_restarts(0, Duration::from_secs(5));
    assert!(looks.set(supervisor.handle()).is_ok());
    supervisor.send(1).await.unwrap();
    let error = supervisor.close().await.unwrap_err();
    assert!(matches!(error.end(), SupervisorEnd::GaveUp(_)));
    assert_eq!(
        lines.all(),
        [
            "ERROR message=a supervisor gives up reason=child #1 failed: 1 started, and there may be 0 restarts within 5s",
            "ERROR message=a child failed child=#1 error=1 started",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_that_cannot_be_shown_takes_no_place_and_ends_nothing() {
    let _lines = Lines::listen();
    let mut supervisor = DynamicSupervisor::try_new(|n: u32, _: Child| {
        if n == 0 { Err(Unspeakable) } else { Ok(Some(async { Err::<(), _>(Unspeakable) })) }
    })
    .max_demand(1, 0);
    let handle = supervisor.handle();
    assert!(matches!(handle.start_child(0), Err(StartError::Failed(_))));
    for n in [0, 1, 0, 1] {
        supervisor.send(n).await.unwrap();
    }
    timeout(HOUR, supervisor.close()).await.expect("it ends").unwrap();
    let counts = handle.count_children();
    assert_eq!((counts.alive, counts.not_started, counts.started, counts.failed), (0, 3, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn children_that_fail_are_logged() {
    let lines = Lines::listen();
    let handle = DynamicSupervisor::new(|n: u32| async move {
        assert!(n < 2, "two");
        if n == 1 { Err("one") } else { Ok(()) }
    })
    .label_by(|n| format!("number {n}"))
    .into_handle();
    for n in 0..3 {
        handle.start_child(n).unwrap();
    }
    handle.drain(None).await;
    assert_eq!(
        lines.all(),
        [
            "ERROR message=a child failed child=#2 label=\"number 1\" error=one",
            "ERROR message=a child panicked child=#3 label=\"number 2\" panic=\"two\"",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stage_whose_reader_has_no_runtime_any_more_ends_the_supervisor() {
    let gone = Builder::new_current_thread().enable_all().build().unwrap();
    let handle = DynamicSupervisor::new(|_: u32| pending::<()>()).on(gone.handle().clone()).into_handle();
    gone.shutdown_background();
    let numbers = from_iter(1..=3).stage().spawn();
    handle.subscribe_to(numbers.subscribe()).await.unwrap();
    let report = timeout(HOUR, handle.wait()).await.expect("it ends");
    assert!(matches!(report.end, SupervisorEnd::Aborted));
}

#[tokio::test(start_paused = true)]
async fn a_stage_whose_reader_loses_its_runtime_ends_the_supervisor() {
    let lost = Builder::new_current_thread().enable_all().build().unwrap();
    let handle = DynamicSupervisor::new(|_: u32| pending::<()>()).on(lost.handle().clone()).into_handle();
    let numbers = from_iter(1..=3).stage().spawn();
    handle.subscribe_to(numbers.subscribe()).await.unwrap();
    lost.shutdown_background();
    let report = timeout(HOUR, handle.wait()).await.expect("it ends");
    assert!(matches!(report.end, SupervisorEnd::Aborted));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_the_end_no_more_are_forgotten() {
    let handle = DynamicSupervisor::new(|_: u32| pending::<()>()).into_handle();
    for _ in 0..1000 {
        let counted = Arc::new(Counted(AtomicUsize::new(0)));
        {
            let waker = Waker::from(Arc::clone(&counted));
            let mut wait = pin!(handle.wait());
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            assert!(Arc::strong_count(&counted) > 2);
        }
        assert_eq!(Arc::strong_count(&counted), 1);
    }
    let mut wait = pin!(handle.wait());
    assert!(wait.as_mut().poll(&mut Context::from_waker(&noop_waker())).is_pending());
    handle.abort();
    assert!(matches!(wait.await.end, SupervisorEnd::Aborted));
}

#[tokio::test(start_paused = true)]
async fn a_rule_of_an_hour_keeps_nothing_once_its_child_has_ended() {
    let handle = DynamicSupervisor::with_child(|_: u32, child: Child| async move { child.stopping().await })
        .shutdown_rule(Shutdown::After(HOUR))
        .restart(Restart::Transient)
        .into_handle();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let settle = || async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    };
    let before = tasks();
    let restarted = handle.start_child(0).unwrap();
    for n in 1..=10 {
        let child = handle.start_child(n).unwrap();
        handle.restart_child(restarted).await.unwrap();
        assert!(matches!(handle.terminate_child(child).await, Ok(Outcome::Stopped)));
    }
    settle().await;
    assert_eq!(tasks(), before + 1, "the child that lives");
    handle.shutdown().await;
    settle().await;
    assert_eq!(tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn those_that_look_at_nothing_are_aborted_each_in_its_time_beside_those_that_end_before() {
    let handle = DynamicSupervisor::with_child(|n: u64, child: Child| async move {
        if n % 2 == 0 {
            child.stopping().await;
        } else {
            pending::<()>().await;
        }
    })
    .shutdown_rule_by(|n| Shutdown::After(Duration::from_secs(*n)))
    .into_handle();
    for n in [5, 4, 1, 2, 3] {
        handle.start_child(n).unwrap();
    }
    let begin = tokio::time::Instant::now();
    let report = handle.shutdown().await;
    let order: Vec<_> = report.stopped.iter().map(|stopped| stopped.child.number()).collect();
    assert_eq!(order[2..], [3, 5, 1]);
    assert_eq!((report.counts.stopped, report.counts.aborted), (2, 3));
    assert_eq!(begin.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_pauses_and_is_restarted_by_request_is_restarted_once() {
    let handle = DynamicSupervisor::with_child(|_: u32, child: Child| async move {
        if child.restarts() == 0 {
            return Err("not yet");
        }
        pending().await
    })
    .restart(Restart::Transient)
    .backoff(Backoff::new(HOUR, 1.0).max_delay(HOUR))
    .into_handle();
    let mut events = handle.events();
    let child = handle.start_child(1).unwrap();
    while handle.count_children().restarting == 0 {
        tokio::task::yield_now().await;
    }
    handle.restart_child(child).await.unwrap();
    assert_eq!((handle.which_children()[0].restarts, handle.count_children().restarts), (1, 1));
    for wanted in ["started", "failed: not yet", "restarted (1)"] {
        assert_eq!(events.next().await.unwrap().to_string(), format!("child #1: {wanted}"));
    }
    handle.abort();
    assert!(matches!(events.next().await.unwrap().what, EventKind::Aborted));
    assert!(events.next().await.is_none());
}

#[test]
fn a_supervisor_first_used_outside_of_a_runtime_can_be_used_in_one() {
    let mut supervisor = DynamicSupervisor::new(|_: u32| async {});
    assert!(catch_unwind(AssertUnwindSafe(|| supervisor.handle())).is_err());
    let runtime = Builder::new_current_thread().build().unwrap();
    let counts = runtime.block_on(async {
        supervisor.send(1).await.unwrap();
        supervisor.close().await.unwrap();
        supervisor.handle().count_children()
    });
    assert_eq!(counts.completed, 1);
}

/// A handle that factories get at, which are made before it.
type Later = Arc<OnceLock<SupervisorHandle<u32>>>;

#[tokio::test(start_paused = true)]
async fn a_restart_that_is_asked_for_in_a_factory_does_not_ask_the_new_attempt_to_stop() {
    let later = Later::default();
    let seen = later.clone();
    let handle = DynamicSupervisor::with_child(move |_, child: Child| {
        if child.restarts() == 1 {
            drop(seen.get().unwrap().restart_child(child.id()));
        }
        let token = child.token();
        async move {
            if child.restarts() == 0 {
                return Err("not yet");
            }
            token.cancelled_owned().await;
            Ok(())
        }
    })
    .restart(Restart::Transient)
    .into_handle();
    assert!(later.set(handle.clone()).is_ok());
    let child = handle.start_child(1).unwrap();
    tokio::time::sleep(HOUR).await;
    let children = handle.which_children();
    assert_eq!((children.len(), children[0].restarts, handle.count_children().completed), (1, 1, 0));
    assert!(matches!(handle.terminate_child(child).await, Ok(Outcome::Stopped)));
    handle.abort();
}

#[tokio::test(start_paused = true)]
async fn the_rule_of_an_item_undoes_that_of_others_unless_all_are_aborted() {
    for (aborted, expected) in [(false, (1, 0)), (true, (0, 1))] {
        let later = Later::default();
        let seen = later.clone();
        let handle = DynamicSupervisor::with_child(|_: u32, child: Child| async move {
            child.stopping().await;
            tokio::time::sleep(HOUR).await;
        })
        .shutdown_rule(Shutdown::Brutal)
        .shutdown_rule_by(move |_| {
            let handle = seen.get().unwrap();
            drop(handle.shutdown());
            if aborted {
                handle.abort();
            }
            Shutdown::Wait
        })
        .into_handle();
        assert!(later.set(handle.clone()).is_ok());
        handle.start_child(1).unwrap();
        let counts = timeout(2 * HOUR, handle.wait()).await.unwrap().counts;
        assert_eq!((counts.stopped, counts.aborted), expected, "aborted: {aborted}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_places_taken_are_noticed_though_nobody_polls_the_sink() {
    let mut supervisor =
        DynamicSupervisor::try_new(
            |n: u32, _: Child| {
                if n == 0 { Err("no") } else { Ok(Some(pending::<()>())) }
            },
        )
        .shutdown_rule(Shutdown::Brutal)
        .max_demand(3, 1);
    let handle = supervisor.handle();
    // One that could not be started takes no place, so that there never were three children.
    for n in [1, 1, 0] {
        supervisor.send(n).await.unwrap();
    }
    assert!(supervisor.send(1).now_or_never().is_some());
    let children = handle.which_children();
    assert_eq!(children.len(), 3);
    handle.terminate_child(children[0].id).await.unwrap();
    assert!(supervisor.send(1).now_or_never().is_none(), "two run");
    handle.terminate_child(children[1].id).await.unwrap();
    assert!(supervisor.send(1).now_or_never().is_some());
    assert_eq!(handle.count_children().alive, 2);
    handle.abort();
}

#[test]
fn in_a_runtime_without_timers_who_looks_at_nothing_is_aborted_at_once() {
    let without_timers = Builder::new_current_thread().build().unwrap();
    let report = without_timers.block_on(async {
        let handle = DynamicSupervisor::new(|_: u32| pending::<()>()).into_handle();
        let first = handle.start_child(1).unwrap();
        handle.start_child(2).unwrap();
        assert!(matches!(handle.terminate_child(first).await, Ok(Outcome::Aborted)));
        handle.shutdown().await
    });
    assert_eq!((report.counts.aborted, report.stopped.len()), (2, 1));
}

#[tokio::test]
async fn handles_that_were_downgraded_keep_nothing_and_hand_the_item_back_in_the_end() {
    let kept = Arc::new(());
    let captured = Arc::clone(&kept);
    let owning = DynamicSupervisor::new(move |_: u32| {
        let captured = Arc::clone(&captured);
        async move {
            pending::<()>().await;
            drop(captured);
        }
    })
    .into_handle();
    let weak = owning.downgrade();
    owning.start_child(1).unwrap();
    weak.clone().start_child(2).unwrap();
    drop(owning);
    let report = weak.wait().await;
    assert_eq!(report.counts.aborted, 2);
    assert!(matches!(report.end, SupervisorEnd::Aborted));
    // The last of its tasks may not be dropped yet.
    while Arc::strong_count(&kept) > 1 {
        tokio::task::yield_now().await;
    }
    let refused = weak.start_child(3).unwrap_err();
    assert!(matches!(refused, StartError::Ended { end: SupervisorEnd::Aborted, item: 3 }), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_child_runs_in_a_span_of_its_own_in_all_its_attempts() {
    let lines = Lines::listen();
    let within = lines.within();
    let (seen, attempts) = tokio::sync::mpsc::unbounded_channel();
    let mut supervisor = DynamicSupervisor::with_child(move |name: &'static str, child: Child| {
        let (within, seen) = (within.clone(), seen.clone());
        async move {
            seen.send(within()).unwrap();
            tokio::task::yield_now().await;
            seen.send(within()).unwrap();
            if name == "a" && child.restarts() == 0 { Err("once more") } else { Ok(()) }
        }
    })
    .restart(Restart::Transient)
    .label_by(|name| (*name).to_owned());
    supervisor.send("a").await.unwrap();
    supervisor.close().await.unwrap();
    drop(supervisor);
    let attempts: Vec<_> = tokio_stream::wrappers::UnboundedReceiverStream::new(attempts).collect().await;
    assert_eq!(attempts, vec![["DEBUG child child=#1 label=\"a\""]; 4]);
    assert!(lines.within()().is_empty());
}

#[tokio::test]
async fn a_task_of_an_item_runs_in_a_span() {
    let lines = Lines::listen();
    let within = lines.within();
    let tasks = futures::stream::iter(0..3).supervised(2, move |_: u32| {
        let within = within.clone();
        async move { within() }
    });
    for (_, spans) in tasks.collect::<Vec<_>>().await {
        assert_eq!(spans.unwrap(), ["DEBUG task"]);
    }
}
