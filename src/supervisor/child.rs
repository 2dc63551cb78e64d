use super::child_info::ChildId;
use super::registry::Value;
use super::shared::SupervisorShared;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

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
/// assert!(matches!(report.stopped[0].outcome, Outcome::Stopped));
/// # });
/// ```
#[derive(Clone)]
pub struct Child {
    shared: Arc<SupervisorShared>,
    id: ChildId,
    restarts: u32,
}

impl Child {
    pub(super) fn new(shared: Arc<SupervisorShared>, id: ChildId, restarts: u32) -> Self {
        Self { shared, id, restarts }
    }

    /// The name of the child.
    #[must_use]
    pub fn id(&self) -> ChildId {
        self.id
    }

    /// How often the child was restarted before this attempt.
    ///
    /// # Examples
    /// See the [module](super).
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// The token that is cancelled when the child is asked to stop, and when it has ended, so that tasks it left
    /// running can watch it too. Each attempt has its own.
    ///
    /// # Examples
    /// See the [module](super).
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        let (id, restarts) = (self.id, self.restarts);
        let (token, stopping) = self.shared.with(|registry| registry.token(id, restarts));
        if stopping {
            token.cancel();
        }
        token
    }

    /// Leaves what the child returns with the supervisor.
    pub(super) fn returns(&self, value: Value) {
        let replaced = self.shared.with(|registry| registry.keep_value(self.id, value));
        drop(replaced);
    }

    /// Waits until the child is asked to stop.
    ///
    /// # Cancel safety
    /// Waiting changes nothing.
    ///
    /// # Examples
    /// See [`Child`].
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
