//! Where the letters to one task wait. The task takes all that are there together, under one lock, and what crosses between
//! two cores with a letter is one place in memory.

use crate::coop::poll_budgeted;
use crate::sync::{keep_waker, unpoisoned};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// The side of the task that reads.
pub(super) struct Inbox<L> {
    unread: Arc<UnreadLetters<L>>,
    /// Taken together, the oldest first.
    taken: VecDeque<L>,
}

/// Where letters are put into an inbox. Cheap to clone.
pub(super) struct Door<L>(Arc<UnreadLetters<L>>);

struct UnreadLetters<L>(Mutex<LetterQueue<L>>);

struct LetterQueue<L> {
    letters: VecDeque<L>,
    /// Set while the task waits for a letter.
    reader: Option<Waker>,
    /// False once the inbox is gone.
    open: bool,
}

/// Memory for more letters than this is given back when they have been read.
const MOST_KEPT: usize = 256;

impl<L> Inbox<L> {
    /// What is in an inbox is bounded elsewhere.
    pub(super) fn new() -> (Door<L>, Self) {
        let letters = LetterQueue { letters: VecDeque::new(), reader: None, open: true };
        let unread = Arc::new(UnreadLetters(Mutex::new(letters)));
        (Door(Arc::clone(&unread)), Self { unread, taken: VecDeque::new() })
    }

    #[inline]
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<L> {
        poll_budgeted(cx, |cx| match self.taken.pop_front() {
            Some(letter) => Poll::Ready(letter),
            None => self.poll_take(cx),
        })
    }

    /// Takes all that wait, and returns the first.
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<L> {
        if self.taken.capacity() > MOST_KEPT {
            self.taken = VecDeque::new();
        }
        let mut unread = self.unread.lock();
        std::mem::swap(&mut unread.letters, &mut self.taken);
        let Some(first) = self.taken.pop_front() else {
            keep_waker(unread, |unread| &mut unread.reader, cx.waker());
            return Poll::Pending;
        };
        Poll::Ready(first)
    }
}

impl<L> Drop for Inbox<L> {
    /// Drops every letter, the oldest first, which answers every caller that waits.
    fn drop(&mut self) {
        let mut unread = self.unread.lock();
        unread.open = false;
        let rest = (std::mem::take(&mut unread.letters), unread.reader.take());
        drop(unread);
        drop((std::mem::take(&mut self.taken), rest));
    }
}

impl<L> Door<L> {
    /// Returns the letter if the inbox is gone.
    #[inline]
    pub(super) fn put(&self, letter: L) -> Result<(), L> {
        let mut unread = self.0.lock();
        if !unread.open {
            return Err(letter);
        }
        unread.letters.push_back(letter);
        let reader = unread.reader.take();
        drop(unread);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(())
    }
}

impl<L> Clone for Door<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> UnreadLetters<L> {
    /// Letters are not dropped under this lock, nor wakers called.
    fn lock(&self) -> MutexGuard<'_, LetterQueue<L>> {
        unpoisoned(self.0.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::{Inbox, MOST_KEPT};
    use futures::task::noop_waker_ref;
    use std::future::poll_fn;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll};
    use tokio_test::task::spawn;

    /// Notes its number when it is dropped.
    struct Noted(u32, Arc<Mutex<Vec<u32>>>);

    impl Drop for Noted {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    #[test]
    fn letters_come_in_the_order_in_which_they_were_put_and_wake_a_task_that_waits() {
        let (door, mut inbox) = Inbox::new();
        let mut next = spawn(poll_fn(|cx| inbox.poll_next(cx)));
        assert!(next.poll().is_pending());
        door.put(1).unwrap();
        assert!(next.is_woken());
        door.put(2).unwrap();
        assert_eq!(next.poll(), Poll::Ready(1));
        door.clone().put(3).unwrap();
        assert_eq!((next.poll(), next.poll()), (Poll::Ready(2), Poll::Ready(3)));
        assert!(next.poll().is_pending());
    }

    #[test]
    fn an_inbox_that_goes_drops_its_letters_and_later_ones_come_back() {
        let (door, mut inbox) = Inbox::new();
        let dropped = Arc::new(Mutex::new(Vec::new()));
        let letter = |number| Noted(number, Arc::clone(&dropped));
        (1..=3).for_each(|number| drop(door.put(letter(number))));
        let mut cx = Context::from_waker(noop_waker_ref());
        assert!(inbox.poll_next(&mut cx).is_ready());
        (4..=5).for_each(|number| drop(door.put(letter(number))));
        drop(inbox);
        assert_eq!(*dropped.lock().unwrap(), [1, 2, 3, 4, 5]);
        assert!(door.put(letter(6)).is_err());
    }

    #[test]
    fn the_memory_of_many_letters_is_given_back() {
        let (door, mut inbox) = Inbox::new();
        let mut cx = Context::from_waker(noop_waker_ref());
        for n in 0..100 * MOST_KEPT {
            door.put(n).unwrap();
        }
        for n in 0..100 * MOST_KEPT {
            assert_eq!(inbox.poll_next(&mut cx), Poll::Ready(n));
        }
        assert!(inbox.poll_next(&mut cx).is_pending());
        let kept = inbox.taken.capacity() + inbox.unread.lock().letters.capacity();
        assert!(kept <= 2 * MOST_KEPT, "{kept}");
    }
}
