use super::error::about;
use crate::blocks::{Block, LineTooLong, Spares};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// A block of a file that [`read`](Self::read) reads: in the lane that wants its lines. See
/// [`unread_blocks_of`](super::unread_blocks_of).
pub struct UnreadBlock(BlockPlace);

enum BlockPlace {
    /// The lines that begin in a span of a file, by where the span begins.
    In(Arc<UnreadFile>, u64),
    Read(Block),
}

/// A file whose blocks are read in any order, on several threads at once.
pub(super) struct UnreadFile {
    pub(super) path: PathBuf,
    /// Open once a block of it was read. A block that waits needs no open file: there may be many files.
    file: OnceLock<File>,
    /// How long it was when it was looked up.
    pub(super) length: u64,
    /// How many bytes a block has, but for what its last line has beyond them.
    pub(super) size: usize,
    longest_line: usize,
    spares: Spares,
}

/// How much is read beyond the span of a block at first: its last line ends there in most texts.
const AHEAD: usize = 1024;

impl UnreadBlock {
    pub(super) fn new(file: Arc<UnreadFile>, start: u64) -> Self {
        Self(BlockPlace::In(file, start))
    }

    /// Reads the block, and returns when that is done: it takes the thread meanwhile, as [`std::fs::read`] does.
    ///
    /// # Errors
    /// One of reading, or a line that is too [long](super::UnreadBlocksOf::longest_line). It says the path.
    ///
    /// # Examples
    /// See [`unread_blocks_of`](super::unread_blocks_of).
    pub fn read(self) -> io::Result<Block> {
        match self.0 {
            BlockPlace::Read(block) => Ok(block),
            BlockPlace::In(file, start) => file.lines_from(start).map_err(|error| about(&file.path, error)),
        }
    }
}

/// A block that was read already: where a flow has blocks of files beside others, such as of what unpacks a file.
///
/// # Examples
/// ```
/// use gen_stage::blocks::Block;
/// use gen_stage::files::UnreadBlock;
///
/// let block = UnreadBlock::from(Block::from("a line\n"));
/// assert_eq!(block.read()?, b"a line\n");
/// # Ok::<(), std::io::Error>(())
/// ```
impl From<Block> for UnreadBlock {
    fn from(block: Block) -> Self {
        Self(BlockPlace::Read(block))
    }
}

impl fmt::Debug for UnreadBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            BlockPlace::In(file, start) => {
                f.debug_struct("UnreadBlock").field("path", &file.path).field("start", start).finish()
            }
            BlockPlace::Read(block) => f.debug_tuple("UnreadBlock").field(block).finish(),
        }
    }
}

impl UnreadFile {
    pub(super) fn new(path: PathBuf, length: u64, size: usize, longest_line: usize, spares: Spares) -> Self {
        Self { path, file: OnceLock::new(), length, size, longest_line, spares }
    }

    /// Memory for a block, the end of its last line, and the byte before it.
    pub(super) fn buffers(size: usize) -> Spares {
        Spares::new(1 + size + AHEAD)
    }

    /// The lines that begin in the span that begins at `start`.
    fn lines_from(&self, start: u64) -> io::Result<Block> {
        let span = usize::try_from(self.length - start).map_or(self.size, |left| left.min(self.size));
        // A line begins where the one before ends: so the byte before the span belongs to what is looked at.
        let before = usize::from(start > 0);
        let at = start - before as u64;
        let whole = span == self.size;
        let mut buffer = if whole { self.spares.next(b"") } else { vec![0; before + span + AHEAD] };
        let mut read = self.fill(&mut buffer, at)?;

        let first = if start == 0 { Some(0) } else { line_end(&buffer[..read.min(span)]) };
        let Some(first) = first else {
            self.spares.give_back(buffer);
            return Ok(Block::default());
        };
        // The last line ends where the span does, or after it.
        let mut searched = read.min(before + span - 1);
        let (mut last, mut step) = (None, AHEAD / 2);
        let end = loop {
            if let Some(end) = line_end(&buffer[searched..read]) {
                break searched + end;
            }
            if read < buffer.len() {
                break read;
            }
            let last = *last.get_or_insert_with(|| {
                let end = buffer[first..read].iter().rposition(|byte| *byte == b'\n');
                end.map_or(first, |end| first + end + 1)
            });
            if read - last > self.longest_line {
                return Err(LineTooLong::error(self.longest_line, read - last));
            }
            step = (2 * step).min(self.size.max(AHEAD));
            searched = read;
            buffer.resize(read + step, 0);
            read += self.fill(&mut buffer[searched..], at + searched as u64)?;
        };
        Ok(self.spares.block(buffer, first..end))
    }

    /// Reads until `into` is full, or to the end. Returns how much was read.
    fn fill(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < into.len() {
            match self.read_at(&mut into[read..], at + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let file = match self.file.get() {
            Some(file) => file,
            None => {
                let file = File::open(&self.path)?;
                // Of two lanes that open it at the same time, one closes it again.
                self.file.get_or_init(|| file)
            }
        };
        read_at(file, into, at)
    }
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, at)
}

#[cfg(windows)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, at)
}

/// One lane after the other, as there is one place to read at.
#[cfg(not(any(unix, windows)))]
fn read_at(mut file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};
    use std::sync::{Mutex, PoisonError};

    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(at))?;
    file.read(into)
}

/// Where the first line of a text ends, after its line end.
fn line_end(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}
