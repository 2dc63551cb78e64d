use super::block::Block;
use super::line_too_long::LineTooLong;
use super::spare::Spares;
use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// Reads `reader` in blocks of whole lines. For files, see
/// [`unread_blocks_of`](crate::files::unread_blocks_of) and [`blocks_of`](crate::files::blocks_of); for readers of std,
/// [`from_read`](super::from_read).
///
/// Everything that is read comes out, line ends included.
///
/// # Demand
/// A poll reads until a block is full or nothing more is there now. Without polls nothing is read. Up to 8 buffers of
/// blocks that are gone are kept for those to come, until the reader ends.
///
/// # Ordering
/// Blocks come in the order in which they are read.
///
/// # Errors
/// An error of the reader is the last item, after what was read before it. So is a line that is too
/// [long](Blocks::longest_line), without what was read of it.
///
/// # Cancel safety
/// Dropping a future that waits for the next block loses nothing.
///
/// # Examples
/// ```
/// use futures::TryStreamExt;
/// use gen_stage::blocks::blocks;
///
/// # tokio_test::block_on(async {
/// let text = b"one two\nthree\nfour".as_slice();
/// let read: Vec<_> = blocks(text).size(8).try_collect().await?;
/// assert_eq!(read, [b"one two\n".as_slice(), b"three\n", b"four"]);
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn blocks<R: AsyncRead>(reader: R) -> Blocks<R> {
    Blocks {
        reader,
        size: DEFAULT_SIZE,
        longest_line: DEFAULT_LONGEST_LINE,
        filling: OpenBlock::default(),
        spares: None,
        end: ReadState::NotYet,
    }
}

pub(crate) const DEFAULT_SIZE: usize = 256 * 1024;
pub(crate) const DEFAULT_LONGEST_LINE: usize = 16 * 1024 * 1024;

pin_project! {
    /// The stream of [`blocks`].
    #[must_use = "streams do nothing unless polled"]
    pub struct Blocks<R> {
        #[pin]
        reader: R,
        size: usize,
        longest_line: usize,
        filling: OpenBlock,
        // None: nothing was read so far.
        spares: Option<Spares>,
        end: ReadState,
    }
}

#[derive(Debug)]
enum ReadState {
    NotYet,
    /// The last block is still to come, and then this error, if any.
    Read(Option<io::Error>),
    Over,
}

impl<R> Blocks<R> {
    /// Reads up to `bytes` for a block, at least 1, by default 262 144, and ends it after its last line end. A block is
    /// longer only if its first line is, and shorter where nothing more is there to be read now.
    ///
    /// A flow has as many blocks in memory as its [demand](crate::Flow::demand) says: set that to a few.
    ///
    /// # Panics
    /// When `bytes` is 0.
    ///
    /// # Examples
    /// See [`blocks`].
    #[track_caller]
    pub fn size(self, bytes: usize) -> Self {
        assert!(bytes > 0, "the size of blocks must be at least 1 byte, given 0");
        Self { size: bytes, ..self }
    }

    /// Refuses a line when more than `bytes` were read of it without its end, at least 1, by default 16 777 216: without
    /// line ends a reader would take all memory.
    ///
    /// That is looked at after each [`size`](Self::size) that was read: a line of up to that many bytes more may pass.
    ///
    /// # Panics
    /// When `bytes` is 0.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use gen_stage::blocks::blocks;
    ///
    /// # tokio_test::block_on(async {
    /// let mut read = blocks(b"short\nendless".as_slice()).size(4).longest_line(5);
    /// assert_eq!(read.next().await.unwrap().unwrap(), b"short\n");
    /// let refused = read.next().await.unwrap().unwrap_err();
    /// assert_eq!(refused.to_string(), "a line is longer than longest_line, which is 5 bytes: 7 were read and have no line end");
    /// assert!(read.next().await.is_none());
    /// # });
    /// ```
    #[track_caller]
    pub fn longest_line(self, bytes: usize) -> Self {
        assert!(bytes > 0, "longest_line must be at least 1 byte, given 0");
        Self { longest_line: bytes, ..self }
    }
}

impl<R> Blocks<R> {
    /// Reads into memory that other readers share.
    pub(crate) fn with_spares(self, spares: Spares) -> Self {
        Self { spares: Some(spares), ..self }
    }
}

/// What was read, and is not yet in a block.
#[derive(Debug, Default)]
struct OpenBlock {
    /// All of it is initialized.
    buffer: Vec<u8>,
    /// How many bytes at its beginning were read.
    read: usize,
    /// How many of these, at their beginning, are known to have no line end.
    searched: usize,
}

