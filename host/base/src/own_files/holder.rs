//! Who holds a lock.

use std::fmt::{self, Display};
use std::fs::File;

/// The process that holds the lock of a file, as far as the system tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    process: Option<i32>,
    /// Its name, and the user that it is of.
    known: Option<(String, u32)>,
}

impl Holder {
    /// The number of the process, if it is known.
    #[must_use]
    pub fn process(&self) -> Option<i32> {
        self.process
    }

    /// Who holds the lock of a file that somebody else has opened. Nothing if nobody does, or if the system shows no
    /// locks of the one who does: it runs in another container, or on another machine.
    pub(super) fn find(file: &File) -> Option<Holder> {
        Some(Holder::of(file)).filter(|holder| holder.process.is_some())
    }

    /// Who holds the lock of a file now.
    pub(super) fn of(file: &File) -> Holder {
        let process = process(file);
        Holder { process, known: process.and_then(known) }
    }
}

impl Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.process, &self.known) {
            (None, _) => f.write_str("another process"),
            // It has ended, or belongs to somebody whose processes are hidden.
            (Some(process), None) => write!(f, "process {process}, or one that it started"),
            // Whoever started it chose the name.
            (Some(process), Some((name, user))) => write!(f, "process {process} ({name:?} of user {user})"),
        }
    }
}

#[cfg(target_os = "linux")]
fn process(file: &File) -> Option<i32> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = file.metadata().ok()?;
    let device = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    // Those that wait for a lock are listed after the one that holds it.
    let locks = procfs::locks().ok()?;
    let lock =
        locks.into_iter().find(|lock| lock.inode == metadata.ino() && (lock.devmaj, lock.devmin) == device);
    // One outside of this process' namespace has no number here.
    lock?.pid.filter(|process| *process > 0)
}

#[cfg(target_os = "linux")]
fn known(process: i32) -> Option<(String, u32)> {
    let process = procfs::process::Process::new(process).ok()?;
    Some((process.stat().ok()?.comm, process.uid().ok()?))
}

#[cfg(not(target_os = "linux"))]
fn process(_: &File) -> Option<i32> {
    None
}

#[cfg(not(target_os = "linux"))]
fn known(_: i32) -> Option<(String, u32)> {
    None
}
