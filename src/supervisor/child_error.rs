use crate::failure::Panic;
use thiserror::Error;

/// Why a task has no output.
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
/// assert_eq!(error.to_string(), "the task panicked: attempt to divide by zero");
/// # });
/// ```
///
/// # Source
/// The reason of `{:exit, reason}` in what `Task.Supervisor.async_stream_nolink/4` returns.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ChildError {
    /// It panicked: in the closure that makes its future, in the future, or in the drop of the future.
    #[error("the task panicked: {}", .0.message())]
    Panicked(Panic),
    /// It took longer than it may, and was dropped.
    #[error("the task took longer than it may")]
    TimedOut,
    /// It was dropped before its end, by the shutdown of its runtime.
    #[error("the task was aborted by the end of its runtime")]
    Aborted,
}
