//! The tasks that run, for a handle that looks at them from elsewhere.

use crate::sync::unpoisoned;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::task::AbortHandle;

/// The tasks by their seats. No code of users runs under its lock: keys are compared and cloned without it.
pub(super) struct Roll<K> {
    tasks: Mutex<Vec<Option<Arc<RolledTask<K>>>>>,
}

pub(super) struct RolledTask<K> {
    pub(super) key: K,
    task: AbortHandle,
    cancelled: AtomicBool,
}

/// What the supervisor does with a [`Roll`], whose keys are shared with other threads; its own need not be.
pub(super) trait KeepsRoll<K>: Send + Sync {
    /// Clones a key.
    fn copy(&self, key: &K) -> K;

    fn enter(&self, at: usize, key: K, task: AbortHandle);

    /// Takes out the task whose result is read; true if it was cancelled.
    fn leave(&self, at: usize) -> bool;

    fn clear(&self);

    fn roll(self: Arc<Self>) -> Arc<Roll<K>>;
}

impl<K: Clone + Send + Sync> KeepsRoll<K> for Roll<K> {
    fn copy(&self, key: &K) -> K {
        key.clone()
    }

    fn enter(&self, at: usize, key: K, task: AbortHandle) {
        let entered = Arc::new(RolledTask { key, task, cancelled: AtomicBool::new(false) });
        let mut tasks = unpoisoned(self.tasks.lock());
        if tasks.len() <= at {
            tasks.resize(at + 1, None);
        }
        tasks[at] = Some(entered);
    }

    fn leave(&self, at: usize) -> bool {
        let left = unpoisoned(self.tasks.lock()).get_mut(at).and_then(Option::take);
        left.is_some_and(|task| task.cancelled.load(Ordering::Relaxed))
    }

    fn clear(&self) {
        let left = std::mem::take(&mut *unpoisoned(self.tasks.lock()));
        drop(left);
    }

    fn roll(self: Arc<Self>) -> Arc<Self> {
        self
    }
}

impl<K> Roll<K> {
    pub(super) fn new() -> Self {
        Self { tasks: Mutex::default() }
    }

    /// The tasks that have not ended.
    pub(super) fn running(&self) -> Vec<Arc<RolledTask<K>>> {
        let mut tasks: Vec<_> = unpoisoned(self.tasks.lock()).iter().flatten().cloned().collect();
        tasks.retain(|task| !task.task.is_finished());
        tasks
    }
}

impl<K> RolledTask<K> {
    /// Has it dropped in the middle of what it does; false if that was said before.
    pub(super) fn cancel(&self) -> bool {
        let first = !self.cancelled.swap(true, Ordering::Relaxed);
        self.task.abort();
        first
    }
}
