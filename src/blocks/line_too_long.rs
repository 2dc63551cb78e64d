use std::io;

/// A line has more bytes than `longest_line` allows.
#[derive(Debug, thiserror::Error)]
#[error(
    "a line is longer than longest_line, which is {longest_line} bytes: {read} were read and have no line end"
)]
pub(crate) struct LineTooLong {
    longest_line: usize,
    read: usize,
}

impl LineTooLong {
    /// The error of a line of which `read` bytes were read, without its end.
    pub(crate) fn error(longest_line: usize, read: usize) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, Self { longest_line, read })
    }
}
