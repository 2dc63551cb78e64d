//! Files as sources: all files below a folder, as paths or as blocks of lines.
//!
//! What blocks is done on tokio's threads for that, by `spawn_blocking`, so that all of this runs in a runtime of
//! tokio's. Errors name the path.

mod below;
mod blocks_of;
mod error;
mod job;
mod reader;

pub use below::{FilesBelow, files_below};
pub use blocks_of::{BlocksOf, blocks_of};
