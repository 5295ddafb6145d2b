//! What was set aside: batches that the receiver will never take, kept for a person to look at.

use super::disk::{Disk, DiskFile, file_name, file_number};
use super::record::{self, Head, Kind, SetAsideRecord};
use super::scan::scan;
use crate::component::Batch;
use crate::queue::SetAside;
use prost::Message;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// The room that is made at once.
const FILE_BYTES: u64 = 1 << 20;

const SUFFIX: &str = ".aside";

/// Where a settlement stands, which tells two recordings of the same from two of their like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
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
}

struct Active {
    file: Box<dyn DiskFile>,
    offset: u64,
    capacity: u64,
}

impl Quarantine {
    /// Goes on after what is there.
    pub fn open(disk: Arc<dyn Disk>, max_bytes: u64) -> io::Result<Quarantine> {
        let mut quarantine = Quarantine { disk, max_bytes, bytes: 0, last_number: 0, active: None };
        for (number, name) in files(&*quarantine.disk)? {
            quarantine.last_number = number;
            quarantine.bytes += quarantine.disk.open(&name)?.length()?;
        }
        Ok(quarantine)
    }

    /// Keeps batches. They are safe when this returns.
    pub fn keep(&mut self, set_aside: &[SetAside], at: i64, place: Place) -> io::Result<()> {
        let mut bytes = Vec::new();
        for SetAside { batch, state, reason, detail } in set_aside {
            let said = (*state, reason.as_str(), detail.as_str());
            record::write(
                Kind::SetAside,
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
        let written = self.write(&bytes);
        if written.is_err() {
            // Nothing is written behind what failed.
            self.active = None;
        }
        written.inspect(|()| self.bytes += needed)
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
                Kind::SetAside,
                0,
                &written(batch, said, *at, *place),
                [batch.body.as_slice()],
                &mut bytes,
            );
        }
        self.active = None;
        self.write(&bytes)?;
        self.bytes = bytes.len() as u64;
        before.into_values().try_for_each(|name| self.disk.remove(&name))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let needed = bytes.len() as u64;
        if self.active.as_ref().is_none_or(|active| active.offset + needed > active.capacity) {
            self.active = None;
            self.last_number += 1;
            let capacity = FILE_BYTES.max(needed);
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
    place: Place,
) -> SetAsideRecord {
    SetAsideRecord {
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

/// A batch that was set aside.
#[derive(Clone, Debug)]
pub struct Kept {
    place: Place,
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

/// Reads all that is set aside and was settled, in the order in which that was done. What a crash has had recorded
/// twice is there once.
pub(super) fn read(disk: &dyn Disk, is_settled: impl Fn(Place) -> bool) -> io::Result<Vec<Kept>> {
    let mut kept = BTreeMap::new();
    let mut order = 0u64;
    for (_, name) in files(disk)? {
        let file = disk.open(&name)?;
        for found in scan(&*file, u64::MAX)?.records {
            let Ok(record) = SetAsideRecord::decode(found.head.as_slice()) else { continue };
            let (Some(head), Kind::SetAside) = (record.batch, found.frame.kind) else { continue };
            let SetAsideRecord { layout, partition, waiting_from, .. } = record;
            let place = Place { layout, partition, waiting_from };
            if !is_settled(place) {
                continue;
            }
            let mut body = vec![0; found.frame.tail_length as usize];
            let is_whole = file.read_at(found.tail(), &mut body).is_ok()
                && crc32fast::hash(&body) == found.frame.tail_crc;
            let (key, points) = ((place, head.digest.clone()), u64::from(head.points));
            let batch = if is_whole { head.with(body) } else { None };
            let SetAsideRecord { at, state, reason, detail, .. } = record;
            order += 1;
            kept.insert(key, (order, Kept { place, at, state, reason, detail, batch, points }));
        }
    }
    let mut kept: Vec<_> = kept.into_values().collect();
    kept.sort_by_key(|(order, _)| *order);
    Ok(kept.into_iter().map(|(_, kept)| kept).collect())
}

fn files(disk: &dyn Disk) -> io::Result<BTreeMap<u64, String>> {
    let number = |name: String| Some((file_number(&name, SUFFIX)?, name));
    Ok(disk.list()?.into_iter().filter_map(number).collect())
}
