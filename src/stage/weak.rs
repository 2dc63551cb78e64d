use super::address::Address;
use super::handle::{AnyMailbox, Handle};
use super::reason::Reason;
use super::role::Role;
use super::tally::Tally;
use crate::dispatch::StageId;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Weak};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

impl<R: Role, M: Send + 'static> Handle<R, M> {
    /// A handle that does not keep the stage alive, for example for the stage itself.
    ///
    /// # Examples
    /// See [`WeakHandle`].
    #[must_use]
    pub fn downgrade(&self) -> WeakHandle<R, M> {
        WeakHandle {
            id: self.id,
            label: Arc::clone(&self.label),
            mailbox: Arc::clone(&self.mailbox),
            address: self.address.clone(),
            token: self.token.clone(),
            lifeline: Arc::downgrade(&self.lifeline),
            ended: self.ended.clone(),
            tally: Arc::clone(&self.tally),
        }
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
pub struct WeakHandle<R: Role, M: Send + 'static = Infallible> {
    id: StageId,
    label: Arc<str>,
    mailbox: Arc<dyn AnyMailbox<R, M>>,
    address: Address<M>,
    token: CancellationToken,
    lifeline: Weak<DropGuard>,
    ended: watch::Receiver<Option<Reason>>,
    tally: Arc<Tally>,
}

impl<R: Role, M: Send + 'static> WeakHandle<R, M> {
    /// A handle again, while something else keeps the stage alive; `None` after that.
    #[must_use]
    pub fn upgrade(&self) -> Option<Handle<R, M>> {
        Some(Handle {
            id: self.id,
            label: Arc::clone(&self.label),
            mailbox: Arc::clone(&self.mailbox),
            address: self.address.clone(),
            token: self.token.clone(),
            lifeline: self.lifeline.upgrade()?,
            ended: self.ended.clone(),
            tally: Arc::clone(&self.tally),
        })
    }
}

impl<R: Role, M: Send + 'static> Clone for WeakHandle<R, M> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            label: Arc::clone(&self.label),
            mailbox: Arc::clone(&self.mailbox),
            address: self.address.clone(),
            token: self.token.clone(),
            lifeline: Weak::clone(&self.lifeline),
            ended: self.ended.clone(),
            tally: Arc::clone(&self.tally),
        }
    }
}

impl<R: Role, M: Send + 'static> fmt::Debug for WeakHandle<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakHandle").field("id", &self.id).field("label", &self.label).finish_non_exhaustive()
    }
}
