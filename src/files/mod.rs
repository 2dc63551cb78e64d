//! Files as sources and as sinks: all files below a folder, and files that appear whole or not at all.
//!
//! ```
//! use gen_stage::blocks::Block;
//! use gen_stage::files::{blocks_of, files_below, whole_file};
//! use gen_stage::prelude::*;
//! use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
//!
//! # let folder = std::env::temp_dir().join(format!("gen_stage-files-{}", std::process::id()));
//! # tokio_test::block_on(async {
//! # std::fs::create_dir_all(folder.join("logs/old"))?;
//! # std::fs::write(folder.join("logs/new.log"), "GET /a\nPOST /b\n")?;
//! # std::fs::write(folder.join("logs/old/1.log"), "GET /c\n")?;
//! let unread = Arc::new(AtomicU64::new(0));
//! let gets = blocks_of(files_below(folder.join("logs")))
//!     .flow()
//!     .demand(4, 3) // blocks, not lines
//!     .skip_errors(&unread)
//!     .flat_map(Block::into_lines) // the short way: it copies each line, of which few are wanted
//!     .filter(|line| line.starts_with(b"GET "));
//! gets.forward(whole_file(folder.join("gets.log")).lines()).await?;
//!
//! let mut gets: Vec<String> = std::fs::read_to_string(folder.join("gets.log"))?.lines().map(String::from).collect();
//! gets.sort();
//! assert_eq!(gets, ["GET /a", "GET /c"]);
//! assert_eq!(unread.load(Ordering::Relaxed), 0);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```
//!
//! What blocks is done on tokio's threads for that, by `spawn_blocking`, so that all of this runs in a runtime of
//! tokio's; but an [`UnreadBlock`] is read where you say. Errors name the path.

mod below;
mod blocks_of;
mod error;
mod job;
mod part;
mod reader;
mod unread_block;
mod unread_blocks_of;
mod whole;

pub use below::{FilesBelow, files_below};
pub use blocks_of::{BlocksOf, blocks_of};
pub use unread_block::UnreadBlock;
pub use unread_blocks_of::{UnreadBlocksOf, unread_blocks_of};
pub use whole::{WholeFile, whole_file};
