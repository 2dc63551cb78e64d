//! Whatever happens, and however it is stopped: each item is run to an outcome, or handed back, or reported; once.

use crate::support::{Live, Lives};
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use gen_stage::Backoff;
use gen_stage::supervisor::{
    Child, ChildId, DynamicSupervisor, Event, EventKind, Restart, Shutdown, StartError, SupervisorEnd,
    SupervisorHandle, SupervisorReport,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::future::{pending, poll_fn};
use std::panic::panic_any;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// How a start goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Runs,
    Fails,
    Panics,
    Ignored,
}

/// What an attempt does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completes,
    Fails,
    Panics,
    /// Not by itself.
    Never,
    /// Because it was asked to.
    Stops,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    start: Start,
    millis: u64,
    end: End,
}

/// An item: its attempts, of which the last is repeated.
#[derive(Debug, Clone)]
struct Item {
    n: usize,
    attempts: Vec<Attempt>,
    /// It does not care whether it is asked to stop.
    deaf: bool,
    /// It is started on request, beside the sink.
    requested: bool,
}

#[derive(Debug, Clone, Copy)]
enum Stop {
    Shutdown,
    Drain(Option<u64>),
    Abort,
    Drop,
    /// Everything is sent, and the sink closed; nobody else stops it.
    Close,
}

#[derive(Debug, Clone)]
struct Case {
    items: Vec<Item>,
    max: usize,
    min: usize,
    restart: Restart,
    max_restarts: usize,
    backoff: bool,
    rule: Shutdown,
    stop: Stop,
    at: u64,
}

fn attempt(endless: bool) -> impl Strategy<Value = Attempt> {
    let start = prop_oneof![12 => Just(Start::Runs), 1 => Just(Start::Fails), 1 => Just(Start::Panics), 1 => Just(Start::Ignored)];
    let end = prop_oneof![
        6 => Just(End::Completes),
        2 => Just(End::Fails),
        2 => Just(End::Panics),
        u32::from(endless) => Just(End::Never),
    ];
    (start, prop_oneof![Just(0), 0..30_u64], end).prop_map(|(start, millis, end)| Attempt {
        start,
        millis,
        end,
    })
}

fn cases() -> impl Strategy<Value = Case> {
    let stop = prop_oneof![
        3 => Just(Stop::Shutdown),
        1 => Just(Stop::Drain(None)),
        2 => (0..50_u64).prop_map(|millis| Stop::Drain(Some(millis))),
        2 => Just(Stop::Abort),
        2 => Just(Stop::Drop),
        3 => Just(Stop::Close),
    ];
    let rule = prop_oneof![
        Just(Shutdown::Brutal),
        (0..20_u64).prop_map(|millis| Shutdown::After(Duration::from_millis(millis))),
        Just(Shutdown::Wait),
    ];
    let restart = prop_oneof![
        2 => Just(Restart::Temporary),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Permanent),
    ];
    // Enough for all there can be when everything ends by itself; those who are restarted for ever end so too.
    let max_restarts = prop_oneof![Just(300), 0..6_usize];
    let demand = prop_oneof![Just(1), Just(2), Just(3), Just(10), Just(1000)]
        .prop_flat_map(|max: usize| (Just(max), 0..max));
    (stop, rule, restart, max_restarts, demand, any::<bool>(), 0..120_u64).prop_flat_map(
        |(stop, rule, restart, max_restarts, (max, min), backoff, at)| {
            // Where everything has to end by itself, it must be able to.
            let by_itself = matches!(stop, Stop::Close | Stop::Drain(None));
            // Nobody ever stops those who do not end when they are asked and waited for.
            let patient = rule == Shutdown::Wait && !matches!(stop, Stop::Abort | Stop::Drop);
            let restart =
                if by_itself && restart == Restart::Permanent { Restart::Transient } else { restart };
            let item = (
                proptest::collection::vec(attempt(!by_itself), 1..4),
                if patient { Just(false).boxed() } else { prop::bool::weighted(0.2).boxed() },
                prop::bool::weighted(0.2),
            );
            proptest::collection::vec(item, 0..40).prop_map(move |items| {
                let items = (0..)
                    .zip(items)
                    .map(|(n, (mut attempts, deaf, requested))| {
                        if by_itself {
                            // The attempt that is repeated is the last.
                            let last = attempts.last_mut().unwrap();
                            (last.start, last.end) = (Start::Runs, End::Completes);
                        }
                        Item { n, attempts, deaf, requested }
                    })
                    .collect();
                Case { items, max, min, restart, max_restarts, backoff, rule, stop, at }
            })
        },
    )
}

