use super::block::Block;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// Reads `reader` in blocks of whole lines. For files, see
/// [`blocks_of`](crate::files::blocks_of); for readers of std, [`from_read`](super::from_read).
///
/// Everything that is read comes out, in order, line ends included.
///
/// # Demand
/// A poll reads until a block is full or nothing more is there now. Without polls nothing is read.
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
        read: BytesMut::new(),
        searched: 0,
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
        // Read, and not yet in a block.
        read: BytesMut,
        // How many bytes at its end are known to have no line end.
        searched: usize,
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

/// A line has more bytes than [`Blocks::longest_line`] allows.
#[derive(Debug, thiserror::Error)]
#[error(
    "a line is longer than longest_line, which is {longest_line} bytes: {read} were read and have no line end"
)]
struct LineTooLong {
    longest_line: usize,
    read: usize,
}

/// Takes the whole lines off what was read.
fn cut(read: &mut BytesMut, searched: &mut usize, size: usize) -> Option<Block> {
    let end = read[*searched..].iter().rposition(|byte| *byte == b'\n').map(|at| *searched + at + 1);
    match end {
        Some(end) => {
            *searched = read.len() - end;
            if end < size / 2 {
                // Copied: a block keeps all the memory that it was read into.
                let block = Bytes::copy_from_slice(&read[..end]);
                read.advance(end);
                return Some(Block(block));
            }
            Some(Block(read.split_to(end).freeze()))
        }
        None => {
            *searched = read.len();
            None
        }
    }
}

impl<R: AsyncRead> Stream for Blocks<R> {
    type Item = io::Result<Block>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Block>>> {
        let mut this = self.project();
        loop {
            match this.end {
                ReadState::NotYet => {}
                ReadState::Read(_) if !this.read.is_empty() => {
                    return Poll::Ready(Some(Ok(Block(this.read.split().freeze()))));
                }
                ReadState::Read(error) => {
                    let error = error.take();
                    *this.end = ReadState::Over;
                    return Poll::Ready(error.map(Err));
                }
                ReadState::Over => return Poll::Ready(None),
            }
            if this.read.len() >= *this.size {
                if let Some(block) = cut(this.read, this.searched, *this.size) {
                    return Poll::Ready(Some(Ok(block)));
                }
                if *this.searched > *this.longest_line {
                    let error = LineTooLong { longest_line: *this.longest_line, read: *this.searched };
                    this.read.clear();
                    *this.end = ReadState::Read(Some(io::Error::new(io::ErrorKind::InvalidData, error)));
                    continue;
                }
            }
            // Up to the size of a block, or as much again of a line that is longer.
            let fits = this.read.len() < *this.size;
            let wanted = if fits { *this.size - this.read.len() } else { *this.size };
            this.read.reserve(wanted);
            match poll_read_buf(this.reader.as_mut(), cx, &mut this.read.limit(wanted)) {
                Poll::Ready(Ok(0)) => *this.end = ReadState::Read(None),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => *this.end = ReadState::Read(Some(error)),
                // The reader of the blocks need not wait for lines that are there.
                Poll::Pending => {
                    return cut(this.read, this.searched, *this.size)
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
            .field("read", &self.read.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::cut;
    use bytes::BytesMut;

    #[test]
    fn a_short_block_keeps_only_its_own_memory() {
        let mut read = BytesMut::with_capacity(4096);
        read.extend_from_slice(b"short\nmore");
        let block = cut(&mut read, &mut 0, 4096).expect("there is a line");
        let memory = block.0.try_into_mut().expect("nobody shares it");
        assert_eq!((&memory[..], &read[..]), (&b"short\n"[..], &b"more"[..]));
        assert!(memory.capacity() < 64, "{}", memory.capacity());
    }
}
