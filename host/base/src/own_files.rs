//! Files for this user alone: what is queued and remembered holds label values.
//!
//! They are opened relative to their directory, which may be reached through symbolic links, but never through one
//! themselves. Each is a regular file with mode 0600 whatever the umask. What somebody else put in the place of one is
//! neither written to nor emptied: an error names it.

mod holder;
#[cfg(test)]
mod tests;

use crate::LogLimiter;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

pub use holder::Holder;

/// The permissions of every file.
const PRIVATE: u32 = 0o600;
/// Those that let others than the owner do anything.
const OF_OTHERS: u32 = 0o077;
/// Those that let others write.
pub const WRITTEN_BY_OTHERS: u32 = 0o022;

/// Why a name in a directory does not stand for a file of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It is something else than a regular file.
    #[error("`{name}` is {kind}, not a file, and is left alone: remove it, or name another directory")]
    Kind {
        /// Its name in the directory.
        name: String,
        /// What it is, with an article.
        kind: &'static str,
    },
    /// It has other names, so that writing to it would change a file elsewhere.
    #[error(
        "`{name}` is a file with {links} names (hard links), and is left alone: remove the other names, or put a copy \
         in its place"
    )]
    Linked {
        /// Its name in the directory.
        name: String,
        /// How many names it has.
        links: u64,
    },
    /// It belongs to another user.
    #[error(
        "`{name}` belongs to user {owner}, and this process to user {user}: run it as user {owner}, or give it the \
         file (chown {user})"
    )]
    Owner {
        /// Its name in the directory.
        name: String,
        /// Whose it is.
        owner: u32,
        /// Whose this process is.
        user: u32,
    },
}

/// Why a lock was not got.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it, or this one.
    Held(Holder),
    /// The system does not let it be used, or it is not ours.
    System(io::Error),
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Looked at, whoever it belongs to.
    Look,
    /// Read by the process that it belongs to.
    Read,
    /// Read and written.
    Write,
}

/// A directory with files of ours.
#[derive(Debug)]
pub struct OwnDirectory {
    directory: File,
    log_limiter: LogLimiter,
}

impl OwnDirectory {
    /// Opens a directory that is there.
    pub fn open(path: &Path) -> io::Result<OwnDirectory> {
        let directory =
            OpenOptions::new().read(true).custom_flags(OFlags::DIRECTORY.bits() as i32).open(path)?;
        Ok(OwnDirectory { directory, log_limiter: LogLimiter::default() })
    }

    /// The directory itself.
    pub fn handle(&self) -> &File {
        &self.directory
    }

