//! What is made of files, and made anew when they change.

use preamp_config::Pem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// A value that is made of files. Those who use it get the one of the files' last good state.
pub(crate) struct FromFiles<T> {
    files: Vec<PathBuf>,
    make: Make<T>,
    held: Mutex<Held<T>>,
}

type Make<T> = Box<dyn Fn() -> Result<T, super::TlsError> + Send + Sync>;

struct Held<T> {
    value: Arc<T>,
    stamps: Vec<Stamp>,
}

/// Tells one state of a file from the next: when it was written and how long it is, if it is there.
type Stamp = Option<(SystemTime, u64)>;

impl<T> FromFiles<T> {
    /// Makes the first value.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn new<'p>(
        sources: impl IntoIterator<Item = &'p Pem>,
        make: impl Fn() -> Result<T, super::TlsError> + Send + Sync + 'static,
    ) -> Result<Self, super::TlsError> {
        let paths = sources.into_iter().filter_map(|source| match source {
            Pem::File(path) => Some(path.clone()),
            Pem::Text(_) => None,
        });
        let files: Vec<_> = paths.collect();
        // Looked at before they are read: a change in between is noticed the next time.
        let stamps = stamps(&files);
        let held = Mutex::new(Held { value: Arc::new(make()?), stamps });
        Ok(Self { files, make: Box::new(make), held })
    }

    /// The value of the files as they are now. If they are broken, it was told, and the value is that of
    /// before; a certificate and its key change one after the other, so they may be for a moment.
    pub(crate) fn current(&self) -> Arc<T> {
        // Nothing panics while it is held; if something did, the value would still be whole.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.files);
        if stamps != held.stamps {
            held.stamps = stamps;
            match (self.make)() {
                Ok(value) => {
                    held.value = Arc::new(value);
                    tracing::info!(files = ?self.files, "new TLS files are in use");
                }
                Err(error) => {
                    tracing::warn!(%error, "changed TLS files cannot be used, those of before stay in use");
                }
            }
        }
        Arc::clone(&held.value)
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let about = std::fs::metadata(file).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    files.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::FromFiles;
    use crate::tls::TlsError;
    use preamp_config::Pem;
    use std::path::Path;

    fn read(path: &Path) -> Result<String, TlsError> {
        match std::fs::read_to_string(path) {
            Ok(text) if !text.is_empty() => Ok(text),
            _ => Err(rustls::Error::General("empty".to_owned()).into()),
        }
    }

    #[test]
    fn a_changed_file_is_read_and_a_broken_one_leaves_the_value() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let file = path.clone();
        assert!(FromFiles::new([&Pem::File(path.clone())], move || read(&file)).is_err(), "no file yet");
        std::fs::write(&path, "one").expect("written");
        let file = path.clone();
        let held = FromFiles::new([&Pem::File(path.clone())], move || read(&file)).expect("a file");
        assert_eq!(*held.current(), "one");
        for (text, value) in [("three", "three"), ("", "three"), ("fours", "fours")] {
            std::fs::write(&path, text).expect("written");
            assert_eq!(*held.current(), value, "{text:?}");
        }
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(*held.current(), "fours");
    }
}
