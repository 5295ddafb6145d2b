//! What can be done with finished batches: merge, halve, prune, explain.

use super::pack::{Counts, Packer, batch};
use super::snappy;
use crate::remote_write::explain::to_text;
use crate::remote_write::frames::{Frame, frames};
use crate::remote_write::message::WriteRequest;
use crate::types::{Batch, BatchError, Protocol, Pruned, SampleTime};
use prost::Message;

/// Joins batches of one partition, in order, into as few as `limit` bytes before compression allow.
///
/// Nothing is decompressed: messages of repeated fields join by concatenation, and snappy blocks can
/// be joined as they are.
///
/// # Errors
///
/// Batches of different partitions or another protocol; a body without a snappy preamble.
pub fn merge(batches: Vec<Batch>, limit: usize, digest: bool) -> Result<Vec<Batch>, BatchError> {
    for batch in &batches {
        check_protocol(batch)?;
        snappy::split(&batch.body)?;
        if batch.partition != batches[0].partition {
            return Err(BatchError::MixedPartitions(batches[0].partition, batch.partition));
        }
    }
    let mut merged = Vec::new();
    let mut run: Vec<Batch> = Vec::new();
    let mut size = 0usize;
    for batch in batches {
        let next = batch.uncompressed_size as usize;
        if !run.is_empty() && size + next > limit {
            merged.push(join(std::mem::take(&mut run), digest)?);
            size = 0;
        }
        size += next;
        run.push(batch);
    }
    if !run.is_empty() {
        merged.push(join(run, digest)?);
    }
    Ok(merged)
}

fn join(mut run: Vec<Batch>, digest: bool) -> Result<Batch, BatchError> {
    if run.len() == 1 {
        return Ok(run.remove(0));
    }
    let mut counts = Counts::default();
    run.iter().for_each(|batch| counts.add(&counts_of(batch)));
    let size = run.iter().map(|batch| batch.uncompressed_size).sum();
    let body = snappy::join(&run.iter().map(|batch| batch.body.as_slice()).collect::<Vec<_>>())?;
    Ok(batch(body, size, run[0].partition, counts, digest))
}

/// Cuts a batch between its series into two of nearly equal numbers of series.
///
/// # Errors
///
/// A single series; a damaged body; another protocol.
pub fn halve(batch: &Batch, packer: &mut Packer) -> Result<(Batch, Batch), BatchError> {
    let (request, series) = take_apart(batch)?;
    if series.len() < 2 {
        return Err(BatchError::SingleSeries);
    }
    let (first, second) = series.split_at(series.len().div_ceil(2));
    let points = share_of_points(batch, first.len(), series.len());
    Ok((
        repack(batch, &request, first, points, packer),
        repack(batch, &request, second, batch.points - points, packer),
    ))
}

/// Takes the series whose newest sample is older than `oldest` out of a batch. Each series entry
/// this exporter writes holds one sample.
///
/// # Errors
///
/// A damaged body; another protocol.
pub fn prune(batch: Batch, oldest: SampleTime, packer: &mut Packer) -> Result<Pruned, BatchError> {
    check_protocol(&batch)?;
    if batch.first >= oldest {
        return Ok(Pruned { kept: Some(batch), expired: None });
    }
    if batch.last < oldest {
        return Ok(Pruned { kept: None, expired: Some(batch) });
    }
    let (request, series) = take_apart(&batch)?;
    let total = series.len();
    let (kept, expired): (Vec<_>, Vec<_>) = series.into_iter().partition(|frame| frame.last >= oldest);
    if kept.is_empty() || expired.is_empty() {
        return Err(BatchError::Malformed("the samples are not from the time the batch says".to_owned()));
    }
    let points = share_of_points(&batch, kept.len(), total);
    Ok(Pruned {
        kept: Some(repack(&batch, &request, &kept, points, packer)),
        expired: Some(repack(&batch, &request, &expired, batch.points - points, packer)),
    })
}

/// Shows a batch as text, one sample a line.
///
/// # Errors
///
/// A damaged body; another protocol.
pub fn explain(batch: &Batch) -> Result<String, BatchError> {
    check_protocol(batch)?;
    let request = snappy::decompress(&batch.body, batch.uncompressed_size)?;
    let message = WriteRequest::decode(request.as_slice())
        .map_err(|error| BatchError::Malformed(format!("not a write request: {error}")))?;
    Ok(to_text(&message))
}

fn check_protocol(batch: &Batch) -> Result<(), BatchError> {
    match batch.protocol {
        Protocol::RemoteWriteV1 => Ok(()),
        other => Err(BatchError::UnsupportedProtocol(other)),
    }
}

fn take_apart(batch: &Batch) -> Result<(Vec<u8>, Vec<Frame>), BatchError> {
    check_protocol(batch)?;
    let request = snappy::decompress(&batch.body, batch.uncompressed_size)?;
    let series = frames(&request).map_err(|malformed| {
        let offset = malformed.offset_in(&request);
        BatchError::Malformed(format!("{} at byte {offset} of the request", malformed.what))
    })?;
    Ok((request, series))
}

fn counts_of(batch: &Batch) -> Counts {
    Counts {
        points: batch.points,
        series: batch.series,
        samples: batch.samples,
        first: batch.first,
        last: batch.last,
    }
}

/// How many points go with a part of the series. A request does not tell which series were one
/// point, so they are shared out in proportion; the parts add up to the whole.
fn share_of_points(batch: &Batch, part: usize, whole: usize) -> u32 {
    (u64::from(batch.points) * part as u64 / whole.max(1) as u64) as u32
}

fn repack(batch: &Batch, request: &[u8], series: &[Frame], points: u32, packer: &mut Packer) -> Batch {
    let mut counts = Counts { points, series: series.len() as u32, ..Counts::default() };
    let mut part = Vec::with_capacity(series.iter().map(|frame| frame.range.len()).sum());
    for frame in series {
        part.extend_from_slice(&request[frame.range.clone()]);
        counts.samples += frame.samples;
        counts.first = counts.first.min(frame.first);
        counts.last = counts.last.max(frame.last);
    }
    packer.pack(&part, batch.partition, counts)
}
