use super::job::BlockingJob;
use super::part::PartFile;
use futures_sink::Sink;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Writes items into a file that appears whole, when the sink is closed, or not at all.
///
/// Items are bytes, or text, and are written one after the other as they are; or each in a [line](WholeFile::lines) of
/// its own. Until it is closed the file has another name in the same folder: that of the file between a dot and a
/// number, with `.part` at its end. Closing brings all of it to the disk, and then renames it, in one step: a file that
/// was at the path before is there until then, and no other program sees a half of either. The same holds after a crash
/// of the machine.
///
/// The permissions are those of the file that is replaced, or the usual ones of a new file. A link at the path is
/// replaced, and not followed.
///
/// # Demand
/// Takes items until [`size`](WholeFile::size) bytes wait, and more when these are being written. In memory are at most
/// twice `size` bytes, and two items.
///
/// # Errors
/// The first error ends the sink: the file is removed, what was at the path stays, and all calls after it answer with
/// an error. It says the path. One that comes when the folder is brought to the disk, after the new file is in its
/// place, leaves that there.
///
/// # Panics
/// When it is polled outside of a runtime of tokio's.
///
/// # Cancel safety
/// Dropping a future that sends, flushes or closes loses nothing: the sink goes on from there.
///
/// # Drop
/// Without having been closed, it leaves no file: so it is when a flow that is forwarded into it fails, or is dropped.
/// What a thread is writing at that moment is removed when that is done. While it is being closed, the file may still
/// get to its place. If the process is killed, the file with the other name stays.
///
/// # Examples
/// ```
/// use futures::{SinkExt, StreamExt};
/// use gen_stage::files::whole_file;
/// use gen_stage::prelude::*;
///
/// # let path = std::env::temp_dir().join(format!("gen_stage-whole-{}", std::process::id()));
/// # tokio_test::block_on(async {
/// let squares = Flow::from_iter(1..=3).lanes(1).map(|n| (n * n).to_string());
/// squares.forward(whole_file(&path).lines()).await?;
/// assert_eq!(std::fs::read_to_string(&path)?, "1\n4\n9\n");
///
/// // Not closed: the file stays as it was.
/// let mut file = whole_file(&path);
/// file.send("half of it").await?;
/// drop(file);
/// assert_eq!(std::fs::read_to_string(&path)?, "1\n4\n9\n");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn whole_file(path: impl Into<PathBuf>) -> WholeFile {
    WholeFile {
        path: path.into(),
        size: SIZE,
        lines: false,
        waiting: Vec::new(),
        spare: Vec::new(),
        state: Writing::Idle(None),
    }
}

const SIZE: usize = 256 * 1024;

/// The sink of [`whole_file`].
#[derive(Debug)]
#[must_use = "sinks do nothing unless polled"]
pub struct WholeFile {
    path: PathBuf,
    size: usize,
    lines: bool,
    /// What is to be written next.
    waiting: Vec<u8>,
    /// The memory of what was written last, to be filled again.
    spare: Vec<u8>,
    state: Writing,
}

#[derive(Debug)]
enum Writing {
    /// Nothing is being written; the file is not begun yet when it is `None`.
    Idle(Option<PartFile>),
    Busy(BlockingJob<(PartFile, Vec<u8>)>),
    Closing(BlockingJob<()>),
    Closed,
    Failed,
}

impl WholeFile {
    /// Puts each item in a line of its own: writes a line end, `\n`, after it.
    ///
    /// # Examples
    /// See [`whole_file`].
    pub fn lines(self) -> Self {
        Self { lines: true, ..self }
    }

    /// Writes when at least `bytes` wait, at least 1, by default 262 144; and when it is flushed.
    ///
    /// # Panics
    /// When `bytes` is 0.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use gen_stage::files::whole_file;
    ///
    /// # let path = std::env::temp_dir().join(format!("gen_stage-size-{}", std::process::id()));
    /// # tokio_test::block_on(async {
    /// let numbers = stream::iter(0..1000).map(|n: u32| Ok(n.to_le_bytes()));
    /// numbers.forward(whole_file(&path).size(64)).await?;
    /// assert_eq!(std::fs::metadata(&path)?.len(), 4000);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn size(self, bytes: usize) -> Self {
        assert!(bytes > 0, "a file is written by at least 1 byte at a time, given 0");
        Self { size: bytes, ..self }
    }

    /// Waits until nothing is being written.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            Writing::Idle(_) | Writing::Closed => Poll::Ready(Ok(())),
            Writing::Failed => Poll::Ready(Err(io::Error::other("the file was given up after an error"))),
            Writing::Busy(job) => {
                let written = ready!(job.poll(cx));
                self.state = Writing::Failed;
                let (part, mut bytes) = written?;
                bytes.clear();
                self.spare = bytes;
                self.state = Writing::Idle(Some(part));
                Poll::Ready(Ok(()))
            }
            Writing::Closing(job) => {
                let closed = ready!(job.poll(cx));
                self.state = if closed.is_ok() { Writing::Closed } else { Writing::Failed };
                Poll::Ready(closed)
            }
        }
    }

    /// Begins to write what waits, if the file is open.
    fn write(&mut self) {
        let Writing::Idle(part) = &mut self.state else { return };
        let (part, path) = (part.take(), self.path.clone());
        let bytes = std::mem::replace(&mut self.waiting, std::mem::take(&mut self.spare));
        self.state = Writing::Busy(BlockingJob::start(move || {
            let mut part = part.map_or_else(|| PartFile::begin(&path), Ok)?;
            part.write(&bytes)?;
            Ok((part, bytes))
        }));
    }

    /// Begins to bring the file to its place, if it is open.
    fn finish(&mut self) {
        let Writing::Idle(part) = &mut self.state else { return };
        let (part, path) = (part.take(), self.path.clone());
        self.state = Writing::Closing(BlockingJob::start(move || {
            let part = part.map_or_else(|| PartFile::begin(&path), Ok)?;
            part.finish(&path)
        }));
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_idle(cx))?;
        if !self.waiting.is_empty() {
            self.write();
            return self.poll_idle(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl<B: AsRef<[u8]>> Sink<B> for WholeFile {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waiting.len() < self.size && matches!(self.state, Writing::Idle(_) | Writing::Busy(_)) {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_idle(cx))?;
        self.write();
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, item: B) -> io::Result<()> {
        match self.state {
            Writing::Idle(_) | Writing::Busy(_) => {}
            Writing::Failed => return Err(io::Error::other("the file was given up after an error")),
            Writing::Closing(_) | Writing::Closed => return Err(io::Error::other("the file is closed")),
        }
        let bytes = item.as_ref();
        self.waiting.extend_from_slice(bytes);
        if self.lines {
            self.waiting.push(b'\n');
        }
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_written(cx))?;
        self.finish();
        self.poll_idle(cx)
    }
}