/// What children write down themselves.
#[derive(Debug, Default)]
struct Ledger {
    /// The restarts of all attempts to start, by item.
    tries: BTreeMap<usize, Vec<u32>>,
    /// How attempts came to their ends by themselves.
    ends: BTreeMap<usize, Vec<End>>,
}

fn child(
    item: &Item,
    child: Child,
    ledger: &Arc<Mutex<Ledger>>,
    lives: &Arc<Lives>,
) -> Result<Option<BoxFuture<'static, Result<(), &'static str>>>, &'static str> {
    ledger.lock().unwrap().tries.entry(item.n).or_default().push(child.restarts());
    let at = (child.restarts() as usize).min(item.attempts.len() - 1);
    let attempt = item.attempts[at];
    match attempt.start {
        Start::Runs => {}
        Start::Fails => return Err("no start"),
        Start::Panics => panic_any("bad start"),
        Start::Ignored => return Ok(None),
    }
    let (ledger, life) = (ledger.clone(), Live::new(item.n as u64, lives));
    let (n, deaf) = (item.n, item.deaf);
    Ok(Some(Box::pin(async move {
        let _life = life;
        let work = async {
            // No time at all is another path than a short one.
            if attempt.millis > 0 {
                sleep(Duration::from_millis(attempt.millis)).await;
            }
            if attempt.end == End::Never {
                pending::<()>().await;
            }
            attempt.end
        };
        let end = tokio::select! {
            biased;
            () = child.stopping(), if !deaf => End::Stops,
            end = work => end,
        };
        ledger.lock().unwrap().ends.entry(n).or_default().push(end);
        match end {
            End::Completes | End::Stops => Ok(()),
            End::Fails => Err("broken"),
            End::Panics => panic_any("bad child"),
            End::Never => unreachable!("it never comes to this"),
        }
    })))
}

/// What became of the items at the door.
#[derive(Debug, Default)]
struct Door {
    taken: BTreeSet<usize>,
    /// Of `start_send` or `start_child`.
    handed_back: BTreeSet<usize>,
    /// The factory of a child on request failed: the error says so.
    failed: BTreeSet<usize>,
}

type Sent = Arc<Mutex<Door>>;

async fn send(
    mut sink: impl futures::Sink<Item, Error = gen_stage::supervisor::SupervisorError<Item>> + Unpin,
    handle: SupervisorHandle<Item>,
    items: Vec<Item>,
    door: Sent,
    close: bool,
) {
    let with = |work: &dyn Fn(&mut Door)| work(&mut door.lock().unwrap());
    for item in items {
        let n = item.n;
        if item.requested {
            match handle.start_child(item) {
                Ok(_) | Err(StartError::Ignored) => with(&|door| _ = door.taken.insert(n)),
                Err(error) => match error.into_item() {
                    Some(item) => with(&|door| _ = door.handed_back.insert(item.n)),
                    None => with(&|door| _ = (door.taken.insert(n), door.failed.insert(n))),
                },
            }
            continue;
        }
        // What is not ready has not touched the item; half of them are handed in all the same, to be handed back.
        let ready = poll_fn(|cx| sink.poll_ready_unpin(cx)).await;
        if ready.is_err() && n % 2 == 0 {
            continue;
        }
        match sink.start_send_unpin(item) {
            Ok(()) => with(&|door| _ = door.taken.insert(n)),
            Err(error) => {
                let item = error.into_item().expect("it is handed back");
                with(&|door| _ = door.handed_back.insert(item.n));
            }
        }
    }
    if close {
        let _ = sink.close().await;
    }
    // It is dropped by whoever stops this.
    pending::<()>().await;
}