impl OpenBlock {
    /// Takes the whole lines off what was read.
    fn cut(&mut self, spares: &Spares, size: usize) -> Option<Block> {
        let unsearched = &self.buffer[self.searched..self.read];
        let Some(end) = unsearched.iter().rposition(|byte| *byte == b'\n') else {
            self.searched = self.read;
            return None;
        };
        Some(self.cut_at(self.searched + end + 1, spares, size))
    }

    /// Takes the first `end` bytes of what was read. The rest has no line end.
    fn cut_at(&mut self, end: usize, spares: &Spares, size: usize) -> Block {
        let rest = end..self.read;
        self.read -= end;
        self.searched = self.read;
        if end < size / 2 {
            // Copied: a block keeps all the memory that it was read into.
            let block = Bytes::copy_from_slice(&self.buffer[..end]);
            self.buffer.copy_within(rest, 0);
            return Block(block);
        }
        // The end of input needs no buffer.
        let next = if rest.is_empty() { Vec::new() } else { spares.next(&self.buffer[rest]) };
        Block(spares.share(std::mem::replace(&mut self.buffer, next), 0..end))
    }

    /// Reads something more, up to `to` bytes in all. `false` at the end.
    fn poll_read<R: AsyncRead>(
        &mut self,
        reader: Pin<&mut R>,
        cx: &mut Context<'_>,
        to: usize,
    ) -> Poll<io::Result<bool>> {
        if self.buffer.len() < to {
            self.buffer.resize(to, 0);
        }
        let mut into = ReadBuf::new(&mut self.buffer[self.read..to]);
        ready!(reader.poll_read(cx, &mut into))?;
        let read = into.filled().len();
        self.read += read;
        Poll::Ready(Ok(read > 0))
    }
}

impl<R: AsyncRead> Stream for Blocks<R> {
    type Item = io::Result<Block>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Block>>> {
        let mut this = self.project();
        if let ReadState::Over = this.end {
            return Poll::Ready(None);
        }
        let (size, filling) = (*this.size, this.filling);
        let spares = this.spares.get_or_insert_with(|| Spares::new(size));
        loop {
            match this.end {
                ReadState::NotYet => {}
                ReadState::Read(_) if filling.read > 0 => {
                    return Poll::Ready(Some(Ok(filling.cut_at(filling.read, spares, size))));
                }
                ReadState::Read(error) => {
                    let error = error.take();
                    *this.end = ReadState::Over;
                    // What has ended keeps no memory.
                    spares.give_back(std::mem::take(&mut filling.buffer));
                    *this.spares = None;
                    return Poll::Ready(error.map(Err));
                }
                ReadState::Over => return Poll::Ready(None),
            }
            if filling.read >= size {
                if let Some(block) = filling.cut(spares, size) {
                    return Poll::Ready(Some(Ok(block)));
                }
                if filling.searched > *this.longest_line {
                    let error = LineTooLong::error(*this.longest_line, filling.searched);
                    *filling = OpenBlock::default();
                    *this.end = ReadState::Read(Some(error));
                    continue;
                }
            }
            if filling.buffer.is_empty() {
                filling.buffer = spares.next(b"");
            }
            // Up to the size of a block, or as much again of a line that is longer.
            let to = if filling.read < size { size } else { filling.read + size };
            match filling.poll_read(this.reader.as_mut(), cx, to) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => *this.end = ReadState::Read(None),
                Poll::Ready(Err(error)) => *this.end = ReadState::Read(Some(error)),
                // The reader of the blocks need not wait for lines that are there.
                Poll::Pending => {
                    return filling
                        .cut(spares, size)
                        .map_or(Poll::Pending, |block| Poll::Ready(Some(Ok(block))));
                }
            }
        }
    }
}

impl<R: AsyncRead> FusedStream for Blocks<R> {
    fn is_terminated(&self) -> bool {
        matches!(self.end, ReadState::Over)
    }
}

impl<R> fmt::Debug for Blocks<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks")
            .field("size", &self.size)
            .field("longest_line", &self.longest_line)
            .field("read", &self.filling.read)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{OpenBlock, Spares};

    #[test]
    fn a_short_block_keeps_only_its_own_memory() {
        let mut buffer = b"short\nmore".to_vec();
        buffer.resize(4096, 0);
        let mut filling = OpenBlock { buffer, read: 10, searched: 0 };
        let block = filling.cut(&Spares::new(4096), 4096).expect("there is a line");
        assert_eq!((&block[..], &filling.buffer[..filling.read]), (&b"short\n"[..], &b"more"[..]));
        let memory = block.0.try_into_mut().expect("none shares it");
        assert!(memory.capacity() < 64, "{}", memory.capacity());
    }
}
