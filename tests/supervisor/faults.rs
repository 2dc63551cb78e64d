//! Every way in which a child can go wrong, under every rule.

use futures::StreamExt;
use gen_stage::Backoff;
use gen_stage::supervisor::{Child, DynamicSupervisor, Restart, Shutdown, SupervisorReport};
use std::future::Future;
use std::panic::panic_any;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// What a child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Returns at once.
    Ends,
    /// Returns an error at once.
    Fails,
    /// Panics at once.
    Panics,
    /// Returns at once, and panics when it is dropped then.
    EndsAndPanicsInItsDrop,
    /// Returns when it is asked to stop.
    Lives,
    /// The same, and panics when it is dropped.
    LivesAndPanicsInItsDrop,
    /// Never returns, and does not care whether it is asked.
    Ignores,
}

const KINDS: [Kind; 7] = [
    Kind::Ends,
    Kind::Fails,
    Kind::Panics,
    Kind::EndsAndPanicsInItsDrop,
    Kind::Lives,
    Kind::LivesAndPanicsInItsDrop,
    Kind::Ignores,
];

/// A future whose drop may panic, as what it holds might.
struct Faulty {
    work: Pin<Box<dyn Future<Output = Result<(), &'static str>> + Send>>,
    panics_in_drop: bool,
}

impl Future for Faulty {
    type Output = Result<(), &'static str>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.work.as_mut().poll(cx)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        if self.panics_in_drop {
            panic_any("drop");
        }
    }
}

fn faulty(kind: Kind, child: Child) -> Faulty {
    Faulty {
        work: Box::pin(async move {
            match kind {
                Kind::Ends | Kind::EndsAndPanicsInItsDrop => {}
                Kind::Fails => return Err("broken"),
                Kind::Panics => panic_any("broken"),
                Kind::Lives | Kind::LivesAndPanicsInItsDrop => child.stopping().await,
                Kind::Ignores => std::future::pending().await,
            }
            Ok(())
        }),
        panics_in_drop: matches!(kind, Kind::EndsAndPanicsInItsDrop | Kind::LivesAndPanicsInItsDrop),
    }
}

/// What is said of a supervisor with two children, the "subject" and a "bystander" that [`Kind::Lives`], which restarts
/// them a second after they end, and is shut down at 2.5 seconds.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    subject: Vec<String>,
    bystander: Vec<String>,
    /// By label.
    stopped: Vec<String>,
    end: String,
    /// completed, stopped, failed, panicked, aborted, not restarted; restarts.
    counts: ([u64; 6], u64),
    /// `None`: it would never have ended, and was aborted.
    took: Option<Duration>,
}

const SECOND: Duration = Duration::from_secs(1);

/// What should be told. Attempts end at once or never; so they are at 0, 1 and 2 seconds.
fn expected(kind: Kind, restart: Restart, rule: Shutdown, max_restarts: usize) -> Told {
    let by_itself = match kind {
        Kind::Ends => Some("completed"),
        Kind::Fails => Some("failed: broken"),
        Kind::Panics => Some("panicked: broken"),
        Kind::EndsAndPanicsInItsDrop => Some("panicked: drop"),
        Kind::Lives | Kind::LivesAndPanicsInItsDrop | Kind::Ignores => None,
    };
    let again = match restart {
        Restart::Temporary => false,
        Restart::Transient => by_itself != Some("completed"),
        Restart::Permanent => true,
    };
    let bystander = if rule == Shutdown::Brutal { "aborted" } else { "stopped" };
    let mut subject = vec!["started"];
    let mut end = "the supervisor was shut down".to_string();
    let mut restarts = 0;
    let mut took = Some(Duration::ZERO);
    // How the subject ended in the end, and whether it was there to be stopped.
    let (last, was_stopped) = match by_itself {
        Some(how) if !again => {
            subject.push(how);
            (how, false)
        }
        Some(how) if max_restarts == 1 => {
            subject.extend([how, "restarted (1)", how, "given up"]);
            restarts = 1;
            end =
                format!("the supervisor gave up: child subject {how}, and there may be 1 restarts within 5s");
            (how, false)
        }
        Some(how) => {
            subject.extend([how, "restarted (1)", how, "restarted (2)", how, "not restarted"]);
            restarts = 2;
            ("not restarted", true)
        }
        None => {
            let how = match (kind, rule) {
                (Kind::LivesAndPanicsInItsDrop, _) => "panicked: drop",
                (Kind::Lives, Shutdown::Brutal) | (Kind::Ignores, _) => "aborted",
                _ => "stopped",
            };
            took = match (kind, rule) {
                (Kind::Ignores, Shutdown::After(time)) => Some(time),
                (Kind::Ignores, Shutdown::Wait) => None,
                _ => Some(Duration::ZERO),
            };
            subject.push(how);
            (how, true)
        }
    };
    let mut counts = [0; 6];
    for how in [last, bystander] {
        let beginnings = ["completed", "stopped", "failed", "panicked", "aborted", "not restarted"];
        counts[beginnings.iter().position(|beginning| how.starts_with(beginning)).unwrap()] += 1;
    }
    let mut stopped = vec![format!("bystander {bystander}")];
    if was_stopped {
        stopped.push(format!("subject {last}"));
    }
    Told {
        subject: subject.into_iter().map(String::from).collect(),
        bystander: vec!["started".into(), bystander.into()],
        stopped,
        end,
        counts: (counts, restarts),
        took,
    }
}

