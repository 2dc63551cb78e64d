use super::block::Block;
use std::fmt;

/// Some slices of a [`Block`], in one item: the words or lines of it that go the same way.
///
/// A slice takes 8 bytes, and nothing is copied. So words go to the lanes of their keys for much less than as strings,
/// each of which is allocated in one lane and freed in another. The block stays in memory as long as these live.
///
/// # Examples
/// Each word is counted in the lane that its hash says; a word is copied when it is new there:
/// ```
/// use gen_stage::blocks::{Block, Slices, blocks};
/// use gen_stage::dispatch::hash_lane;
/// use gen_stage::prelude::*;
/// use std::collections::HashMap;
///
/// # tokio_test::block_on(async {
/// let text = b"one two two\nthree three three\n".as_slice();
/// let counts = blocks(text)
///     .flow()
///     .demand(4, 3) // blocks, not lines
///     .flat_map_ok(|block: Block| {
///         let mut lanes = [Slices::of(&block), Slices::of(&block)];
///         block.words().for_each(|word| lanes[hash_lane(word, 2)].push(word));
///         lanes.into_iter().enumerate()
///     })
///     .partition_with(2, |words| Some(words.as_ref().map_or(0, |(lane, _)| *lane)))
///     .reduce(HashMap::new, |counts: &mut HashMap<Vec<u8>, u64>, words: std::io::Result<(usize, Slices)>| {
///         for word in &words.expect("a text in memory is read").1 {
///             match counts.get_mut(word) {
///                 Some(count) => *count += 1,
///                 None => _ = counts.insert(word.to_vec(), 1),
///             }
///         }
///     });
/// let mut counts: Vec<(Vec<u8>, u64)> = counts.collect().await;
/// counts.sort();
/// assert_eq!(counts, [(b"one".to_vec(), 1), (b"three".to_vec(), 3), (b"two".to_vec(), 2)]);
/// # });
/// ```
#[derive(Clone)]
pub struct Slices {
    block: Block,
    /// Where they begin and end.
    places: Vec<(u32, u32)>,
}

impl Slices {
    /// None so far.
    ///
    /// # Examples
    /// See [`push`](Self::push).
    #[must_use]
    pub fn of(block: &Block) -> Self {
        Self { block: block.clone(), places: Vec::new() }
    }

    /// Adds a slice of the block.
    ///
    /// # Panics
    /// When `slice` was not cut out of this block, even if a part of it is equal. When it ends beyond the first 4 GiB.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::blocks::{Block, Slices};
    ///
    /// let block = Block::from("GET /a\nPOST /b\nGET /c\n");
    /// let mut gets = Slices::of(&block);
    /// for line in block.lines().filter(|line| line.starts_with(b"GET ")) {
    ///     gets.push(line);
    /// }
    /// assert_eq!((gets.len(), gets.is_empty()), (2, false));
    /// assert_eq!(gets.iter().last(), Some(b"GET /c".as_slice()));
    /// ```
    #[track_caller]
    #[inline]
    pub fn push(&mut self, slice: &[u8]) {
        let start = slice.as_ptr().addr().wrapping_sub(self.block.as_ptr().addr());
        let end = start.wrapping_add(slice.len());
        // If the slice begins before the block, the subtraction has wrapped, and the start is too large.
        assert!(start <= self.block.len() && end <= self.block.len(), "the slice is not a part of the block");
        let place = |at| u32::try_from(at).expect("a slice ends in the first 4 GiB of its block");
        self.places.push((place(start), place(end)));
    }

    /// The slices, in the order in which they were added.
    ///
    /// # Examples
    /// See [`push`](Self::push).
    pub fn iter(&self) -> SlicesIter<'_> {
        SlicesIter { block: &self.block, places: self.places.iter() }
    }

    /// How many there are.
    ///
    /// # Examples
    /// See [`push`](Self::push).
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    ///
    /// # Examples
    /// See [`push`](Self::push).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

impl<'a> IntoIterator for &'a Slices {
    type Item = &'a [u8];
    type IntoIter = SlicesIter<'a>;

    fn into_iter(self) -> SlicesIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Slices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slices").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The iterator of [`Slices::iter`].
#[derive(Debug, Clone)]
pub struct SlicesIter<'a> {
    block: &'a [u8],
    places: std::slice::Iter<'a, (u32, u32)>,
}

#[inline]
fn at(block: &[u8], (start, end): (u32, u32)) -> &[u8] {
    &block[start as usize..end as usize]
}

impl<'a> Iterator for SlicesIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.places.next().map(|place| at(self.block, *place))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl DoubleEndedIterator for SlicesIter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.places.next_back().map(|place| at(self.block, *place))
    }
}

impl ExactSizeIterator for SlicesIter<'_> {}
