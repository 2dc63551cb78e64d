use super::outcome::Outcome;
use super::rule::Shutdown;
use super::shared::SupervisorShared;
use super::spec::{ChildSpec, Starting};
use crate::failure::Panic;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a supervisor starts children with.
pub(super) struct Starter<T, S> {
    pub(super) shared: Arc<SupervisorShared>,
    pub(super) spec: S,
    pub(super) options: ItemOptions<T>,
}

/// The options that depend on the item.
pub(super) struct ItemOptions<T> {
    /// Clones an item, if items are kept for restarts.
    pub(super) copy: Option<fn(&T) -> T>,
    pub(super) label: Option<Box<dyn Fn(&T) -> String + Send + Sync>>,
    pub(super) rule: Option<Box<dyn Fn(&T) -> Shutdown + Send + Sync>>,
}

impl<T, S> Starter<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    /// Makes another attempt of a child.
    pub(super) fn restart(
        &self,
        item: Option<&T>,
        starting: Starting<'_>,
    ) -> Result<Option<S::Future>, Outcome> {
        let (Some(item), Some(copy)) = (item, self.options.copy) else {
            unreachable!("only children whose items are kept are restarted");
        };
        match catch_unwind(AssertUnwindSafe(|| self.spec.start(copy(item), starting))) {
            Ok(Ok(attempt)) => Ok(attempt),
            Ok(Err(error)) => Err(Outcome::Failed(Arc::from(error))),
            Err(payload) => Err(Outcome::Panicked(Panic::new(payload))),
        }
    }
}

impl<T, S> fmt::Debug for Starter<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starter").finish_non_exhaustive()
    }
}

/// Aborts all children when it is dropped.
#[derive(Debug)]
pub(super) struct AbortOnDrop(pub(super) Arc<SupervisorShared>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
