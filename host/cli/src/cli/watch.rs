//! LogLimiter when a file of the configuration holds something else.

use preamp_base::files::{self, FileError};
use preamp_config::Source;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often the files are read. Their content counts, since the time of a change tells nothing of files that
/// are put in place by links, as in Kubernetes.
const EVERY: Duration = Duration::from_secs(2);

/// The files, and what they held last.
pub(super) struct Watch {
    files: Vec<PathBuf>,
    /// Digests of what they held, or of what was wrong with them; `None` of a file that was never there.
    last: Vec<Option<u64>>,
    ticks: Interval,
}

impl Watch {
    /// Watches the files among the sources, if that is asked for. Reads them.
    pub(super) fn new(sources: &[Source], is_on: bool) -> Watch {
        let files = sources.iter().filter_map(Source::file).filter(|_| is_on);
        let files: Vec<PathBuf> = files.map(Path::to_owned).collect();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watch { last: digests(&files), files, ticks }
    }

    /// Waits until one of the files holds something else, or is something else than a configuration can be. One that
    /// is gone is waited for.
    pub(super) async fn changed(&mut self) {
        if self.files.is_empty() {
            return std::future::pending().await;
        }
        loop {
            self.ticks.tick().await;
            // What the files stand on may hang.
            let files = self.files.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || digests(&files)).await else { continue };
            if self.takes(now) {
                return;
            }
        }
    }

    /// Whether digests tell of something new.
    fn takes(&mut self, digests: Vec<Option<u64>>) -> bool {
        let mut is_new = false;
        for (last, now) in self.last.iter_mut().zip(digests) {
            is_new |= now.is_some() && *last != now;
            *last = now.or(*last);
        }
        is_new
    }
}

fn digests(files: &[PathBuf]) -> Vec<Option<u64>> {
    files.iter().map(|file| digest(file)).collect()
}

fn digest(file: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    match files::read(file) {
        Ok(bytes) => bytes.hash(&mut hasher),
        // One that is being put in place may be gone for a moment.
        Err(FileError::System(_)) => return None,
        // Something else stands there now: whoever reads it next says what is wrong with it.
        Err(refused) => refused.to_string().hash(&mut hasher),
    }
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn content_counts_and_what_is_gone_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preamp.yaml");
        std::fs::write(&path, "a").unwrap();
        let mut watch = Watch::new(&[Source::File(path.clone())], true);
        let mut has_changed = || watch.takes(digests(std::slice::from_ref(&path)));
        std::fs::write(&path, "a").unwrap();
        assert!(!has_changed(), "the same content");
        std::fs::remove_file(&path).unwrap();
        assert!(!has_changed(), "no file");
        std::fs::create_dir(&path).unwrap();
        assert!(has_changed(), "no regular file, which is to be told");
        assert!(!has_changed(), "it is told once");
        std::fs::remove_dir(&path).unwrap();
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(has_changed(), "more than a configuration, which is to be told");
        assert!(!has_changed(), "it is told once");
        std::fs::write(&path, "b").unwrap();
        assert!(has_changed());
        assert!(!has_changed());
    }
}
