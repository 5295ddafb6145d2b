//! The log: segments that are written one after the other, and removed when nothing in them waits.
//!
//! There is one truth, the records. What was so when a segment was begun stands at its beginning, so of the earlier
//! segments only those count in which something waits, and in these only the batches. Nothing is ever written to
//! a segment again after a process ended or an error occurred: the next one is begun.

use super::damaged::DamagedFiles;
use super::disk::{Disk, DiskFile, file_name};
use crate::record::{
    self, Account, Checkpoint, Closed, FORMAT, Head, Kind, Layout, Payload, SegmentEnd, Settled,
};
use crate::{PointOutcome, Settlement};
use preamp_contract::Batch;
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// What the record of a checkpoint has beside the message, and the segment before that is not in it yet.
const CHECKPOINT_MORE: u64 = 128;

/// The first segment of a process. Each one that is filled doubles the next, so that the disk holds what the load needs.
const SEGMENT_FIRST: u64 = 1 << 20;

/// The smallest segment that is begun when the disk is nearly full.
const SEGMENT_MIN: u64 = 64 * 1024;

/// The room at the end of each segment that only acknowledgements may use, so that a full disk can be emptied: so
/// much, and so much for each batch of the segment in which most wait. Once that is settled, it is removed.
const KEPT: u64 = 4 * 1024;
const KEPT_FOR_EACH: u64 = 128;

/// A segment that can be read.
pub(super) struct Segment {
    pub number: u64,
    pub file: Box<dyn DiskFile>,
}

/// Where a batch is.
#[derive(Clone)]
pub(super) struct Location {
    pub segment: Arc<Segment>,
    /// Where the record of its payload begins.
    pub record: u64,
    /// Which batch of the payload it is.
    pub index: u32,
    /// Where its body begins.
    pub body: u64,
    /// Its number.
    pub sequence: u64,
    /// The number of its layout.
    pub layout: u32,
}

/// A change of the log.
pub(super) enum Change<'a> {
    Append { batches: &'a [Arc<Batch>], accepted_at: i64 },
    Settle { layout: u32, partition: u32, waiting_from: u64, settlement: &'a Settlement },
}

/// Points by state and reason.
pub(super) type Accounts = BTreeMap<(String, String), u64>;

/// The state under which all that was ever appended is counted.
pub(super) const ACCEPTED: &str = "accepted";
/// The state of all points that were ever quarantined. Files of every version have it under this name.
pub(super) const EVER_QUARANTINED: &str = "set_aside";
/// The state of the points that left the quarantine, replayed or purged.
pub(super) const RELEASED: &str = "released";

/// The log of one exporter.
pub(super) struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) exporter: String,
    /// The size of the next segment, and of the largest one.
    segment_bytes: u64,
    segment_bytes_max: u64,
    /// The number of the batch that comes next.
    pub(super) next: u64,
    pub(super) group: u64,
    /// For each layout, the number of the batch from which on nothing is acknowledged, by partition.
    pub(super) layouts: BTreeMap<u32, Vec<u64>>,
    pub(super) accounts: Accounts,
    pub(super) sealed: BTreeMap<u64, Sealed>,
    /// Segments with damage, in which something waits.
    pub(super) damaged: BTreeSet<u64>,
    /// Those in which nothing waits any more, and how much is kept of them.
    damaged_files: DamagedFiles,
    damaged_bytes_max: u64,
    pub(super) active: Option<Active>,
    pub(super) last_number: u64,
    pub(super) has_reserve: bool,
    buffer: Vec<u8>,
}

/// The room that something needs in a segment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Any, that which is kept back for it included.
    OfAnyKind,
    /// Such that as many bytes are left.
    With(u64),
}

/// What is kept back for the time when the disk is full, so that what was delivered can be recorded, which is what
/// makes room: the name of the file and its size.
pub(super) const RESERVE: (&str, u64) = ("reserve", 256 * 1024);

/// A segment that is not written to any more.
pub(super) struct Sealed {
    /// Up to where it is valid.
    pub length: u64,
    /// How many batches in it wait.
    pub waiting: u64,
    /// Where records are that do not count: they had not got to the disk whole when a process ended.
    pub torn: Vec<u64>,
}

/// The segment that is written to.
pub(super) struct Active {
    segment: Arc<Segment>,
    capacity: u64,
    offset: u64,
    waiting: u64,
    /// Whether it is for acknowledgements only, because the disk is full.
    is_reserve: bool,
}