async fn told(kind: Kind, restart: Restart, rule: Shutdown, max_restarts: usize) -> Told {
    let supervisor = DynamicSupervisor::with_child(|(_, kind): (&str, Kind), child| faulty(kind, child));
    let handle = supervisor
        .restart(restart)
        .shutdown_rule(rule)
        .max_restarts(max_restarts, 5 * SECOND)
        .backoff(Backoff::new(SECOND, 1.0))
        .label_by(|(label, _)| label.to_string())
        .into_handle();
    let events = handle.events();
    handle.start_child(("subject", kind)).unwrap();
    handle.start_child(("bystander", Kind::Lives)).unwrap();
    sleep(2 * SECOND + SECOND / 2).await;
    let begin = Instant::now();
    let (report, took) = match timeout(3600 * SECOND, handle.shutdown()).await {
        Ok(report) => (report, Some(begin.elapsed())),
        Err(_) => {
            handle.abort();
            (handle.wait().await, None)
        }
    };
    assert_eq!(handle.count_children(), report.counts);
    assert_eq!((report.counts.alive, report.counts.active, report.counts.restarting), (0, 0, 0));
    assert_eq!(report.counts.started, 2);

    let events: Vec<String> = events.map(|event| event.to_string()).collect().await;
    let of = |label: &str| {
        let prefix = format!("{label}: ");
        events.iter().filter_map(|event| event.strip_prefix(&prefix)).map(String::from).collect::<Vec<_>>()
    };
    let (subject, bystander) = (of("subject"), of("bystander"));
    assert_eq!(subject.len() + bystander.len(), events.len(), "{events:?}");
    let SupervisorReport { end, counts, stopped, .. } = report;
    let mut stopped: Vec<_> = stopped
        .iter()
        .map(|stopped| format!("{} {}", stopped.label.as_deref().unwrap(), stopped.outcome))
        .collect();
    stopped.sort();
    Told {
        subject,
        bystander,
        stopped,
        end: end.to_string(),
        counts: (
            [
                counts.completed,
                counts.stopped,
                counts.failed,
                counts.panicked,
                counts.aborted,
                counts.not_restarted,
            ],
            counts.restarts,
        ),
        took,
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_child_ends_as_its_rules_say() {
    for kind in KINDS {
        for restart in [Restart::Temporary, Restart::Transient, Restart::Permanent] {
            for rule in [Shutdown::Brutal, Shutdown::After(SECOND), Shutdown::Wait] {
                for max_restarts in [1, 10] {
                    assert_eq!(
                        told(kind, restart, rule, max_restarts).await,
                        expected(kind, restart, rule, max_restarts),
                        "{kind:?}, {restart:?}, {rule:?}, {max_restarts} restarts"
                    );
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_child_ends_when_the_supervisor_is_dropped_or_aborted() {
    for kind in KINDS {
        for restart in [Restart::Temporary, Restart::Transient, Restart::Permanent] {
            for dropped in [true, false] {
                let mut supervisor = DynamicSupervisor::with_child(|kind: Kind, child| faulty(kind, child))
                    .restart(restart)
                    .shutdown_rule(Shutdown::Wait)
                    .max_restarts(10, 5 * SECOND)
                    .backoff(Backoff::new(SECOND, 1.0));
                let handle = supervisor.handle();
                handle.start_child(kind).unwrap();
                sleep(2 * SECOND + SECOND / 2).await;
                let begin = Instant::now();
                if dropped {
                    drop(supervisor);
                } else {
                    handle.abort();
                }
                let report = handle.wait().await;
                let case = format!("{kind:?}, {restart:?}, {}", if dropped { "dropped" } else { "aborted" });
                assert_eq!(report.end.to_string(), "the supervisor was aborted", "{case}");
                assert_eq!(begin.elapsed(), Duration::ZERO, "{case}");
                let outcomes: Vec<_> =
                    report.stopped.iter().map(|stopped| stopped.outcome.to_string()).collect();
                let expected: &[&str] = match (kind, restart) {
                    (Kind::Lives | Kind::Ignores, _) => &["aborted"],
                    (Kind::LivesAndPanicsInItsDrop, _) => &["panicked: drop"],
                    (_, Restart::Temporary) | (Kind::Ends, Restart::Transient) => &[],
                    _ => &["not restarted"],
                };
                assert_eq!(outcomes, expected, "{case}");
            }
        }
    }
}
