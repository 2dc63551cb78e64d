use std::fmt;
use thiserror::Error;

/// A [`TaskSupervisor`](super::TaskSupervisor) that was closed took no more items. The refused item is in here.
///
/// # Examples
/// ```
/// use futures::SinkExt;
/// use gen_stage::supervisor::{TaskSupervisorClosed, TaskSupervisor};
///
/// # tokio_test::block_on(async {
/// let mut tasks = TaskSupervisor::new(1, |n: u64| async move { n });
/// tasks.close().await.unwrap();
/// assert_eq!(tasks.send(5).await, Err(TaskSupervisorClosed(5)));
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[error("an item was not sent: the supervisor of tasks is closed")]
pub struct TaskSupervisorClosed<T>(
    /// The item that was not sent.
    pub T,
);

impl<T> fmt::Debug for TaskSupervisorClosed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskSupervisorClosed(..)")
    }
}
