//! Files with damage, which are kept for whoever wants to look at them: some of them, not all there ever were.

use super::disk::{Disk, file_name, file_number};
use super::log::DAMAGED;
use std::collections::BTreeMap;
use std::io;

/// What is kept of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DamagedFiles {
    pub files: u64,
    pub bytes: u64,
}

impl DamagedFiles {
    /// Removes the oldest until no more than so many bytes are kept, or one file.
    pub fn bound(disk: &dyn Disk, max_bytes: u64) -> DamagedFiles {
        let mut kept = match sizes(disk) {
            Ok(sizes) => sizes,
            Err(error) => {
                tracing::warn!(directory = disk.place(), %error, "files with damage cannot be looked for");
                return DamagedFiles::default();
            }
        };
        let bytes = |kept: &BTreeMap<u64, u64>| kept.values().sum::<u64>();
        let mut removed = DamagedFiles::default();
        while kept.len() > 1 && bytes(&kept) > max_bytes {
            let Some((number, size)) = kept.pop_first() else { break };
            if let Err(error) = disk.remove(&file_name(number, DAMAGED)) {
                let (directory, file) = (disk.place(), file_name(number, DAMAGED));
                tracing::warn!(directory, file, %error, "a file with damage cannot be removed");
                continue;
            }
            removed.files += 1;
            removed.bytes += size;
        }
        if removed.files > 0 {
            tracing::warn!(
                directory = disk.place(),
                files = removed.files,
                bytes = removed.bytes,
                kept_bytes = bytes(&kept),
                remedy = "copy the files that end in .damaged elsewhere if somebody is to look at them, and remove them",
                "the oldest files with damage were removed: no more than a sixteenth of max_queue_bytes is kept of them"
            );
        }
        DamagedFiles { files: kept.len() as u64, bytes: bytes(&kept) }
    }
}

/// The sizes of the files, by number.
fn sizes(disk: &dyn Disk) -> io::Result<BTreeMap<u64, u64>> {
    let numbers = disk.list()?.into_iter().filter_map(|name| file_number(&name, DAMAGED));
    numbers.map(|number| Ok((number, disk.open(&file_name(number, DAMAGED))?.length()?))).collect()
}
