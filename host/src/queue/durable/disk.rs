//! The few things that the log needs of a disk, so that a test can be one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A folder for the files of one log.
pub trait Disk: Send + Sync {
    /// The names of the files in it.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a file with room for as many bytes, which are zero. The file is still there after a power cut once
    /// this has returned.
    ///
    /// # Errors
    /// What the system says; there may be a file without the room for all bytes then.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Removes a file. It may be there again after a power cut.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name, for good when this has returned.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, name: &str, to: &str) -> io::Result<()>;

    /// Bytes that this process could still fill.
    ///
    /// # Errors
    /// What the system says.
    fn free(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    /// Where it is, for people.
    fn place(&self) -> String;
}

/// The name of the file of a number, by which files are sorted.
pub(super) fn file_name(number: u64, suffix: &str) -> String {
    format!("{number:016}{suffix}")
}

/// The number of a file, if it has one and ends so.
pub(super) fn file_number(name: &str, suffix: &str) -> Option<u64> {
    name.strip_suffix(suffix)?.parse().ok()
}

/// A file of a [`Disk`].
pub trait DiskFile: Send + Sync {
    /// How long it is, the room that is not written yet included.
    ///
    /// # Errors
    /// What the system says.
    fn length(&self) -> io::Result<u64>;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// What the system says, or that the file ends before.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes all `bytes`. They may be lost, in any parts, until [`sync`](Self::sync) has returned.
    ///
    /// # Errors
    /// What the system says; any part may be written then.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Returns when all that was written outlives a power cut.
    ///
    /// # Errors
    /// What the system says. Nothing is known of what was written since the last time then, and it must not be
    /// tried again: the system may have dropped what it could not write, and say that all is well.
    fn sync(&self) -> io::Result<()>;

    /// Gives back the room beyond as many bytes.
    ///
    /// # Errors
    /// What the system says.
    fn truncate(&self, bytes: u64) -> io::Result<()>;
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error("{}: is in use by another process; give each its own directory", .0.display())]
    InUse(PathBuf),
    /// The system does not let it be used.
    #[error("{}: {error}; it must be a directory that this process can write to", .path.display())]
    System {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// A folder of the file system, reserved for this process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Synchronized when a file was added.
    folder: File,
    /// Held as long as this lives; who has none may only look.
    lock: Option<File>,
}

const LOCK: &str = "lock";

impl Folder {
    /// Reserves a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When another process has it, or it cannot be written to.
    pub fn reserve(path: &Path) -> Result<Folder, FolderError> {
        let system = |error| FolderError::System { path: path.to_owned(), error };
        let above: Vec<_> = path.ancestors().skip(1).map(or_working_directory).collect();
        let made_in = above.iter().position(|above| above.exists());
        fs::create_dir_all(path).map_err(system)?;
        // Each folder that was made must outlive a power cut, too.
        for above in above.iter().take(made_in.map_or(0, |last| last + 1)) {
            File::open(above).and_then(|above| above.sync_all()).map_err(system)?;
        }
        let lock = File::create(path.join(LOCK)).map_err(system)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(system(error)),
        }
        let folder = File::open(path).map_err(system)?;
        Ok(Folder { path: path.to_owned(), folder, lock: Some(lock) })
    }

    /// Opens a folder to look at what is in it, whoever uses it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look(path: &Path) -> Result<Folder, FolderError> {
        let folder =
            File::open(path).map_err(|error| FolderError::System { path: path.to_owned(), error })?;
        Ok(Folder { path: path.to_owned(), folder, lock: None })
    }

    fn may_write(&self) -> io::Result<()> {
        self.lock.as_ref().map(|_| ()).ok_or_else(|| ErrorKind::PermissionDenied.into())
    }
}

/// The path above a relative one is empty at last.
fn or_working_directory(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        self.may_write()?;
        let path = self.path.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        allocate(&file, bytes)?;
        file.sync_all()?;
        self.folder.sync_all()?;
        Ok(Box::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(self.lock.is_some()).open(self.path.join(name))?;
        Ok(Box::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.may_write()?;
        fs::remove_file(self.path.join(name))
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        self.may_write()?;
        fs::rename(self.path.join(name), self.path.join(to))?;
        self.folder.sync_all()
    }

    #[cfg(target_os = "linux")]
    fn free(&self) -> io::Result<u64> {
        let state = rustix::fs::fstatvfs(&self.folder)?;
        Ok(state.f_bavail.saturating_mul(state.f_frsize))
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }
}

/// Makes room for as many bytes, so that a full disk is noticed now and not at each writing.
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Ok(()) => return Ok(()),
        // Some file systems cannot.
        Err(rustix::io::Errno::OPNOTSUPP) => {}
        Err(error) => return Err(error.into()),
    }
    file.set_len(bytes)
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}
