//! Files below a folder, their blocks, and files that appear whole or not at all.

mod below;
mod blocks_of;
mod unread_blocks_of;
mod whole;

use futures::{Stream, stream};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::{Builder, Runtime};

/// A folder that is removed with all that is in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("files-{}-{made}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The names in it.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What `found` says, with paths from here on.
    fn told(&self, found: &[io::Result<PathBuf>]) -> Vec<String> {
        let told = |found: &io::Result<PathBuf>| match found {
            Ok(path) => path.strip_prefix(&self.0).unwrap().to_str().unwrap().to_owned(),
            Err(error) => {
                let text = error.to_string();
                let name =
                    text.strip_prefix(self.0.to_str().unwrap()).unwrap_or(&text).trim_start_matches('/');
                format!("{} {:?}", name.split(':').next().unwrap(), error.kind())
            }
        };
        found.iter().map(told).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Paths as a source of blocks.
fn listed(paths: impl IntoIterator<Item = PathBuf>) -> impl Stream<Item = io::Result<PathBuf>> {
    stream::iter(paths.into_iter().map(Ok).collect::<Vec<_>>())
}

/// A runtime that, when it is dropped, waits for the threads that block.
fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}
