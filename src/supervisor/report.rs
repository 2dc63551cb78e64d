use super::child_info::ChildId;
use super::end::SupervisorEnd;
use super::outcome::Outcome;
use std::sync::Arc;

/// What a supervisor has done: why it ended, how its children did, and which were stopped.
///
/// Every item it took is in one of the counts, and every child alive when the supervisor was told to stop is in
/// `stopped`.
///
/// # Examples
/// ```
/// use futures::SinkExt;
/// use gen_stage::supervisor::{DynamicSupervisor, Outcome, Shutdown, SupervisorEnd};
///
/// # tokio_test::block_on(async {
/// let mut supervisor = DynamicSupervisor::new(|n: u32| async move {
///     if n == 1 { std::future::pending::<()>().await }
/// });
/// supervisor = supervisor.shutdown_rule(Shutdown::Brutal).label_by(|n| format!("job {n}"));
/// let handle = supervisor.handle();
/// for n in 0..3 {
///     supervisor.send(n).await.unwrap();
/// }
/// while handle.count_children().alive > 1 {
///     tokio::task::yield_now().await;
/// }
/// let report = handle.shutdown().await;
/// assert!(matches!(report.end, SupervisorEnd::ShutDown));
/// assert_eq!((report.counts.started, report.counts.completed, report.counts.aborted), (3, 2, 1));
/// assert_eq!(report.stopped[0].label.as_deref(), Some("job 1"));
/// assert!(matches!(report.stopped[0].outcome, Outcome::Aborted));
/// # });
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SupervisorReport {
    /// Why it ended.
    pub end: SupervisorEnd,
    /// What became of the items.
    pub counts: ChildCounts,
    /// The children that had not ended when the supervisor was told to stop, in the order in which they ended.
    pub stopped: Vec<Stopped>,
}

impl SupervisorReport {
    /// Turns the report of a supervisor that did not end [cleanly](SupervisorEnd::is_clean) into an error.
    ///
    /// # Errors
    /// Why it ended.
    pub fn into_result(self) -> Result<Self, SupervisorEnd> {
        if self.end.is_clean() { Ok(self) } else { Err(self.end) }
    }
}

/// A child that had not ended when its supervisor was told to stop, and how it ended then.
///
/// # Examples
/// See [`SupervisorReport`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stopped {
    /// Its name.
    pub child: ChildId,
    /// What [`label_by`](super::DynamicSupervisor::label_by) calls it.
    pub label: Option<Arc<str>>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How many children there are, and what became of all items so far.
///
/// `started` is the sum of `alive`, `completed`, `stopped`, `failed`, `panicked`, `aborted` and `not_restarted`; a
/// child that is restarted counts once, by its last outcome. With `ignored`, `not_started` and `refused` that is every
/// item taken.
///
/// # Examples
/// See [`SupervisorHandle::count_children`](super::SupervisorHandle::count_children).
///
/// # Source
/// `count_children`: `active` are children that are not restarting; `specs` is always 1, and which children are
/// supervisors is not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ChildCounts {
    /// Children that have not ended.
    pub alive: usize,
    /// Of these, those that run.
    pub active: usize,
    /// Of these, those that are to be started again.
    pub restarting: usize,
    /// Children that were started.
    pub started: u64,
    /// Those that came to their end by themselves.
    pub completed: u64,
    /// Those that came to their end after they were asked to stop.
    pub stopped: u64,
    /// Those that returned an error.
    pub failed: u64,
    /// Those that panicked.
    pub panicked: u64,
    /// Those that were dropped in the middle of what they did.
    pub aborted: u64,
    /// Those that waited to be restarted when they were stopped, or had nothing to start again for their item.
    pub not_restarted: u64,
    /// Items for which there was nothing to start.
    pub ignored: u64,
    /// Items whose child could not be started: the factory failed or panicked.
    pub not_started: u64,
    /// Items of stages that came when the supervisor took no more, and were dropped. Items still on their way are
    /// counted by the stage, as [`undelivered`](crate::stage::Counts::undelivered).
    pub refused: u64,
    /// Results that were not read, where children [return](super::DynamicSupervisor::with_results) some: they wait for
    /// their reader, or were dropped without it.
    pub unread: u64,
    /// Restarts that were made, of all children; attempts that failed do not count.
    pub restarts: u64,
}

impl ChildCounts {
    pub(super) fn ended(&mut self, outcome: &Outcome) {
        let count = match outcome {
            Outcome::Completed => &mut self.completed,
            Outcome::Stopped => &mut self.stopped,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Panicked(_) => &mut self.panicked,
            Outcome::Aborted => &mut self.aborted,
            Outcome::NotRestarted => &mut self.not_restarted,
        };
        *count += 1;
    }
}
