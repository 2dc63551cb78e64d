use crate::supervisor::ChildError;
use crate::sync::unpoisoned;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::task::Waker;

/// What came of one item, with the number of its seat.
pub(super) type Told<O> = (usize, Result<O, ChildError>);

/// The results of tasks, on their way to the reader.
pub(super) struct Results<O> {
    state: Mutex<ResultsState<O>>,
}

pub(super) struct ResultsState<O> {
    pub(super) queue: VecDeque<Told<O>>,
    pub(super) reader: Option<Waker>,
    /// The reader is gone.
    pub(super) abandoned: bool,
}

impl<O> Results<O> {
    pub(super) fn lock(&self) -> MutexGuard<'_, ResultsState<O>> {
        // No code of users runs under this lock.
        unpoisoned(self.state.lock())
    }

    pub(super) fn push(&self, at: usize, result: Result<O, ChildError>) {
        let mut state = self.lock();
        if state.abandoned {
            // The result is dropped without the lock.
            drop(state);
            return;
        }
        state.queue.push_back((at, result));
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Wakes the reader, if it waits.
    pub(super) fn wake(&self) {
        let reader = self.lock().reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<O> Default for Results<O> {
    fn default() -> Self {
        Self { state: Mutex::new(ResultsState { queue: VecDeque::new(), reader: None, abandoned: false }) }
    }
}
