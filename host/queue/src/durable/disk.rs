//! The few things that the log needs of a disk, so that a test can be one.

use super::in_flight::NAME as IN_FLIGHT;
use super::log::{DAMAGED, RESERVE, SUFFIX};
use super::quarantine::SUFFIX as QUARANTINE;
use preamp_base::Directory;
use preamp_base::own_files::{Holder, LockError, NotOurs, OwnDirectory, Purpose, make_directories};
use std::fs::File;
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

    /// What tells this run of the system from others: while it is the same, what was written is there although it was
    /// not synchronized. `None` if that is not known.
    fn boot(&self) -> Option<String> {
        None
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
    #[error("{}: is in use by {holder}; stop that first (`preamp run` as a rule), or give each its own directory", .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Who has it.
        holder: Holder,
    },
    /// It is not there, and may not be made.
    #[error(
        "{}: is not there, and `create_directory: false` forbids to make it: make it, or mount what it is on",
        .0.display()
    )]
    Missing(PathBuf),
    /// Something in it is not what this process may write to.
    #[error("{}: {problem}", .path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: NotOurs,
    },
    /// The system does not let it be used.
    #[error("{}: {error}; it must be a directory that this process can write to", .path.display())]
    System {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl FolderError {
    fn of(path: &Path) -> impl Fn(io::Error) -> FolderError {
        move |error| match error.downcast::<NotOurs>() {
            Ok(problem) => FolderError::NotOurs { path: path.to_owned(), problem },
            Err(error) => FolderError::System { path: path.to_owned(), error },
        }
    }
}

/// A folder of the file system, reserved for this process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    files: OwnDirectory,
    /// Held as long as this lives; who has none may only look.
    lock: Option<File>,
}

const LOCK: &str = "lock";

impl Folder {
    /// Reserves a folder, which is made as the settings say if it is not there. What an earlier version let others read
    /// in it is closed to them.
    ///
    /// # Errors
    /// When another process has it, it cannot be written to, or something in it is not ours.
    pub fn reserve(directory: &Directory) -> Result<Folder, FolderError> {
        let path = &directory.path;
        let failed = FolderError::of(path);
        if let Some(around) = path.parent().filter(|around| directory.must_exist_around && !around.is_dir()) {
            return Err(FolderError::Missing(around.to_owned()));
        }
        make_directories(path, directory.permissions).map_err(&failed)?;
        let files = OwnDirectory::open(path).map_err(&failed)?;
        let lock = match files.lock(LOCK.as_ref()) {
            Ok(lock) => lock,
            Err(LockError::Held(holder)) => return Err(FolderError::InUse { path: path.clone(), holder }),
            Err(LockError::System(error)) => return Err(failed(error)),
        };
        let folder = Folder { path: path.clone(), files, lock: Some(lock) };
        folder.close_to_others().map_err(&failed)?;
        Ok(folder)
    }

    /// Opens a folder to look at what is in it, whoever uses it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look(path: &Path) -> Result<Folder, FolderError> {
        let files = OwnDirectory::open(path).map_err(FolderError::of(path))?;
        Ok(Folder { path: path.to_owned(), files, lock: None })
    }

    /// Who uses the folder, as far as the system shows it.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        self.files.holder(LOCK.as_ref())
    }

    fn may_write(&self) -> io::Result<()> {
        self.lock.as_ref().map(|_| ()).ok_or_else(|| ErrorKind::PermissionDenied.into())
    }

    /// Closes what an earlier version made to others, and warns of what only the operator can change.
    fn close_to_others(&self) -> io::Result<()> {
        let mut closed = 0;
        for name in self.list()?.iter().filter(|name| is_of_a_queue(name)) {
            closed += u64::from(self.files.close_to_others(name.as_ref())?);
        }
        let directory = self.path.display();
        if closed > 0 {
            tracing::info!(%directory, files = closed, "other users could read files of the queue; now they cannot (0600)");
        }
        if self.files.is_written_by_others()? {
            tracing::warn!(
                %directory,
                "other users may write to the directory of the queue, and can remove what is in it: chmod go-w"
            );
        }
        Ok(())
    }
}

/// Whether a file has a name that those of a queue have.
fn is_of_a_queue(name: &str) -> bool {
    let numbered = [SUFFIX, DAMAGED, QUARANTINE].iter().any(|suffix| file_number(name, suffix).is_some());
    numbered || [RESERVE.0, IN_FLIGHT].contains(&name)
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        self.may_write()?;
        let file = self.files.create(name.as_ref())?;
        allocate(&file, bytes)?;
        file.sync_all()?;
        self.files.sync()?;
        Ok(Box::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let purpose = if self.lock.is_some() { Purpose::Write } else { Purpose::Look };
        Ok(Box::new(self.files.open_file(name.as_ref(), purpose)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.may_write()?;
        self.files.remove(name.as_ref())
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        self.may_write()?;
        self.files.rename(name.as_ref(), to.as_ref())?;
        self.files.sync()
    }

    #[cfg(target_os = "linux")]
    fn free(&self) -> io::Result<u64> {
        let state = rustix::fs::fstatvfs(self.files.handle())?;
        Ok(state.f_bavail.saturating_mul(state.f_frsize))
    }

    #[cfg(target_os = "linux")]
    fn boot(&self) -> Option<String> {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    const NAMES: [&str; 6] = [
        "lock",
        "reserve",
        "in-flight",
        "0000000000000001.log",
        "0000000000000001.log.damaged",
        "0000000000000001.aside",
    ];

    #[test]
    fn no_file_of_a_queue_is_a_link() {
        for name in NAMES {
            let folder = tempfile::tempdir().unwrap();
            let another = folder.path().join("another");
            fs::write(&another, name).unwrap();
            let queue = Directory::private(folder.path().join("queue"));
            make_directories(&queue.path, 0o700).unwrap();
            symlink(&another, queue.path.join(name)).unwrap();
            let said = Folder::reserve(&queue).unwrap_err().to_string();
            let expected = format!("{}: `{name}` is a symbolic link, not a file", queue.path.display());
            assert!(said.starts_with(&expected), "{said}");
            assert_eq!(fs::read_to_string(&another).unwrap(), name);
        }
    }

    #[test]
    fn what_was_open_to_others_is_closed_and_a_stranger_in_the_folder_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in NAMES.into_iter().chain(["note.txt"]) {
            fs::write(path(name), name).unwrap();
            fs::set_permissions(path(name), Permissions::from_mode(0o644)).unwrap();
        }
        symlink("nowhere", path("note.link")).unwrap();
        let reserved = Folder::reserve(&Directory::private(folder.path())).unwrap();
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(NAMES.map(mode), [0o600; 6]);
        assert_eq!(mode("note.txt"), 0o644);
        let second = Folder::reserve(&Directory::private(folder.path())).unwrap_err().to_string();
        assert!(
            second.contains(": is in use by process ") && second.ends_with("give each its own directory")
        );
        drop(reserved);
        assert!(Folder::look(folder.path()).unwrap().create("new", 1).is_err(), "who looks writes nothing");
    }

    #[test]
    fn a_directory_that_must_be_there_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path().join("mount");
        let queue = Directory { must_exist_around: true, ..Directory::private(&mount) }.within("exporter");
        let said = Folder::reserve(&queue).unwrap_err().to_string();
        assert!(
            said.contains("mount: is not there, and `create_directory: false` forbids to make it"),
            "{said}"
        );
        assert!(!mount.exists());
        fs::create_dir(&mount).unwrap();
        assert!(Folder::reserve(&queue).is_ok());
    }
}
