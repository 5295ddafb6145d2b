//! Reads a partition, and notifies its reader of new batches.
//!
//! Each read asks for the messages behind a sequence number (a direct get of several messages), so that there is no
//! consumer that could be lost. A process that appends notifies all processes. A lost notification delays reading by at
//! most a second.

use super::message;
use super::stream::subject;
use crate::Window;
use crate::changes::Changes;
use async_nats::{Client, Message};
use bytes::Bytes;
use futures_util::StreamExt;
use preamp_contract::Batch;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// The longest wait for the next message of an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Headers of a message (server/jetstream_api.go).
const SEQUENCE: &str = "Nats-Sequence";
const BEHIND: &str = "Nats-Num-Pending";

/// The status that ends an answer, and that of one without messages.
const END: u16 = 204;
const NOTHING: u16 = 404;

/// A message: its sequence number, how many are behind it, and the batch with the time of its acceptance, or why it cannot
/// be read.
pub(super) struct Read {
    pub sequence: u64,
    pub behind: u64,
    pub batch: Result<(Batch, i64), String>,
}

/// Reads the messages of a partition behind a sequence number, within a window. There may be more.
pub(super) async fn read(
    client: &Client,
    stream: &str,
    partition: u32,
    last: u64,
    window: Window,
) -> Result<Vec<Read>, String> {
    let question = json!({
        "seq": last + 1,
        "next_by_subj": subject(stream, partition),
        "batch": window.batches,
        "max_bytes": window.bytes,
    });
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
    let asked = format!("$JS.API.DIRECT.GET.{stream}");
    let sent = client.publish_with_reply(asked, inbox, question.to_string().into()).await;
    sent.map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    loop {
        let answer = timeout(ANSWER_TIMEOUT, answers.next()).await.map_err(|_elapsed| "no server answers")?;
        let answer = answer.ok_or("the connection ended")?;
        match answer.status.map(|status| status.as_u16()) {
            None | Some(200) => found.push(understood(&answer)?),
            Some(END | NOTHING) => return Ok(found),
            Some(status) => {
                return Err(format!("status {status} {}", answer.description.as_deref().unwrap_or_default()));
            }
        }
    }
}

fn understood(answer: &Message) -> Result<Read, String> {
    let header =
        |name: &str| answer.headers.as_ref().and_then(|headers| headers.get(name)?.as_str().parse().ok());
    Ok(Read {
        sequence: header(SEQUENCE).ok_or("a message without its sequence number")?,
        behind: header(BEHIND).unwrap_or_default(),
        batch: message::decode(&answer.payload),
    })
}

fn notification_subject(stream: &str, partition: impl std::fmt::Display) -> String {
    format!("{stream}_bell.{partition}")
}

/// Notifies all processes of new batches in these partitions.
pub(super) async fn notify_appended(
    client: &Client,
    stream: &str,
    partitions: impl IntoIterator<Item = u32>,
) {
    for partition in partitions {
        // Readers also poll, so a lost notification is only a delay.
        let _ = client.publish(notification_subject(stream, partition), Bytes::new()).await;
    }
}

/// Listens for notifications of all processes. Never returns.
pub(super) async fn listen_for_appends(client: &Client, stream: &str, changes: &Changes) {
    loop {
        if let Ok(mut notifications) = client.subscribe(notification_subject(stream, "*")).await {
            while let Some(notification) = notifications.next().await {
                let partition =
                    notification.subject.rsplit('.').next().and_then(|number| number.parse().ok());
                partition.into_iter().for_each(|partition| changes.tell(partition));
            }
        }
        tokio::time::sleep(ANSWER_TIMEOUT).await;
    }
}
