//! The quarantine, a dead-letter queue: batches that the receiver will never take, kept for a person to look at.

use super::disk::{Disk, DiskFile, file_name, file_number};
use super::scan::{self, Record, scan};
use crate::QuarantinedBatch;
use crate::record::{self, Head, Kind, Layout, QuarantineRecord, Resumed};
use preamp_contract::Batch;
use prost::Message;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// The room that is made at once.
const FILE_BYTES: u64 = 1 << 20;

/// Of a small quarantine, this part.
const FILES: u64 = 8;

/// What the names of its files end in.
pub(super) const SUFFIX: &str = ".aside";

/// Where a settlement stands, which tells two recordings of the same from two of their like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub layout: u32,
    pub partition: u32,
    pub waiting_from: u64,
}

/// The files, for who adds to them.
pub(super) struct Quarantine {
    disk: Arc<dyn Disk>,
    max_bytes: u64,
    bytes: u64,
    last_number: u64,
    active: Option<Active>,
    /// What is to be written before anything else.
    first: Vec<u8>,
    /// Of each partition, up to where it was settled when something of it was kept last.
    kept: BTreeMap<(u32, u32), u64>,
}

struct Active {
    file: Box<dyn DiskFile>,
    offset: u64,
    capacity: u64,
}

impl Quarantine {
    /// Goes on after what is there. The room that a process before had made and not used is given back: nothing is
    /// written there any more, and each crash would leave as much.
    pub fn open(disk: Arc<dyn Disk>, max_bytes: u64) -> io::Result<Quarantine> {
        let mut quarantine = Quarantine {
            disk,
            max_bytes,
            bytes: 0,
            last_number: 0,
            active: None,
            first: Vec::new(),
            kept: BTreeMap::new(),
        };
        for (number, name) in files(&*quarantine.disk)? {
            quarantine.last_number = number;
            let file = quarantine.disk.open(&name)?;
            let used = scan::used(&*file)?;
            let given_back = match used {
                0 => quarantine.disk.remove(&name),
                used if used < file.length()? => file.truncate(used),
                _ => Ok(()),
            };
            if let Err(error) = given_back {
                let directory = quarantine.disk.place();
                tracing::warn!(directory, file = name, %error, "a file of the quarantine takes more of the disk than it needs");
            }
            quarantine.bytes += used;
        }
        Ok(quarantine)
    }

    /// Goes on after a process that did not end in order. Batches that it quarantined and did not get to settle are no
    /// longer in quarantine.
    pub fn resume(&mut self, layouts: Vec<Layout>) -> io::Result<()> {
        if self.bytes == 0 || !self.has_unsettled(&layouts)? {
            return Ok(());
        }
        record::write(Kind::Resumed, 0, &Resumed { layouts }, [], &mut self.first);
        let first = std::mem::take(&mut self.first);
        // Where it cannot be written now, it is what is written first.
        self.write(&first).inspect_err(|_| self.first = first)
    }

    /// Whether there is something that no process got to settle, and that no later one has disowned.
    fn has_unsettled(&self, layouts: &[Layout]) -> io::Result<bool> {
        let mut has_unsettled = false;
        for (_, name) in files(&*self.disk)? {
            for found in scan(&*self.disk.open(&name)?, u64::MAX)?.records {
                match found.frame.kind {
                    Kind::Resumed => has_unsettled = false,
                    Kind::Quarantined => {
                        let record = QuarantineRecord::decode(found.head.as_slice());
                        has_unsettled |= record.is_ok_and(|record| !is_settled(layouts, place(&record)));
                    }
                    _ => {}
                }
            }
        }
        Ok(has_unsettled)
    }

    /// Keeps batches. They are safe when this returns. Of a settlement that could not be recorded, and is tried again,
    /// they are kept already.
    pub fn keep(&mut self, quarantined: &[QuarantinedBatch], at: i64, place: Position) -> io::Result<()> {
        let partition = (place.layout, place.partition);
        if self.kept.get(&partition) == Some(&place.waiting_from) {
            return Ok(());
        }
        let mut bytes = self.first.clone();
        for QuarantinedBatch { batch, state, reason, detail } in quarantined {
            let said = (*state, reason.as_str(), detail.as_str());
            record::write(
                Kind::Quarantined,
                0,
                &written(batch, said, at, place),
                [batch.body.as_slice()],
                &mut bytes,
            );
        }
        let needed = bytes.len() as u64;
        if self.bytes + needed > self.max_bytes {
            let problem = format!("quarantine is full ({} bytes); look through it and purge it", self.bytes);
            return Err(io::Error::new(ErrorKind::QuotaExceeded, problem));
        }
        self.write(&bytes)?;
        self.first.clear();
        self.bytes += needed;
        self.kept.insert(partition, place.waiting_from);
        Ok(())
    }

