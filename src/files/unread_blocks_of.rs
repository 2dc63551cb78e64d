use super::error::about;
use super::job::BlockingJob;
use super::unread_block::{UnreadBlock, UnreadFile};
use crate::blocks::{DEFAULT_LONGEST_LINE, DEFAULT_SIZE, Spares};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Divides files into [blocks](crate::blocks) of whole lines that the lanes read, all at once.
///
/// Where [`blocks_of`](super::blocks_of) reads in one place and sends what it read to the lanes, here a lane
/// [reads](UnreadBlock::read) its own block, into memory that is at hand for it: files that are in the memory of the
/// system, or on fast disks, are read as fast as all cores can. Each line is in one block, the one in whose span it
/// begins; a block in whose span none begins is empty.
///
/// `paths` are results, as of [`files_below`](super::files_below); a list becomes one by
/// `stream::iter(paths).map(Ok)`. It is for files whose length is known: what comes out of a pipe, or is to be
/// unpacked, is for [`blocks`](crate::blocks::blocks) and [`from_read`](crate::blocks::from_read); such blocks can be in
/// the same flow ([`UnreadBlock::from`]). So is a file that says that it is empty and is not, as those in `/proc`: here it
/// has no blocks.
///
/// # Demand
/// A file is looked up when the first of its blocks is asked for, opened when the first is read, and closed when the last
/// is read or dropped. Only a lane that reads needs memory for a block; up to 8 buffers of blocks that are gone are kept
/// for those to come.
///
/// # Ordering
/// That of the paths, and of the lines in a file. [`ordered`](crate::Flow::ordered) keeps it after the lanes.
///
/// # Errors
/// An error of `paths` is passed on. A file that is not there is an item, and the next file follows; so is what is no
/// file. The error says the path. What is wrong with a block is told by its [`read`](UnreadBlock::read), and the other
/// blocks of the file follow: of a file that cannot be opened, each is an error.
///
/// A file is divided by the length that it has when it is looked up. If it grows, the lines that begin after that are
/// not read; if it gets shorter, blocks are short or empty.
///
/// # Panics
/// When it is polled outside of a runtime of tokio's.
///
/// # Cancel safety
/// Dropping a future that waits for the next block loses nothing.
///
/// # Drop
/// Blocks that were handed out can still be read.
///
/// # Examples
/// ```
/// use gen_stage::blocks::Block;
/// use gen_stage::files::{UnreadBlock, files_below, unread_blocks_of};
/// use gen_stage::prelude::*;
///
/// # tokio_test::block_on(async {
/// let lines: Vec<usize> = unread_blocks_of(files_below("src/files"))
///     .flow()
///     .demand(4, 3) // blocks, not lines
///     .try_map(UnreadBlock::read) // in the lanes
///     .map_ok(|block: Block| block.lines().count())
///     .try_collect()
///     .await?;
/// assert!(lines.iter().sum::<usize>() > 100);
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
/// A disk that takes long would hold up the threads of the runtime. There, read by
/// [`map_blocking`](crate::Flow::map_blocking), here 4 blocks at once:
/// ```
/// use gen_stage::files::{UnreadBlock, files_below, unread_blocks_of};
/// use gen_stage::prelude::*;
/// use std::io;
///
/// # tokio_test::block_on(async {
/// let blocks = unread_blocks_of(files_below("src/files"))
///     .flow()
///     .demand(4, 3)
///     .map_blocking(4, |block: io::Result<UnreadBlock>| block?.read());
/// let lengths: Vec<usize> = blocks.map_ok(|block| block.len()).try_collect().await?;
/// assert!(lengths.iter().sum::<usize>() > 10_000);
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn unread_blocks_of<S: Stream<Item = io::Result<PathBuf>>>(paths: S) -> UnreadBlocksOf<S> {
    UnreadBlocksOf {
        paths,
        file: FileState::None,
        spares: None,
        size: DEFAULT_SIZE,
        longest_line: DEFAULT_LONGEST_LINE,
        ended: false,
    }
}

pin_project! {
    /// The stream of [`unread_blocks_of`].
    #[must_use = "streams do nothing unless polled"]
    pub struct UnreadBlocksOf<S> {
        #[pin]
        paths: S,
        file: FileState,
        // The memory of blocks that are gone.
        spares: Option<Spares>,
        size: usize,
        longest_line: usize,
        ended: bool,
    }
}

enum FileState {
    None,
    Looking(PathBuf, BlockingJob<u64>),
    /// Where its next block begins: before its end.
    Known(Arc<UnreadFile>, u64),
}

