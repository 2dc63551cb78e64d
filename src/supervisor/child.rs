use super::shared::Shared;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The name of a child, unique within its supervisor: a number from 1 on, in the order in which items came. It stays
/// the same when the child is restarted.
///
/// # Examples
/// ```
/// use gen_stage::supervisor::DynamicSupervisor;
///
/// # tokio_test::block_on(async {
/// let mut supervisor = DynamicSupervisor::new(|_: &str| std::future::pending::<()>());
/// let handle = supervisor.handle();
/// let first = handle.start_child("a").unwrap().unwrap();
/// let second = handle.start_child("b").unwrap().unwrap();
/// assert!(first < second);
/// assert_eq!((first.number(), second.to_string().as_str()), (1, "#2"));
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId {
    pub(super) number: u64,
    /// The slot in which the supervisor keeps this child.
    pub(super) slot: u32,
}

impl ChildId {
    /// The number, from 1 on.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.number)
    }
}

/// What a child knows of itself: its name, how often it was restarted, and whether it is asked to stop.
///
/// Given to the function of [`DynamicSupervisor::with_child`](super::DynamicSupervisor::with_child). Cheap to clone.
///
/// # Examples
/// ```
/// use futures::SinkExt;
/// use gen_stage::supervisor::{Child, DynamicSupervisor, Outcome};
///
/// # tokio_test::block_on(async {
/// let mut supervisor = DynamicSupervisor::with_child(|_: u32, child: Child| async move {
///     child.stopping().await;          // or a `select!` of it and the work
/// });
/// let handle = supervisor.handle();
/// supervisor.send(1).await.unwrap();
/// let report = handle.shutdown().await;
/// assert!(matches!(report.stopped[0].outcome, Outcome::Completed));
/// # });
/// ```
#[derive(Clone)]
pub struct Child {
    shared: Arc<Shared>,
    id: ChildId,
    restarts: u32,
}

impl Child {
    pub(super) fn new(shared: Arc<Shared>, id: ChildId, restarts: u32) -> Self {
        Self { shared, id, restarts }
    }

    /// The name of the child.
    #[must_use]
    pub fn id(&self) -> ChildId {
        self.id
    }

    /// How often the child was restarted before this attempt.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// The token that is cancelled when the child is asked to stop, and when it has ended, so that tasks it left
    /// running can watch it too. Each attempt has its own.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        let (id, restarts) = (self.id, self.restarts);
        let (token, stopping) = self.shared.with(|registry| registry.token(id, restarts));
        if stopping {
            token.cancel();
        }
        token
    }

    /// Waits until the child is asked to stop.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    pub async fn stopping(&self) {
        self.token().cancelled_owned().await;
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id)
            .field("restarts", &self.restarts)
            .finish_non_exhaustive()
    }
}

/// What a child does.
///
/// # Examples
/// See [`SupervisorHandle::which_children`](super::SupervisorHandle::which_children).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChildState {
    /// It runs.
    Running,
    /// It ended, and is to be started again.
    Restarting,
    /// It was asked to stop, and has not ended.
    Stopping,
}

/// A child, as [`which_children`](super::SupervisorHandle::which_children) shows it.
///
/// # Examples
/// See there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChildInfo {
    /// Its name.
    pub id: ChildId,
    /// What [`label_by`](super::DynamicSupervisor::label_by) calls it.
    pub label: Option<Arc<str>>,
    /// What it does.
    pub state: ChildState,
    /// How often it was restarted, counting restarts that failed.
    pub restarts: u32,
    /// How long ago it began to run, for the first time, by tokio's clock.
    pub age: Duration,
}
