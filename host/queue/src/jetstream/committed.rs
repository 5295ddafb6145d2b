//! The committed offset of each partition: every batch up to it is acknowledged.
//!
//! It is the last message under the subject of its partition, in a stream of its own. A process commits by compare-and-set:
//! NATS takes the message only if it replaces the one that the process knows, so that a process that has lost a partition
//! cannot commit.

use super::publish::{Ack, Answer, request};
use super::stream::subject;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::{Client, HeaderMap};

/// The code of the error for another message than the expected one (server/errors.json).
const WRONG_LAST: u64 = 10071;

/// The committed offsets of all partitions.
pub(super) struct CommittedOffsets {
    client: Client,
    stream: Stream,
    /// The name of this process, written beside each offset, so that it recognizes its own.
    worker: String,
    /// The creation time of the queue's stream. Offsets of an earlier stream of the same name do not count.
    made: String,
}

/// The committed offset of one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CommittedOffset {
    /// Every batch up to this sequence number of the queue's stream is acknowledged.
    pub sequence: u64,
    /// Whether the process that committed it released the partition with no request in flight: no later batch was sent.
    pub is_clean: bool,
    /// The sequence number of the message that holds this offset.
    pub message: u64,
}

/// The mark of an offset whose partition was released with no request in flight.
const CLEAN: &str = "clean";

impl CommittedOffsets {
    pub fn new(client: Client, stream: Stream, worker: String, queue: &Stream) -> Self {
        let made = queue.cached_info().created.unix_timestamp_nanos().to_string();
        CommittedOffsets { client, stream, worker, made }
    }

    fn subject(&self, partition: u32) -> String {
        subject(&self.stream.cached_info().config.name, partition)
    }

    /// The committed offset of a partition, from the leader of the stream.
    pub async fn read(&self, partition: u32) -> Result<CommittedOffset, String> {
        Ok(self.read_text(partition).await?.map_or_else(CommittedOffset::default, |(offset, _)| offset))
    }

    async fn read_text(&self, partition: u32) -> Result<Option<(CommittedOffset, String)>, String> {
        match self.stream.get_last_raw_message_by_subject(&self.subject(partition)).await {
            Ok(message) => {
                let text = String::from_utf8_lossy(&message.payload).into_owned();
                let (sequence, is_clean) = match text.split(' ').collect::<Vec<_>>()[..] {
                    [sequence, _, made] if made == self.made => (sequence.parse().ok(), false),
                    [sequence, _, made, CLEAN] if made == self.made => (sequence.parse().ok(), true),
                    _ => (Some(0), false),
                };
                let sequence = sequence
                    .ok_or_else(|| format!("{text:?} is no committed offset of partition {partition}"))?;
                Ok(Some((CommittedOffset { sequence, is_clean, message: message.sequence }, text)))
            }
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Commits an offset. `None` if another process has committed since.
    pub async fn commit(
        &self,
        partition: u32,
        from: CommittedOffset,
        to: u64,
    ) -> Result<Option<CommittedOffset>, String> {
        let text = format!("{to} {} {}", self.worker, self.made);
        self.write(partition, from, to, text).await
    }

    /// Marks an offset as clean: no request is in flight.
    pub async fn commit_clean(&self, partition: u32, offset: CommittedOffset) -> Result<(), String> {
        let text = format!("{} {} {} {CLEAN}", offset.sequence, self.worker, self.made);
        self.write(partition, offset, offset.sequence, text).await.map(drop)
    }

    async fn write(
        &self,
        partition: u32,
        from: CommittedOffset,
        to: u64,
        text: String,
    ) -> Result<Option<CommittedOffset>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, from.message.to_string());
        match request(&self.client, self.subject(partition), headers, text.clone().into()).await {
            Answer::Stored(Ack { message, .. }) => {
                Ok(Some(CommittedOffset { sequence: to, is_clean: false, message }))
            }
            // An earlier attempt, whose answer was lost, may have committed it.
            Answer::Refused { code: WRONG_LAST, .. } => {
                let found = self.read_text(partition).await?;
                Ok(found.and_then(|(offset, found)| (found == text).then_some(offset)))
            }
            Answer::Refused { description, .. } => Err(description),
            Answer::None(problem) => Err(problem),
        }
    }
}
