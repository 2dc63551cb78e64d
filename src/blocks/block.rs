use bytes::Bytes;
use std::fmt;
use std::iter;
use std::ops::Deref;

/// Whole lines that were read together, as bytes: a slice of them. Only the last block of a
/// reader, or of a file, may end within a line.
///
/// A clone shares the bytes.
///
/// # Examples
/// ```
/// use gen_stage::blocks::Block;
///
/// let block = Block::from("one two\r\n\nthree\n");
/// assert_eq!(block.lines().collect::<Vec<_>>(), [b"one two".as_slice(), b"", b"three"]);
/// assert_eq!(block.words().count(), 3);
/// assert_eq!(block.len(), 16);
/// ```
#[derive(Clone, Default, Eq)]
pub struct Block(pub(super) Bytes);

impl Block {
    /// The lines without their ends, `\n` or `\r\n`, as [`str::lines`] has them.
    ///
    /// # Examples
    /// See [`Block`].
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        LinesOf { text: self }.map(without_end)
    }

    /// The [lines](Self::lines), each with bytes of its own: for a flow of lines, which lanes cut out of blocks.
    ///
    /// A line is copied when its turn comes. It may be kept for long, as it does not keep the block, and
    /// [`String::from_utf8`] makes a string of it without another copy. What can be said of a line at once needs no
    /// copy: use [`lines`](Self::lines) in a lane, and send on what comes of that.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::blocks::{Block, blocks};
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let lines = blocks(b"GET /a\nPOST /b\r\nGET /b".as_slice())
    ///     .flow()
    ///     .demand(4, 3) // blocks, not lines
    ///     .flat_map_ok(Block::into_lines)
    ///     .ordered();
    /// let lines: Vec<Vec<u8>> = lines.try_collect().await?;
    /// assert_eq!(lines, [b"GET /a".as_slice(), b"POST /b", b"GET /b"]);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn into_lines(self) -> impl Iterator<Item = Vec<u8>> + use<> {
        let mut at = 0;
        iter::from_fn(move || {
            let line = LinesOf { text: &self[at..] }.next()?;
            at += line.len();
            Some(without_end(line).to_vec())
        })
    }

    /// What lies between white space, as far as that is ASCII: space, horizontal and vertical tab, form feed, and the line
    /// ends.
    ///
    /// # Examples
    /// See [`Block`].
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.split(|byte| matches!(byte, b'\t'..=b'\r' | b' ')).filter(|word| !word.is_empty())
    }
}

impl Deref for Block {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// A block is equal to what has the same bytes.
impl<B: AsRef<[u8]> + ?Sized> PartialEq<B> for Block {
    fn eq(&self, other: &B) -> bool {
        **self == *other.as_ref()
    }
}

impl From<&'static str> for Block {
    fn from(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }
}

impl From<String> for Block {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Vec<u8>> for Block {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The lines of a text, with their ends.
struct LinesOf<'a> {
    text: &'a [u8],
}

impl<'a> Iterator for LinesOf<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (line, rest) = self.text.split_at(line_length(self.text));
        self.text = rest;
        (!line.is_empty()).then_some(line)
    }
}

impl DoubleEndedIterator for LinesOf<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let before = self.text.len().checked_sub(1)?;
        let start = self.text[..before].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (rest, line) = self.text.split_at(start);
        self.text = rest;
        Some(line)
    }
}

/// How long the first line is, with its end.
///
/// Eight bytes at a time: `position` and `split` look at each alone, which takes as long as to parse a line.
#[inline]
fn line_length(text: &[u8]) -> usize {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let mut words = text.chunks_exact(8);
    for (at, word) in words.by_ref().enumerate() {
        let word = u64::from_le_bytes(word.try_into().expect("each has 8 bytes"));
        // Zero where a line ends.
        let word = word ^ (EACH * u64::from(b'\n'));
        // The lowest byte with its high bit set is the first one that is zero.
        let ends = word.wrapping_sub(EACH) & !word & (EACH << 7);
        if ends != 0 {
            return at * 8 + ends.trailing_zeros() as usize / 8 + 1;
        }
    }
    let rest = words.remainder();
    let end = rest.iter().position(|byte| *byte == b'\n');
    text.len() - rest.len() + end.map_or(rest.len(), |end| end + 1)
}

#[inline]
fn without_end(line: &[u8]) -> &[u8] {
    match line.strip_suffix(b"\n") {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        None => line,
    }
}
