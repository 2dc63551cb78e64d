use super::roll::Roll;
use std::fmt;
use std::sync::Arc;

/// Looks at the tasks of a [`TaskSupervisor`](super::TaskSupervisor), and cancels them, by their keys. Cheap to clone.
///
/// Made by [`TaskSupervisor::handle`](super::TaskSupervisor::handle) and
/// [`Supervised::handle`](crate::supervisor::adapters::Supervised::handle). A supervisor of which one was made keeps a
/// list of its tasks, which costs an allocation and a clone of the key for each.
///
/// # Drop
/// Changes nothing. A handle does not keep its supervisor alive, and finds no tasks when that is gone.
///
/// # Examples
/// ```
/// use futures::{StreamExt, stream};
/// use gen_stage::supervisor::{ChildError, StreamSupervised};
///
/// # tokio_test::block_on(async {
/// let mut pages = stream::iter(["/a", "/endless", "/b"]).supervised(3, |page| async move {
///     if page == "/endless" { std::future::pending().await } else { page.len() }
/// });
/// let handle = pages.handle();
/// assert!(matches!(pages.next().await, Some(("/a", Ok(2)))));
/// assert!(matches!(pages.next().await, Some(("/b", Ok(2)))));
/// assert_eq!(handle.children(), ["/endless"]);
/// assert_eq!(handle.cancel(&"/endless"), 1);
/// assert!(matches!(pages.next().await, Some(("/endless", Err(ChildError::Cancelled)))));
/// # });
/// ```
///
/// # Source
/// `Task.Supervisor.children/1` and `terminate_child/2`.
#[must_use = "it does nothing by itself"]
pub struct TaskSupervisorHandle<K> {
    roll: Arc<Roll<K>>,
}

impl<K> TaskSupervisorHandle<K> {
    pub(super) fn new(roll: Arc<Roll<K>>) -> Self {
        Self { roll }
    }

    /// The keys of the tasks that have not ended, in no order; without a [key](super::TaskSupervisor::key), their
    /// items.
    ///
    /// # Examples
    /// See [`TaskSupervisorHandle`].
    #[must_use]
    pub fn children(&self) -> Vec<K>
    where
        K: Clone,
    {
        self.roll.running().iter().map(|task| task.key.clone()).collect()
    }

    /// Cancels the tasks with this key that have not ended: each is dropped at its next `await`, or at once, and its
    /// result is [`ChildError::Cancelled`](crate::supervisor::ChildError::Cancelled). Returns how many this call
    /// cancels: tasks that were cancelled before are not counted.
    ///
    /// A task that ends at this moment may have its own result all the same.
    ///
    /// # Examples
    /// See [`TaskSupervisorHandle`].
    pub fn cancel(&self, key: &K) -> usize
    where
        K: PartialEq,
    {
        let running = self.roll.running();
        running.iter().filter(|task| task.key == *key && task.cancel()).count()
    }
}

impl<K> Clone for TaskSupervisorHandle<K> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.roll))
    }
}

impl<K> fmt::Debug for TaskSupervisorHandle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSupervisorHandle")
            .field("children", &self.roll.running().len())
            .finish_non_exhaustive()
    }
}
