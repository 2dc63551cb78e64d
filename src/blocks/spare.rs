//! The memory of blocks that are gone, for those to come.

use super::block::Block;
use crate::sync::unpoisoned;
use bytes::Bytes;
use std::ops::Range;
use std::sync::{Arc, Mutex, Weak};

/// Buffers of one size, shared by clones. A block brings its buffer back when its last clone is dropped, on whatever
/// thread: memory that is freed on another thread than it was allocated on goes back to the system with most allocators,
/// and comes again page by page.
#[derive(Debug, Clone)]
pub(crate) struct Spares(Arc<Free>);

#[derive(Debug)]
struct Free {
    size: usize,
    buffers: Mutex<Vec<Vec<u8>>>,
}

/// Buffers that are kept for a reader, at most: 2 MiB with blocks of the default size, and twice that at most after long
/// lines.
const MOST: usize = 8;

impl Spares {
    pub(crate) fn new(size: usize) -> Self {
        Self(Arc::new(Free { size, buffers: Mutex::default() }))
    }

    /// A buffer of the size, all of it initialized, with what is left of another at its beginning.
    pub(crate) fn next(&self, rest: &[u8]) -> Vec<u8> {
        let free = unpoisoned(self.0.buffers.lock()).pop();
        let mut buffer = free.unwrap_or_else(|| vec![0; self.0.size]);
        if buffer.len() < rest.len() {
            buffer.resize(rest.len(), 0);
        }
        buffer[..rest.len()].copy_from_slice(rest);
        buffer
    }

    /// Keeps a buffer for the next block.
    pub(crate) fn give_back(&self, buffer: Vec<u8>) {
        if self.fits(&buffer) {
            self.0.keep(buffer);
        }
    }

    /// Whether a buffer is kept when it comes back. One that was made longer for a line is kept too, up to twice the size.
    fn fits(&self, buffer: &Vec<u8>) -> bool {
        buffer.len() >= self.0.size && buffer.capacity() <= 2 * self.0.size
    }

    /// The lines in a buffer as a block, which brings the buffer back. Of a few, a copy: a block keeps all the memory
    /// that it was read into.
    pub(crate) fn block(&self, buffer: Vec<u8>, lines: Range<usize>) -> Block {
        if lines.len() < buffer.len() / 2 {
            let block = Bytes::copy_from_slice(&buffer[lines]);
            self.give_back(buffer);
            return Block(block);
        }
        Block(self.share(buffer, lines))
    }

    /// A part of a buffer as bytes that bring the buffer back.
    pub(super) fn share(&self, buffer: Vec<u8>, part: Range<usize>) -> Bytes {
        let free = if self.fits(&buffer) { Arc::downgrade(&self.0) } else { Weak::new() };
        Bytes::from_owner(LentBuffer { buffer, free }).slice(part)
    }
}

impl Free {
    fn keep(&self, mut buffer: Vec<u8>) {
        buffer.truncate(self.size);
        let mut buffers = unpoisoned(self.buffers.lock());
        if buffers.len() < MOST {
            buffers.push(buffer);
        }
    }
}

struct LentBuffer {
    buffer: Vec<u8>,
    free: Weak<Free>,
}

impl AsRef<[u8]> for LentBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for LentBuffer {
    fn drop(&mut self) {
        if let Some(free) = self.free.upgrade() {
            free.keep(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Spares};

    #[test]
    fn a_buffer_comes_back_with_the_last_clone() {
        let spares = Spares::new(64);
        let buffer = spares.next(b"rest");
        let at = buffer.as_ptr();
        let block = spares.share(buffer, 0..4);
        let clone = block.slice(1..);
        drop(block);
        let other = spares.next(b"");
        assert_ne!(other.as_ptr(), at, "the clone still reads it");
        assert_eq!(clone, b"est".as_slice());
        drop(clone);
        let again = spares.next(b"");
        assert_eq!(again.as_ptr(), at);
    }

    #[test]
    fn few_buffers_are_kept_and_none_of_another_size_or_without_a_reader() {
        let spares = Spares::new(64);
        let blocks: Vec<_> = (0..3 * MOST).map(|_| spares.share(spares.next(b""), 0..64)).collect();
        drop(spares.share(vec![0; 63], 0..63));
        drop(spares.share(vec![0; 129], 0..129));
        drop(blocks);
        let kept = std::sync::Arc::downgrade(&spares.0);
        assert_eq!(kept.upgrade().expect("it is there").buffers.lock().unwrap().len(), MOST);
        let late = spares.share(spares.next(b""), 0..64);
        drop(spares);
        assert!(kept.upgrade().is_none());
        drop(late);
    }

    #[test]
    fn a_buffer_that_was_made_longer_is_one_of_the_size_again() {
        let spares = Spares::new(64);
        let mut buffer = spares.next(b"");
        buffer.resize(100, 0);
        let at = buffer.as_ptr();
        drop(spares.block(buffer, 0..100));
        let again = spares.next(b"");
        assert_eq!((again.as_ptr(), again.len()), (at, 64));
    }

    #[test]
    fn few_lines_are_copied_and_do_not_keep_the_buffer() {
        let spares = Spares::new(64);
        let buffer = spares.next(b"few lines");
        let at = buffer.as_ptr();
        let block = spares.block(buffer, 4..9);
        assert_eq!(block, b"lines");
        let again = spares.next(b"");
        assert_eq!(again.as_ptr(), at);
    }
}
