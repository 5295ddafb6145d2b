//! Joins batches into fewer, fuller ones.

use super::opened::Opened;
use super::pack::{Body, Counts, Packer};
use super::snappy;
use crate::remote_write::rewrite::{Assembly, Mark};
use preamp_contract::{Batch, BatchError, Protocol};

/// Joins batches of one partition, in order, into as few as `limit` bytes before compression allow.
/// Batches of different protocols stay apart.
///
/// # Errors
///
/// Batches of different partitions; a damaged body.
pub fn merge(batches: Vec<Batch>, limit: usize, packer: &mut Packer) -> Result<Vec<Batch>, BatchError> {
    for batch in &batches {
        snappy::split(&batch.body)?;
        if batch.partition != batches[0].partition {
            return Err(BatchError::MixedPartitions(batches[0].partition, batch.partition));
        }
    }
    let mut merged = Vec::new();
    let mut rest = batches.into_iter().peekable();
    while let Some(protocol) = rest.peek().map(|batch| batch.protocol) {
        let same = std::iter::from_fn(|| rest.next_if(|batch| batch.protocol == protocol));
        match protocol {
            Protocol::RemoteWriteV1 => merge_v1(same, limit, packer, &mut merged)?,
            Protocol::RemoteWriteV2 => merge_v2(same, limit, packer, &mut merged)?,
        }
    }
    Ok(merged)
}

/// Nothing is decompressed: messages of repeated fields join by concatenation, and snappy blocks can
/// be joined as they are.
fn merge_v1(
    batches: impl Iterator<Item = Batch>,
    limit: usize,
    packer: &Packer,
    merged: &mut Vec<Batch>,
) -> Result<(), BatchError> {
    let mut run: Vec<Batch> = Vec::new();
    let mut size = 0usize;
    for batch in batches {
        let next = batch.uncompressed_size as usize;
        if !run.is_empty() && size + next > limit {
            merged.push(join(std::mem::take(&mut run), packer)?);
            size = 0;
        }
        size += next;
        run.push(batch);
    }
    if !run.is_empty() {
        merged.push(join(run, packer)?);
    }
    Ok(())
}

fn join(mut run: Vec<Batch>, packer: &Packer) -> Result<Batch, BatchError> {
    if run.len() == 1 {
        return Ok(run.remove(0));
    }
    let body = Body {
        bytes: snappy::join(&run.iter().map(|batch| batch.body.as_slice()).collect::<Vec<_>>())?,
        uncompressed: run.iter().map(|batch| batch.uncompressed_size).sum(),
        protocol: Protocol::RemoteWriteV1,
    };
    Ok(packer.batch(body, run[0].partition, counts(&run)))
}

fn counts(run: &[Batch]) -> Counts {
    let mut counts = Counts::default();
    run.iter().for_each(|batch| counts.add(&Counts::of(batch)));
    counts
}

/// The requests get one symbol table, so each series is written anew.
fn merge_v2(
    batches: impl Iterator<Item = Batch>,
    limit: usize,
    packer: &mut Packer,
    merged: &mut Vec<Batch>,
) -> Result<(), BatchError> {
    let mut assembly = Assembly::default();
    let mut run: Vec<Batch> = Vec::new();
    for batch in batches {
        let opened = Opened::new(&batch)?;
        let mark = assembly.mark();
        // Series hardly shrink, so those that are too large together need not be tried.
        let fits = assembly.series_size() + opened.series_size() <= limit && {
            opened.append_to(&mut assembly, &opened.series, &|_| true)?;
            assembly.size() <= limit
        };
        if !fits && !run.is_empty() {
            merged.push(seal(std::mem::take(&mut run), &assembly, mark, packer));
            assembly.clear();
            opened.append_to(&mut assembly, &opened.series, &|_| true)?;
        }
        run.push(batch);
    }
    if !run.is_empty() {
        merged.push(seal(run, &assembly, assembly.mark(), packer));
    }
    Ok(())
}

/// Makes a batch of a run; one that stands alone stays as it is.
fn seal(mut run: Vec<Batch>, assembly: &Assembly, mark: Mark, packer: &mut Packer) -> Batch {
    if run.len() == 1 {
        return run.remove(0);
    }
    packer.pack([b"", &assembly.request(mark)], Protocol::RemoteWriteV2, run[0].partition, counts(&run))
}