    /// The names of what is in it.
    pub fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Makes a file, in the place of one of ours that may be there.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        match self.create_new(name) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Removed rather than emptied: whoever has it open from earlier times sees nothing of the new one.
                drop(self.open_file(name, Purpose::Write)?);
                self.remove(name)?;
                self.create_new(name)
            }
            made => made,
        }
    }

    fn create_new(&self, name: &OsStr) -> io::Result<File> {
        let file = self.open_at(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        self.make_private(&file)?;
        Ok(file)
    }

    /// Opens a file of ours.
    pub fn open_file(&self, name: &OsStr, purpose: Purpose) -> io::Result<File> {
        let access = if purpose == Purpose::Write { OFlags::RDWR } else { OFlags::RDONLY };
        let file = self.open_at(name, access).map_err(|error| self.explained(name, error))?;
        self.check(name, &file, purpose)?;
        Ok(file)
    }

    /// Takes the lock that a file stands for, as long as it is open. Nobody else can open it.
    pub fn lock(&self, name: &OsStr) -> Result<File, LockError> {
        let opened = self.open_at(name, OFlags::RDWR | OFlags::CREATE);
        let file = opened.map_err(|error| LockError::System(self.explained(name, error)))?;
        let checked = self.check(name, &file, Purpose::Write).and_then(|()| self.make_private(&file));
        checked.map_err(LockError::System)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(Holder::of(&file))),
            Err(TryLockError::Error(error)) => Err(LockError::System(error)),
        }
    }

    /// Who holds the lock that a file stands for, as far as the system shows locks. Takes none.
    pub fn holder(&self, name: &OsStr) -> Option<Holder> {
        Holder::find(&self.open_file(name, Purpose::Look).ok()?)
    }

    /// Takes the permissions of others from a file, if they have any. Returns whether they had.
    pub fn close_to_others(&self, name: &OsStr) -> io::Result<bool> {
        let file = self.open_file(name, Purpose::Read)?;
        let metadata = file.metadata()?;
        let is_open = metadata.mode() & OF_OTHERS != 0 && metadata.nlink() == 1;
        if is_open {
            self.make_private(&file)?;
        }
        Ok(is_open)
    }

    /// Removes a name.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.directory, name, AtFlags::empty())?)
    }

    /// Gives a file another name, which may be one of another file.
    pub fn rename(&self, name: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.directory, name, &self.directory, to)?)
    }

    /// Returns when the names in it outlive a power cut.
    pub fn sync(&self) -> io::Result<()> {
        self.directory.sync_all()
    }

    /// Whether other users may put files into it, and into the place of ours.
    pub fn is_written_by_others(&self) -> io::Result<bool> {
        Ok(self.directory.metadata()?.mode() & WRITTEN_BY_OTHERS != 0)
    }

    /// A FIFO does not hold up who opens it so.
    fn open_at(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(File::from(rustix::fs::openat(&self.directory, name, flags, mode)?))
    }

    fn check(&self, name: &OsStr, file: &File, purpose: Purpose) -> io::Result<()> {
        let shown = || name.to_string_lossy().into_owned();
        if let Some(kind) = kind_of(FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode)) {
            return Err(NotOurs::Kind { name: shown(), kind }.into());
        }
        if purpose == Purpose::Look {
            return Ok(());
        }
        let metadata = file.metadata()?;
        let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
        // Whoever has the directory could replace the file, and on some file systems all files belong to one user.
        if owner != user && owner != self.directory.metadata()?.uid() {
            return Err(NotOurs::Owner { name: shown(), owner, user }.into());
        }
        if purpose == Purpose::Write && metadata.nlink() > 1 {
            return Err(NotOurs::Linked { name: shown(), links: metadata.nlink() }.into());
        }
        Ok(())
    }

    /// Sets what the umask may have changed, and an earlier version left open.
    fn make_private(&self, file: &File) -> io::Result<()> {
        if file.metadata()?.mode() & 0o777 == PRIVATE {
            return Ok(());
        }
        match file.set_permissions(Permissions::from_mode(PRIVATE)) {
            // Some file systems give all files the same permissions, and let nobody change them.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                if self.log_limiter.allow("permissions", 1).is_some() {
                    tracing::warn!(%error, "files cannot be made private (0600): other users may read what is kept");
                }
                Ok(())
            }
            changed => changed,
        }
    }

    /// Says of what could not be opened what it is, if it is no file.
    fn explained(&self, name: &OsStr, error: io::Error) -> io::Error {
        let state = rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW);
        match state.ok().and_then(|state| kind_of(FileType::from_raw_mode(state.st_mode))) {
            Some(kind) => NotOurs::Kind { name: name.to_string_lossy().into_owned(), kind }.into(),
            None => error,
        }
    }
}

impl From<NotOurs> for io::Error {
    fn from(problem: NotOurs) -> Self {
        io::Error::other(problem)
    }
}

/// What is no regular file.
fn kind_of(found: FileType) -> Option<&'static str> {
    match found {
        FileType::RegularFile => None,
        FileType::Symlink => Some("a symbolic link"),
        FileType::Directory => Some("a directory"),
        FileType::Fifo => Some("a FIFO"),
        FileType::Socket => Some("a socket"),
        _ => Some("a device"),
    }
}

/// Makes a directory, and those around it that are not there, each with these permissions whatever the umask. They are
/// there after a power cut.
pub fn make_directories(path: &Path, permissions: u32) -> io::Result<()> {
    let missing: Vec<_> =
        path.ancestors().map(or_working_directory).take_while(|path| !path.exists()).collect();
    for directory in missing.into_iter().rev() {
        match DirBuilder::new().mode(permissions).create(directory) {
            Ok(()) => set_permissions(directory, permissions)?,
            // By another process, in the meantime.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => {}
            Err(error) => return Err(error),
        }
        let around = or_working_directory(directory.parent().unwrap_or(Path::new("")));
        File::open(around)?.sync_all()?;
    }
    Ok(())
}

/// Sets the permissions of a directory that was just made.
fn set_permissions(directory: &Path, permissions: u32) -> io::Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let permissions = Permissions::from_mode(permissions);
    match OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(directory) {
        Ok(directory) => directory.set_permissions(permissions),
        // The umask took the owner's own.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            fs::set_permissions(directory, permissions)
        }
        Err(error) => Err(error),
    }
}

/// The path above a relative one is empty at last.
fn or_working_directory(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}
