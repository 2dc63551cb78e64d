use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::num::NonZeroUsize;
use std::vec;

/// The `n` items with the greatest keys of all that were pushed: the state of
/// [`Flow::top_by_key`](crate::Flow::top_by_key).
///
/// Never keeps more than `n` items. Of items with equal keys, the first to be pushed stay. Its items come out with the
/// greatest key first, those with equal keys in the order in which they were pushed.
///
/// # Examples
/// ```
/// use gen_stage::flow::Top;
///
/// let mut longest = Top::new(2);
/// for word in ["the", "quick", "fox", "jumps", "over"] {
///     longest.push(word.len(), word);
/// }
/// assert_eq!(longest.iter().collect::<Vec<_>>(), [&"quick", &"jumps"]);
///
/// let mut others = Top::new(2);
/// others.push("lazily".len(), "lazily");
/// longest.merge(others);
/// assert_eq!(longest.into_iter().collect::<Vec<_>>(), ["lazily", "quick"]);
/// ```
#[derive(Clone)]
pub struct Top<K, T> {
    most: NonZeroUsize,
    pushed: u64,
    /// The item that has to go first is on top.
    kept: BinaryHeap<Ranked<K, T>>,
}

#[derive(Clone)]
struct Ranked<K, T> {
    key: K,
    number: u64,
    item: T,
}

impl<K: Ord, T> Top<K, T> {
    /// Keeps at most `n` items, at least 1.
    ///
    /// # Panics
    /// When `n` is 0.
    ///
    /// # Examples
    /// See [`Top`].
    #[track_caller]
    #[must_use]
    pub fn new(n: usize) -> Self {
        let most = NonZeroUsize::new(n).expect("a top must be of at least 1 item, given 0");
        Self { most, pushed: 0, kept: BinaryHeap::new() }
    }

    /// Takes an item, or drops the one with the least key if there are `n` others.
    ///
    /// # Examples
    /// See [`Top`].
    pub fn push(&mut self, key: K, item: T) {
        let number = self.pushed;
        self.pushed += 1;
        if self.kept.len() < self.most.get() {
            self.kept.push(Ranked { key, number, item });
        } else if let Some(mut least) = self.kept.peek_mut().filter(|least| key > least.key) {
            *least = Ranked { key, number, item };
        }
    }

    /// Takes the items of another, as if they had been pushed after its own: of lanes, or of two sessions that become
    /// one.
    ///
    /// # Examples
    /// See [`Top`].
    pub fn merge(&mut self, other: Self) {
        for Ranked { key, item, .. } in other.kept.into_sorted_vec() {
            self.push(key, item);
        }
    }

    /// The items, with the greatest key first.
    ///
    /// # Examples
    /// See [`Top`].
    #[must_use]
    pub fn iter(&self) -> vec::IntoIter<&T> {
        let mut ranked: Vec<_> = self.kept.iter().collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|ranked| &ranked.item).collect::<Vec<_>>().into_iter()
    }

    /// How many items there are: at most `n`.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::Top;
    ///
    /// let mut longest = Top::new(2);
    /// assert!(longest.is_empty());
    /// for word in ["the", "quick", "fox"] {
    ///     longest.push(word.len(), word);
    /// }
    /// assert_eq!(longest.len(), 2);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether nothing was pushed.
    ///
    /// # Examples
    /// See [`len`](Self::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl<K: Ord, T> IntoIterator for Top<K, T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> vec::IntoIter<T> {
        let ranked = self.kept.into_sorted_vec();
        ranked.into_iter().map(|ranked| ranked.item).collect::<Vec<_>>().into_iter()
    }
}

impl<'a, K: Ord, T> IntoIterator for &'a Top<K, T> {
    type Item = &'a T;
    type IntoIter = vec::IntoIter<&'a T>;

    fn into_iter(self) -> vec::IntoIter<&'a T> {
        self.iter()
    }
}

/// The order in which items come out: the greatest key first, then by number.
impl<K: Ord, T> Ord for Ranked<K, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key).then(self.number.cmp(&other.number))
    }
}

impl<K: Ord, T> PartialOrd for Ranked<K, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord, T> PartialEq for Ranked<K, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Ord, T> Eq for Ranked<K, T> {}

impl<K, T> fmt::Debug for Top<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Top").field("most", &self.most).field("len", &self.kept.len()).finish_non_exhaustive()
    }
}
