//! The items that a stage has made and cannot send yet.

use std::collections::VecDeque;

/// Which items a full buffer throws away.
///
/// # Examples
/// ```
/// use gen_stage::stage::BufferKeep;
/// assert_eq!(BufferKeep::default(), BufferKeep::Last);
/// ```
///
/// # Source
/// The option `buffer_keep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BufferKeep {
    /// It keeps what it has, and throws away what comes.
    First,
    /// It makes room for what comes by throwing away its oldest items.
    #[default]
    Last,
}

/// A queue of items, with marks between them that are never thrown away.
#[derive(Debug)]
pub(super) struct Buffer<T, Mark> {
    items: VecDeque<T>,
    /// `None`: no bound.
    size: Option<usize>,
    keep: BufferKeep,
    /// How many of the items answer demand, and do not count against the size.
    demanded: usize,
    /// How many items have left at the front since the start: also the number of the item that is first now.
    front: u64,
    /// Each with the number of the item it stands in front of, ascending.
    marks: VecDeque<(u64, Mark)>,
}

impl<T, Mark> Buffer<T, Mark> {
    pub(super) fn new(size: Option<usize>, keep: BufferKeep) -> Self {
        Self { items: VecDeque::new(), size, keep, demanded: 0, front: 0, marks: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are neither items nor marks.
    pub(super) fn is_clear(&self) -> bool {
        self.items.is_empty() && self.marks.is_empty()
    }

    /// Puts items behind those that are there, and returns how many items, old or new, were thrown away. `demanded` of
    /// the new ones do not count against the size: demand is their bound.
    pub(super) fn push(&mut self, items: Vec<T>, demanded: usize) -> usize {
        self.demanded += demanded;
        let Some(size) = self.size.map(|size| size.saturating_add(self.demanded)) else {
            self.items.extend(items);
            return 0;
        };
        let excess = (self.items.len() + items.len()).saturating_sub(size);
        match self.keep {
            BufferKeep::First => {
                let fits = items.len().saturating_sub(excess);
                self.items.extend(items.into_iter().take(fits));
            }
            BufferKeep::Last => {
                let oldest = excess.min(self.items.len());
                self.items.drain(..oldest);
                // If more come at once than fit at all, the first of them go too, and count as having been here.
                self.items.extend(items.into_iter().skip(excess - oldest));
                self.front += excess as u64;
            }
        }
        excess
    }

    /// How many of the items answer demand.
    pub(super) fn demanded(&self) -> usize {
        self.demanded
    }

    /// Puts items back that were taken from the front; `demanded` of all items answer demand now.
    pub(super) fn put_back(&mut self, items: Vec<T>, demanded: usize) {
        self.front -= items.len() as u64;
        self.demanded = demanded;
        for item in items.into_iter().rev() {
            self.items.push_front(item);
        }
    }

    /// Puts a mark behind all items.
    pub(super) fn mark(&mut self, mark: Mark) {
        self.marks.push_back((self.front + self.items.len() as u64, mark));
    }

    /// Takes up to `limit` items, and none from behind a mark.
    pub(super) fn take(&mut self, limit: usize) -> Vec<T> {
        let ahead = self.marks.front().map_or(u64::MAX, |(number, _)| number.saturating_sub(self.front));
        self.take_through(limit.min(usize::try_from(ahead).unwrap_or(usize::MAX)))
    }

    /// Takes up to `limit` items, whatever marks are between them.
    pub(super) fn take_through(&mut self, limit: usize) -> Vec<T> {
        let count = limit.min(self.items.len());
        self.front += count as u64;
        self.demanded = self.demanded.saturating_sub(count);
        if count == self.items.len() {
            return std::mem::take(&mut self.items).into();
        }
        self.items.drain(..count).collect()
    }

    /// Takes the next mark, if no item is in front of it any more.
    pub(super) fn next_mark(&mut self) -> Option<Mark> {
        match self.marks.front() {
            Some((number, _)) if *number <= self.front => self.marks.pop_front().map(|(_, mark)| mark),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, BufferKeep};

    fn marks(buffer: &mut Buffer<u32, char>) -> String {
        std::iter::from_fn(|| buffer.next_mark()).collect()
    }

    #[test]
    fn scenario_117_keep_first_throws_away_what_comes() {
        let mut buffer = Buffer::<u32, char>::new(Some(3), BufferKeep::First);
        assert_eq!(buffer.push(vec![1, 2], 0), 0);
        assert_eq!(buffer.push(vec![3, 4, 5], 0), 2);
        assert_eq!(buffer.take(3), [1, 2, 3]);
    }

    #[test]
    fn scenario_118_keep_last_throws_away_the_oldest() {
        let mut buffer = Buffer::<u32, char>::new(Some(3), BufferKeep::Last);
        assert_eq!(buffer.push(vec![1, 2, 3], 0), 0);
        assert_eq!(buffer.push(vec![4, 5, 6], 0), 3);
        assert_eq!(buffer.take(3), [4, 5, 6]);
        assert_eq!(buffer.push(vec![1, 2, 3, 4, 5], 0), 2);
        assert_eq!(buffer.take(9), [3, 4, 5]);
    }

    #[test]
    fn scenario_119_marks_come_out_when_what_is_in_front_of_them_is_thrown_away() {
        let mut buffer = Buffer::new(Some(3), BufferKeep::Last);
        buffer.push(vec![1, 2], 0);
        buffer.mark('3');
        buffer.mark('4');
        assert_eq!(marks(&mut buffer), "");
        assert_eq!(buffer.push(vec![5, 6, 7], 0), 2);
        assert_eq!(marks(&mut buffer), "34");
        assert_eq!(buffer.take(3), [5, 6, 7]);
    }

    #[test]
    fn scenario_121_nothing_comes_out_of_an_empty_buffer() {
        let mut buffer = Buffer::<u32, char>::new(Some(3), BufferKeep::Last);
        assert_eq!(buffer.take(5), []);
        assert_eq!(buffer.len(), 0);
    }

    #[test]
    fn scenario_122_and_124_taking_stops_at_marks() {
        let mut buffer = Buffer::new(Some(10), BufferKeep::Last);
        buffer.push(vec![1, 2], 0);
        buffer.mark('3');
        buffer.mark('4');
        buffer.push(vec![5, 6, 7], 0);
        buffer.mark('8');
        buffer.mark('9');
        buffer.push(vec![10], 0);
        buffer.mark('e');
        assert_eq!((buffer.take(3), marks(&mut buffer)), (vec![1, 2], "34".into()));
        assert_eq!((buffer.take(4), marks(&mut buffer)), (vec![5, 6, 7], "89".into()));
        assert_eq!((buffer.take(2), marks(&mut buffer)), (vec![10], "e".into()));
    }

    #[test]
    fn scenario_125_marks_do_not_count_as_items() {
        let mut buffer = Buffer::new(Some(10), BufferKeep::Last);
        buffer.push(vec![1, 2], 0);
        buffer.mark('3');
        buffer.mark('4');
        assert_eq!(buffer.len(), 2);
    }

    #[test]
    fn a_size_of_zero_throws_everything_away_and_says_so() {
        for keep in [BufferKeep::First, BufferKeep::Last] {
            let mut buffer = Buffer::new(Some(0), keep);
            assert_eq!(buffer.push(vec![1, 2], 0), 2);
            buffer.mark('3');
            assert_eq!(marks(&mut buffer), "3");
        }
    }

    #[test]
    fn without_a_size_nothing_is_thrown_away() {
        let mut buffer = Buffer::<u32, char>::new(None, BufferKeep::First);
        assert_eq!(buffer.push((0..100_000).collect(), 0), 0);
        assert_eq!(buffer.len(), 100_000);
    }

    #[test]
    fn what_is_put_back_is_in_front_of_the_marks_again() {
        let mut buffer = Buffer::new(None, BufferKeep::Last);
        buffer.push(vec![1, 2, 3], 0);
        buffer.mark('m');
        let taken = buffer.take(3);
        buffer.put_back(taken[1..].to_vec(), 0);
        assert_eq!(marks(&mut buffer), "");
        assert_eq!(buffer.take(3), [2, 3]);
        assert_eq!(marks(&mut buffer), "m");
    }

    #[test]
    fn items_that_answer_demand_are_kept_in_addition_to_the_size() {
        for (keep, kept) in [(BufferKeep::First, vec![1, 2, 3, 4]), (BufferKeep::Last, vec![3, 4, 5, 6])] {
            let mut buffer = Buffer::<u32, char>::new(Some(2), keep);
            assert_eq!(buffer.push(vec![1, 2, 3, 4, 5, 6], 2), 2);
            let all = buffer.take(9);
            assert_eq!(all, kept);
            buffer.put_back(all, 2);
            assert_eq!(buffer.push(vec![7, 8], 0), 2);
        }
    }
}
