//! Items, functions and children that do what they should not.

use super::SECOND;
use crate::support::{Alive, settle};
use futures::{SinkExt, StreamExt};
use gen_stage::supervisor::{
    Child, DynamicSupervisor, Outcome, Restart, Shutdown, StartError, SupervisorEnd, SupervisorHandle,
};
use std::fmt;
use std::future::{pending, ready};
use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::time::sleep;

/// Panics at the clone that brings its count to zero.
#[derive(Debug)]
struct Clones(Arc<AtomicUsize>);

impl Clone for Clones {
    fn clone(&self) -> Self {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            panic_any("clone");
        }
        Self(self.0.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_any_function_of_the_item_fails_its_start_only() {
    let fail = |at: &'static str| {
        move |n: &u64| {
            if *n == 7 {
                panic_any(at);
            }
        }
    };
    let supervisors: [(&str, SupervisorHandle<u64>); 3] = [
        ("factory", {
            let fail = fail("factory");
            DynamicSupervisor::new(move |n| {
                fail(&n);
                ready(())
            })
            .into_handle()
        }),
        ("label", {
            let fail = fail("label");
            DynamicSupervisor::new(|_| ready(()))
                .label_by(move |n| {
                    fail(n);
                    String::new()
                })
                .into_handle()
        }),
        ("rule", {
            let fail = fail("rule");
            DynamicSupervisor::new(|_| ready(()))
                .shutdown_rule_by(move |n| {
                    fail(n);
                    Shutdown::Brutal
                })
                .into_handle()
        }),
    ];
    for (place, handle) in supervisors {
        let error = handle.start_child(7).unwrap_err();
        assert_eq!(error.to_string(), format!("starting the child panicked: {place}"));
        assert!(handle.start_child(8).is_ok());
        let report = handle.drain(None).await;
        assert_eq!((report.counts.not_started, report.counts.completed), (1, 1), "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_clone_of_an_item_fails_the_start_it_is_for() {
    let handle = DynamicSupervisor::new(|_: Clones| ready(Err("broken")))
        .restart(Restart::Transient)
        .max_restarts(3, SECOND)
        .into_handle();
    let error = handle.start_child(Clones(Arc::new(AtomicUsize::new(1)))).unwrap_err();
    assert!(matches!(error, StartError::Panicked(panic) if panic.message() == "clone"));
    // The third is for the second restart, which is tried again as any that fails.
    let events = handle.events();
    handle.start_child(Clones(Arc::new(AtomicUsize::new(3)))).unwrap();
    let SupervisorEnd::GaveUp(given_up) = handle.wait().await.end else { panic!("it did not give up") };
    assert_eq!(given_up.outcome.to_string(), "failed: broken");
    let events: Vec<_> = events.map(|event| event.to_string()).collect().await;
    let what = [
        "started",
        "failed: broken",
        "restarted (1)",
        "failed: broken",
        "not started, panicked: clone",
        "restarted (3)",
        "failed: broken",
        "given up",
    ];
    assert_eq!(events, what.map(|what| format!("child #2: {what}")));
}

/// An error that does something when it is dropped.
struct Mine(Arc<dyn Fn() + Send + Sync>);

impl Drop for Mine {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl fmt::Debug for Mine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mine")
    }
}

impl fmt::Display for Mine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mine")
    }
}

impl std::error::Error for Mine {}

#[tokio::test(start_paused = true)]
async fn errors_that_use_the_handle_in_their_drop_do_not_deadlock() {
    let handle: Arc<OnceLock<SupervisorHandle<u64>>> = Arc::default();
    let drops = Arc::new(AtomicUsize::new(0));
    let (seen, counted) = (handle.clone(), drops.clone());
    let on_drop: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        if let Some(handle) = seen.get() {
            let _ = handle.count_children();
            let _ = handle.which_children();
        }
    });
    let error = on_drop.clone();
    // 0: the factory fails; 1: the child fails; 2: it fails, and its restart does.
    let mut supervisor = DynamicSupervisor::try_new(move |n: u64, child: Child| {
        let error = Mine(error.clone());
        match (n, child.restarts()) {
            (0, _) | (2, 1..) => Err(error),
            _ => Ok(Some(async move { Err::<(), _>(error) })),
        }
    })
    .restart(Restart::Transient)
    .max_restarts(20, SECOND)
    .max_demand(1, 0);
    handle.set(supervisor.handle()).ok().unwrap();
    let handle = handle.get().unwrap();
    let slow = handle.events_up_to(1);
    let waiting = handle.wait();
    supervisor.send(0).await.unwrap();
    assert!(handle.start_child(0).is_err());
    supervisor.send(2).await.unwrap();
    let child = handle.start_child(1).unwrap();
    let outcome = handle.wait_child(child);
    let error = supervisor.close().await.unwrap_err();
    assert!(matches!(error.end(), SupervisorEnd::GaveUp(_)));
    drop((error, outcome.await.ok(), waiting.await, slow, supervisor));
    assert!(drops.load(Ordering::SeqCst) > 20);
}

