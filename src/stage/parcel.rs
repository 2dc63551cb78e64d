//! What a stage sends to a subscription.

use super::shelf::Shelf;
use super::tally::SubscriptionTally;
use crate::dispatch::{Body, SharedPart};
use crate::pieces::first;
use std::sync::Arc;
use std::vec;

/// A batch between two stages, handed out piece by piece. What is left of it when it is dropped, as in the mailbox of a
/// stage that has ended, is counted as undelivered.
pub(crate) struct Parcel<T> {
    rest: Unread<T>,
    tally: Arc<SubscriptionTally>,
}

enum Unread<T> {
    Own(vec::IntoIter<T>),
    Shared(SharedPart<T>),
    OnShelf(Arc<Shelf<T>>),
}

impl<T> Default for Unread<T> {
    fn default() -> Self {
        Self::Own(vec::IntoIter::default())
    }
}

impl<T> Unread<T> {
    fn len(&self) -> usize {
        match self {
            Self::Own(items) => items.len(),
            Self::Shared(part) => part.len(),
            Self::OnShelf(shelf) => shelf.ready(),
        }
    }

    /// Counts what is left as undelivered. A shelf does so itself, when its last owner drops it.
    fn lose(&self, tally: &SubscriptionTally) {
        if !matches!(self, Self::OnShelf(_)) && self.len() > 0 {
            tally.add_undelivered(self.len());
        }
    }
}

impl<T> Parcel<T> {
    pub(super) fn new(body: Body<T>, tally: &Arc<SubscriptionTally>) -> Self {
        tally.add_sent(body.len());
        let rest = match body {
            Body::Own(items) => Unread::Own(items.into_iter()),
            Body::Shared(part) => Unread::Shared(part),
        };
        Self { rest, tally: Arc::clone(tally) }
    }

    /// What will be on the shelf when the parcel is read. The shelf counts it.
    pub(super) fn of_shelf(shelf: Arc<Shelf<T>>, tally: &Arc<SubscriptionTally>) -> Self {
        Self { rest: Unread::OnShelf(shelf), tally: Arc::clone(tally) }
    }

    /// How many items there are to take. On a shelf there may be more a moment later.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether all was taken, so that this can be dropped: what comes after that comes in another parcel.
    pub(crate) fn is_read(&self) -> bool {
        match &self.rest {
            Unread::OnShelf(shelf) => shelf.is_read(),
            rest => rest.len() == 0,
        }
    }

    /// Takes the next items, at most `limit`. Each item is cloned once at most, however small the pieces are.
    pub(crate) fn piece(&mut self, limit: usize) -> Vec<T> {
        self.rest = match std::mem::take(&mut self.rest) {
            Unread::Shared(part) => {
                part.own().map_or_else(Unread::Shared, |items| Unread::Own(items.into_iter()))
            }
            other => other,
        };
        self.shared_piece(limit).into_items()
    }

    /// Takes the next items, at most `limit`, without cloning those that are shared.
    pub(crate) fn shared_piece(&mut self, limit: usize) -> Body<T> {
        let count = limit.min(self.len());
        self.tally.add_taken(count);
        match &mut self.rest {
            Unread::OnShelf(shelf) => shelf.take(count),
            Unread::Own(items) => Body::Own(first(items, count)),
            Unread::Shared(part) => {
                let piece = part.split_to(count);
                if part.len() == 0 {
                    // An empty part would keep the last reader from taking the batch without cloning.
                    self.rest = Unread::default();
                }
                Body::Shared(piece)
            }
        }
    }
}

impl<T> Drop for Parcel<T> {
    fn drop(&mut self) {
        self.rest.lose(&self.tally);
    }
}