    /// Keeps these and nothing else.
    pub fn keep_only(&mut self, all: &[Kept]) -> io::Result<()> {
        let before = files(&*self.disk)?;
        let mut bytes = Vec::new();
        for Kept { place, at, state, reason, detail, batch, .. } in all {
            // What was damaged is of no use to anybody.
            let Some(batch) = batch else { continue };
            let said = (state.as_str(), reason.as_str(), detail.as_str());
            record::write(
                Kind::Quarantined,
                0,
                &written(batch, said, *at, *place),
                [batch.body.as_slice()],
                &mut bytes,
            );
        }
        self.active = None;
        if !bytes.is_empty() {
            self.write(&bytes)?;
        }
        self.bytes = bytes.len() as u64;
        before.into_values().try_for_each(|name| self.disk.remove(&name))
    }

    /// Writes records. Nothing is written behind what failed, and what was written of it is not kept.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.try_to_write(bytes).inspect_err(|_| {
            if let Some(active) = self.active.take() {
                let _of_no_use_if_it_fails = active.file.truncate(active.offset);
            }
        })
    }

    fn try_to_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let needed = bytes.len() as u64;
        if self.active.as_ref().is_none_or(|active| active.offset + needed > active.capacity) {
            self.active = None;
            self.last_number += 1;
            let capacity = FILE_BYTES.min(self.max_bytes / FILES).max(needed);
            let name = file_name(self.last_number, SUFFIX);
            let file = self.disk.create(&name, capacity).or_else(|_| self.disk.create(&name, needed))?;
            self.active = Some(Active { capacity: file.length()?, file, offset: 0 });
        }
        let Some(active) = &mut self.active else { return Ok(()) };
        active.file.write_at(active.offset, bytes)?;
        active.file.sync()?;
        active.offset += needed;
        Ok(())
    }
}

fn written(
    batch: &Batch,
    (state, reason, detail): (&str, &str, &str),
    at: i64,
    place: Position,
) -> QuarantineRecord {
    QuarantineRecord {
        at,
        state: state.to_owned(),
        reason: reason.to_owned(),
        detail: detail.to_owned(),
        layout: place.layout,
        partition: place.partition,
        waiting_from: place.waiting_from,
        batch: Some(Head::of(batch)),
    }
}

/// A quarantined batch.
#[derive(Clone, Debug)]
pub struct Kept {
    place: Position,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// `quarantined` or `expired`, as in the ledger.
    pub state: String,
    /// Why, as in the ledger.
    pub reason: String,
    /// What the receiver said.
    pub detail: String,
    /// The batch; `None` if it was damaged since.
    pub batch: Option<Batch>,
    /// The points of the batch.
    pub points: u64,
}

impl Kept {
    /// Where its settlement stands.
    pub(super) fn place(&self) -> Position {
        self.place
    }
}

/// Whether everything up to this place is settled. What a layout is forgotten of is settled.
pub(super) fn is_settled(layouts: &[Layout], Position { layout, partition, waiting_from }: Position) -> bool {
    let layout = layouts.iter().find(|known| known.number == layout);
    let from = layout.and_then(|layout| layout.waiting_from.get(partition as usize));
    from.is_none_or(|from| *from >= waiting_from)
}

/// Reads all quarantined batches that were settled, in the order of settling; `layouts` has the committed offsets.
pub(super) fn read(disk: &dyn Disk, layouts: &[Layout]) -> io::Result<Vec<Kept>> {
    let mut kept: Vec<Kept> = Vec::new();
    for (_, name) in files(disk)? {
        let file = disk.open(&name)?;
        for found in scan(&*file, u64::MAX)?.records {
            match found.frame.kind {
                Kind::Resumed => {
                    let Ok(Resumed { layouts }) = Resumed::decode(found.head.as_slice()) else { continue };
                    kept.retain(|kept| is_settled(&layouts, kept.place));
                }
                Kind::Quarantined => kept.extend(read_one(&*file, &found)),
                _ => {}
            }
        }
    }
    kept.retain(|kept| is_settled(layouts, kept.place));
    Ok(kept)
}

fn read_one(file: &dyn DiskFile, found: &Record) -> Option<Kept> {
    let record = QuarantineRecord::decode(found.head.as_slice()).ok()?;
    let place = place(&record);
    let QuarantineRecord { at, state, reason, detail, batch, .. } = record;
    let head = batch?;
    let mut body = vec![0; found.frame.tail_length as usize];
    let is_whole =
        file.read_at(found.tail(), &mut body).is_ok() && crc32fast::hash(&body) == found.frame.tail_crc;
    let points = u64::from(head.points);
    let batch = if is_whole { head.with(body) } else { None };
    Some(Kept { place, at, state, reason, detail, batch, points })
}

fn place(record: &QuarantineRecord) -> Position {
    Position { layout: record.layout, partition: record.partition, waiting_from: record.waiting_from }
}

fn files(disk: &dyn Disk) -> io::Result<BTreeMap<u64, String>> {
    let number = |name: String| Some((file_number(&name, SUFFIX)?, name));
    Ok(disk.list()?.into_iter().filter_map(number).collect())
}
