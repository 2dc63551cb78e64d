use crate::coop::let_others_run;
use std::future::pending;

/// What is asked of a producer that makes its items by itself, when it has read all asks that are there.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Asked for and not yet made.
    items: usize,
    /// How many subscriptions may ask.
    consumers: usize,
    /// Others had their turn to ask since nothing was wanted.
    gathered: bool,
}

/// Fewer items than this are made at once: to wait for the other consumers would cost more than longer batches save.
const MUCH: usize = 256;

impl Wanted {
    pub(super) fn items(&self) -> usize {
        self.items
    }

    pub(super) fn ask(&mut self, items: usize) {
        // While something is wanted already, whatever makes it is slower than those who ask.
        self.gathered &= self.items > 0;
        self.items = self.items.saturating_add(items);
    }

    pub(super) fn consumer_came(&mut self) {
        self.consumers += 1;
    }

    pub(super) fn consumer_left(&mut self) {
        self.consumers -= 1;
    }

    /// Items were made. They are no more than are wanted.
    pub(super) fn made(&mut self, items: usize) {
        self.items -= items;
    }

    /// Nothing more will be made.
    pub(super) fn end(&mut self) {
        self.items = 0;
    }

    /// Waits until something is wanted. If that is much, other tasks run before it returns: in most cases the other
    /// consumers are about to ask as well. One list for all of them makes batches several times as long as a list for
    /// each ask, where a dispatcher divides it.
    pub(super) async fn gather(&mut self) {
        if self.items == 0 {
            return pending().await;
        }
        let alone = self.consumers < 2;
        if self.items >= MUCH && !alone && !std::mem::replace(&mut self.gathered, true) {
            let_others_run().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MUCH, Wanted};
    use tokio_test::task::spawn;

    /// What is wanted of a producer with `consumers` subscriptions, one of which has asked.
    fn asked(consumers: usize, items: usize) -> Wanted {
        let mut wanted = Wanted::default();
        (0..consumers).for_each(|_| wanted.consumer_came());
        wanted.ask(items);
        wanted
    }

    #[test]
    fn others_may_ask_before_much_is_made() {
        let mut wanted = asked(2, MUCH);
        for _ in 0..3 {
            let mut gather = spawn(wanted.gather());
            assert!(gather.poll().is_pending() && gather.is_woken());
            // As a letter comes, the future is dropped.
            drop(gather);
            wanted.ask(MUCH);
            assert!(spawn(wanted.gather()).poll().is_ready());
            assert_eq!(wanted.items(), 2 * MUCH);
            wanted.made(MUCH);
            assert!(spawn(wanted.gather()).poll().is_ready(), "the rest is made at once");
            wanted.made(MUCH);
            let mut gather = spawn(wanted.gather());
            assert!(gather.poll().is_pending() && !gather.is_woken(), "nothing is wanted");
            drop(gather);
            wanted.ask(MUCH);
        }
    }

    #[test]
    fn few_items_are_made_at_once_and_so_are_those_for_one_consumer() {
        assert!(spawn(asked(2, MUCH - 1).gather()).poll().is_ready());
        assert!(spawn(asked(1, MUCH).gather()).poll().is_ready());
        let mut wanted = asked(2, MUCH);
        wanted.consumer_left();
        assert!(spawn(wanted.gather()).poll().is_ready());
    }
}
