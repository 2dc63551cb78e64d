use crate::failure::Panic;
use std::error::Error;
use std::sync::Arc;

/// Why a child, or a task of a [`TaskSupervisor`](super::TaskSupervisor), has no output. Its text calls both a child.
///
/// # Examples
/// ```
/// use futures::{StreamExt, stream};
/// use gen_stage::supervisor::{ChildError, StreamSupervised};
///
/// # tokio_test::block_on(async {
/// let mut quotients = stream::iter([0_u32]).supervised(1, |n| async move { 100 / n });
/// let Some((0, Err(error))) = quotients.next().await else { panic!("0 has a result, an error") };
/// assert!(matches!(error, ChildError::Panicked(_)));
/// assert_eq!(error.to_string(), "the child panicked: attempt to divide by zero");
/// # });
/// ```
///
/// # Source
/// The reason of `{:exit, reason}` in what `Task.Supervisor.async_stream_nolink/4` returns.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// It panicked: in the closure that makes its future, in the future, or in the drop of the future.
    #[error("the child panicked: {}", .0.message())]
    Panicked(Panic),
    /// It returned an error, or the attempt to start it again did. Tasks of a
    /// [`TaskSupervisor`](super::TaskSupervisor) never do: what they return is their output.
    #[error("the child failed: {0}")]
    Failed(Arc<dyn Error + Send + Sync>),
    /// It took longer than it may, and was dropped.
    #[error("the child took longer than it may")]
    TimedOut,
    /// It was [cancelled](super::TaskSupervisorHandle::cancel), and dropped before its end.
    #[error("the child was cancelled")]
    Cancelled,
    /// It was dropped before its end: by its supervisor, or with its runtime.
    #[error("the child was aborted")]
    Aborted,
    /// It waited to be restarted when it was stopped, or there was nothing to start again for its item.
    #[error("the child was not restarted")]
    NotRestarted,
}
