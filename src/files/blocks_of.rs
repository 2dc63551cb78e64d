use super::error::about;
use super::reader::FileReader;
use crate::blocks::{Block, Blocks, DEFAULT_LONGEST_LINE, DEFAULT_SIZE, Spares, blocks};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Reads files in [blocks](crate::blocks) of whole lines, one file after the other.
///
/// Each read is done by a thread for what blocks, and handed on from there. For files that are in the memory of the
/// system, or on fast disks, see [`unread_blocks_of`](super::unread_blocks_of): there the lanes read.
///
/// `paths` are results, as of [`files_below`](super::files_below); a list becomes one by
/// `stream::iter(paths).map(Ok)`. No block has lines of two files. The last block of a file ends where the file does,
/// within a line perhaps.
///
/// # Demand
/// A poll reads until a block is full or nothing more is there now. Without polls nothing is read. One file is open at a time.
///
/// # Ordering
/// That of the paths, and of the lines in a file.
///
/// # Errors
/// An error of `paths` is passed on. One of a file says its path, and comes after what was read of the file before it.
/// So does a line that is too [long](BlocksOf::longest_line). After any of them the next file follows.
///
/// # Panics
/// When it is polled outside of a runtime of tokio's.
///
/// # Cancel safety
/// Dropping a future that waits for the next block loses nothing.
///
/// # Drop
/// The file that is open is closed. A read that has begun is done first, on its thread; what it read is dropped.
///
/// # Examples
/// ```
/// use gen_stage::blocks::Block;
/// use gen_stage::files::{blocks_of, files_below};
/// use gen_stage::prelude::*;
///
/// # tokio_test::block_on(async {
/// let lines: Vec<usize> = blocks_of(files_below("src/files"))
///     .flow()
///     .demand(4, 3) // blocks, not lines
///     .map_ok(|block: Block| block.lines().count())
///     .try_collect()
///     .await?;
/// assert!(lines.iter().sum::<usize>() > 100);
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn blocks_of<S: Stream<Item = io::Result<PathBuf>>>(paths: S) -> BlocksOf<S> {
    BlocksOf {
        paths,
        file: None,
        spares: None,
        size: DEFAULT_SIZE,
        longest_line: DEFAULT_LONGEST_LINE,
        ended: false,
    }
}

pin_project! {
    /// The stream of [`blocks_of`].
    #[must_use = "streams do nothing unless polled"]
    pub struct BlocksOf<S> {
        #[pin]
        paths: S,
        // The file that is being read.
        file: Option<(PathBuf, Blocks<FileReader>)>,
        // The memory of blocks that are gone; none before the first file, and after the last.
        spares: Option<Spares>,
        size: usize,
        longest_line: usize,
        ended: bool,
    }
}

impl<S> BlocksOf<S> {
    /// Reads up to `bytes` for a block, like [`Blocks::size`].
    ///
    /// # Panics
    /// When `bytes` is 0.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::files::blocks_of;
    ///
    /// # tokio_test::block_on(async {
    /// let paths = stream::iter(["Cargo.toml", "src/lib.rs"]).map(|path| Ok(path.into()));
    /// let mut blocks = blocks_of(paths).size(100).longest_line(10_000);
    /// let first = blocks.next().await.unwrap()?;
    /// assert!(first.starts_with(b"[package]\n") && first.len() <= 100);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn size(self, bytes: usize) -> Self {
        assert!(bytes > 0, "the size of blocks must be at least 1 byte, given 0");
        Self { size: bytes, ..self }
    }

    /// Refuses a line that is longer than `bytes`, like [`Blocks::longest_line`]: with the rest of its file.
    ///
    /// # Panics
    /// When `bytes` is 0.
    ///
    /// # Examples
    /// See [`size`](BlocksOf::size).
    #[track_caller]
    pub fn longest_line(self, bytes: usize) -> Self {
        assert!(bytes > 0, "longest_line must be at least 1 byte, given 0");
        Self { longest_line: bytes, ..self }
    }
}

impl<S: Stream<Item = io::Result<PathBuf>>> Stream for BlocksOf<S> {
    type Item = io::Result<Block>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Block>>> {
        let mut this = self.project();
        loop {
            if let Some((path, blocks)) = this.file {
                match ready!(Pin::new(blocks).poll_next(cx)) {
                    Some(Ok(block)) => return Poll::Ready(Some(Ok(block))),
                    Some(Err(error)) => {
                        let error = about(path, error);
                        *this.file = None;
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => *this.file = None,
                }
            }
            if *this.ended {
                return Poll::Ready(None);
            }
            match ready!(this.paths.as_mut().poll_next(cx)) {
                Some(Ok(path)) => {
                    let reader = FileReader::new(path.clone(), *this.size);
                    let blocks = blocks(reader).size(*this.size).longest_line(*this.longest_line);
                    let spares = this.spares.get_or_insert_with(|| Spares::new(*this.size)).clone();
                    *this.file = Some((path, blocks.with_spares(spares)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    *this.ended = true;
                    *this.spares = None;
                }
            }
        }
    }
}

impl<S: Stream<Item = io::Result<PathBuf>>> FusedStream for BlocksOf<S> {
    fn is_terminated(&self) -> bool {
        self.ended && self.file.is_none()
    }
}

impl<S> fmt::Debug for BlocksOf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlocksOf")
            .field("file", &self.file.as_ref().map(|(path, _)| path))
            .field("size", &self.size)
            .field("longest_line", &self.longest_line)
            .finish_non_exhaustive()
    }
}
