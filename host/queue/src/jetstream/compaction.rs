//! Removing from the stream what all partitions have settled.

use super::Shared;
use super::stream::subject;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often it is looked what can be removed.
const EVERY: Duration = Duration::from_secs(5);

impl Shared {
    /// Removes what lies before the first message that waits, of any partition. Returns how many there are behind it.
    pub(super) async fn compact(&self) -> Result<u64, String> {
        // Looked at first, since what comes later waits.
        let state = self.stream.get_info().await.map_err(|error| error.to_string())?.state;
        if state.messages == 0 {
            return Ok(0);
        }
        let firsts = (0..self.partitions.len() as u32).map(|partition| self.first_waiting(partition));
        let firsts =
            futures_util::future::join_all(firsts).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let first = firsts.into_iter().flatten().fold(state.last_sequence + 1, u64::min);
        if first > state.first_sequence {
            self.stream.purge().sequence(first).await.map_err(|error| error.to_string())?;
        }
        Ok((state.last_sequence + 1).saturating_sub(first))
    }

    async fn first_waiting(&self, partition: u32) -> Result<Option<u64>, String> {
        let floor = self.floors.read(partition).await?.sequence;
        let subject = subject(self.name(), partition);
        match self.stream.get_first_raw_message_by_subject(subject, floor + 1).await {
            Ok(message) => Ok(Some(message.sequence)),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Compacts again and again, as long as this process has the first partition, and when room is needed.
    pub(super) async fn keep_compact(&self) {
        loop {
            let is_needed = tokio::time::timeout(EVERY, self.is_full.notified()).await.is_ok();
            if !is_needed && !self.leases.is_held_for(0, Duration::ZERO) {
                continue;
            }
            match self.compact().await {
                Ok(waiting) => self.messages.store(waiting, Ordering::Relaxed),
                Err(problem) => {
                    tracing::debug!(problem, "what is settled could not be removed from the stream")
                }
            }
        }
    }
}