#[tokio::test(start_paused = true)]
async fn errors_that_panic_in_their_drop_harm_nobody_else() {
    let handle = DynamicSupervisor::new(|n: u64| async move {
        if n > 0 {
            return Ok(());
        }
        Err(Mine(Arc::new(|| {
            if !std::thread::panicking() {
                panic_any("drop of the error")
            }
        })))
    })
    .into_handle();
    handle.start_child(0).unwrap();
    settle().await;
    handle.start_child(1).unwrap();
    let report = handle.drain(None).await;
    assert_eq!((report.counts.completed, report.counts.alive), (1, 0));
    assert_eq!(report.counts.failed + report.counts.panicked, 1);
}

/// A supervisor whose children get its handle.
fn with_handle<Fut: Future<Output = ()> + Send + 'static>(
    child: impl Fn(u64, Child, SupervisorHandle<u64>) -> Fut + Send + Sync + 'static,
) -> DynamicSupervisor<u64, impl gen_stage::supervisor::ChildSpec<u64>> {
    let handle: Arc<OnceLock<SupervisorHandle<u64>>> = Arc::default();
    let seen = handle.clone();
    let mut supervisor = DynamicSupervisor::with_child(move |n, of: Child| {
        child(n, of, seen.get().expect("it was set").clone())
    })
    .shutdown_rule(Shutdown::After(SECOND));
    handle.set(supervisor.handle()).unwrap_or_else(|_| panic!("it was set twice"));
    supervisor
}

#[tokio::test(start_paused = true)]
async fn children_may_start_children() {
    let mut supervisor = with_handle(|n, _, handle| async move {
        for child in 0..n {
            handle.start_child(child).unwrap();
        }
    });
    let handle = supervisor.handle();
    supervisor.send(10).await.unwrap();
    supervisor.close().await.unwrap();
    assert_eq!(handle.count_children().completed, 1024);
}

#[tokio::test(start_paused = true)]
async fn factories_may_use_the_handle() {
    let mut supervisor = with_handle(|n, child, handle| {
        assert!(handle.which_children().iter().any(|info| info.id == child.id()));
        if n > 0 {
            handle.start_child(n - 1).unwrap();
        }
        ready(())
    });
    let handle = supervisor.handle();
    supervisor.send(10).await.unwrap();
    supervisor.close().await.unwrap();
    assert_eq!(handle.count_children().completed, 11);
}