impl Log {
    /// A log that nothing was read into yet.
    pub fn new(disk: Arc<dyn Disk>, exporter: &str, segment_bytes_max: u64) -> Log {
        let segment_bytes_max = segment_bytes_max.max(SEGMENT_MIN);
        Log {
            disk,
            exporter: exporter.to_owned(),
            segment_bytes: segment_bytes_max.min(SEGMENT_FIRST),
            segment_bytes_max,
            next: 0,
            group: 0,
            layouts: BTreeMap::new(),
            accounts: Accounts::new(),
            sealed: BTreeMap::new(),
            damaged: BTreeSet::new(),
            damaged_files: DamagedFiles::default(),
            damaged_bytes_max: u64::MAX,
            active: None,
            last_number: 0,
            has_reserve: false,
            buffer: Vec::new(),
        }
    }

    /// Makes changes, all of which are safe when this returns. Returns where the batches are.
    ///
    /// After an error none of them is made, and the segment is left alone from then on.
    pub fn commit(&mut self, changes: &[Change<'_>]) -> io::Result<Vec<Location>> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let committed = self.write(changes, &mut buffer);
        buffer.clear();
        self.buffer = buffer;
        committed
    }

    fn write(&mut self, changes: &[Change<'_>], buffer: &mut Vec<u8>) -> io::Result<Vec<Location>> {
        self.group += 1;
        let mut appended = Vec::new();
        let mut settlements = Vec::new();
        let mut next = self.next;
        for change in changes {
            match change {
                Change::Append { batches, accepted_at } => {
                    let record = buffer.len() as u64;
                    let payload = self.payload(batches, *accepted_at, next);
                    let bodies = batches.iter().map(|batch| batch.body.as_slice());
                    let body = record::write(Kind::Payload, self.group, &payload, bodies, buffer) as u64;
                    appended.push(Appended { batches, record, body, sequence: next });
                    next += batches.len() as u64;
                }
                Change::Settle { layout, partition, waiting_from, settlement } => {
                    let settled = Settled {
                        layout: *layout,
                        partition: *partition,
                        waiting_from: *waiting_from,
                        accounts: accounts(settlement),
                    };
                    record::write(Kind::Settled, self.group, &settled, [], buffer);
                    settlements.push(settled);
                }
            }
        }
        let room = match appended.is_empty() {
            true => Room::OfAnyKind,
            false => Room::With(KEPT + KEPT_FOR_EACH * self.most_waiting(next - self.next)),
        };
        let (segment, offset) = self.put(buffer, room)?;
        self.next = next;
        settlements.into_iter().for_each(|settled| self.settle(settled));
        let layout = self.newest_layout();
        let mut locations = Vec::new();
        for payload in appended {
            self.credit(ACCEPTED, "", payload.batches.iter().map(|batch| u64::from(batch.points)).sum());
            locations.extend(payload.locate(&segment, offset, layout));
        }
        if let Some(active) = &mut self.active {
            active.waiting += locations.len() as u64;
        }
        Ok(locations)
    }

    /// How many batches wait in the segment of which it is most, if as many are added to the one that is written to.
    fn most_waiting(&self, added: u64) -> u64 {
        let active = self.active.as_ref().map_or(0, |active| active.waiting) + added;
        self.sealed.values().map(|sealed| sealed.waiting).fold(active, u64::max)
    }

    fn payload(&self, batches: &[Arc<Batch>], accepted_at: i64, sequence: u64) -> Payload {
        let batches = batches.iter().map(|batch| Head::of(batch)).collect();
        Payload { sequence, accepted_at, layout: self.newest_layout(), batches }
    }

    pub fn newest_layout(&self) -> u32 {
        self.layouts.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// Puts bytes into a segment.
    fn put(&mut self, bytes: &[u8], room: Room) -> io::Result<(Arc<Segment>, u64)> {
        let needed = bytes.len() as u64 + if let Room::With(kept) = room { kept } else { 0 };
        let is_fit = |active: &Active| {
            active.offset + needed <= active.capacity && (room == Room::OfAnyKind || !active.is_reserve)
        };
        if !self.active.as_ref().is_some_and(is_fit) {
            if self.active.is_some() {
                self.segment_bytes = self.segment_bytes.saturating_mul(2).min(self.segment_bytes_max);
            }
            self.begin_segment(needed, room)?;
        }
        let Some(active) = &mut self.active else { return Err(io::Error::other("there is no segment")) };
        let file = &active.segment.file;
        match file.write_at(active.offset, bytes).and_then(|()| file.sync()) {
            Ok(()) => {
                let offset = active.offset;
                active.offset += bytes.len() as u64;
                Ok((active.segment.clone(), offset))
            }
            Err(error) => {
                self.seal();
                Err(error)
            }
        }
    }

    /// Begins a segment with room for at least as many bytes; a smaller one where the disk has no room for more. If
    /// there is no room at all, the one before stays in use, with what is kept back in it.
    pub fn begin_segment(&mut self, needed: u64, room: Room) -> io::Result<()> {
        let number = self.last_number + 1;
        let least = self.checkpoint().encoded_len() as u64 + CHECKPOINT_MORE + needed;
        let name = file_name(number, SUFFIX);
        let (file, capacity, is_reserve) = match self.create(&name, least) {
            Ok((file, capacity)) => (file, capacity, false),
            Err(_) if room == Room::OfAnyKind && least <= RESERVE.1 => {
                (self.take_reserve(&name)?, RESERVE.1, true)
            }
            Err(error) => return Err(error),
        };
        self.seal();
        self.last_number = number;
        self.group += 1;
        let mut bytes = Vec::new();
        record::write(Kind::Checkpoint, self.group, &self.checkpoint(), [], &mut bytes);
        file.write_at(0, &bytes)?;
        file.sync()?;
        let segment = Arc::new(Segment { number, file });
        self.active = Some(Active { segment, capacity, offset: bytes.len() as u64, waiting: 0, is_reserve });
        self.remove_settled();
        if !is_reserve && !self.has_reserve {
            self.has_reserve = self.disk.create(RESERVE.0, RESERVE.1).is_ok();
        }
        Ok(())
    }

    /// Makes a file for at least as many bytes.
    fn create(&self, name: &str, least: u64) -> io::Result<(Box<dyn DiskFile>, u64)> {
        let mut capacity = self.segment_bytes.max(least);
        loop {
            match self.disk.create(name, capacity) {
                Ok(file) => return Ok((file, capacity)),
                Err(_) if capacity / 2 >= least.max(SEGMENT_MIN) => capacity /= 2,
                Err(error) => {
                    // What cannot be removed is overwritten by the next attempt.
                    let _unused = self.disk.remove(name);
                    return Err(error);
                }
            }
        }
    }

    fn take_reserve(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.rename(RESERVE.0, name)?;
        self.has_reserve = false;
        self.disk.open(name)
    }

    /// Leaves the segment that is written to.
    fn seal(&mut self) {
        if let Some(Active { segment, offset, waiting, capacity, .. }) = self.active.take() {
            if offset < capacity {
                // An error leaves the room taken until the segment is removed, or the next process truncates it.
                let _unused = segment.file.truncate(offset);
            }
            self.sealed.insert(segment.number, Sealed { length: offset, waiting, torn: Vec::new() });
        }
    }

    /// The layouts of which something waits, and the newest.
    pub fn layouts(&self) -> Vec<Layout> {
        let layout = |(number, waiting_from): (&u32, &Vec<u64>)| Layout {
            number: *number,
            waiting_from: waiting_from.clone(),
        };
        self.layouts.iter().map(layout).collect()
    }

    fn checkpoint(&self) -> Checkpoint {
        let account = |((state, reason), points): (&(String, String), &u64)| Account {
            state: state.clone(),
            reason: reason.clone(),
            points: *points,
        };
        let waiting = self.sealed.iter().filter(|(_, sealed)| sealed.waiting > 0);
        Checkpoint {
            format: FORMAT,
            exporter: self.exporter.clone(),
            next: self.next,
            layouts: self.layouts(),
            accounts: self.accounts.iter().map(account).collect(),
            segments: waiting
                .map(|(number, sealed)| SegmentEnd {
                    number: *number,
                    length: sealed.length,
                    torn: sealed.torn.clone(),
                })
                .collect(),
        }
    }

    /// Batches of a segment wait no longer. That must be safe already.
    pub fn released(&mut self, number: u64, batches: u64) {
        match (&mut self.active, self.sealed.get_mut(&number)) {
            (_, Some(sealed)) => {
                sealed.waiting = sealed.waiting.saturating_sub(batches);
                if sealed.waiting == 0 {
                    self.remove_settled();
                }
            }
            (Some(active), None) if active.segment.number == number => active.waiting -= batches,
            _ => {}
        }
    }

    /// Removes the segments in which nothing waits. They are of no use once a later one was begun.
    fn remove_settled(&mut self) {
        if self.active.is_none() {
            return;
        }
        let settled: Vec<u64> =
            self.sealed.iter().filter(|(_, sealed)| sealed.waiting == 0).map(|(number, _)| *number).collect();
        for number in settled {
            let name = file_name(number, SUFFIX);
            let removed = match self.damaged.contains(&number) {
                true => self.disk.rename(&name, &file_name(number, DAMAGED)),
                false => self.disk.remove(&name),
            };
            // It stays listed otherwise, and is tried again with the next one.
            if removed.is_ok() {
                self.sealed.remove(&number);
                if self.damaged.remove(&number) {
                    self.bound_damaged_files();
                }
            }
        }
    }

    /// Keeps no more than so many bytes of files with damage from now on.
    pub fn keep_damaged_files(&mut self, max_bytes: u64) {
        self.damaged_bytes_max = max_bytes;
        self.bound_damaged_files();
    }

    /// How much is kept of them.
    pub fn damaged_file_bytes(&self) -> u64 {
        self.damaged_files.bytes
    }

    fn bound_damaged_files(&mut self) {
        self.damaged_files = DamagedFiles::bound(&*self.disk, self.damaged_bytes_max);
    }

    /// Moves on what is acknowledged of a partition, and counts it.
    pub fn settle(&mut self, Settled { layout, partition, waiting_from, accounts }: Settled) {
        let own = self.layouts.get_mut(&layout).and_then(|layout| layout.get_mut(partition as usize));
        if let Some(own) = own {
            *own = waiting_from.max(*own);
        }
        self.credit_all(&accounts);
    }

    pub fn credit_all(&mut self, accounts: &[Account]) {
        accounts.iter().for_each(|account| self.credit(&account.state, &account.reason, account.points));
    }

    /// The points in a state, for whatever reason.
    pub fn points(&self, state: &str) -> u64 {
        let own = self.accounts.iter().filter(|((name, _), _)| name == state);
        own.map(|(_, points)| *points).sum()
    }

    /// The points that left the queue, by state and reason.
    pub fn settled(&self) -> impl Iterator<Item = (&(String, String), u64)> {
        let is_state = |state: &str| PointOutcome::STATES.contains(&state);
        let settled = self.accounts.iter().filter(move |((state, _), _)| is_state(state));
        settled.map(|(name, points)| (name, *points))
    }

    pub fn credit(&mut self, state: &str, reason: &str, points: u64) {
        *self.accounts.entry((state.to_owned(), reason.to_owned())).or_default() += points;
    }

    /// Forgets the layouts before this one, of which nothing waits.
    pub fn forget_layouts_before(&mut self, layout: u32) {
        self.layouts = self.layouts.split_off(&layout);
    }

    /// Bytes on the disk, those of files with damage included.
    pub fn bytes_on_disk(&self) -> u64 {
        let sealed: u64 = self.sealed.values().map(|sealed| sealed.length).sum();
        sealed + self.active.as_ref().map_or(0, |active| active.capacity) + self.damaged_files.bytes
    }

    /// Counts points that left the quarantine, with the next segment.
    pub fn released_from_quarantine(&mut self, points: u64) -> io::Result<()> {
        self.credit(RELEASED, "", points);
        self.begin_segment(0, Room::OfAnyKind)
    }

    /// Says that the end is in order. Nothing may be written any more.
    pub fn close(&mut self) -> io::Result<()> {
        self.group += 1;
        let mut bytes = Vec::new();
        record::write(Kind::Closed, self.group, &Closed {}, [], &mut bytes);
        self.put(&bytes, Room::OfAnyKind)?;
        self.seal();
        Ok(())
    }
}

/// A payload in the buffer.
struct Appended<'a> {
    batches: &'a [Arc<Batch>],
    /// Where its record begins, and its first body.
    record: u64,
    body: u64,
    /// The number of its first batch.
    sequence: u64,
}

impl Appended<'_> {
    /// Where its batches are, once the buffer is in a segment.
    fn locate(&self, segment: &Arc<Segment>, offset: u64, layout: u32) -> impl Iterator<Item = Location> {
        let mut body = offset + self.body;
        self.batches.iter().enumerate().map(move |(index, batch)| {
            let location = Location {
                segment: segment.clone(),
                record: offset + self.record,
                index: index as u32,
                body,
                sequence: self.sequence + index as u64,
                layout,
            };
            body += batch.body.len() as u64;
            location
        })
    }
}

fn accounts(settlement: &Settlement) -> Vec<Account> {
    let account = |(outcome, points): &(PointOutcome, u64)| {
        let (state, reason) = outcome.state();
        Account { state: state.to_owned(), reason: reason.to_owned(), points: *points }
    };
    let mut accounts: Vec<_> = settlement.outcomes.iter().map(account).collect();
    let quarantined: u64 = settlement.quarantined.iter().map(|kept| u64::from(kept.batch.points)).sum();
    if quarantined > 0 {
        accounts.push(Account {
            state: EVER_QUARANTINED.to_owned(),
            reason: String::new(),
            points: quarantined,
        });
    }
    accounts
}

/// What the names of segments end in.
pub(super) const SUFFIX: &str = ".log";
/// What the names of segments end in that hold damage, and nothing that waits.
pub(super) const DAMAGED: &str = ".log.damaged";
