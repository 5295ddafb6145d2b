//! Notices when a file of the configuration holds something else.

use preamp_host::config::Source;
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
    files: Vec<(PathBuf, Option<u64>)>,
    ticks: Interval,
}

impl Watch {
    /// Watches the files among the sources, if that is asked for.
    pub(super) fn new(sources: &[Source], is_on: bool) -> Watch {
        let files = sources.iter().filter_map(Source::file).filter(|_| is_on);
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watch { files: files.map(|file| (file.to_owned(), digest(file))).collect(), ticks }
    }

    /// Waits until one of the files holds something else. One that is gone is waited for.
    pub(super) async fn changed(&mut self) {
        if self.files.is_empty() {
            return std::future::pending().await;
        }
        loop {
            self.ticks.tick().await;
            let mut changed = false;
            for (file, last) in &mut self.files {
                if let Some(now) = digest(file)
                    && last.replace(now) != Some(now)
                {
                    changed = true;
                }
            }
            if changed {
                return;
            }
        }
    }
}

fn digest(file: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    std::fs::read(file).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}
