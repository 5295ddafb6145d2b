//! The quarantine of a queue that is not on this disk.

use super::QUARANTINE;
use super::disk::Disk;
use super::quarantine::{self, Kept, Position, Quarantine};
use crate::QuarantinedBatch;
use preamp_base::clock::now_ms;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// Files in a folder of their own, for what several processes' receiver refused to this one.
pub struct QuarantineFiles(Quarantine);

impl QuarantineFiles {
    /// Goes on after what is there, up to a part of what the queue may hold.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(disk: Arc<dyn Disk>, max_bytes_of_queue: u64) -> io::Result<Self> {
        Quarantine::open(disk, max_bytes_of_queue / QUARANTINE).map(Self)
    }

    /// Adds quarantined batches of a partition, settled up to a place in it. They are on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written, or there is no room for it.
    pub fn keep(&mut self, quarantined: &[QuarantinedBatch], partition: u32, place: u64) -> io::Result<()> {
        self.0.keep(quarantined, now_ms(), Position { layout: 0, partition, waiting_from: place })
    }

    /// Keeps these and nothing else.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn keep_only(&mut self, all: &[Kept]) -> io::Result<()> {
        self.0.keep_only(all)
    }

    /// Reads all that is in a folder. What was kept twice, because the process ended before it had settled it, is there
    /// once.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(disk: &dyn Disk) -> io::Result<Vec<Kept>> {
        let mut all = quarantine::read(disk, &[])?;
        let mut seen = BTreeSet::new();
        all.retain(|kept| {
            let digest = kept.batch.as_ref().and_then(|batch| batch.digest);
            seen.insert((kept.place(), digest))
        });
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::Folder;
    use preamp_base::Directory;
    use preamp_contract::{Batch, Protocol};

    fn quarantined(number: u8) -> QuarantinedBatch {
        let batch = Batch {
            digest: Some([number; 32]),
            body: vec![number; 100],
            partition: 1,
            points: 1,
            series: 1,
            samples: 1,
            histograms: 0,
            exemplars: 0,
            first: 0,
            last: 0,
            uncompressed_size: 100,
            protocol: Protocol::RemoteWriteV1,
        };
        let (reason, detail) = ("label-limit".to_owned(), "too many labels".to_owned());
        QuarantinedBatch { batch: Arc::new(batch), state: "quarantined", reason, detail }
    }

    fn numbers(folder: &std::path::Path) -> Vec<u8> {
        let all = QuarantineFiles::read(&Folder::look(folder).unwrap()).unwrap();
        all.iter().map(|kept| kept.batch.as_ref().unwrap().body[0]).collect()
    }

    #[test]
    fn what_was_kept_and_not_settled_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let disk = Arc::new(Folder::reserve(&Directory::private(folder.path())).unwrap());
            QuarantineFiles::open(disk, 1 << 20).unwrap()
        };
        let mut files = open();
        files.keep(&[quarantined(1), quarantined(2)], 1, 7).unwrap();
        drop(files);
        let mut files = open();
        files.keep(&[quarantined(1), quarantined(2)], 1, 7).unwrap();
        // The same again, sent again.
        files.keep(&[quarantined(2)], 1, 9).unwrap();
        assert_eq!(numbers(folder.path()), [1, 2, 2]);
        let rest = QuarantineFiles::read(&Folder::look(folder.path()).unwrap()).unwrap().split_off(2);
        files.keep_only(&rest).unwrap();
        assert_eq!(numbers(folder.path()), [2]);
        assert!(files.keep(&[quarantined(3); 1], 1, 10).is_ok());
    }

    #[test]
    fn what_there_is_no_room_for_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(Folder::reserve(&Directory::private(folder.path())).unwrap());
        let mut files = QuarantineFiles::open(disk, 500 * QUARANTINE).unwrap();
        files.keep(&[quarantined(1)], 1, 7).unwrap();
        let full = files.keep(&[quarantined(2), quarantined(3)], 1, 8).unwrap_err();
        assert!(full.to_string().contains("quarantine is full"), "{full}");
        assert_eq!(numbers(folder.path()), [1]);
    }
}
