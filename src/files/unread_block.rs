use super::error::about;
use crate::blocks::{Block, LineTooLong, Spares};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(unix)]
use std::os::unix::fs::FileExt;
#[cfg(windows)]
use std::os::windows::fs::FileExt;

/// A block of a file that [`read`](Self::read) reads: in the lane that wants its lines. See
/// [`unread_blocks_of`](super::unread_blocks_of).
///
/// It keeps the file open.
pub struct UnreadBlock(BlockPlace);

enum BlockPlace {
    /// The lines that begin in a span of a file, by where the span begins.
    In(Arc<UnreadFile>, u64),
    Read(Block),
}

/// An open file whose blocks are read in any order, on several threads at once.
pub(super) struct UnreadFile {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// How long it was when it was opened.
    pub(super) length: u64,
    /// How many bytes a block has, but for what its last line has beyond them.
    pub(super) size: usize,
    pub(super) longest_line: usize,
    pub(super) spares: Spares,
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
    /// Memory for a block, its last line, and the byte before it.
    pub(super) fn buffers(size: usize) -> Spares {
        Spares::new(1 + size + AHEAD)
    }

    /// The lines that begin in the span that begins at `start`.
    fn lines_from(&self, start: u64) -> io::Result<Block> {
        let span = usize::try_from(self.length - start).map_or(self.size, |left| left.min(self.size));
        // A line begins where the one before ends: so the byte before the span belongs to what is looked at.
        let before = usize::from(start > 0);
        let at = start - before as u64;
        let mut buffer = self.spares.next(b"");
        let mut read = self.fill(&mut buffer, at)?;

        let first = if start == 0 { Some(0) } else { line_end(&buffer[..read.min(span)]) };
        let Some(first) = first else {
            self.spares.give_back(buffer);
            return Ok(Block::default());
        };
        // The last line ends where the span does, or after it.
        let mut searched = read.min(before + span - 1);
        let mut last = None;
        let end = loop {
            if let Some(end) = line_end(&buffer[searched..read]) {
                break searched + end;
            }
            if read < buffer.len() {
                break read;
            }
            let last = *last.get_or_insert_with(|| {
                let before = buffer[first..read].iter().rposition(|byte| *byte == b'\n');
                before.map_or(first, |at| first + at + 1)
            });
            if read - last > self.longest_line {
                return Err(LineTooLong::error(self.longest_line, read - last));
            }
            searched = read;
            buffer.resize(read + self.size, 0);
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
        #[cfg(unix)]
        return self.file.read_at(into, at);
        #[cfg(windows)]
        return self.file.seek_read(into, at);
    }
}

/// Where the first line of a text ends, after its line end.
fn line_end(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}
