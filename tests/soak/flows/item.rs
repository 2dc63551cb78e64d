//! Items that are counted as long as they are alive.

use futures::stream::BoxStream;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;

/// What goes from layer to layer.
pub(crate) type Items = BoxStream<'static, Item>;

/// How many items, and sources, there are.
static ALIVE: AtomicI64 = AtomicI64::new(0);

pub(crate) fn alive() -> i64 {
    ALIVE.load(SeqCst)
}

/// What a round has left behind is not the next one's fault.
pub(crate) fn forget_the_living() {
    ALIVE.store(0, SeqCst);
}

/// One of what is counted.
#[derive(Debug)]
pub(crate) struct Live;

impl Live {
    pub(crate) fn new() -> Self {
        ALIVE.fetch_add(1, SeqCst);
        Self
    }
}

impl Clone for Live {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, SeqCst);
    }
}

/// A number, with something on the heap that would be missed, or freed twice.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) n: u64,
    _heap: Box<u64>,
    _live: Live,
}

pub(crate) fn item(n: u64) -> Item {
    Item { n, _heap: Box::new(n), _live: Live::new() }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.n == other.n
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        self.n.cmp(&other.n)
    }
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.n.hash(state);
    }
}
