//! Reading batches back.

use super::Stored;
use super::log::Location;
use crate::backlog::Entry;
use crate::record::{FRAME, Frame, Payload, is_intact};
use preamp_contract::Batch;
use prost::Message;
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;

/// A batch to be read, unless it is in memory.
pub(super) struct Waiting {
    batch: Result<Arc<Batch>, Location>,
    points: u64,
}

impl Waiting {
    pub fn of(entry: &Entry<Stored>) -> Waiting {
        let batch = entry.item.cached.clone().ok_or_else(|| entry.item.location.clone());
        Waiting { batch, points: entry.size.points }
    }
}

/// A batch that cannot be read.
pub(super) struct Unreadable {
    pub points: u64,
    /// The number of its segment.
    pub segment: u64,
    pub reason: String,
}

/// Reads batches up to the first one that cannot be.
pub(super) async fn batches(
    waiting: Vec<Waiting>,
    is_in_place: bool,
) -> (Vec<Arc<Batch>>, Option<Unreadable>) {
    if waiting.iter().all(|waiting| waiting.batch.is_ok()) {
        return (waiting.into_iter().filter_map(|waiting| waiting.batch.ok()).collect(), None);
    }
    if is_in_place {
        return read_all(waiting);
    }
    // A task that is not awaited to its end was aborted by the end of the program.
    tokio::task::spawn_blocking(|| read_all(waiting)).await.unwrap_or_default()
}

fn read_all(waiting: Vec<Waiting>) -> (Vec<Arc<Batch>>, Option<Unreadable>) {
    let mut batches = Vec::with_capacity(waiting.len());
    for Waiting { batch, points } in waiting {
        match batch {
            Ok(batch) => batches.push(batch),
            // Once more, since not every failure of a disk is for good.
            Err(location) => match read(&location).or_else(|_| read(&location)) {
                Ok(batch) => batches.push(Arc::new(batch)),
                Err(reason) => {
                    let segment = location.segment.number;
                    return (batches, Some(Unreadable { points, segment, reason }));
                }
            },
        }
    }
    (batches, None)
}

/// Reads one batch; an error says why it cannot be.
pub(super) fn read(location: &Location) -> Result<Batch, String> {
    let said = |error: io::Error| error.to_string();
    let file = &location.segment.file;
    let mut frame_and_head = vec![0; FRAME];
    file.read_at(location.record, &mut frame_and_head).map_err(said)?;
    let frame = frame_and_head.first_chunk().and_then(Frame::read).ok_or("its record is damaged")?;
    frame_and_head.resize(FRAME + frame.head_length as usize, 0);
    file.read_at(location.record, &mut frame_and_head).map_err(said)?;
    if !is_intact(&frame_and_head) {
        return Err("the head of its record is damaged".to_owned());
    }
    let payload = Payload::decode(&frame_and_head[FRAME..]).map_err(|error| error.to_string())?;
    let head =
        payload.batches.into_iter().nth(location.index as usize).ok_or("its record has no such batch")?;
    let mut body = vec![0; head.length as usize];
    file.read_at(location.body, &mut body).map_err(said)?;
    if Sha256::digest(&body)[..] != head.digest[..] {
        return Err("its body is damaged".to_owned());
    }
    head.with(body).ok_or_else(|| "it is written in an unknown protocol".to_owned())
}
