//! The results of children, until they are read.

use crate::supervisor::child_info::ChildId;
use crate::supervisor::outcome::Outcome;
use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

/// What a child returned. Its type is known where it is made and where it is read.
pub(in crate::supervisor) type Value = Box<dyn Any + Send>;

/// The result of a child that has ended.
pub(in crate::supervisor) struct Returned {
    pub(in crate::supervisor) child: ChildId,
    pub(in crate::supervisor) label: Option<Arc<str>>,
    pub(in crate::supervisor) outcome: Outcome,
    /// There is one if the child returned.
    pub(in crate::supervisor) value: Option<Value>,
    /// Where it keeps its place.
    pub(super) intake: usize,
}

/// The results of children, for one reader.
#[derive(Default)]
pub(super) struct KeptResults {
    pub(super) reader: ResultReader,
    pub(super) queue: VecDeque<Returned>,
    pub(super) waker: Option<Waker>,
    /// How many are gone without having been read.
    pub(super) lost: u64,
}

#[derive(Default, PartialEq)]
pub(super) enum ResultReader {
    /// Children return nothing.
    #[default]
    Never,
    /// Results are counted and dropped.
    None,
    Reads,
}

impl KeptResults {
    pub(super) fn new(returns: bool) -> Self {
        let reader = if returns { ResultReader::None } else { ResultReader::Never };
        Self { reader, ..Self::default() }
    }

    pub(super) fn unread(&self) -> u64 {
        self.lost + self.queue.len() as u64
    }

    /// Wakes the reader.
    pub(super) fn wake(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.waker.take());
    }
}
