use super::child_info::ChildId;
use super::outcome::Outcome;
use crate::failure::Panic;
use crate::stage::Reason;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Why a supervisor has ended.
///
/// # Examples
/// See [`SupervisorReport`](super::SupervisorReport).
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum SupervisorEnd {
    /// Its sink was closed, and all children have ended.
    #[error("the supervisor was closed")]
    Closed,
    /// A handle shut it down, or drained it, or the token of
    /// [`stop_when`](super::DynamicSupervisor::stop_when) did.
    #[error("the supervisor was shut down")]
    ShutDown,
    /// It was aborted by a handle, or dropped.
    #[error("the supervisor was aborted")]
    Aborted,
    /// There were too many restarts.
    #[error("the supervisor gave up: {0}")]
    GaveUp(GivenUp),
    /// A producer it was subscribed to has ended, and the subscription's [`CancelMode`](crate::stage::CancelMode) ended
    /// it too.
    #[error("a producer of the supervisor ended: {0}")]
    Producer(Reason),
}

impl SupervisorEnd {
    /// Whether the end was meant: closed, shut down, or the clean end of a producer.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        match self {
            Self::Closed | Self::ShutDown => true,
            Self::Aborted | Self::GaveUp(_) => false,
            Self::Producer(reason) => reason.is_clean(),
        }
    }
}

/// The restart that was one too many.
///
/// # Examples
/// See [`DynamicSupervisor::max_restarts`](super::DynamicSupervisor::max_restarts).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GivenUp {
    /// The child that would have been restarted.
    pub child: ChildId,
    /// What [`label_by`](super::DynamicSupervisor::label_by) calls it.
    pub label: Option<Arc<str>>,
    /// How it ended.
    pub outcome: Outcome,
    /// How many restarts are allowed, of all children.
    pub max_restarts: usize,
    /// Within which time.
    pub within: Duration,
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { child, outcome, max_restarts, within, .. } = self;
        match &self.label {
            Some(label) => write!(f, "child {label} {outcome}")?,
            None => write!(f, "child {child} {outcome}")?,
        }
        write!(f, ", and there may be {max_restarts} restarts within {within:?}")
    }
}

/// Why the sink of a supervisor takes no more items, with the item that it did not take.
///
/// # Examples
/// ```
/// use futures::SinkExt;
/// use gen_stage::supervisor::DynamicSupervisor;
///
/// # tokio_test::block_on(async {
/// let mut supervisor = DynamicSupervisor::new(|_: &str| async {});
/// supervisor.handle().shutdown().await;
/// let refused = supervisor.start_send_unpin("late").unwrap_err();
/// assert_eq!(refused.to_string(), "the supervisor was shut down");
/// assert_eq!(refused.into_item(), Some("late"));
/// # });
/// ```
pub struct SupervisorError<T> {
    end: SupervisorEnd,
    item: Option<T>,
}

impl<T> SupervisorError<T> {
    pub(super) fn new(end: SupervisorEnd, item: Option<T>) -> Self {
        Self { end, item }
    }

    /// Why the supervisor has ended.
    #[must_use]
    pub fn end(&self) -> &SupervisorEnd {
        &self.end
    }

    /// The item that was not taken, if the error is about one.
    ///
    /// Errors of `start_send` and of [`start`](super::DynamicSupervisor::start) always have it; one of
    /// [`start_all`](super::DynamicSupervisor::start_all) has it only if it had taken an item. An error of `poll_ready`
    /// has none: the caller still has the item. (`send` and `forward` of futures drop it then.)
    ///
    /// # Examples
    /// See [`SupervisorError`].
    #[must_use]
    pub fn into_item(self) -> Option<T> {
        self.item
    }
}

impl<T> fmt::Debug for SupervisorError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorError")
            .field("end", &self.end)
            .field("has_item", &self.item.is_some())
            .finish()
    }
}

impl<T> fmt::Display for SupervisorError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}

impl<T> Error for SupervisorError<T> {}

/// Why a child was not started on request.
///
/// # Examples
/// ```
/// use gen_stage::supervisor::{DynamicSupervisor, StartError};
///
/// # tokio_test::block_on(async {
/// let mut supervisor = DynamicSupervisor::new(|_: &str| async {}).max_children(0);
/// let refused = supervisor.handle().start_child("a").unwrap_err();
/// assert_eq!(refused.to_string(), "max_children is 0, and as many children run that were started on request");
/// assert_eq!(refused.into_item(), Some("a"));
/// # });
/// ```
#[non_exhaustive]
pub enum StartError<T> {
    /// As many children started on request run already as [`max_children`](super::DynamicSupervisor::max_children)
    /// allows; those whose [result](super::DynamicSupervisor::with_results) was not read count, too.
    MaxChildren {
        /// The limit.
        max_children: usize,
        /// What was not started.
        item: T,
    },
    /// The supervisor is ending, or has ended.
    Ended {
        /// Why it takes no more.
        end: SupervisorEnd,
        /// What was not started.
        item: T,
    },
    /// There was nothing to start: the factory returned `Ok(None)`. The item is gone.
    Ignored,
    /// The factory returned an error. The item is gone.
    Failed(Arc<dyn Error + Send + Sync>),
    /// The factory panicked, or the clone of the item or a closure of an option did. The item is gone.
    Panicked(Panic),
}

impl<T> StartError<T> {
    /// The item that was not taken; `None` for `Ignored`, `Failed` and `Panicked`.
    ///
    /// # Examples
    /// See [`StartError`].
    #[must_use]
    pub fn into_item(self) -> Option<T> {
        match self {
            Self::MaxChildren { item, .. } | Self::Ended { item, .. } => Some(item),
            Self::Ignored | Self::Failed(_) | Self::Panicked(_) => None,
        }
    }
}

impl<T> fmt::Display for StartError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxChildren { max_children, .. } => write!(
                f,
                "max_children is {max_children}, and as many children run that were started on request"
            ),
            Self::Ended { end, .. } => end.fmt(f),
            Self::Ignored => f.write_str("there was nothing to start"),
            Self::Failed(error) => write!(f, "the child was not started: {error}"),
            Self::Panicked(panic) => write!(f, "starting the child panicked: {}", panic.message()),
        }
    }
}

impl<T> fmt::Debug for StartError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxChildren { max_children, .. } => {
                f.debug_struct("MaxChildren").field("max_children", max_children).finish_non_exhaustive()
            }
            Self::Ended { end, .. } => f.debug_struct("Ended").field("end", end).finish_non_exhaustive(),
            Self::Ignored => f.write_str("Ignored"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Panicked(panic) => f.debug_tuple("Panicked").field(panic).finish(),
        }
    }
}

impl<T> Error for StartError<T> {}

/// There is no such child, or it has ended.
///
/// # Examples
/// See [`SupervisorHandle::terminate_child`](super::SupervisorHandle::terminate_child).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no child {0}")]
pub struct NotFound(pub ChildId);

/// Why a child was not restarted on request.
///
/// # Examples
/// See [`SupervisorHandle::restart_child`](super::SupervisorHandle::restart_child).
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum RestartError {
    /// There is no such child, or it has ended or is being stopped.
    #[error("there is no child {0}")]
    NotFound(ChildId),
    /// The children of this supervisor are temporary: their items are not kept.
    #[error("child {0} is temporary, its item was not kept")]
    Temporary(ChildId),
    /// It is stopped, or could not be started again.
    #[error("child {child} {outcome}")]
    Gone {
        /// The child.
        child: ChildId,
        /// How it ended.
        outcome: Outcome,
    },
}
