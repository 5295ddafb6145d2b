//! The exporter that payloads are given to, which may be exchanged while they come in.

use super::{CallError, ExporterPool, PoolStats};
use std::sync::{PoisonError, RwLock};
use tokio::sync::{RwLock as AsyncRwLock, RwLockReadGuard};

/// The exporter of the present configuration.
pub struct ActiveExporter {
    exporters: RwLock<ExporterPool>,
    /// Held while payloads are accepted; whoever exchanges the exporter waits for them.
    accepting: AsyncRwLock<()>,
}

/// An exporter that is not exchanged as long as this lives.
pub struct Accepting<'a> {
    /// The exporter.
    pub exporters: ExporterPool,
    _guard: RwLockReadGuard<'a, ()>,
}

impl ActiveExporter {
    /// Begins with this one.
    #[must_use]
    pub fn new(exporters: ExporterPool) -> Self {
        Self { exporters: RwLock::new(exporters), accepting: AsyncRwLock::default() }
    }

    /// The exporter as it is now, to give it a payload.
    pub async fn accepting(&self) -> Accepting<'_> {
        let guard = self.accepting.read().await;
        Accepting { exporters: self.current(), _guard: guard }
    }

    /// The exporter as it is now.
    #[must_use]
    pub fn current(&self) -> ExporterPool {
        // Nothing panics while it is held; if something did, the value would still be whole.
        self.exporters.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the pool of the exporter has done so far.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.current().stats()
    }

    /// Puts another exporter in its place, which goes on from what this one remembers. Payloads that come
    /// meanwhile wait.
    ///
    /// # Errors
    /// The component failed; the exporter is the same as before, but may accept nothing any more. That what it
    /// remembers is of no use to the new one is the inner error; the new one begins anew then.
    pub async fn exchange(&self, next: &ExporterPool) -> Result<Result<(), String>, CallError> {
        let _nobody_accepts = self.accepting.write().await;
        let remembered = self.current().close().await?;
        let restored = if remembered.is_empty() { Ok(()) } else { next.restore(remembered, true).await? };
        *self.exporters.write().unwrap_or_else(PoisonError::into_inner) = next.clone();
        Ok(restored)
    }
}
