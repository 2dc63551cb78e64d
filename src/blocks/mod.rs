//! Text from files and connections, in blocks of whole lines.
//!
//! Lines one by one are too small for a flow: to send a line costs more than to look at it. A [`Block`] is many lines
//! that were read together and stay where they were read. A lane takes a block and goes over its
//! [lines](Block::lines) or [words](Block::words), which borrow from it.
//!
//! A block is much work: let a lane ask for the next one as soon as it has done one, by a demand whose two numbers are
//! one apart.
//!
//! ```
//! use gen_stage::blocks::{Block, blocks};
//! use gen_stage::prelude::*;
//!
//! # tokio_test::block_on(async {
//! // What tokio can read: a file, a socket, standard input.
//! let log = b"GET /a\nPOST /b\nGET /b\n".as_slice();
//! let gets: Vec<usize> = blocks(log)
//!     .flow()
//!     .demand(4, 3) // blocks, not lines
//!     .map_ok(|block: Block| block.lines().filter(|line| line.starts_with(b"GET ")).count())
//!     .try_collect()
//!     .await?;
//! assert_eq!(gets.iter().sum::<usize>(), 2);
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```
//!
//! | to | write |
//! |---|---|
//! | read what tokio can read: a socket, standard input | [`blocks`]`(reader).flow()` |
//! | read what std can read: a file, a decoder of another crate | [`from_read`]`(reader).flow()` |
//! | read files in all lanes at once | [`unread_blocks_of`](crate::files::unread_blocks_of)`(paths).flow()` |
//! | read files in a row, on a thread for that | [`blocks_of`](crate::files::blocks_of)`(paths).flow()` |
//! | look at each line in a lane, without a copy | [`Block::lines`] in `map_ok`, `reduce`, `combine` |
//! | send each word, or line, to the lane of its key, without a copy | [`Slices`] of blocks |
//! | have a flow of lines | [`flat_map_ok`](crate::Flow::flat_map_ok)`(`[`Block::into_lines`]`)` |
//!
//! # Lines
//! A flow of lines comes out of blocks, cut in the lanes. Lines out of an iterator, as `BufRead::lines` makes them, are
//! the slow way: each is allocated in the one task that runs the source and freed in a lane, on another thread. Most
//! allocators make such threads wait for each other, and the flow may be slower than a loop in one thread.
//! ```
//! use gen_stage::blocks::{Block, from_read};
//! use gen_stage::prelude::*;
//! use std::fs::File;
//!
//! # tokio_test::block_on(async {
//! let longest = from_read(File::open("Cargo.toml")?)
//!     .flow()
//!     .demand(4, 3) // blocks, not lines
//!     .flat_map_ok(Block::into_lines)
//!     .map_ok(|line: Vec<u8>| line.len());
//! let longest: Vec<usize> = longest.try_collect().await?;
//! assert!(longest.iter().max() > Some(&10));
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```

mod block;
mod from_read;
mod line_too_long;
mod read;
mod slices;
mod spare;

pub use block::Block;
pub use from_read::from_read;
pub(crate) use line_too_long::LineTooLong;
pub use read::{Blocks, blocks};
pub(crate) use read::{DEFAULT_LONGEST_LINE, DEFAULT_SIZE};
pub use slices::{Slices, SlicesIter};
pub(crate) use spare::Spares;
