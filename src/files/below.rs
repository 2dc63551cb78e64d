use super::error::about;
use super::job::BlockingJob;
use futures_core::{FusedStream, Stream};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Finds all files below a folder, and below the folders in it.
///
/// Their paths begin with `path` as it was given. If `path` is a file, that is the only one. A link to a file counts as
/// a file; one to a folder is passed over, as it may lead back to where it is. So is what is neither: sockets, pipes,
/// devices. To read the files, see [`blocks_of`](super::blocks_of).
///
/// # Demand
/// A folder is read when it is its turn. In memory are the names in the folders that lead to the one at hand. Files
/// that are made or removed meanwhile may be among them or not.
///
/// # Ordering
/// By name within a folder, as bytes; what is in a folder comes where its name does.
///
/// # Errors
/// A folder or a link that cannot be read is an item, and what comes after it follows. The error says its path.
///
/// # Panics
/// When it is polled outside of a runtime of tokio's.
///
/// # Cancel safety
/// Dropping a future that waits for the next path loses nothing.
///
/// # Drop
/// A folder that is being read at that moment is read to its end.
///
/// # Examples
/// ```
/// use futures::TryStreamExt;
/// use gen_stage::files::files_below;
///
/// # tokio_test::block_on(async {
/// let sources: Vec<_> = files_below("src/files").try_collect().await?;
/// assert_eq!(sources[0], std::path::Path::new("src/files/below.rs"));
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
/// Small files, read whole, four at a time:
/// ```
/// use gen_stage::files::files_below;
/// use gen_stage::prelude::*;
/// use std::path::PathBuf;
///
/// # tokio_test::block_on(async {
/// let read = |path: std::io::Result<PathBuf>| std::fs::read_to_string(path?);
/// let texts = files_below("src/files").flow().map_blocking(4, read);
/// let lengths: Vec<usize> = texts.map_ok(|text: String| text.lines().count()).try_collect().await?;
/// assert!(lengths.iter().sum::<usize>() > 100);
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn files_below(path: impl Into<PathBuf>) -> FilesBelow {
    FilesBelow { ahead: vec![Found::Root(path.into())], reading: None }
}

/// The stream of [`files_below`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct FilesBelow {
    /// What is to come; the next is the last.
    ahead: Vec<Found>,
    /// The folder that is being read.
    reading: Option<BlockingJob<Vec<Found>>>,
}

#[derive(Debug)]
enum Found {
    /// What was asked for: a folder or a file.
    Root(PathBuf),
    Folder(PathBuf),
    File(PathBuf),
    Failed(io::Error),
}

/// What is there, the next last. An error that is about the whole of it is its only item.
fn look(root: &Path) -> Vec<Found> {
    let found = || {
        let kind = fs::metadata(root)?;
        Ok(if kind.is_dir() { read(root)? } else { vec![Found::File(root.to_owned())] })
    };
    found().unwrap_or_else(|error| vec![Found::Failed(about(root, error))])
}

/// The files and folders in a folder, the next last.
fn read(folder: &Path) -> io::Result<Vec<Found>> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_cached_key(fs::DirEntry::file_name);
    Ok(entries.iter().rev().filter_map(kind).collect())
}

/// What an entry is to us: none of sockets and their like, nor of links to folders.
fn kind(entry: &fs::DirEntry) -> Option<Found> {
    let path = entry.path();
    let kind = entry.file_type().and_then(|kind| match kind {
        link if link.is_symlink() => fs::metadata(&path).map(|kind| (kind.is_file(), false)),
        kind => Ok((kind.is_file(), kind.is_dir())),
    });
    match kind {
        Ok((true, _)) => Some(Found::File(path)),
        Ok((_, true)) => Some(Found::Folder(path)),
        Ok(_) => None,
        Err(error) => Some(Found::Failed(about(&path, error))),
    }
}

impl Stream for FilesBelow {
    type Item = io::Result<PathBuf>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<PathBuf>>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let found = ready!(reading.poll(cx));
                self.reading = None;
                match found {
                    Ok(found) => self.ahead.extend(found),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            match self.ahead.pop() {
                None => return Poll::Ready(None),
                Some(Found::File(path)) => return Poll::Ready(Some(Ok(path))),
                Some(Found::Failed(error)) => return Poll::Ready(Some(Err(error))),
                Some(Found::Root(path) | Found::Folder(path)) => {
                    self.reading = Some(BlockingJob::start(move || Ok(look(&path))));
                }
            }
        }
    }
}

impl FusedStream for FilesBelow {
    fn is_terminated(&self) -> bool {
        self.ahead.is_empty() && self.reading.is_none()
    }
}
