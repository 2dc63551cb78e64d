use super::read::{Blocks, blocks};
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

/// Reads a `reader` of std in blocks of whole lines: a file, or what unpacks one.
///
/// It reads in the task that polls: in a flow that of the source, while the lanes work on other threads. A disk keeps
/// up with that. A reader that may have nothing for long, such as a pipe, would hold up a thread of the runtime all
/// that time: read it by [`blocks`], from tokio's side. Files that are read by
/// [`blocks_of`](crate::files::blocks_of) leave the threads of the runtime alone; those that are read by
/// [`unread_blocks_of`](crate::files::unread_blocks_of) are read by all lanes at once.
///
/// # Demand
/// A poll reads until a block is full, or to the end. Without polls nothing is read.
///
/// # Ordering
/// As for [`blocks`].
///
/// # Errors
/// As for [`blocks`]. A read that was interrupted is tried again.
///
/// # Panics
/// Polling panics when the reader does, or when it says that it has read more than there was room for.
///
/// # Cancel safety
/// As for [`blocks`].
///
/// # Examples
/// ```
/// use gen_stage::blocks::{Block, from_read};
/// use gen_stage::prelude::*;
/// use std::fs::File;
///
/// # tokio_test::block_on(async {
/// let lines: Vec<usize> = from_read(File::open("Cargo.toml")?)
///     .flow()
///     .demand(4, 3) // blocks, not lines
///     .map_ok(|block: Block| block.lines().count())
///     .try_collect()
///     .await?;
/// assert!(lines.iter().sum::<usize>() > 10);
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn from_read<R: Read>(reader: R) -> Blocks<impl AsyncRead + Unpin + use<R>> {
    blocks(AtOnce(reader))
}

/// Reads in the task that polls: never pending.
struct AtOnce<R>(R);

/// The reader is never pinned.
impl<R> Unpin for AtOnce<R> {}

impl<R: Read> AsyncRead for AtOnce<R> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let reader = &mut self.get_mut().0;
        // The buffers of blocks are initialized already.
        let free = into.initialize_unfilled();
        let read = loop {
            match reader.read(free) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        into.advance(read);
        Poll::Ready(Ok(()))
    }
}
