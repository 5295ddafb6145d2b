//! What an earlier process left.

use super::disk::{Disk, file_name, file_number};
use super::log::{ACCEPTED, Location, Log, RESERVE, Room, SUFFIX, Sealed, Segment};
use super::scan::{Contents, Record, scan};
use super::{DAMAGED, Options};
use crate::PointOutcome;
use crate::backlog::Size;
use crate::record::{Checkpoint, FORMAT, Kind, Payload, SegmentEnd, Settled};
use prost::Message;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Why a log cannot be gone on with. Nothing in its folder was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system does not let it be used.
    #[error("{place}: {error}")]
    System {
        /// The folder.
        place: String,
        /// What the system says.
        error: io::Error,
    },
    /// A newer version of this program wrote it.
    #[error(
        "{place}: was written by a newer version of preamp (format {found}, this one knows {FORMAT}); \
         start that version, or name another directory and leave this one to it"
    )]
    Newer {
        /// The folder.
        place: String,
        /// The format.
        found: u32,
    },
    /// It holds what waits for another exporter.
    #[error(
        "{place}: holds the queue of exporters.{found}, not of exporters.{wanted}; give each its own directory"
    )]
    OtherExporter {
        /// The folder.
        place: String,
        /// The exporter that it is of.
        found: String,
        /// The exporter that was to use it.
        wanted: String,
    },
}

/// A batch that waits.
pub(super) struct RecoveredBatch {
    pub location: Location,
    pub partition: u32,
    pub size: Size,
    /// When it was accepted, in milliseconds since 1970.
    pub accepted_at: i64,
}

/// What was found.
pub(super) struct Recovered {
    pub log: Log,
    /// What waits, in the order in which it was appended.
    pub waiting: Vec<RecoveredBatch>,
    /// Whether the process before ended in order.
    pub was_closed: bool,
    /// Bytes that could not be read as what they were.
    pub damaged_bytes: u64,
    /// Points that were accepted, and can neither be read nor were settled.
    pub damaged_points: u64,
}

/// Reads what is in a folder, and makes it ready for more.
pub(super) fn recover(disk: Arc<dyn Disk>, options: &Options) -> Result<Recovered, OpenError> {
    let place = disk.place();
    let system = |error| OpenError::System { place: place.clone(), error };
    let mut recovery = read(disk, Some(&options.exporter), options.segment_bytes())?;
    for number in std::mem::take(&mut recovery.settled) {
        recovery.log.disk.remove(&file_name(number, SUFFIX)).map_err(system)?;
    }
    recovery.lay_out(options.partitions);
    let waiting = recovery.waiting();
    let damaged_points = recovery.account_for(&waiting);
    recovery.log.begin_segment(0, Room::OfAnyKind).map_err(system)?;
    recovery.truncate_unused();
    recovery.log.keep_damaged_files(options.max_bytes / DAMAGED);
    let Recovery { log, was_closed, damaged_bytes, .. } = recovery;
    Ok(Recovered { log, waiting, was_closed, damaged_bytes, damaged_points })
}

/// Reads what is in a folder, and changes nothing there. Who wants to use it has to say for which exporter.
pub(super) fn read(
    disk: Arc<dyn Disk>,
    exporter: Option<&str>,
    segment_bytes: u64,
) -> Result<Recovery, OpenError> {
    let place = disk.place();
    let system = |error| OpenError::System { place: place.clone(), error };
    let mut recovery = Recovery {
        log: Log::new(disk, exporter.unwrap_or_default(), segment_bytes),
        payloads: Vec::new(),
        settled: Vec::new(),
        unused: Vec::new(),
        was_closed: true,
        damaged_bytes: 0,
    };
    let found = recovery.segments().map_err(system)?;
    let base = newest_checkpoint(&found);
    if let Some((_, checkpoint)) = &base {
        if checkpoint.format > FORMAT {
            return Err(OpenError::Newer { place, found: checkpoint.format });
        }
        if let Some(wanted) = exporter.filter(|wanted| *wanted != checkpoint.exporter) {
            let (found, wanted) = (checkpoint.exporter.clone(), wanted.to_owned());
            return Err(OpenError::OtherExporter { place, found, wanted });
        }
        recovery.log.exporter.clone_from(&checkpoint.exporter);
    }
    let (base, checkpoint) = base.unwrap_or_default();
    recovery.read_all(found, base, checkpoint).map_err(system)?;
    recovery.know_all_layouts();
    Ok(recovery)
}

/// A segment as it is on the disk.
struct OnDisk {
    segment: Arc<Segment>,
    length: u64,
    checkpoint: Option<Checkpoint>,
}

