//! How far each partition is settled.
//!
//! A floor is a message of a stream of its own, the last one under the subject of its partition: the place in the queue's
//! stream up to which everything is settled. It is raised only by who knows the message that it replaces, so that a
//! process that has lost a partition cannot.

use super::publish::{Ack, Answer, request};
use super::stream::subject;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::{Client, HeaderMap};

/// The code of the error for another message than the expected one (server/errors.json).
const WRONG_LAST: u64 = 10071;

/// The floors of all partitions.
pub(super) struct Floors {
    client: Client,
    stream: Stream,
    /// What this process writes beside a floor, to know its own again.
    worker: String,
    /// When the queue's stream was made: floors of an earlier one of the same name say nothing.
    made: String,
}

/// The floor of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Floor {
    /// Everything up to this place is settled.
    pub sequence: u64,
    /// Whether whoever had the partition left it with nothing under way: what is behind the floor was sent by nobody.
    pub is_clean: bool,
    /// The message that says so.
    pub message: u64,
}

/// What is written beside a floor that was left with nothing under way.
const CLEAN: &str = "clean";

impl Floors {
    pub fn new(client: Client, stream: Stream, worker: String, queue: &Stream) -> Self {
        let made = queue.cached_info().created.unix_timestamp_nanos().to_string();
        Floors { client, stream, worker, made }
    }

    fn subject(&self, partition: u32) -> String {
        subject(&self.stream.cached_info().config.name, partition)
    }

    /// The floor of a partition, as the leader of the stream has it.
    pub async fn read(&self, partition: u32) -> Result<Floor, String> {
        Ok(self.read_text(partition).await?.map_or_else(Floor::default, |(floor, _)| floor))
    }

    async fn read_text(&self, partition: u32) -> Result<Option<(Floor, String)>, String> {
        match self.stream.get_last_raw_message_by_subject(&self.subject(partition)).await {
            Ok(message) => {
                let text = String::from_utf8_lossy(&message.payload).into_owned();
                let (sequence, is_clean) = match text.split(' ').collect::<Vec<_>>()[..] {
                    [sequence, _, made] if made == self.made => (sequence.parse().ok(), false),
                    [sequence, _, made, CLEAN] if made == self.made => (sequence.parse().ok(), true),
                    _ => (Some(0), false),
                };
                let sequence =
                    sequence.ok_or_else(|| format!("{text:?} is no floor of partition {partition}"))?;
                Ok(Some((Floor { sequence, is_clean, message: message.sequence }, text)))
            }
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Raises a floor. `None` if another process has raised it in the meantime.
    pub async fn raise(&self, partition: u32, from: Floor, to: u64) -> Result<Option<Floor>, String> {
        let text = format!("{to} {} {}", self.worker, self.made);
        self.write(partition, from, to, text).await
    }

    /// Says of a floor that nothing is under way behind it.
    pub async fn leave_clean(&self, partition: u32, floor: Floor) -> Result<(), String> {
        let text = format!("{} {} {} {CLEAN}", floor.sequence, self.worker, self.made);
        self.write(partition, floor, floor.sequence, text).await.map(drop)
    }

    async fn write(
        &self,
        partition: u32,
        from: Floor,
        to: u64,
        text: String,
    ) -> Result<Option<Floor>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, from.message.to_string());
        match request(&self.client, self.subject(partition), headers, text.clone().into()).await {
            Answer::Stored(Ack { message, .. }) => Ok(Some(Floor { sequence: to, is_clean: false, message })),
            // An attempt before may have raised it, of which no answer came.
            Answer::Refused { code: WRONG_LAST, .. } => {
                let found = self.read_text(partition).await?;
                Ok(found.and_then(|(floor, found)| (found == text).then_some(floor)))
            }
            Answer::Refused { description, .. } => Err(description),
            Answer::None(problem) => Err(problem),
        }
    }
}
