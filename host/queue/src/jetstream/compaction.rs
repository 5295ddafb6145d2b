//! Purging the messages below the committed offsets of all partitions.

use super::Shared;
use super::stream::subject;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often the stream is compacted.
const COMPACTION_INTERVAL: Duration = Duration::from_secs(5);

impl Shared {
    /// Purges what lies before the first unacknowledged message of any partition. Returns the number of messages behind it.
    pub(super) async fn compact(&self) -> Result<u64, String> {
        // Read first: messages that come later are not acknowledged.
        let state = self.stream.get_info().await.map_err(|error| error.to_string())?.state;
        if state.messages == 0 {
            return Ok(0);
        }
        let firsts = (0..self.partitions.len() as u32).map(|partition| self.first_unacknowledged(partition));
        let firsts =
            futures_util::future::join_all(firsts).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let first = firsts.into_iter().flatten().fold(state.last_sequence + 1, u64::min);
        if first > state.first_sequence {
            self.stream.purge().sequence(first).await.map_err(|error| error.to_string())?;
        }
        Ok((state.last_sequence + 1).saturating_sub(first))
    }

    async fn first_unacknowledged(&self, partition: u32) -> Result<Option<u64>, String> {
        let committed = self.committed.read(partition).await?.sequence;
        let subject = subject(self.name(), partition);
        match self.stream.get_first_raw_message_by_subject(subject, committed + 1).await {
            Ok(message) => Ok(Some(message.sequence)),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Compacts at intervals while this process holds the first partition, and whenever the stream is full. Never returns.
    pub(super) async fn keep_compact(&self) {
        loop {
            let is_needed = tokio::time::timeout(COMPACTION_INTERVAL, self.is_full.notified()).await.is_ok();
            if !is_needed && !self.leases.is_held_for(0, Duration::ZERO) {
                continue;
            }
            match self.compact().await {
                Ok(waiting) => self.messages.store(waiting, Ordering::Relaxed),
                Err(problem) => {
                    tracing::debug!(problem, "acknowledged messages could not be purged from the stream")
                }
            }
        }
    }
}
