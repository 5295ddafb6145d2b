//! Putting a payload into the stream: whole or not at all, and once.

use super::message;
use super::stream::subject;
use crate::{AppendError, Limit};
use async_nats::client::RequestErrorKind;
use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE, NATS_MESSAGE_ID,
};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use preamp_contract::Batch;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

/// A server takes 50 batches of a stream at once, of all processes.
const BATCHES_AT_ONCE: usize = 16;

/// The most messages of a batch.
const BATCH_MAX: usize = 1000;

/// How long it is tried to publish a payload, before its sender is asked to try again.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// What the headers of a message may take.
const HEADERS: usize = 512;

/// Codes of errors (server/errors.json).
const STORE_FAILED: u64 = 10077;
const DUPLICATE_IN_PROCESS: u64 = 10158;
const BATCH_INCOMPLETE: u64 = 10176;
const BATCH_DUPLICATE: u64 = 10201;
const BATCH_TOO_MANY: u64 = 10211;

/// Puts payloads into a stream.
pub(super) struct Publisher {
    client: Client,
    stream: String,
    max_bytes: u64,
    batches: Semaphore,
}

/// What a server says to a message.
pub(super) enum Answer {
    /// It is stored.
    Stored(Ack),
    /// It is not.
    Refused {
        /// The code of the error (server/errors.json).
        code: u64,
        /// The error.
        description: String,
    },
    /// Nothing; why. It may be stored.
    None(String),
}

/// That a message is stored.
#[derive(Deserialize)]
pub(super) struct Ack {
    /// Its place in the stream.
    #[serde(default, rename = "seq")]
    pub message: u64,
    /// Whether it was there before.
    #[serde(default)]
    pub duplicate: bool,
}

#[derive(Deserialize)]
struct Reply {
    error: Option<NatsRefusal>,
    #[serde(flatten)]
    ack: Ack,
}

#[derive(Deserialize)]
struct NatsRefusal {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// Publishes a message to a stream, and waits for the answer.
pub(super) async fn request(client: &Client, subject: String, headers: HeaderMap, body: Bytes) -> Answer {
    match client.request_with_headers(subject, headers, body).await {
        Ok(answer) => match serde_json::from_slice(&answer.payload) {
            Ok(Reply { error: None, ack }) => Answer::Stored(ack),
            Ok(Reply { error: Some(NatsRefusal { err_code: code, description }), .. }) => {
                Answer::Refused { code, description }
            }
            Err(error) => Answer::None(error.to_string()),
        },
        Err(error) if error.kind() == RequestErrorKind::NoResponders => {
            Answer::None("no server leads the stream at the moment".to_owned())
        }
        Err(error) => Answer::None(error.to_string()),
    }
}

/// What came of an attempt.
enum Attempt {
    /// It is in the stream; whether it was there before.
    Stored {
        is_duplicate: bool,
    },
    /// Nothing was stored, or it is not known.
    Again(String),
    Full,
    Refused(String),
}

impl Publisher {
    pub fn new(client: Client, stream: String, max_bytes: u64) -> Self {
        Publisher { client, stream, max_bytes, batches: Semaphore::new(BATCHES_AT_ONCE) }
    }

    /// Puts a payload into the stream. Returns when most servers have it on their disks, and whether it was there
    /// before: a payload that is sent again within two minutes is recognized by what it holds and by its `time`.
    pub async fn publish(&self, payload: &[Batch], accepted_at: i64, time: u64) -> Result<bool, AppendError> {
        let messages = self.messages(payload, accepted_at, time)?;
        // The order that permits are given in is not the order of anything.
        let _permit = self.batches.acquire().await.map_err(|_| AppendError::Closed)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let problem = match self.attempt(&messages).await {
                Attempt::Stored { is_duplicate } => return Ok(is_duplicate),
                Attempt::Full => return Err(self.full(&messages)),
                Attempt::Refused(problem) => return Err(AppendError::Storage(problem)),
                Attempt::Again(problem) => problem,
            };
            if Instant::now() > deadline {
                return Err(AppendError::Storage(problem));
            }
            sleep(PAUSE).await;
        }
    }

    fn messages(&self, payload: &[Batch], accepted_at: i64, time: u64) -> Result<Vec<Message>, AppendError> {
        let allowed = self.client.server_info().max_payload;
        let identity = identity(payload, time);
        let message = |(index, batch): (usize, &Batch)| {
            let body = message::encode(batch, accepted_at);
            if body.len() + HEADERS > allowed {
                let (needed, allowed) = (body.len() as u64, allowed as u64);
                return Err(AppendError::BatchTooLarge { needed, allowed });
            }
            let id = format!("{identity}-{index}");
            Ok(Message { subject: subject(&self.stream, batch.partition), id, body: body.into() })
        };
        if payload.len() > BATCH_MAX {
            let problem = format!("{} batches of one payload, and a server takes {BATCH_MAX}", payload.len());
            return Err(AppendError::Storage(problem));
        }
        payload.iter().enumerate().map(message).collect()
    }

    fn full(&self, messages: &[Message]) -> AppendError {
        let needed = messages.iter().map(|message| message.body.len() as u64).sum();
        let (waiting, allowed) = (self.max_bytes, self.max_bytes);
        AppendError::Full { limit: Limit::Bytes, waiting, needed, allowed }
    }

    /// Sends all messages, the last one as a question. Another attempt of the same payload is another batch.
    async fn attempt(&self, messages: &[Message]) -> Attempt {
        let Some((last, others)) = messages.split_last() else {
            return Attempt::Stored { is_duplicate: false };
        };
        let batch = (!others.is_empty()).then(|| format!("{:032x}", fastrand::u128(..)));
        for (message, sequence) in others.iter().zip(1u64..) {
            let headers = message.headers(batch.as_deref(), sequence);
            let sent = self
                .client
                .publish_with_headers(message.subject.clone(), headers, message.body.clone())
                .await;
            if let Err(error) = sent {
                return Attempt::Again(error.to_string());
            }
        }
        let mut headers = last.headers(batch.as_deref(), messages.len() as u64);
        if batch.is_some() {
            headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
        }
        judge(request(&self.client, last.subject.clone(), headers, last.body.clone()).await)
    }
}

struct Message {
    subject: String,
    /// By which a second one is recognized.
    id: String,
    body: Bytes,
}

impl Message {
    fn headers(&self, batch: Option<&str>, sequence: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, self.id.as_str());
        if let Some(batch) = batch {
            headers.insert(NATS_BATCH_ID, batch);
            headers.insert(NATS_BATCH_SEQUENCE, sequence.to_string());
        }
        headers
    }
}

/// The same for payloads that come to the same batches, so that of two of them all messages are known or none.
fn identity(payload: &[Batch], time: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(time.to_le_bytes());
    for batch in payload {
        hash.update(batch.partition.to_le_bytes());
        hash.update(batch.digest_bytes());
    }
    hex::encode(&hash.finalize()[..16])
}

fn judge(answer: Answer) -> Attempt {
    match answer {
        Answer::Stored(ack) => Attempt::Stored { is_duplicate: ack.duplicate },
        Answer::Refused { code, description } => match code {
            BATCH_DUPLICATE => Attempt::Stored { is_duplicate: true },
            STORE_FAILED if description.contains("maximum bytes") => Attempt::Full,
            DUPLICATE_IN_PROCESS | BATCH_INCOMPLETE | BATCH_TOO_MANY => Attempt::Again(description),
            _ => Attempt::Refused(description),
        },
        Answer::None(problem) => Attempt::Again(problem),
    }
}
