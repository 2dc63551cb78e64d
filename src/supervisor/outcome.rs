use super::restart::Restart;
use crate::failure::Panic;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// How a child ended.
///
/// # Examples
/// ```
/// use gen_stage::supervisor::{DynamicSupervisor, Outcome};
///
/// # tokio_test::block_on(async {
/// let mut supervisor = DynamicSupervisor::new(|n: u32| async move {
///     if n > 0 { Ok(()) } else { Err("nothing to do") }
/// });
/// let handle = supervisor.handle();
/// let child = handle.start_child(0).unwrap();
/// let outcome = handle.wait_child(child).await.unwrap();
/// assert!(!outcome.is_completed());
/// assert_eq!(outcome.to_string(), "failed: nothing to do");
/// # });
/// ```
///
/// # Source
/// The exit reason of a child.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// It came to its end by itself: its future returned `()` or `Ok`.
    Completed,
    /// The same after it was asked to stop: its [token](super::Child::token) was cancelled, and it returned `()` or
    /// `Ok`.
    ///
    /// Whether it had come to its end anyway cannot be told. A child that never took its token did, and is `Completed`;
    /// one that returns an error when it is asked to stop is `Failed`.
    Stopped,
    /// Its future returned an error, or the attempt to start it again did.
    Failed(Arc<dyn Error + Send + Sync>),
    /// It panicked: in its future, in the drop of its future, or in the attempt to start it again.
    Panicked(Panic),
    /// It was dropped in the middle of what it did: by the rule of [`Shutdown`](super::Shutdown), with its supervisor,
    /// or with the runtime.
    Aborted,
    /// It waited to be restarted when it was stopped, or there was nothing to start again for its item.
    NotRestarted,
}

impl Outcome {
    /// Whether it came to its end by itself.
    ///
    /// # Examples
    /// See [`Outcome`].
    #[must_use]
    pub fn is_completed(&self) -> bool {
        matches!(self, Self::Completed)
    }

    /// Whether it ended well: completed, or stopped when it was asked to.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::supervisor::{Child, DynamicSupervisor, Outcome};
    ///
    /// # tokio_test::block_on(async {
    /// let handle = DynamicSupervisor::with_child(|_: u32, child: Child| async move {
    ///     child.stopping().await;
    /// })
    /// .into_handle();
    /// let child = handle.start_child(1).unwrap();
    /// let outcome = handle.terminate_child(child).await.unwrap();
    /// assert!(matches!(outcome, Outcome::Stopped));
    /// assert!(outcome.is_clean() && !outcome.is_completed());
    /// # });
    /// ```
    #[must_use]
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Completed | Self::Stopped)
    }

    /// Whether a child that ended by itself with this outcome is started again.
    pub(super) fn is_restarted(&self, restart: Restart) -> bool {
        match restart {
            Restart::Temporary => false,
            Restart::Transient => !matches!(self, Self::Completed | Self::Stopped | Self::NotRestarted),
            Restart::Permanent => !matches!(self, Self::NotRestarted),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Stopped => f.write_str("stopped"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked(panic) => write!(f, "panicked: {}", panic.message()),
            Self::Aborted => f.write_str("aborted"),
            Self::NotRestarted => f.write_str("not restarted"),
        }
    }
}