async fn run(case: Case) {
    let (ledger, lives): (Arc<Mutex<Ledger>>, _) = (Arc::default(), Lives::new());
    let (writes, alive) = (ledger.clone(), lives.clone());
    let mut supervisor =
        DynamicSupervisor::try_new(move |item: Item, of: Child| child(&item, of, &writes, &alive))
            .max_demand(case.max, case.min)
            .restart(case.restart)
            .max_restarts(case.max_restarts, Duration::from_secs(1))
            .shutdown_rule(case.rule)
            .label_by(|item| item.n.to_string());
    if case.backoff {
        supervisor = supervisor.backoff(Backoff::new(Duration::from_millis(3), 2.0).jitter(0.5));
    }
    let handle = supervisor.handle();
    let events = handle.events_up_to(1_000_000);
    let door = Sent::default();
    let close = matches!(case.stop, Stop::Close);
    let sending = tokio::spawn(send(supervisor, handle.clone(), case.items.clone(), door.clone(), close));
    if !close {
        sleep(Duration::from_millis(case.at)).await;
    }
    match case.stop {
        Stop::Shutdown => drop(handle.shutdown()),
        Stop::Drain(deadline) => drop(handle.drain(deadline.map(Duration::from_millis))),
        Stop::Abort => handle.abort(),
        Stop::Drop => sending.abort(),
        Stop::Close => {}
    }
    // An hour of a clock that is paused: a supervisor that does not end is a failure, and not a test that hangs.
    let report = tokio::time::timeout(Duration::from_secs(3600), handle.wait()).await.expect("it ends");
    assert_eq!(lives.now(), 0, "no child is there any more when the report is");
    let tries = ledger.lock().unwrap().tries.clone();
    sleep(Duration::from_secs(100)).await;
    sending.abort();
    let _ = sending.await;
    assert_eq!(ledger.lock().unwrap().tries, tries, "and none is started afterwards");
    assert_eq!(handle.count_children(), report.counts);

    let requested = case.items.iter().filter(|item| item.requested).count();
    assert!(lives.peak() <= case.max + requested, "{} of {}", lives.peak(), case.max);
    let events: Vec<_> = events.collect().await;
    let (ledger, door) = (ledger.lock().unwrap(), door.lock().unwrap());
    check(&case, &report, &events, &ledger, &door);
}

/// The first number is the name of the child, and the last what became of it.
#[derive(Debug)]
struct Life {
    child: ChildId,
    told: Vec<EventKind>,
}