/// The length of a file.
fn length(path: &Path) -> io::Result<u64> {
    let found = fs::metadata(path)?;
    if !found.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a file: it has no length to be divided",
        ));
    }
    Ok(found.len())
}

/// The largest size of blocks.
const LARGEST: usize = 1 << 30;

impl<S> UnreadBlocksOf<S> {
    /// Divides files into spans of `bytes` bytes, 1 to 1 073 741 824, by default 262 144. A block is longer by the end of
    /// its last line, and shorter by the end of a line that began before.
    ///
    /// # Panics
    /// When `bytes` is out of its range.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::files::unread_blocks_of;
    ///
    /// # tokio_test::block_on(async {
    /// let paths = stream::iter(["Cargo.toml"]).map(|path| Ok(path.into()));
    /// let mut blocks = unread_blocks_of(paths).size(1).longest_line(10_000);
    /// assert_eq!(blocks.next().await.unwrap()?.read()?, b"[package]\n");
    /// assert_eq!(blocks.next().await.unwrap()?.read()?, b"");
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn size(self, bytes: usize) -> Self {
        let allowed = (1..=LARGEST).contains(&bytes);
        assert!(allowed, "the size of blocks must be at least 1 byte and at most {LARGEST}, given {bytes}");
        Self { size: bytes, spares: None, ..self }
    }

    /// Refuses a line when more than `bytes` were read of it without its end, at least 1, by default 16 777 216: without
    /// line ends a lane would take all memory.
    ///
    /// The block in which the line begins is an error, and the lines before it in that block are not read. The lines after
    /// it are in the next blocks. What is beyond a block is read in steps, of 1024 bytes at first and of
    /// [`size`](Self::size) at most, and looked at after each: a line of one step more may pass.
    ///
    /// # Panics
    /// When `bytes` is 0.
    ///
    /// # Examples
    /// See [`size`](Self::size).
    #[track_caller]
    pub fn longest_line(self, bytes: usize) -> Self {
        assert!(bytes > 0, "longest_line must be at least 1 byte, given 0");
        Self { longest_line: bytes, ..self }
    }
}

impl<S: Stream<Item = io::Result<PathBuf>>> Stream for UnreadBlocksOf<S> {
    type Item = io::Result<UnreadBlock>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<UnreadBlock>>> {
        let mut this = self.project();
        loop {
            match this.file {
                FileState::None => {}
                FileState::Known(file, next) => {
                    let block = UnreadBlock::new(file.clone(), *next);
                    *next += file.size as u64;
                    if *next >= file.length {
                        *this.file = FileState::None;
                    }
                    return Poll::Ready(Some(Ok(block)));
                }
                FileState::Looking(path, job) => {
                    let found = ready!(job.poll(cx));
                    let path = std::mem::take(path);
                    *this.file = FileState::None;
                    let length = match found {
                        Ok(length) => length,
                        Err(error) => return Poll::Ready(Some(Err(about(&path, error)))),
                    };
                    if length > 0 {
                        let size = *this.size;
                        let spares = this.spares.get_or_insert_with(|| UnreadFile::buffers(size)).clone();
                        let file = UnreadFile::new(path, length, size, *this.longest_line, spares);
                        *this.file = FileState::Known(Arc::new(file), 0);
                        continue;
                    }
                }
            }
            if *this.ended {
                return Poll::Ready(None);
            }
            match ready!(this.paths.as_mut().poll_next(cx)) {
                Some(Ok(path)) => {
                    let found = path.clone();
                    *this.file = FileState::Looking(path, BlockingJob::start(move || length(&found)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    *this.ended = true;
                    *this.spares = None;
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (rest, looking) = match &self.file {
            FileState::None => (0, false),
            FileState::Looking(..) => (0, true),
            FileState::Known(file, next) => {
                let rest = (file.length - next).div_ceil(file.size as u64);
                (usize::try_from(rest).unwrap_or(usize::MAX), false)
            }
        };
        let last = self.ended || self.paths.size_hint().1 == Some(0);
        (rest, (last && !looking).then_some(rest))
    }
}

impl<S: Stream<Item = io::Result<PathBuf>>> FusedStream for UnreadBlocksOf<S> {
    fn is_terminated(&self) -> bool {
        self.ended && matches!(self.file, FileState::None)
    }
}

impl<S> fmt::Debug for UnreadBlocksOf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = match &self.file {
            FileState::None => None,
            FileState::Looking(path, _) => Some(path),
            FileState::Known(file, _) => Some(&file.path),
        };
        f.debug_struct("UnreadBlocksOf")
            .field("file", &file)
            .field("size", &self.size)
            .field("longest_line", &self.longest_line)
            .finish_non_exhaustive()
    }
}
