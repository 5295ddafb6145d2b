//! Back to remote write 1.0, for a receiver that does not take 2.0.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::Shared;
use preamp_contract::{Batch, Explanation, Protocol};

/// Whether the receiver was found to take only remote write 1.0. It stays so until the process ends:
/// asking again would cost a request now and then, and receivers are updated seldom.
#[derive(Debug, Default)]
pub(super) struct Fallback(AtomicBool);

impl Fallback {
    /// Whether a batch must not be sent as it is.
    pub(super) fn concerns(&self, batch: &Batch) -> bool {
        batch.protocol == Protocol::RemoteWriteV2 && self.0.load(Relaxed)
    }
}

impl Shared {
    /// Takes note that the receiver does not take remote write 2.0. All partitions are told at once,
    /// and the operator once.
    pub(super) fn fall_back(&self, explanation: &Explanation) {
        if self.fallback.0.swap(true, Relaxed) {
            return;
        }
        self.parts.metrics.delivery.fell_back();
        let Explanation { reason, detail, remedy } = explanation;
        tracing::warn!(
            reason = &**reason,
            detail,
            remedy,
            "the receiver does not take remote write 2.0: all batches are sent in 1.0 from now on"
        );
    }

    /// A batch of 2.0 as batches of 1.0, which count the same; nothing if it cannot be read.
    pub(super) async fn downgrade(&self, batch: &Batch) -> Option<Vec<Arc<Batch>>> {
        let problem = match self.parts.exporters.downgrade(batch.clone()).await {
            Ok(Ok(batches)) => return Some(batches.into_iter().map(Arc::new).collect()),
            Ok(Err(error)) => format!("{error:?}"),
            Err(error) => error.to_string(),
        };
        if let Some(suppressed) = self.log_limiter.allow("downgrade", 1) {
            let partition = batch.partition;
            tracing::error!(partition, problem, suppressed, "cannot write a batch in remote write 1.0");
        }
        None
    }
}
