//! Events.

use super::SECOND;
use crate::support::children::{Children, End, Start};
use crate::support::settle;
use futures::stream::FusedStream;
use futures::{FutureExt, SinkExt, StreamExt};
use gen_stage::Backoff;
use gen_stage::supervisor::{DynamicSupervisor, Event, EventKind, Restart, Shutdown};
use std::panic::catch_unwind;
use tokio::time::sleep;
use tokio_test::assert_pending;

fn texts(events: &[Event]) -> Vec<String> {
    events.iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn events_tell_everything_in_order() {
    let children = Children::new();
    for (item, how) in [(2, Start::Ignore), (3, Start::Fail), (4, Start::Panic)] {
        children.start(item, how);
    }
    children.restart([Start::Fail, Start::Panic, Start::Live, Start::Ignore]);
    let handle = children
        .supervisor()
        .restart(Restart::Transient)
        .max_restarts(100, SECOND)
        .shutdown_rule(Shutdown::Brutal)
        .into_handle();
    let events = handle.events();
    for item in 1..=6 {
        let _ = handle.start_child(item);
    }
    settle().await;
    children.end(1, End::Fail);
    settle().await;
    children.end(1, End::Complete);
    settle().await;
    children.end(5, End::Panic);
    settle().await;
    handle.shutdown().await;
    let events: Vec<_> = events.collect().await;
    assert_eq!(
        texts(&events),
        [
            "child #1: started",
            "child #2: ignored",
            "child #3: not started: no start",
            "child #4: not started, panicked: bad start",
            "child #5: started",
            "child #6: started",
            "child #1: failed: broken",
            "child #1: not started: no start",
            "child #1: not started, panicked: bad start",
            "child #1: restarted (3)",
            "child #1: completed",
            "child #5: panicked: bad child",
            "child #5: ignored",
            "child #6: aborted",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn events_are_called_by_their_labels() {
    let children = Children::new();
    let handle = children.supervisor().label_by(|item| format!("job {item}")).into_handle();
    let events = handle.events();
    let child = handle.start_child(7).unwrap();
    handle.terminate_child(child).await.unwrap();
    handle.shutdown().await;
    let events: Vec<_> = events.collect().await;
    assert_eq!(texts(&events), ["job 7: started", "job 7: stopped"]);
    assert!(events.iter().all(|event| event.child == child && event.label.as_deref() == Some("job 7")));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_read_in_time_is_dropped_and_counted() {
    let children = Children::new();
    let handle = children.supervisor().shutdown_rule(Shutdown::Brutal).into_handle();
    let (mut few, all) = (handle.events_up_to(2), handle.events());
    for item in 1..=5 {
        handle.start_child(item).unwrap();
    }
    let event = few.next().await.unwrap();
    assert!(matches!(event.what, EventKind::Missed { events: 3 }), "{event}");
    assert_eq!(event.to_string(), "3 events missed");
    assert_eq!(few.next().await.unwrap().to_string(), "child #4: started");
    // Room for one again, and three more come.
    settle().await;
    handle.shutdown().await;
    let rest: Vec<_> = few.collect().await;
    assert_eq!(texts(&rest), ["4 events missed", "child #4: aborted", "child #5: aborted"]);
    assert_eq!(all.collect::<Vec<_>>().await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_is_woken_and_the_end_is_the_end_of_the_supervisor() {
    let children = Children::new();
    let mut supervisor = children.supervisor();
    let handle = supervisor.handle();
    let mut events = tokio_test::task::spawn(handle.events());
    assert_pending!(events.poll_next());
    supervisor.send(1).await.unwrap();
    assert!(events.is_woken());
    assert_eq!(events.next().await.unwrap().to_string(), "child #1: started");
    assert_pending!(events.poll_next());
    settle().await;
    children.end(1, End::Complete);
    settle().await;
    assert_eq!(events.next().await.unwrap().to_string(), "child #1: completed");
    assert_pending!(events.poll_next());
    assert!(!events.is_terminated());
    supervisor.close().await.unwrap();
    assert!(events.is_woken());
    assert!(events.next().await.is_none());
    assert!(events.is_terminated());
    assert!(matches!(events.next().now_or_never(), Some(None)));
}

#[tokio::test(start_paused = true)]
async fn events_of_an_ended_supervisor_are_none() {
    let handle = Children::new().supervisor().into_handle();
    handle.shutdown().await;
    assert_eq!(handle.events().count().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_sees_what_happens_from_when_it_began_and_one_that_is_dropped_keeps_nothing() {
    let children = Children::new();
    let handle = children.supervisor().into_handle();
    let first = handle.events_up_to(1);
    let gone = handle.events();
    handle.start_child(1).unwrap();
    let second = handle.events();
    drop(gone);
    let third = handle.events();
    handle.start_child(2).unwrap();
    settle().await;
    handle.shutdown().await;
    let counts = futures::join!(first.count(), second.count(), third.count());
    assert_eq!(counts, (1 + 1, 3, 3));
}

#[tokio::test(start_paused = true)]
async fn errors_are_dropped_with_the_readers_that_kept_them() {
    use std::sync::Arc;
    #[derive(Debug, thiserror::Error)]
    #[error("watched")]
    struct Watched(Arc<()>);
    let watched = Arc::new(());
    let error = watched.clone();
    let mut supervisor = DynamicSupervisor::new(move |_: u64| {
        let error = Watched(error.clone());
        async move { Err(error) }
    });
    let handle = supervisor.handle();
    let events = handle.events_up_to(4);
    for n in 0..100 {
        supervisor.send(n).await.unwrap();
        settle().await;
    }
    assert_eq!(Arc::strong_count(&watched), 2 + 2, "those of the last two of each two events");
    drop(events);
    assert_eq!(Arc::strong_count(&watched), 2);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_stopped_in_a_pause_is_told_to_be_not_restarted() {
    let children = Children::new();
    let handle =
        children.supervisor().restart(Restart::Transient).backoff(Backoff::new(SECOND, 1.0)).into_handle();
    let events = handle.events();
    handle.start_child(1).unwrap();
    settle().await;
    children.end(1, End::Fail);
    sleep(SECOND / 2).await;
    let report = handle.shutdown().await;
    assert_eq!((report.counts.not_restarted, report.counts.failed), (1, 0));
    let events: Vec<_> = events.collect().await;
    assert_eq!(texts(&events), ["child #1: started", "child #1: failed: broken", "child #1: not restarted"]);
}

#[tokio::test]
async fn a_capacity_of_0_is_refused() {
    let handle = Children::new().supervisor().into_handle();
    let caught = catch_unwind(std::panic::AssertUnwindSafe(|| handle.events_up_to(0))).unwrap_err();
    assert_eq!(caught.downcast_ref::<&str>(), Some(&"the capacity of events must be at least 1, given 0"));
}