fn check(case: &Case, report: &SupervisorReport, events: &[Event], ledger: &Ledger, door: &Door) {
    assert!(door.taken.is_disjoint(&door.handed_back));
    // Each that was taken was tried, and no other, one attempt after the other, none twice.
    assert_eq!(ledger.tries.keys().copied().collect::<BTreeSet<_>>(), door.taken);
    for (n, tries) in &ledger.tries {
        let in_order = (0..).take(tries.len()).collect::<Vec<u32>>();
        assert_eq!(*tries, in_order, "the attempts of {n}");
        assert!(case.restart != Restart::Temporary || tries.len() == 1);
    }

    let mut lives: BTreeMap<usize, Life> = BTreeMap::new();
    for event in events {
        let n = event.label.as_ref().expect("all have labels").parse().unwrap();
        let life = lives.entry(n).or_insert(Life { child: event.child, told: Vec::new() });
        assert_eq!(life.child, event.child, "an item has one child");
        life.told.push(event.what.clone());
    }
    assert_eq!(lives.keys().copied().collect::<BTreeSet<_>>(), door.taken);

    // completed, failed, panicked, aborted, not restarted, ignored, not started, stopped
    let mut outcomes = [0_u64; 8];
    let (mut restarts, mut given_up) = (0, 0);
    for (n, life) in &mut lives {
        if matches!(life.told.last(), Some(EventKind::GivenUp)) {
            life.told.pop();
            given_up += 1;
        }
        restarts +=
            life.told.iter().filter(|what| matches!(what, EventKind::Restarted { .. })).count() as u64;
        let started = matches!(life.told[0], EventKind::Started);
        assert_eq!(
            life.told.iter().filter(|what| matches!(what, EventKind::Started)).count(),
            started.into()
        );
        assert!(started || life.told.len() == 1, "{life:?}");
        assert!(started || !door.failed.contains(n) || !matches!(life.told[0], EventKind::Ignored));
        let by_itself = ledger.ends.get(n).and_then(|ends| ends.last());
        outcomes[match life.told.last().unwrap() {
            EventKind::Completed => {
                assert_eq!(by_itself, Some(&End::Completes), "{n}");
                0
            }
            EventKind::Stopped => {
                assert!(matches!(by_itself, Some(End::Stops | End::Completes)), "{n}: {by_itself:?}");
                assert!(!case.items[*n].deaf, "{n} never knew");
                7
            }
            EventKind::Failed(_) => {
                assert_eq!(by_itself, Some(&End::Fails), "{n}");
                1
            }
            EventKind::Panicked(_) => {
                assert_eq!(by_itself, Some(&End::Panics), "{n}");
                2
            }
            // A restart that was one too many, and had not been made.
            EventKind::StartFailed(_) if started => 1,
            EventKind::StartPanicked(_) if started => 2,
            EventKind::Aborted => 3,
            EventKind::NotRestarted => 4,
            // There was nothing to be restarted.
            EventKind::Ignored if started => 4,
            EventKind::Ignored => 5,
            EventKind::StartFailed(_) | EventKind::StartPanicked(_) => 6,
            other => panic!("{n} ends with {other:?}"),
        }] += 1;
    }
    let counts = report.counts;
    let [completed, failed, panicked, aborted, not_restarted, ignored, not_started, stopped] = outcomes;
    assert_eq!(
        [
            counts.completed,
            counts.stopped,
            counts.failed,
            counts.panicked,
            counts.aborted,
            counts.not_restarted
        ],
        [completed, stopped, failed, panicked, aborted, not_restarted]
    );
    assert_eq!((counts.ignored, counts.not_started, counts.restarts), (ignored, not_started, restarts));
    assert_eq!(counts.started, completed + stopped + failed + panicked + aborted + not_restarted);
    assert_eq!(counts.started + ignored + not_started, door.taken.len() as u64);
    assert_eq!((counts.alive, counts.active, counts.restarting, counts.refused), (0, 0, 0, 0));

    // All that was cut short is in the report, once.
    let stopped: BTreeSet<_> = report.stopped.iter().map(|stopped| stopped.child).collect();
    assert_eq!(stopped.len(), report.stopped.len());
    for (n, life) in &lives {
        if let Some(EventKind::Aborted) = life.told.last() {
            assert!(stopped.contains(&life.child), "{n} was aborted");
        }
    }
    assert!(report.stopped.iter().all(|stopped| {
        let n: usize = stopped.label.as_deref().unwrap().parse().unwrap();
        lives[&n].child == stopped.child
    }));
    assert_eq!(given_up, usize::from(matches!(report.end, SupervisorEnd::GaveUp(_))));
    if let Stop::Close = case.stop {
        if given_up == 0 {
            assert!(matches!(report.end, SupervisorEnd::Closed), "{}", report.end);
            assert_eq!(door.taken.len(), case.items.len());
            by_itself(case, ledger);
        }
    }
}

/// What should become of items when nobody stops them: the attempts of each in their order.
fn by_itself(case: &Case, ledger: &Ledger) {
    for item in &case.items {
        let mut ends = Vec::new();
        for tried in 0.. {
            let attempt = item.attempts[tried.min(item.attempts.len() - 1)];
            match attempt.start {
                Start::Runs => ends.push(attempt.end),
                Start::Ignored => break,
                // Only restarts are tried again.
                Start::Fails | Start::Panics if tried == 0 => break,
                Start::Fails | Start::Panics => continue,
            }
            if attempt.end == End::Completes || case.restart == Restart::Temporary {
                break;
            }
        }
        assert_eq!(ledger.ends.get(&item.n).cloned().unwrap_or_default(), ends, "{item:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn each_item_is_run_to_an_outcome_or_handed_back_or_reported_once(case in cases()) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(case));
    }
}
