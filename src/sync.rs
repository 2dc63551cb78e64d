//! The locks the edge is built from, in one place so that loom can stand in for them.
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
use std::task::Waker;

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
