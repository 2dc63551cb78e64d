use super::handle::{Handle, RunningStage};
use super::role::Role;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Weak};
use tokio_util::sync::DropGuard;

impl<R: Role, M: Send + 'static> Handle<R, M> {
    /// A handle that does not keep the stage alive, for example for the stage itself.
    ///
    /// # Examples
    /// See [`WeakHandle`].
    pub fn downgrade(&self) -> WeakHandle<R, M> {
        let (running, lifeline) = (Arc::clone(&self.running), Arc::downgrade(&self.lifeline));
        WeakHandle { running, lifeline }
    }
}

/// A [`Handle`] that does not keep its stage alive.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
/// use gen_stage::stage::from_iter;
///
/// # tokio_test::block_on(async {
/// let numbers = from_iter(0..).stage().spawn();
/// let weak = numbers.downgrade();
/// assert!(weak.upgrade().is_some());
/// drop(numbers);
/// assert!(weak.upgrade().is_none());
/// # });
/// ```
#[must_use = "a weak handle does nothing until it is upgraded"]
pub struct WeakHandle<R: Role, M: Send + 'static = Infallible> {
    running: Arc<RunningStage<R, M>>,
    lifeline: Weak<DropGuard>,
}

impl<R: Role, M: Send + 'static> WeakHandle<R, M> {
    /// Returns a handle while something else keeps the stage alive; `None` after that.
    ///
    /// # Examples
    /// See [`WeakHandle`].
    #[must_use]
    pub fn upgrade(&self) -> Option<Handle<R, M>> {
        Some(Handle { running: Arc::clone(&self.running), lifeline: self.lifeline.upgrade()? })
    }
}

impl<R: Role, M: Send + 'static> Clone for WeakHandle<R, M> {
    fn clone(&self) -> Self {
        Self { running: Arc::clone(&self.running), lifeline: Weak::clone(&self.lifeline) }
    }
}

impl<R: Role, M: Send + 'static> fmt::Debug for WeakHandle<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakHandle")
            .field("id", &self.running.id)
            .field("label", &self.running.label)
            .finish_non_exhaustive()
    }
}
