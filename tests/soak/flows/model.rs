//! What is expected to come out: worked out in a row, by one loop.

use gen_stage::flow::Monitor;

/// The numbers that come out of the layers so far.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) numbers: Vec<u64>,
    /// Whether they come in this order.
    pub(crate) in_order: bool,
    /// Whether they came so from the layer above: `ordered` brings that back.
    source_in_order: bool,
    /// One for the flow of each layer.
    pub(crate) monitors: Vec<Monitor>,
}

impl Model {
    pub(crate) fn new(numbers: Vec<u64>) -> Self {
        Self { numbers, in_order: true, source_in_order: true, monitors: Vec::new() }
    }

    /// A layer of so many lanes begins.
    pub(crate) fn begin(&mut self, lanes: usize) {
        self.source_in_order = self.in_order;
        self.crosses(lanes);
    }

    /// Items go to so many lanes.
    pub(crate) fn crosses(&mut self, lanes: usize) {
        self.in_order &= lanes == 1;
    }

    /// Nothing is known of the order any more.
    pub(crate) fn mixed(&mut self) {
        self.in_order = false;
    }

    /// The order of the source is back.
    pub(crate) fn ordered(&mut self) {
        self.in_order = self.source_in_order;
    }

    /// All of it comes from one place, in order.
    pub(crate) fn one_by_one(&mut self) {
        self.in_order = true;
    }

    /// Whether the items that the layer begins with come in this order.
    pub(crate) fn source_is_in_order(&self) -> bool {
        self.source_in_order
    }

    /// The first `n`. What is above is not read to its end then.
    pub(crate) fn take(&mut self, n: usize) {
        self.numbers.truncate(n);
        self.monitors.drain(..self.monitors.len().saturating_sub(1));
    }

    /// The first, as long as `f` says so.
    pub(crate) fn take_while(&mut self, f: impl Fn(u64) -> bool) {
        let n = self.numbers.iter().take_while(|n| f(**n)).count();
        self.take(n);
    }

    pub(crate) fn map(&mut self, f: impl Fn(u64) -> u64) {
        self.numbers.iter_mut().for_each(|n| *n = f(*n));
    }

    pub(crate) fn filter(&mut self, f: impl Fn(u64) -> bool) {
        self.numbers.retain(|n| f(*n));
    }

    /// Each number once, where it was first.
    pub(crate) fn uniq(&mut self) {
        let mut seen = std::collections::HashSet::new();
        self.numbers.retain(|n| seen.insert(*n));
    }

    /// Without those whose key is that of the one before.
    pub(crate) fn dedup_by(&mut self, key: impl Fn(u64) -> u64) {
        self.numbers.dedup_by_key(|n| key(*n));
    }

    /// Each number as often as `f` says.
    pub(crate) fn repeat(&mut self, f: impl Fn(u64) -> u64) {
        self.numbers = self.numbers.iter().flat_map(|n| vec![*n; f(*n) as usize]).collect();
    }

    /// How often each key is there, in place of the numbers: the key in thousands, and the count.
    pub(crate) fn count_by(&mut self, key: impl Fn(u64) -> u64) {
        let mut counts = std::collections::BTreeMap::<u64, u64>::new();
        self.numbers.iter().for_each(|n| *counts.entry(key(*n)).or_default() += 1);
        self.numbers = counts.into_iter().map(|(key, count)| key * 1000 + count).collect();
    }

    /// What is wrong with what came out.
    pub(crate) fn differs(mut self, mut came: Vec<u64>) -> Option<String> {
        if !self.in_order {
            self.numbers.sort_unstable();
            came.sort_unstable();
        }
        let (expected, order) = (self.numbers, if self.in_order { "in order" } else { "in any order" });
        if came == expected {
            return None;
        }
        let at = came.iter().zip(&expected).take_while(|(one, other)| one == other).count();
        Some(format!(
            "{} came and {} were expected, {order}; number {at} is {:?} and not {:?}",
            came.len(),
            expected.len(),
            came.get(at),
            expected.get(at)
        ))
    }
}
