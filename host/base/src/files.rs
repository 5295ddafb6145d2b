//! Files that an operator names: the configuration, and what it refers to.
//!
//! Only regular files are read, links followed: whoever opens a pipe waits for a writer, and a device may not end.

use std::fmt;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// Larger files are no configurations, certificates or tokens.
pub const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a file is not read. Displayed as what is said of it, without its name.
#[derive(Debug)]
pub enum FileError {
    /// The system does not give it.
    System(io::Error),
    /// It is something else than a regular file.
    Kind(&'static str),
    /// It is larger than [`BYTES_MAX`].
    TooLarge,
    /// It holds something else than text.
    NoText(std::string::FromUtf8Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "cannot be read: {error}"),
            Self::Kind(kind) => {
                write!(f, "is {kind}, and only regular files are read: save what it gives in a file")
            }
            Self::TooLarge => {
                write!(f, "is larger than {BYTES_MAX} bytes: that is no configuration, certificate or token")
            }
            Self::NoText(error) => write!(f, "is not UTF-8: {error}"),
        }
    }
}

impl std::error::Error for FileError {}

/// Reads a text.
///
/// # Errors
///
/// There is no such regular file of at most [`BYTES_MAX`], or it is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    String::from_utf8(read(path)?).map_err(FileError::NoText)
}

/// Reads a file.
///
/// # Errors
///
/// There is no such regular file of at most [`BYTES_MAX`].
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let file = open(path)?;
    let length = file.metadata().map_err(FileError::System)?.len();
    // Once and for all, so that no copy of a secret stays behind in a buffer that was too small.
    let mut bytes = Vec::with_capacity(length.min(BYTES_MAX) as usize + 1);
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(FileError::System)?;
    if bytes.len() as u64 > BYTES_MAX { Err(FileError::TooLarge) } else { Ok(bytes) }
}

/// Opens a regular file; never waits for a writer.
///
/// # Errors
///
/// There is no such file, or it is none.
pub fn open(path: &Path) -> Result<File, FileError> {
    let file = options().open(path).map_err(|error| {
        // A socket cannot be opened, and what the system says of that tells nobody why.
        let kind = path.metadata().ok().and_then(|about| other_kind(about.file_type()));
        kind.map_or(FileError::System(error), FileError::Kind)
    })?;
    // What was opened is asked, and not the path, which may lead elsewhere by now.
    let about = file.metadata().map_err(FileError::System)?;
    other_kind(about.file_type()).map_or(Ok(file), |kind| Err(FileError::Kind(kind)))
}

#[cfg(target_os = "linux")]
fn options() -> OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    options
}

#[cfg(not(target_os = "linux"))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

/// What a file is that is not a regular one.
fn other_kind(kind: FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        let kinds = [
            (kind.is_fifo(), "a pipe"),
            (kind.is_socket(), "a socket"),
            (kind.is_char_device() || kind.is_block_device(), "a device"),
        ];
        if let Some((_, kind)) = kinds.into_iter().find(|(is_one, _)| *is_one) {
            return Some(kind);
        }
    }
    match kind {
        _ if kind.is_file() => None,
        _ if kind.is_dir() => Some("a directory"),
        _ => Some("something else"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    #[test]
    fn regular_files_are_read_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("..data"), folder.path().join("preamp.yaml"));
        std::fs::write(&file, "a: 1\n").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read_text(&link).unwrap(), "a: 1\n");
        std::fs::write(&file, [0xff]).unwrap();
        assert!(read_text(&link).unwrap_err().to_string().contains("is not UTF-8"));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        let _listener = UnixListener::bind(path("socket")).unwrap();
        for (path, kind) in [
            (path("pipe"), "is a pipe"),
            (path("socket"), "is a socket"),
            (path(""), "is a directory"),
            ("/dev/zero".into(), "is a device"),
            (path("none"), "cannot be read: No such file"),
        ] {
            let said = read(&path).unwrap_err().to_string();
            assert!(said.starts_with(kind), "{}: {said}", path.display());
        }
    }

    #[test]
    fn no_more_is_read_than_a_configuration_has() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(BYTES_MAX).unwrap();
        assert_eq!(read(file.path()).unwrap().len() as u64, BYTES_MAX);
        file.as_file().set_len(1 << 40).unwrap();
        assert!(read(file.path()).unwrap_err().to_string().starts_with("is larger than 4194304 bytes"));
    }
}
