//! What can be done with finished batches: halve, prune, explain, inspect.

use super::opened::{Opened, damaged};
use super::pack::Packer;
use super::snappy;
use crate::otlp::wire::Malformed;
use crate::remote_write::{explain::to_text, inspect::to_json_lines};
use preamp_contract::{Batch, BatchError, Protocol, Pruned, SampleTime};

/// Cuts a batch between its series into two of nearly equal numbers of series.
///
/// # Errors
///
/// A single series; a damaged body.
pub fn halve(batch: &Batch, packer: &mut Packer) -> Result<(Batch, Batch), BatchError> {
    let opened = Opened::new(batch)?;
    if opened.series.len() < 2 {
        return Err(BatchError::SingleSeries);
    }
    let middle = opened.series.len().div_ceil(2);
    let (first, second) = opened.series.split_at(middle);
    let points = opened.points_before(middle);
    Ok((
        opened.pack(first, &|_| true, true, points, packer)?,
        opened.pack(second, &|_| true, true, batch.points - points, packer)?,
    ))
}

/// Takes the series whose newest sample is older than `oldest` out of a batch. Each series entry
/// this exporter writes holds one sample or native histogram. Metadata stays with what is kept.
///
/// # Errors
///
/// A damaged body.
pub fn prune(batch: Batch, oldest: SampleTime, packer: &mut Packer) -> Result<Pruned, BatchError> {
    if batch.first >= oldest {
        return Ok(Pruned { kept: Some(batch), expired: None });
    }
    if batch.last < oldest {
        return Ok(Pruned { kept: None, expired: Some(batch) });
    }
    let opened = Opened::new(&batch)?;
    let kept = opened.series.iter().filter(|frame| frame.last >= oldest).count();
    if kept == 0 || kept == opened.series.len() {
        return Err(BatchError::Malformed("the samples are not from the time the batch says".to_owned()));
    }
    let points = opened.points_before(kept);
    let rest = batch.points - points;
    Ok(Pruned {
        kept: Some(opened.pack(&opened.series, &|frame| frame.last >= oldest, true, points, packer)?),
        expired: Some(opened.pack(&opened.series, &|frame| frame.last < oldest, false, rest, packer)?),
    })
}

/// Shows a batch to people ([`to_text`]).
///
/// # Errors
///
/// A damaged body.
pub fn explain(batch: &Batch) -> Result<String, BatchError> {
    show(batch, to_text)
}

/// Shows a batch to programs ([`to_json_lines`]).
///
/// # Errors
///
/// A damaged body.
pub fn inspect(batch: &Batch) -> Result<String, BatchError> {
    show(batch, to_json_lines)
}

fn show(batch: &Batch, show: fn(&[u8], Protocol) -> Result<String, Malformed>) -> Result<String, BatchError> {
    let request = snappy::decompress(&batch.body, batch.uncompressed_size)?;
    show(&request, batch.protocol).map_err(|malformed| damaged(malformed, &request))
}
