//! Files that hold a secret.

use preamp_base::Secret;
use preamp_base::files::{self, FileError};
use std::io;
use std::path::Path;

/// Reads the text of a file, on a thread of its own: what the file stands on may hang.
///
/// # Errors
///
/// There is no such file that can be read.
pub(crate) async fn read(path: &Path) -> Result<Secret, FileError> {
    let file = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || files::read_text(&file).map(Secret::new));
    reading.await.map_err(io::Error::other).map_err(FileError::System).flatten()
}
