use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The name of a child, unique within its supervisor: a number from 1 on, in the order in which items came.
///
/// It stays the same when the child is restarted.
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
    ///
    /// # Examples
    /// See [`ChildId`].
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

/// What a child is doing: it runs, waits to be started again, or is being stopped.
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
/// See [`which_children`](super::SupervisorHandle::which_children).
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
