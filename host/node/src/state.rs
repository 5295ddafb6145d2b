//! Keeping what the exporter remembers: read at the start, saved now and then and at the end.

use crate::state_file::{Saved, StateError, StateFile};
use preamp_wasm::{ActiveExporter, CallError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often the state is saved. After a crash only the times of the last points and the totals of
/// non-monotonic sums are used of it, so it need not be often.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Why the state of an earlier process could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] StateError),
    /// The component failed.
    #[error(transparent)]
    Component(#[from] CallError),
}

/// Saves the state while the service runs.
pub(crate) struct Saver {
    exporters: Arc<ActiveExporter>,
    file: Arc<StateFile>,
    saving: JoinHandle<()>,
    stop: DropGuard,
}

impl Saver {
    /// Takes over what the file holds, and starts to save.
    pub async fn start(in_use: &Arc<ActiveExporter>, path: &Path) -> Result<Saver, RestoreError> {
        let exporters = in_use.current();
        let file = StateFile::reserve(path)?;
        if let Some(Saved { state, is_final }) = file.read()? {
            if !is_final {
                tracing::warn!(
                    file = %path.display(),
                    "the process before did not stop by itself: counters of delta metrics begin anew"
                );
            }
            exporters.restore(state, is_final).await?.map_err(|reason| file.unusable(reason))?;
        }
        let file = Arc::new(file);
        // From here on the state on disk may be older than what was sent, which the file must say.
        save(&file, exporters.snapshot().await?, false).await?;
        let stop = CancellationToken::new();
        let saving = tokio::spawn(keep_saving(in_use.clone(), file.clone(), stop.clone()));
        Ok(Saver { exporters: in_use.clone(), file, saving, stop: stop.drop_guard() })
    }

    /// Saves for the last time. Nothing is accepted any more.
    pub async fn finish(self) -> Result<(), RestoreError> {
        drop(self.stop);
        // It may be writing, which must not come after the last time.
        let _ended = self.saving.await;
        let state = self.exporters.current().close().await?;
        Ok(save(&self.file, state, true).await?)
    }
}

async fn keep_saving(exporters: Arc<ActiveExporter>, file: Arc<StateFile>, stop: CancellationToken) {
    let mut ticks = interval(SAVE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        // What went wrong in the component was logged there.
        let accepting = exporters.accepting().await;
        let Ok(state) = accepting.exporters.snapshot().await else { continue };
        drop(accepting);
        if let Err(error) = save(&file, state, false).await {
            tracing::warn!(%error, "the state could not be saved; the next attempt is in a minute");
        }
    }
}

async fn save(file: &Arc<StateFile>, state: Vec<u8>, is_final: bool) -> Result<(), StateError> {
    let file = file.clone();
    let written = tokio::task::spawn_blocking(move || file.write(&state, is_final)).await;
    // A task that is not awaited to its end was aborted by the end of the program.
    written.unwrap_or(Ok(()))
}
