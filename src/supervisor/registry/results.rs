//! What children return, where that is wanted: the result of a child keeps its place until it is read.

use super::Registry;
use super::returned::{ResultReader, Returned, Value};
use crate::supervisor::child_info::ChildId;
use crate::supervisor::outcome::Outcome;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

impl Registry {
    /// Keeps results from now on; false if they are being read already.
    pub(in crate::supervisor) fn open_results(&mut self) -> bool {
        let before = std::mem::replace(&mut self.results.reader, ResultReader::Reads);
        before != ResultReader::Reads
    }

    /// Drops the results that wait, and all that follow. Returns what is to be dropped without the lock.
    pub(in crate::supervisor) fn close_results(&mut self) -> (VecDeque<Returned>, Option<Waker>) {
        self.results.reader = ResultReader::None;
        let queue = std::mem::take(&mut self.results.queue);
        self.results.lost += queue.len() as u64;
        for returned in &queue {
            self.give_back(returned.intake);
        }
        (queue, self.results.waker.take())
    }

    /// Keeps the value of a child that is about to end. Returns it if there is no such child.
    pub(in crate::supervisor) fn keep_value(&mut self, id: ChildId, value: Value) -> Option<Value> {
        match self.get(id) {
            Some(slot) => slot.rare().value.replace(value),
            None => Some(value),
        }
    }

    /// Drops the value of a child that is started again; whether it had one.
    pub(super) fn drop_value(&mut self, id: ChildId) -> bool {
        let value = self.get(id).and_then(|slot| slot.rare.as_mut()?.value.take());
        let had = value.is_some();
        if had {
            self.after.add().values.extend(value);
        }
        had
    }

    /// Drops the value of an attempt that completed, and is made again on request.
    pub(super) fn lose_value(&mut self, id: ChildId) {
        self.results.lost += u64::from(self.drop_value(id));
    }

    /// Hands the result of a child on. Its place stays taken if the result waits to be read.
    pub(super) fn hand_on(
        &mut self,
        child: ChildId,
        label: Option<Arc<str>>,
        outcome: &Outcome,
        value: Option<Value>,
        intake: usize,
    ) {
        if self.results.reader == ResultReader::Reads {
            let outcome = outcome.clone();
            self.results.queue.push_back(Returned { child, label, outcome, value, intake });
            self.results.wake(&mut self.after.add().wakers);
            return;
        }
        if self.results.reader == ResultReader::None {
            self.results.lost += 1;
        }
        if value.is_some() {
            self.after.add().values.extend(value);
        }
        self.give_back(intake);
    }

    /// The next result; `None` after the last one of a supervisor that has ended.
    pub(in crate::supervisor) fn poll_result(
        &mut self,
        cx: &Context<'_>,
        old: &mut Option<Waker>,
    ) -> Poll<Option<Returned>> {
        match self.results.queue.pop_front() {
            Some(returned) => {
                self.give_back(returned.intake);
                Poll::Ready(Some(returned))
            }
            None if self.is_over() => Poll::Ready(None),
            None => {
                *old = self.results.waker.replace(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// How many results wait: from 0 to the number of places.
    pub(in crate::supervisor) fn waiting_results(&self) -> usize {
        self.results.queue.len()
    }
}
