use super::job::BlockingJob;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

/// Reads a file on a thread for that, in pieces of `most` bytes.
#[derive(Debug)]
pub(super) struct FileReader {
    place: FilePlace,
    most: usize,
    /// What was read last.
    piece: Vec<u8>,
    /// How many bytes of it were taken.
    taken: usize,
}

#[derive(Debug)]
enum FilePlace {
    Closed(PathBuf),
    Open(File),
    Busy(BlockingJob<(File, Vec<u8>)>),
    Over,
}

impl FileReader {
    pub(super) fn new(path: PathBuf, most: usize) -> Self {
        Self { place: FilePlace::Closed(path), most, piece: Vec::new(), taken: 0 }
    }

    /// Reads the next piece, into the memory of the last one.
    fn read(
        &mut self,
        open: impl FnOnce() -> io::Result<File> + Send + 'static,
    ) -> BlockingJob<(File, Vec<u8>)> {
        let (mut piece, most) = (std::mem::take(&mut self.piece), self.most);
        self.taken = 0;
        BlockingJob::start(move || {
            let mut file = open()?;
            piece.clear();
            piece.reserve(most);
            (&mut file).take(most as u64).read_to_end(&mut piece)?;
            Ok((file, piece))
        })
    }
}

impl AsyncRead for FileReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let left = &self.piece[self.taken..];
            if !left.is_empty() {
                let length = left.len().min(into.remaining());
                into.put_slice(&left[..length]);
                self.taken += length;
                return Poll::Ready(Ok(()));
            }
            let busy = match std::mem::replace(&mut self.place, FilePlace::Over) {
                FilePlace::Over => return Poll::Ready(Ok(())),
                FilePlace::Closed(path) => self.read(move || File::open(path)),
                FilePlace::Open(file) => self.read(move || Ok(file)),
                FilePlace::Busy(mut job) => {
                    let Poll::Ready(read) = job.poll(cx) else {
                        self.place = FilePlace::Busy(job);
                        return Poll::Pending;
                    };
                    // Over after an error, and when nothing more was there.
                    let (file, piece) = read?;
                    if !piece.is_empty() {
                        self.place = FilePlace::Open(file);
                    }
                    self.piece = piece;
                    continue;
                }
            };
            self.place = FilePlace::Busy(busy);
        }
    }
}
