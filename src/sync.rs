//! The locks the edge is built from, in one place so that loom can stand in for them; and how all locks are taken.
//!
//! Build with `--cfg gen_stage_loom` to have every lock and reference count of an edge explored by loom.
//! The name is our own, and not loom's usual `loom`, because tokio reacts to that one.

#[cfg(gen_stage_loom)]
pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(gen_stage_loom)]
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
#[cfg(not(gen_stage_loom))]
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(gen_stage_loom))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

use std::ops::DerefMut;
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
use std::task::Waker;

/// The guard of a lock, also after a panic under it: `unpoisoned(mutex.lock())`, for std's locks and for loom's.
///
/// That panic is raised, or kept, where it happened. To fail of it here too would only hide it: some of these locks are
/// taken in drops.
#[inline]
pub(crate) fn unpoisoned<G>(locked: LockResult<G>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// The same for a lock that is not waited for: `None` while another has it.
#[inline]
pub(crate) fn unpoisoned_if_free<G>(locked: TryLockResult<G>) -> Option<G> {
    match locked {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Keeps a waker under a lock, to be called later, and releases the lock before it drops the waker that was kept until
/// now: that drop runs users' code, and may drop the last owner of something that takes the same lock.
pub(crate) fn keep_waker<G: DerefMut>(
    mut guard: G,
    slot: impl FnOnce(&mut G::Target) -> &mut Option<Waker>,
    waker: &Waker,
) {
    let kept = slot(&mut guard);
    let replaced = match kept {
        Some(kept) if kept.will_wake(waker) => None,
        // If the clone panics, nothing has changed.
        _ => kept.replace(waker.clone()),
    };
    drop(guard);
    drop(replaced);
}
