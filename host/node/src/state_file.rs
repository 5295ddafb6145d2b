//! The file that holds what the exporter remembers while no process runs (`delta_state_file`).

use preamp_base::own_files::{Holder, LockError, OwnDirectory, Purpose};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// What the file begins with, followed by a word and the end of the line.
const MAGIC: &str = "preamp state 1 ";
/// The process ended after this was written: nothing was accepted since.
const FINAL: &str = "final\n";
/// The process went on.
const INTERIM: &str = "interim\n";

/// No state is larger: it comes out of the memory of one instance.
const BYTES_MAX: u64 = 4 << 30;

/// Why the file cannot be used. All of these are told before anything is accepted.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process has it.
    #[error("delta_state_file {}: is in use by {holder}; stop that first, or give each its own", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who has it.
        holder: Holder,
    },
    /// The system does not let it be read or written.
    #[error("delta_state_file {}: cannot be {doing}: {error}", .path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// It holds something else, and must not be overwritten.
    #[error(
        "delta_state_file {}: {reason}; to begin without it, move it away or name another file",
        .path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The file, reserved for this process.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    directory: OwnDirectory,
    name: OsString,
    /// Held as long as this lives. The file itself cannot be locked: it is replaced at each writing.
    _lock: File,
}

/// What was found in the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Saved {
    /// What the exporter remembered.
    pub state: Vec<u8>,
    /// Whether that was all, up to its end.
    pub is_final: bool,
}

impl StateFile {
    /// Reserves the file.
    ///
    /// # Errors
    ///
    /// Another process has it, or its folder cannot be written to.
    pub fn reserve(path: &Path) -> Result<StateFile, StateError> {
        let failed = system(path, "written");
        let name = path.file_name().ok_or_else(|| failed(ErrorKind::IsADirectory.into()))?.to_owned();
        let around = path.parent().filter(|around| !around.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = OwnDirectory::open(around).map_err(&failed)?;
        let lock = directory.lock(&beside(&name, ".lock")).map_err(|error| match error {
            LockError::Held(holder) => StateError::InUse { path: path.to_owned(), holder },
            LockError::System(error) => failed(error),
        })?;
        if directory.is_written_by_others().map_err(&failed)? {
            tracing::warn!(
                directory = %around.display(),
                "other users may write to the directory of the delta_state_file, and can replace it: chmod go-w, or \
                 name a file in a directory of its own"
            );
        }
        Ok(StateFile { path: path.to_owned(), directory, name, _lock: lock })
    }

    /// Reads what is there; `None` if there is no file yet.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not one of these.
    pub fn read(&self) -> Result<Option<Saved>, StateError> {
        let mut bytes = Vec::new();
        let opened = self.directory.open_file(&self.name, Purpose::Read);
        match opened.and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(system(&self.path, "read")(error)),
        }
        let Some(rest) = bytes.strip_prefix(MAGIC.as_bytes()) else {
            return Err(self.unusable("holds something else than a state of preamp"));
        };
        for (word, is_final) in [(FINAL, true), (INTERIM, false)] {
            if let Some(state) = rest.strip_prefix(word.as_bytes()) {
                return Ok(Some(Saved { state: state.to_vec(), is_final }));
            }
        }
        Err(self.unusable("is damaged in its first line"))
    }

    /// Replaces what is there, all at once: whatever happens, the file holds the old or the new state.
    ///
    /// # Errors
    ///
    /// What the system says; the file is as before then.
    pub fn write(&self, state: &[u8], is_final: bool) -> Result<(), StateError> {
        self.replace(state, if is_final { FINAL } else { INTERIM }).map_err(system(&self.path, "written"))
    }

    fn replace(&self, state: &[u8], word: &str) -> io::Result<()> {
        let new = beside(&self.name, ".new");
        let mut file = self.directory.create(&new)?;
        file.write_all(MAGIC.as_bytes())?;
        file.write_all(word.as_bytes())?;
        file.write_all(state)?;
        file.sync_all()?;
        self.directory.rename(&new, &self.name)?;
        // The new name is on disk only once its folder is.
        self.directory.sync()
    }

    /// The error that what the file holds cannot be used.
    pub fn unusable(&self, reason: impl Into<String>) -> StateError {
        StateError::Unusable { path: self.path.clone(), reason: reason.into() }
    }
}

fn system(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> StateError {
    move |error| StateError::System { path: path.to_owned(), doing, error }
}

/// The name with something appended.
fn beside(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::reserve(&folder.path().join("totals")).unwrap();
        assert_eq!(file.read().unwrap(), None);
        for is_final in [false, true] {
            file.write(b"state", is_final).unwrap();
            assert_eq!(file.read().unwrap(), Some(Saved { state: b"state".to_vec(), is_final }));
        }
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.count(), 2, "the file and its lock");
    }

    #[test]
    fn what_cannot_be_used_is_said_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("totals");
        let file = StateFile::reserve(&path).unwrap();
        let second = StateFile::reserve(&path).unwrap_err().to_string();
        let own = format!("is in use by process {} (", std::process::id());
        assert!(
            second.contains(&own) && second.ends_with("); stop that first, or give each its own"),
            "{second}"
        );
        for (content, said) in [
            (&b"receivers:\n"[..], "holds something else than a state of preamp; to begin without it, move"),
            (b"preamp state 1 fin", "is damaged in its first line; to begin without it, move it away"),
        ] {
            fs::write(&path, content).unwrap();
            let error = file.read().unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("totals"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        drop(file);
        let nowhere = StateFile::reserve(&folder.path().join("no/such/folder")).unwrap_err().to_string();
        assert!(nowhere.contains("cannot be written: "), "{nowhere}");
        assert!(StateFile::reserve(&path).is_ok(), "free again");
    }

    #[test]
    fn none_of_its_files_is_a_link() {
        for name in ["totals", "totals.lock", "totals.new"] {
            let folder = tempfile::tempdir().unwrap();
            let another = folder.path().join("another");
            fs::write(&another, "preamp state 1 final\n").unwrap();
            std::os::unix::fs::symlink(&another, folder.path().join(name)).unwrap();
            let file = StateFile::reserve(&folder.path().join("totals"));
            let failed = file.and_then(|file| file.read().and_then(|_| file.write(b"state", true)));
            let said = failed.unwrap_err().to_string();
            assert!(said.contains(&format!("`{name}` is a symbolic link, not a file")), "{said}");
            assert_eq!(fs::read(&another).unwrap(), b"preamp state 1 final\n");
        }
    }
}