/// The newest checkpoint that can be read, and the number of its segment.
fn newest_checkpoint(segments: &BTreeMap<u64, OnDisk>) -> Option<(u64, Checkpoint)> {
    segments.iter().rev().find_map(|(number, on_disk)| Some((*number, on_disk.checkpoint.clone()?)))
}

/// What the files say.
pub(super) struct Recovery {
    pub log: Log,
    payloads: Vec<(Arc<Segment>, Record, Payload)>,
    /// Segments in which nothing waits, which were to be removed.
    settled: Vec<u64>,
    /// Segments with room behind their last record, which a process that crashed had reserved, and where that room begins.
    unused: Vec<(Arc<Segment>, u64)>,
    pub was_closed: bool,
    pub damaged_bytes: u64,
}

impl Recovery {
    fn segments(&mut self) -> io::Result<BTreeMap<u64, OnDisk>> {
        let mut segments = BTreeMap::new();
        for name in self.log.disk.list()? {
            self.log.has_reserve |= name == RESERVE.0;
            let Some(number) = file_number(&name, SUFFIX) else { continue };
            let file = match self.log.disk.open(&name) {
                // Whoever uses the queue has removed it since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            let length = file.length()?;
            let first = super::scan::first(&*file)?;
            let checkpoint = first
                .filter(|record| record.frame.kind == Kind::Checkpoint)
                .and_then(|record| Checkpoint::decode(record.head.as_slice()).ok());
            segments
                .insert(number, OnDisk { segment: Arc::new(Segment { number, file }), length, checkpoint });
        }
        Ok(segments)
    }

    /// Reads the earlier segments as far as the checkpoint says, and all that came after it.
    fn read_all(
        &mut self,
        segments: BTreeMap<u64, OnDisk>,
        base: u64,
        checkpoint: Checkpoint,
    ) -> io::Result<()> {
        self.log.next = checkpoint.next;
        for layout in checkpoint.layouts {
            self.log.layouts.insert(layout.number, layout.waiting_from);
        }
        self.log.credit_all(&checkpoint.accounts);
        let mut ends: BTreeMap<u64, SegmentEnd> =
            checkpoint.segments.into_iter().map(|end| (end.number, end)).collect();
        for (number, OnDisk { segment, length, .. }) in segments {
            self.log.last_number = number;
            if number >= base {
                self.read_unsealed(segment, length)?;
            } else if let Some(end) = ends.remove(&number) {
                self.read_sealed(segment, end.length.min(length), end.torn)?;
            } else {
                // Nothing in it waited when the checkpoint was made.
                self.settled.push(number);
            }
        }
        Ok(())
    }

    fn read_sealed(&mut self, segment: Arc<Segment>, length: u64, torn: Vec<u64>) -> io::Result<()> {
        let Contents { mut records, damaged, torn: rest, .. } = scan(&*segment.file, length)?;
        self.note_damage(segment.number, damaged + rest);
        self.note_unused(&segment, length)?;
        records.retain(|record| !torn.contains(&record.offset));
        self.log.sealed.insert(segment.number, Sealed { length, waiting: 0, torn });
        for record in records {
            self.log.group = self.log.group.max(record.frame.group);
            if let Some(payload) = decode::<Payload>(&record, Kind::Payload) {
                self.payloads.push((segment.clone(), record, payload));
            }
        }
        Ok(())
    }

    /// Reads a segment that was written to when the process ended. What was written last may not have got to the
    /// disk whole: then it was never acknowledged, and does not count.
    fn read_unsealed(&mut self, segment: Arc<Segment>, length: u64) -> io::Result<()> {
        let Contents { records, damaged, end, torn: rest } = scan(&*segment.file, length)?;
        self.note_damage(segment.number, damaged);
        // What is kept because of damage is kept whole.
        if damaged == 0 || rest == 0 {
            self.note_unused(&segment, end)?;
        }
        let last_group = records.last().map(|record| record.frame.group);
        let mut torn = Vec::new();
        for record in records {
            if Some(record.frame.group) == last_group && !is_tail_intact(&segment, &record, length)? {
                torn.push(record.offset);
                continue;
            }
            self.was_closed = record.frame.kind == Kind::Closed;
            self.log.group = self.log.group.max(record.frame.group);
            if let Some(payload) = decode::<Payload>(&record, Kind::Payload) {
                self.log.next = self.log.next.max(payload.sequence + payload.batches.len() as u64);
                let points = payload.batches.iter().map(|batch| u64::from(batch.points)).sum();
                self.log.credit(ACCEPTED, "", points);
                self.payloads.push((segment.clone(), record, payload));
            } else if let Some(settled) = decode::<Settled>(&record, Kind::Settled) {
                self.log.settle(settled);
            }
        }
        self.log.sealed.insert(segment.number, Sealed { length: end, waiting: 0, torn });
        Ok(())
    }

    fn note_damage(&mut self, number: u64, bytes: u64) {
        self.damaged_bytes += bytes;
        if bytes > 0 {
            self.log.damaged.insert(number);
        }
    }

    fn note_unused(&mut self, segment: &Arc<Segment>, end: u64) -> io::Result<()> {
        if segment.file.length()? > end {
            self.unused.push((Arc::clone(segment), end));
        }
        Ok(())
    }

    /// Gives the room behind the last records back to the disk. No process writes there any more, and a process that crashes
    /// again and again would fill the disk with it.
    fn truncate_unused(&mut self) {
        for (segment, end) in self.unused.drain(..) {
            if let Err(error) = segment.file.truncate(end) {
                let directory = self.log.disk.place();
                let file = file_name(segment.number, SUFFIX);
                tracing::warn!(directory, file, %error, "a file of the queue takes more of the disk than it needs");
            }
        }
    }

    /// Makes the newest layout one of as many partitions.
    fn lay_out(&mut self, partitions: u32) {
        let newest = self.log.newest_layout();
        match self.log.layouts.get(&newest) {
            Some(layout) if layout.len() == partitions as usize => {}
            Some(_) => {
                self.log.layouts.insert(newest + 1, vec![0; partitions as usize]);
            }
            None => {
                self.log.layouts.insert(0, vec![0; partitions as usize]);
            }
        }
    }

    /// Counts the points that are nowhere to be found where these wait, and returns how many those are.
    fn account_for(&mut self, waiting: &[RecoveredBatch]) -> u64 {
        let waiting: u64 = waiting.iter().map(|found| found.size.points).sum();
        let settled: u64 = self.log.settled().map(|(_, points)| points).sum();
        let damaged = self.log.points(ACCEPTED).saturating_sub(settled).saturating_sub(waiting);
        if damaged > 0 {
            let (state, reason) = PointOutcome::Damaged.state();
            self.log.credit(state, reason, damaged);
        }
        damaged
    }

    /// Adds what the checkpoint would have said, if it could not be read.
    fn know_all_layouts(&mut self) {
        for (_, _, payload) in &self.payloads {
            let layout = self.log.layouts.entry(payload.layout).or_default();
            let partitions = payload.batches.iter().map(|batch| batch.partition as usize + 1).max();
            layout.resize(partitions.unwrap_or_default().max(layout.len()), 0);
        }
    }

    /// The batches that wait, each counted for its segment.
    pub fn waiting(&mut self) -> Vec<RecoveredBatch> {
        self.log.sealed.values_mut().for_each(|sealed| sealed.waiting = 0);
        let mut waiting = Vec::new();
        self.payloads.sort_by_key(|(_, _, payload)| payload.sequence);
        for (segment, record, payload) in &self.payloads {
            let Some(waiting_from) = self.log.layouts.get(&payload.layout) else { continue };
            let mut body = record.tail();
            for (index, head) in payload.batches.iter().enumerate() {
                let sequence = payload.sequence + index as u64;
                if waiting_from.get(head.partition as usize).is_some_and(|from| sequence >= *from) {
                    if let Some(sealed) = self.log.sealed.get_mut(&segment.number) {
                        sealed.waiting += 1;
                    }
                    waiting.push(RecoveredBatch {
                        location: Location {
                            segment: segment.clone(),
                            record: record.offset,
                            index: index as u32,
                            body,
                            sequence,
                            layout: payload.layout,
                        },
                        partition: head.partition,
                        size: Size {
                            batches: 1,
                            bytes: head.length.into(),
                            points: head.points.into(),
                            samples: head.samples.into(),
                        },
                        accepted_at: payload.accepted_at,
                    });
                }
                body += u64::from(head.length);
            }
        }
        waiting
    }
}

fn is_tail_intact(segment: &Segment, record: &Record, length: u64) -> io::Result<bool> {
    if record.offset + record.frame.length() > length {
        return Ok(false);
    }
    let mut tail = vec![0; record.frame.tail_length as usize];
    segment.file.read_at(record.tail(), &mut tail)?;
    Ok(crc32fast::hash(&tail) == record.frame.tail_crc)
}

fn decode<M: Message + Default>(record: &Record, kind: Kind) -> Option<M> {
    if record.frame.kind != kind {
        return None;
    }
    M::decode(record.head.as_slice()).ok()
}
