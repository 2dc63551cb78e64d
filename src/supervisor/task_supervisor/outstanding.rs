//! The items that were sent and whose results were not read yet.

use super::handle::TaskSupervisorHandle;
use super::results::{Results, Told};
use super::roll::{KeepsRoll, Roll};
use super::task::{TaskRun, Teller};
use crate::supervisor::ChildError;
use crate::sync::keep_waker;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// The tasks of these items, and the results they told.
pub(super) struct Outstanding<K, O> {
    seats: Vec<Seat<K>>,
    /// Which of `seats` are free.
    idle: Vec<usize>,
    results: Arc<Results<O>>,
    /// Taken out of `results`, and not yet read.
    unread: VecDeque<Told<O>>,
    order: Option<Order<O>>,
    /// For a handle that looks at the tasks.
    roll: Option<Arc<dyn KeepsRoll<K>>>,
}

struct Seat<K> {
    /// `None` if it is idle.
    key: Option<K>,
    task: Option<JoinHandle<()>>,
}

/// For results in the order of items.
struct Order<O> {
    /// The seats that are taken, in the order in which they were taken.
    line: VecDeque<usize>,
    /// By seat: the results that wait for earlier ones.
    done: Vec<Option<Result<O, ChildError>>>,
}

impl<K, O> Outstanding<K, O> {
    pub(super) fn new() -> Self {
        Self {
            seats: Vec::new(),
            idle: Vec::new(),
            results: Arc::default(),
            unread: VecDeque::new(),
            order: None,
            roll: None,
        }
    }

    /// Yields results in the order of items. To be called while there are none.
    pub(super) fn set_ordered(&mut self) {
        self.order = Some(Order { line: VecDeque::new(), done: Vec::new() });
    }

    /// Keeps a list of tasks from now on, for the handle that this returns.
    pub(super) fn handle(&mut self) -> TaskSupervisorHandle<K>
    where
        K: Clone + Send + Sync + 'static,
    {
        if let Some(roll) = &self.roll {
            return TaskSupervisorHandle::new(Arc::clone(roll).roll());
        }
        let roll = Arc::new(Roll::new());
        for (at, Seat { key, task }) in self.seats.iter().enumerate() {
            if let (Some(key), Some(task)) = (key, task) {
                roll.enter(at, key.clone(), task.abort_handle());
            }
        }
        self.roll = Some(Arc::clone(&roll) as Arc<dyn KeepsRoll<K>>);
        TaskSupervisorHandle::new(roll)
    }

    pub(super) fn has_handle(&self) -> bool {
        self.roll.is_some()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.seats.len() - self.idle.len()
    }

    pub(super) fn is_ordered(&self) -> bool {
        self.order.is_some()
    }

    /// Starts a task for a future; an error in place of the future is the result at once.
    pub(super) fn start<Fut>(
        &mut self,
        key: K,
        future: Result<Fut, ChildError>,
        limit: Option<Duration>,
        runtime: &Handle,
    ) where
        Fut: Future<Output = O> + Send + 'static,
        O: Send + 'static,
    {
        let rolled = self.roll.as_ref().map(|roll| (Arc::clone(roll), roll.copy(&key)));
        let at = self.sit(key);
        let mut teller = Teller::new(at, &self.results);
        match future {
            Ok(future) => {
                let task = runtime.spawn(TaskRun::new(future, limit, teller));
                if let Some((roll, key)) = rolled {
                    roll.enter(at, key, task.abort_handle());
                }
                self.seats[at].task = Some(task);
            }
            Err(error) => teller.tell(Err(error)),
        }
    }

    fn sit(&mut self, key: K) -> usize {
        let at = self.idle.pop().unwrap_or_else(|| {
            self.seats.push(Seat { key: None, task: None });
            self.seats.len() - 1
        });
        self.seats[at].key = Some(key);
        if let Some(order) = &mut self.order {
            order.line.push_back(at);
            order.done.resize_with(self.seats.len(), || None);
        }
        at
    }

    /// Out of the way of those that no handle looks at.
    #[cold]
    fn leave_roll(&self, at: usize, result: &mut Result<O, ChildError>) {
        let was_cancelled = self.roll.as_ref().is_some_and(|roll| roll.leave(at));
        if was_cancelled && matches!(result, Err(ChildError::Aborted)) {
            *result = Err(ChildError::Cancelled);
        }
    }

    #[inline]
    fn rise(&mut self, at: usize) -> K {
        let seat = &mut self.seats[at];
        seat.task = None;
        let Some(key) = seat.key.take() else {
            unreachable!("a task tells one result, which is read once");
        };
        self.idle.push(at);
        key
    }

    /// The next result.
    pub(super) fn next(&mut self) -> Option<(K, Result<O, ChildError>)> {
        if self.len() == 0 {
            return None;
        }
        loop {
            if let Some(Order { line, done }) = &mut self.order {
                if let Some((at, result)) = line.front().and_then(|at| Some((*at, done[*at].take()?))) {
                    line.pop_front();
                    return Some((self.rise(at), result));
                }
            }
            if self.unread.is_empty() {
                std::mem::swap(&mut self.unread, &mut self.results.lock().queue);
            }
            let (at, mut result) = self.unread.pop_front()?;
            if self.roll.is_some() {
                self.leave_roll(at, &mut result);
            }
            match &mut self.order {
                None => return Some((self.rise(at), result)),
                Some(order) => order.done[at] = Some(result),
            }
        }
    }

    /// Waits until a task tells a result, or for [`wake`](Self::wake). To be called only when there is no next result.
    pub(super) fn poll_told(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.results.lock();
        if !state.queue.is_empty() {
            return Poll::Ready(());
        }
        keep_waker(state, |state| &mut state.reader, cx.waker());
        Poll::Pending
    }

    pub(super) fn wake(&self) {
        self.results.wake();
    }
}

impl<K, O> Drop for Outstanding<K, O> {
    fn drop(&mut self) {
        for seat in &self.seats {
            if let Some(task) = &seat.task {
                task.abort();
            }
        }
        let mut state = self.results.lock();
        state.abandoned = true;
        let unread = (std::mem::take(&mut state.queue), state.reader.take());
        drop(state);
        // Without the lock: dropping this runs the user's code.
        drop(unread);
        if let Some(roll) = &self.roll {
            roll.clear();
        }
    }
}
