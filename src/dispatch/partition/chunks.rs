use crate::pieces;
use std::collections::VecDeque;
use std::vec;

/// A queue of items that keeps them in the lists that they came in, so that lists move and not items.
#[derive(Debug)]
pub(super) struct Chunks<T> {
    /// The list being taken from.
    front: vec::IntoIter<T>,
    /// The lists after `front`; none is empty.
    later: VecDeque<Vec<T>>,
    len: usize,
}

/// A list shorter than this is put into the one before it: a list has a buffer of its own, and many short ones would
/// take more memory than their items.
const SHORT: usize = 64;

impl<T> Chunks<T> {
    pub(super) fn new() -> Self {
        Self { front: Vec::new().into_iter(), later: VecDeque::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push(&mut self, mut items: Vec<T>) {
        self.len += items.len();
        match self.later.back_mut() {
            Some(last) if items.len() < SHORT || items.len() <= last.capacity() - last.len() => {
                last.append(&mut items);
            }
            _ if items.is_empty() => {}
            _ => {
                if items.len() < items.capacity() / 2 {
                    items.shrink_to_fit();
                }
                self.later.push_back(items);
            }
        }
    }

    /// Takes the next items, at most `count`.
    pub(super) fn take(&mut self, count: usize) -> Vec<T> {
        let mut taken = Vec::new();
        while taken.len() < count {
            if self.front.len() == 0 {
                let Some(next) = self.later.pop_front() else { break };
                self.front = next.into_iter();
            }
            let mut piece = pieces::first(&mut self.front, count - taken.len());
            if taken.is_empty() {
                taken = piece;
            } else {
                taken.append(&mut piece);
            }
        }
        self.len -= taken.len();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunks, SHORT};

    #[test]
    fn items_come_out_in_the_order_they_went_in_however_they_are_cut() {
        for (list, ask) in [(1, 1), (1, 7), (3, 2), (SHORT, 1), (SHORT, SHORT / 2), (5 * SHORT, 2 * SHORT)] {
            let (mut queue, mut next, mut out) = (Chunks::new(), 0, Vec::new());
            for _ in 0..20 {
                queue.push((next..next + list).collect());
                next += list;
                out.extend(queue.take(ask));
                assert_eq!(out.len() + queue.len(), next);
            }
            while !queue.is_empty() {
                out.extend(queue.take(ask));
            }
            assert_eq!(out, (0..next).collect::<Vec<_>>(), "lists of {list}, asks of {ask}");
            assert!(queue.take(ask).is_empty());
        }
    }
}
