use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// The name of a child, unique within its supervisor: a number from 1 on, in the order in which items came.
///
/// It stays the same when the child is restarted. As a number it can go through a file or a message, and back. A number
/// that no child has is no error until it is used: then there is no such child.
///
/// # Examples
/// ```
/// use gen_stage::supervisor::{ChildId, DynamicSupervisor};
///
/// # tokio_test::block_on(async {
/// let mut supervisor = DynamicSupervisor::new(|_: &str| std::future::pending::<()>());
/// let handle = supervisor.handle();
/// let first = handle.start_child("a").unwrap();
/// let second = handle.start_child("b").unwrap();
/// assert!(first < second);
/// assert_eq!((first.number(), second.to_string().as_str()), (1, "#2"));
///
/// let again = ChildId::from(second.number());
/// assert_eq!(again, second);
/// assert_eq!(handle.terminate_child(ChildId::from(77)).await.unwrap_err().to_string(), "there is no child #77");
/// assert!(handle.terminate_child(again).await.is_ok());
/// # });
/// ```
#[derive(Clone, Copy)]
pub struct ChildId {
    pub(super) number: u64,
    /// The slot in which the supervisor keeps this child; none in one that was made of a number.
    pub(super) slot: u32,
}

/// No slot.
pub(super) const NO_SLOT: u32 = u32::MAX;

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

/// The child with this number.
///
/// To find its child, a supervisor looks through all of its children. With an id that it gave out itself, it does not
/// have to look.
impl From<u64> for ChildId {
    fn from(number: u64) -> Self {
        Self { number, slot: NO_SLOT }
    }
}

impl From<ChildId> for u64 {
    fn from(child: ChildId) -> Self {
        child.number
    }
}

// The number says it all: the slot is where to look for it.
impl PartialEq for ChildId {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for ChildId {}

impl PartialOrd for ChildId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ChildId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

impl Hash for ChildId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl fmt::Debug for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildId").field("number", &self.number).finish()
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
