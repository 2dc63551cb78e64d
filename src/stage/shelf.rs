//! What waits for a subscription that would rather lose items than hold others up.

use super::tally::SubscriptionTally;
use super::terms::Keeps;
use crate::dispatch::Body;
use crate::sync::unpoisoned;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// The items between a producer that sends without being asked, and a subscription that takes what it asked for.
///
/// Items are taken when they are read, and not before: so those are dropped which are the oldest at that moment.
pub(super) struct Shelf<T> {
    keeps: Keeps,
    tally: Arc<SubscriptionTally>,
    state: Mutex<ShelfState<T>>,
}

struct ShelfState<T> {
    /// None of them empty.
    bodies: VecDeque<Body<T>>,
    /// How many items are in them.
    items: usize,
    /// Asked for and not taken.
    asked: usize,
    /// The reader was told that there is something to take, and has not found out yet that it has taken all.
    announced: bool,
    /// Nothing more comes: what is left need not be asked for.
    ended: bool,
}

impl<T> ShelfState<T> {
    /// How many items may be taken.
    fn ready(&self) -> usize {
        if self.ended { self.items } else { self.items.min(self.asked) }
    }

    /// Whether the reader has to be told now that there is something to take.
    fn announce(&mut self) -> bool {
        let announce = self.ready() > 0 && !self.announced;
        self.announced |= announce;
        announce
    }

    /// Drops what exceeds what is kept, and returns it.
    fn shed(&mut self, keeps: Keeps) -> Vec<Body<T>> {
        let (Keeps::Newest(most) | Keeps::Oldest(most)) = keeps;
        let mut dropped = Vec::new();
        while self.items > most {
            let excess = self.items - most;
            let body = match keeps {
                Keeps::Newest(_) => self.take_front(excess),
                Keeps::Oldest(_) => self.take_back(excess),
            };
            self.items -= body.len();
            dropped.push(body);
        }
        dropped
    }

    /// The first body, or as much of it as `limit` says. Call it only while there is one.
    fn take_front(&mut self, limit: usize) -> Body<T> {
        let mut body = self.bodies.pop_front().expect("items are in bodies");
        if body.len() > limit {
            self.bodies.push_front(body.split_off(limit));
        }
        body
    }

    /// The end of the last body, at most `limit` of it. Call it only while there is one.
    fn take_back(&mut self, limit: usize) -> Body<T> {
        let mut body = self.bodies.pop_back().expect("items are in bodies");
        if body.len() <= limit {
            return body;
        }
        let end = body.split_off(body.len() - limit);
        self.bodies.push_back(body);
        end
    }
}

// For the producer. Each says whether the reader has to be told that there is something to take.
impl<T> Shelf<T> {
    pub(super) fn new(keeps: Keeps, tally: Arc<SubscriptionTally>) -> Self {
        let state =
            ShelfState { bodies: VecDeque::new(), items: 0, asked: 0, announced: false, ended: false };
        Self { keeps, tally, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, ShelfState<T>> {
        unpoisoned(self.state.lock())
    }

    pub(super) fn put(&self, body: Body<T>) -> bool {
        if body.len() == 0 {
            return false;
        }
        self.tally.add_sent(body.len());
        let mut state = self.lock();
        state.items += body.len();
        state.bodies.push_back(body);
        let dropped = state.shed(self.keeps);
        let announce = state.announce();
        drop(state);
        self.tally.add_dropped(dropped.iter().map(Body::len).sum());
        announce
    }

    pub(super) fn ask(&self, items: usize) -> bool {
        let mut state = self.lock();
        state.asked = state.asked.saturating_add(items);
        state.announce()
    }

    /// Nothing more comes. The reader has to be told anew: a parcel that is being read may have been found empty.
    pub(super) fn end(&self) -> bool {
        let mut state = self.lock();
        state.ended = true;
        state.announced = state.items > 0;
        state.announced
    }

    pub(super) fn asked(&self) -> usize {
        self.lock().asked
    }
}

// For the reader.
impl<T> Shelf<T> {
    /// How many items may be taken now. There are not fewer until some are taken.
    pub(super) fn ready(&self) -> usize {
        self.lock().ready()
    }

    /// Whether all has been taken that may be: then the reader will be told when there is more.
    pub(super) fn is_read(&self) -> bool {
        let mut state = self.lock();
        let read = state.ready() == 0;
        state.announced &= !read;
        read
    }

    /// Takes the oldest `items`, of which as many must be [`ready`](Self::ready). The caller counts them as taken.
    pub(super) fn take(&self, items: usize) -> Body<T> {
        let mut state = self.lock();
        state.items -= items;
        state.asked = state.asked.saturating_sub(items);
        let mut taken = Vec::new();
        let mut left = items;
        while left > 0 {
            let body = state.take_front(left);
            left -= body.len();
            taken.push(body);
        }
        drop(state);
        if taken.len() == 1 {
            return taken.remove(0);
        }
        Body::Own(taken.into_iter().flat_map(Body::into_items).collect())
    }
}

impl<T> Drop for Shelf<T> {
    fn drop(&mut self) {
        self.tally.add_undelivered(self.lock().items);
    }
}

#[cfg(test)]
mod tests {
    use super::Shelf;
    use crate::dispatch::Body;
    use crate::stage::tally::{SubscriptionTally, Tally};
    use crate::stage::terms::Keeps;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::sync::Arc;

    #[derive(Debug, Clone)]
    enum Act {
        Put(usize),
        Ask(usize),
        Take(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (1..6_usize).prop_map(Act::Put),
            (0..6_usize).prop_map(Act::Ask),
            (1..6_usize).prop_map(Act::Take),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_queue_that_sheds_at_one_end(
            acts in proptest::collection::vec(act(), 0..60),
            items in 1..8_usize,
            newest: bool,
        ) {
            let keeps = if newest { Keeps::Newest(items) } else { Keeps::Oldest(items) };
            let stage = Arc::new(Tally::default());
            let tally = Arc::new(SubscriptionTally::new(&stage));
            let shelf = Shelf::new(keeps, Arc::clone(&tally));
            let (mut model, mut next, mut asked, mut dropped) = (VecDeque::new(), 0, 0, 0);
            // The reader was told that something is there, and has not looked since.
            let mut told = false;
            for act in acts {
                match act {
                    Act::Put(count) => {
                        told |= shelf.put(Body::Own((next..next + count).collect()));
                        model.extend(next..next + count);
                        next += count;
                        while model.len() > items {
                            dropped += 1;
                            if newest { model.pop_front() } else { model.pop_back() };
                        }
                    }
                    Act::Ask(count) => {
                        told |= shelf.ask(count);
                        asked += count;
                    }
                    Act::Take(count) => {
                        let count = count.min(shelf.ready());
                        let taken = shelf.take(count).into_items();
                        tally.add_taken(count);
                        asked -= count;
                        prop_assert_eq!(taken, model.drain(..count).collect::<Vec<_>>());
                        told &= !shelf.is_read();
                    }
                }
                prop_assert_eq!(shelf.ready(), model.len().min(asked));
                prop_assert_eq!(told, shelf.ready() > 0);
            }
            prop_assert_eq!(shelf.end(), !model.is_empty());
            prop_assert_eq!(shelf.ready(), model.len());
            drop(shelf);
            let counts = stage.counts();
            prop_assert_eq!((tally.dropped(), counts.sent), (dropped, next as u64));
            prop_assert_eq!(counts.on_their_way(), 0);
        }
    }
}