#[tokio::test(start_paused = true)]
async fn a_child_may_terminate_itself() {
    for awaited in [false, true] {
        let alive = Arc::new(AtomicUsize::new(0));
        let counted = alive.clone();
        let mut supervisor = with_handle(move |_, child, handle| {
            let alive = Alive::new(&counted);
            async move {
                let terminating = handle.terminate_child(child.id());
                if awaited {
                    // It waits for its own end, until its time is over.
                    let _ = terminating.await;
                } else {
                    drop(terminating);
                    child.stopping().await;
                }
                drop(alive);
            }
        });
        let handle = supervisor.handle();
        let child = handle.start_child(1).unwrap();
        let outcome = handle.wait_child(child).await.unwrap();
        assert_eq!(outcome.is_clean(), !awaited);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        supervisor.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_factory_may_terminate_its_child() {
    for rule in [Shutdown::Brutal, Shutdown::After(SECOND), Shutdown::After(Duration::ZERO)] {
        let handle: Arc<OnceLock<SupervisorHandle<u64>>> = Arc::default();
        let seen = handle.clone();
        let polled = Arc::new(AtomicUsize::new(0));
        let counted = polled.clone();
        let mut supervisor = DynamicSupervisor::with_child(move |_, child: Child| {
            drop(seen.get().unwrap().terminate_child(child.id()));
            let polled = counted.clone();
            async move {
                polled.fetch_add(1, Ordering::SeqCst);
                pending::<()>().await;
            }
        })
        .shutdown_rule(rule);
        handle.set(supervisor.handle()).ok().unwrap();
        let handle = handle.get().unwrap();
        let child = handle.start_child(1).unwrap();
        let outcome = handle.wait_child(child).await;
        assert!(matches!(outcome, Ok(Outcome::Aborted)), "{rule:?}: {outcome:?}");
        assert_eq!(polled.load(Ordering::SeqCst), usize::from(rule == Shutdown::After(SECOND)), "{rule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_or_its_factory_may_shut_the_supervisor_down() {
    for in_factory in [true, false] {
        let mut supervisor = with_handle(move |n, child, handle| {
            if in_factory && n == 1 {
                drop(handle.shutdown());
            }
            async move {
                if n == 1 {
                    drop(handle.shutdown());
                }
                child.stopping().await;
            }
        });
        let handle = supervisor.handle();
        supervisor.send(0).await.unwrap();
        supervisor.send(1).await.unwrap();
        let report = handle.wait().await;
        assert!(matches!(report.end, SupervisorEnd::ShutDown));
        assert_eq!((report.counts.stopped, report.stopped.len()), (2, 2));
        let error = supervisor.send(2).await.unwrap_err();
        assert!(matches!(error.end(), SupervisorEnd::ShutDown));
    }
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_shuts_down_and_then_fails_is_not_in_the_report() {
    let handle: Arc<OnceLock<SupervisorHandle<u64>>> = Arc::default();
    let seen = handle.clone();
    let mut supervisor = DynamicSupervisor::try_new(move |_: u64, _: Child| {
        drop(seen.get().unwrap().shutdown());
        Err::<Option<std::future::Ready<()>>, _>("no")
    });
    handle.set(supervisor.handle()).ok().unwrap();
    let handle = handle.get().unwrap();
    assert!(handle.start_child(1).is_err());
    let report = handle.wait().await;
    assert_eq!((report.counts.started, report.counts.not_started, report.stopped.len()), (0, 1, 0));
}

#[test]
fn a_factory_that_takes_longer_than_its_child_may_is_followed_by_the_abort() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (entered, go_on) = (Arc::new(std::sync::Barrier::new(2)), Arc::new(std::sync::Barrier::new(2)));
    let (inside, leaving) = (entered.clone(), go_on.clone());
    let handle = DynamicSupervisor::new(move |_: u64| {
        inside.wait();
        leaving.wait();
        pending::<()>()
    })
    .on(runtime.handle().clone())
    .shutdown_rule(Shutdown::After(Duration::ZERO))
    .into_handle();
    let starting = {
        let handle = handle.clone();
        std::thread::spawn(move || handle.start_child(1).map(drop).map_err(drop))
    };
    entered.wait();
    let shutting_down = handle.shutdown();
    // Its time is over, and there is nothing to abort yet.
    runtime.block_on(async { sleep(SECOND).await });
    go_on.wait();
    starting.join().unwrap().unwrap();
    let report = runtime.block_on(async { tokio::time::timeout(60 * SECOND, shutting_down).await });
    assert_eq!(report.expect("it ends").counts.aborted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_drop_uses_the_handle_does_not_deadlock() {
    struct Uses(SupervisorHandle<u64>);
    impl Drop for Uses {
        fn drop(&mut self) {
            let _ = self.0.start_child(1);
            let _ = self.0.count_children();
            drop(self.0.shutdown());
        }
    }
    for dropped in [true, false] {
        let mut supervisor = with_handle(|_, _, handle| {
            let uses = Uses(handle);
            async move {
                pending::<()>().await;
                drop(uses);
            }
        });
        let handle = supervisor.handle();
        supervisor.send(1).await.unwrap();
        settle().await;
        if dropped {
            drop(supervisor);
        } else {
            handle.abort();
        }
        let report = handle.wait().await;
        assert_eq!(report.counts.aborted, report.counts.started);
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_inside_of_a_child_goes_with_it() {
    let owner: Arc<Mutex<Option<SupervisorHandle<u64>>>> = Arc::default();
    let seen = owner.clone();
    let handle = DynamicSupervisor::new(move |_: u64| {
        let owner = seen.lock().unwrap().take();
        async move {
            pending::<()>().await;
            drop(owner);
        }
    })
    .shutdown_rule(Shutdown::Brutal)
    .into_handle();
    *owner.lock().unwrap() = Some(handle.clone());
    let (waiting, child) = (handle.wait(), handle.start_child(1).unwrap());
    handle.start_child(2).unwrap();
    let terminating = handle.terminate_child(child);
    drop(handle);
    assert!(terminating.await.is_ok());
    let report = waiting.await;
    assert!(matches!(report.end, SupervisorEnd::Aborted));
    assert_eq!(report.counts.aborted, 2);
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_is_asked_for_while_a_child_is_restarted_is_that_one() {
    let handle: Arc<OnceLock<SupervisorHandle<u64>>> = Arc::default();
    let (seen, asked) = (handle.clone(), Arc::new(Mutex::new(None)));
    let asks = asked.clone();
    let mut supervisor = DynamicSupervisor::with_child(move |_, child: Child| {
        if child.restarts() == 1 {
            *asks.lock().unwrap() = Some(seen.get().unwrap().restart_child(child.id()));
        }
        async move {
            if child.restarts() == 0 {
                return Err("not yet");
            }
            child.stopping().await;
            Ok(())
        }
    })
    .restart(Restart::Permanent);
    handle.set(supervisor.handle()).ok().unwrap();
    let handle = handle.get().unwrap();
    let child = handle.start_child(1).unwrap();
    settle().await;
    let asked = asked.lock().unwrap().take().expect("it was restarted");
    assert!(asked.await.is_ok());
    sleep(60 * SECOND).await;
    let info = handle.which_children().remove(0);
    assert_eq!((info.restarts, handle.count_children().active), (1, 1));
    assert!(matches!(handle.terminate_child(child).await, Ok(Outcome::Stopped)));
    supervisor.close().await.unwrap();
}
