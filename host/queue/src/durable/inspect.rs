//! Looking at a queue without using it: also while a process does.

use super::disk::Disk;
use super::log::{ACCEPTED, EVER_QUARANTINED, Location, RELEASED};
use super::quarantine::{self, Kept};
use super::read;
use super::recovery::{self, OpenError};
use preamp_contract::Batch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the files of a queue say. While a process uses them, what it did in the last moments may be missing.
pub struct Inspection {
    /// The exporter that it is of.
    pub exporter: String,
    /// What waits, in the order in which it was accepted.
    pub waiting: Vec<WaitingBatch>,
    /// Every point that was ever accepted.
    pub accepted: u64,
    /// The points that left it, by state and reason.
    pub settled: BTreeMap<(String, String), u64>,
    /// Points in quarantine: neither replayed nor purged.
    pub quarantined_points: u64,
    /// The quarantined batches.
    pub quarantined: Vec<Kept>,
    /// Whether the process that used it last has ended in order, with nothing under way.
    pub was_closed: bool,
    /// Bytes that cannot be read as what they were.
    pub damaged_bytes: u64,
    /// How many files hold what waits, and their bytes.
    pub files: (u64, u64),
}

/// A batch that waits.
pub struct WaitingBatch {
    location: Location,
    /// Its partition.
    pub partition: u32,
    /// OTLP points in it.
    pub points: u64,
    /// Bytes of its body.
    pub bytes: u64,
    /// When it was accepted, in milliseconds since 1970.
    pub accepted_at: i64,
}

impl WaitingBatch {
    /// The batch itself.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(&self) -> Result<Batch, String> {
        read::read(&self.location)
    }
}

impl Inspection {
    /// Looks at what is on a disk; nothing there is changed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(disk: Arc<dyn Disk>) -> Result<Inspection, OpenError> {
        let place = disk.place();
        let mut recovery = recovery::read(disk.clone(), None, 0)?;
        let waiting = recovery.waiting();
        let log = &recovery.log;
        let quarantined = quarantine::read(&*disk, &log.layouts());
        let quarantined = quarantined.map_err(|error| OpenError::System { place, error })?;
        Ok(Inspection {
            exporter: log.exporter.clone(),
            accepted: log.points(ACCEPTED),
            settled: log.settled().map(|(name, points)| (name.clone(), points)).collect(),
            quarantined_points: log.points(EVER_QUARANTINED).saturating_sub(log.points(RELEASED)),
            quarantined,
            was_closed: recovery.was_closed,
            damaged_bytes: recovery.damaged_bytes,
            files: (log.sealed.len() as u64, log.bytes_on_disk()),
            waiting: waiting.into_iter().map(WaitingBatch::from).collect(),
        })
    }

    /// Payloads of which at least one batch waits.
    #[must_use]
    pub fn payloads(&self) -> usize {
        let records = self.waiting.iter().map(|batch| (batch.location.segment.number, batch.location.record));
        records.collect::<BTreeSet<_>>().len()
    }

    /// Points that wait.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.waiting.iter().map(|batch| batch.points).sum()
    }

    /// Everything that does not add up, in words; nothing if every point is accounted for.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let settled: u64 = self.settled.values().sum();
        let queued = self.queued();
        let mut problems = Vec::new();
        if self.accepted != settled + queued {
            let accepted = self.accepted;
            problems
                .push(format!("accepted are {accepted} points, but settled {settled} and queued {queued}"));
        }
        let kept: u64 = self.quarantined.iter().map(|kept| kept.points).sum();
        if kept != self.quarantined_points {
            let expected = self.quarantined_points;
            problems.push(format!("{expected} points should be in quarantine, but {kept} are in its files"));
        }
        problems
    }
}

impl From<recovery::RecoveredBatch> for WaitingBatch {
    fn from(found: recovery::RecoveredBatch) -> Self {
        let recovery::RecoveredBatch { location, partition, size, accepted_at } = found;
        WaitingBatch { location, partition, points: size.points, bytes: size.bytes, accepted_at }
    }
}
