use std::io;
use std::path::{Path, PathBuf};

/// An error, and the file that it is about.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", .path.display())]
struct FileError {
    path: PathBuf,
    cause: io::Error,
}

/// The same error, which says the path too.
pub(super) fn about(path: &Path, cause: io::Error) -> io::Error {
    io::Error::new(cause.kind(), FileError { path: path.to_owned(), cause })
}
