//! A place for files of ours.

use std::path::PathBuf;

/// A directory for files of one kind, and how it is made if it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    /// The permissions of each directory that is made, whatever the umask.
    pub permissions: u32,
    /// Whether the directory around it must be there already.
    pub must_exist_around: bool,
}

impl Directory {
    /// Nobody but the user that the process runs as sees what is in it.
    pub const PRIVATE: u32 = 0o700;

    /// A directory that is made for nobody else.
    #[must_use]
    pub fn private(path: impl Into<PathBuf>) -> Directory {
        Directory { path: path.into(), permissions: Self::PRIVATE, must_exist_around: false }
    }

    /// One within it, which is made the same way.
    #[must_use]
    pub fn within(self, name: &str) -> Directory {
        Directory { path: self.path.join(name), ..self }
    }
}
