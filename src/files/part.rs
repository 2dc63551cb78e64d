use super::error::about;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that is being written, under a name of its own in the folder that it is meant for. Removed when it is
/// dropped, unless it was finished.
#[derive(Debug)]
pub(super) struct PartFile {
    /// `None` once it is finished.
    file: Option<File>,
    path: PathBuf,
}

/// Names with more bytes than this are left out of that of their part, which would get too long.
const LONG_NAME: usize = 200;

impl PartFile {
    /// Begins a file that is to be at `path`.
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = path.file_name().ok_or_else(|| {
            about(path, io::Error::new(io::ErrorKind::InvalidInput, "the path does not end with a name"))
        })?;
        loop {
            let mut own = std::ffi::OsString::from(".");
            if name.len() <= LONG_NAME {
                own.push(name);
                own.push(".");
            }
            own.push(format!("{}.{}.part", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
            let own = path.with_file_name(own);
            match create(&own, path) {
                Ok(file) => return Ok(Self { file: Some(file), path: own }),
                // Left there by another process that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(about(&own, error)),
            }
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(bytes).map_err(|error| about(&self.path, error))
    }

    /// Brings the file to the disk, and then to its place, in one step.
    pub(super) fn finish(mut self, path: &Path) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let synced = || {
            if let Ok(replaced) = fs::metadata(path) {
                file.set_permissions(replaced.permissions())?;
            }
            file.sync_all()
        };
        synced().map_err(|error| about(&self.path, error))?;
        fs::rename(&self.path, path).map_err(|error| about(path, error))?;
        self.file = None;
        sync_folder(path).map_err(|error| about(path, error))
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            if let Err(error) = fs::remove_file(&self.path) {
                let path = self.path.display();
                tracing::warn!(%path, %error, "a part of a file could not be removed");
            }
        }
    }
}

/// Creates a part of what is to be at `path`. If there is a file already, the part may be read by those that may read it.
#[cfg(unix)]
fn create(own: &Path, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut options = File::options();
    options.write(true).create_new(true);
    if let Ok(replaced) = fs::metadata(path) {
        options.mode(replaced.permissions().mode() & 0o777);
    }
    options.open(own)
}

#[cfg(not(unix))]
fn create(own: &Path, _: &Path) -> io::Result<File> {
    File::create_new(own)
}

/// Brings to the disk that the file is there: its name is in its folder, which is a file too.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_replaces_a_secret_file_is_secret_while_it_is_written() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("gen_stage-secret-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("file");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let part = PartFile::begin(&path).unwrap();
        assert_eq!(fs::metadata(&part.path).unwrap().permissions().mode() & 0o777, 0o600);
        part.finish(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_written_is_told_with_its_name_and_removed() {
        let folder = std::env::temp_dir().join(format!("gen_stage-part-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut part = PartFile::begin(&folder.join("file")).unwrap();
        let path = part.path.clone();
        part.write(b"some").unwrap();
        // A file that cannot be written to, in its place.
        part.file = Some(File::open(&path).unwrap());
        let error = part.write(b"more").unwrap_err();
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
        assert!(path.exists());
        drop(part);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir(folder).unwrap();
    }
}
