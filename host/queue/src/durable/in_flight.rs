//! What may be in flight: of each partition, up to where requests were sent. It is written before each request and never
//! synchronized, so it costs little. After a kill it is exact, since what a process has written stays with the system.
//! After a power cut, or on another machine, it says nothing.

use super::disk::{Disk, DiskFile};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of the file.
pub(super) const NAME: &str = "in-flight";

/// The bytes of each partition.
const SLOT: usize = 16;

/// What the checksum of a slot begins with, beside the run of the system.
const VERSION: &[u8] = b"preamp in-flight 1";

/// What was sent of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// The number of the first batch that was not sent. Batches are numbered across partitions and layouts.
    pub sent_to: u64,
    /// How many of the series that were sent and are not acknowledged may have been sent in parts.
    pub in_parts: u32,
}

impl Slot {
    fn write(self, boot: &str, partition: usize) -> [u8; SLOT] {
        let mut bytes = [0; SLOT];
        bytes[..8].copy_from_slice(&self.sent_to.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.in_parts.to_le_bytes());
        let checksum = checksum(boot, partition, &bytes[..12]);
        bytes[12..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// `None` if it was written in another run of the system, or not as a whole, or never.
    fn read(bytes: &[u8; SLOT], boot: &str, partition: usize) -> Option<Slot> {
        let (said, expected) = (bytes.last_chunk::<4>()?, checksum(boot, partition, &bytes[..12]));
        let sent_to = u64::from_le_bytes(*bytes.first_chunk()?);
        let in_parts = u32::from_le_bytes(*bytes[8..].first_chunk()?);
        (*said == expected.to_le_bytes()).then_some(Slot { sent_to, in_parts })
    }
}

fn checksum(boot: &str, partition: usize, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    [VERSION, boot.as_bytes(), &(partition as u64).to_le_bytes(), bytes]
        .iter()
        .for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// The slots that an earlier process wrote in this run of the system; none where they cannot be trusted.
pub(super) fn read(disk: &dyn Disk, partitions: usize) -> Vec<Option<Slot>> {
    let mut slots = vec![None; partitions];
    let Some(boot) = disk.boot() else { return slots };
    let read = || -> io::Result<Vec<u8>> {
        let file = disk.open(NAME)?;
        let mut bytes = vec![0; file.length()?.min((partitions * SLOT) as u64) as usize];
        file.read_at(0, &mut bytes)?;
        Ok(bytes)
    };
    // Without them, more is sent apart than need be.
    let bytes = read().unwrap_or_default();
    for (partition, (slot, bytes)) in slots.iter_mut().zip(bytes.as_chunks().0).enumerate() {
        *slot = Slot::read(bytes, &boot, partition);
    }
    slots
}

/// The file, for the process that sends.
pub(super) struct InFlight {
    disk: Arc<dyn Disk>,
    boot: String,
    /// `None` if there is none: the next process believes nothing then.
    file: Mutex<Option<Arc<dyn DiskFile>>>,
    /// What the slots say; `None` where that is not known, because a write failed.
    slots: Mutex<Vec<Option<Slot>>>,
}

impl InFlight {
    /// Begins with these slots.
    ///
    /// # Errors
    /// When what an earlier process wrote can neither be overwritten nor removed.
    pub fn begin(disk: Arc<dyn Disk>, slots: &[Slot]) -> io::Result<InFlight> {
        let boot = disk.boot();
        let in_flight = InFlight {
            disk,
            boot: boot.clone().unwrap_or_default(),
            file: Mutex::new(None),
            slots: Mutex::new(slots.iter().copied().map(Some).collect()),
        };
        if boot.is_some() {
            match in_flight.make(slots) {
                Ok(file) => *lock(&in_flight.file) = Some(file),
                Err(error) => in_flight.do_without(error)?,
            }
        }
        Ok(in_flight)
    }

    fn make(&self, slots: &[Slot]) -> io::Result<Arc<dyn DiskFile>> {
        let bytes: Vec<u8> = slots
            .iter()
            .enumerate()
            .flat_map(|(partition, slot)| slot.write(&self.boot, partition))
            .collect();
        let needed = bytes.len() as u64;
        let file = match self.disk.open(NAME) {
            Ok(file) if file.length()? >= needed => file,
            _ => self.disk.create(NAME, needed)?,
        };
        file.write_at(0, &bytes)?;
        Ok(Arc::from(file))
    }

    /// Whether a slot says something else, and there is a file to write to.
    pub fn is_news(&self, partition: u32, slot: Slot) -> bool {
        let known = lock(&self.slots).get(partition as usize).copied();
        known.is_some_and(|known| known != Some(slot)) && lock(&self.file).is_some()
    }

    /// Writes a slot, which takes the time of one write.
    ///
    /// # Errors
    /// When the next process would find what is not so.
    pub fn write(&self, partition: u32, slot: Slot) -> io::Result<()> {
        let partition = partition as usize;
        let Some(file) = lock(&self.file).clone() else { return Ok(()) };
        let written = file.write_at((partition * SLOT) as u64, &slot.write(&self.boot, partition));
        if let Some(known) = lock(&self.slots).get_mut(partition) {
            *known = written.is_ok().then_some(slot);
        }
        written.or_else(|error| self.do_without(error))
    }

    /// Everything before this number left the partition, also what was not sent.
    pub fn settled(&self, partition: u32, waiting_from: u64) {
        let known = lock(&self.slots).get(partition as usize).copied().flatten();
        if known.is_some_and(|known| known.sent_to < waiting_from) {
            // What is there otherwise is too old to be believed.
            let _unknown = self.write(partition, Slot { sent_to: waiting_from, in_parts: 0 });
        }
    }

    /// Goes on without the file, which could not be written. It must not be there any more then.
    fn do_without(&self, error: io::Error) -> io::Result<()> {
        match self.disk.remove(NAME) {
            Err(left) if left.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        *lock(&self.file) = None;
        let (directory, file) = (self.disk.place(), NAME);
        tracing::warn!(
            directory,
            file,
            %error,
            "it cannot be recorded what is in flight; after a crash, more than that is sent in small requests"
        );
        Ok(())
    }
}

/// Nothing that holds one of these can panic half-way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_of_its_partition_and_of_its_run_of_the_system() {
        let slot = Slot { sent_to: 7, in_parts: 3 };
        let bytes = slot.write("a", 3);
        assert_eq!(Slot::read(&bytes, "a", 3), Some(slot));
        assert_eq!((Slot::read(&bytes, "b", 3), Slot::read(&bytes, "a", 2)), (None, None));
        for bit in 0..SLOT * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Slot::read(&damaged, "a", 3), None, "bit {bit}");
        }
        assert_eq!(Slot::read(&[0; SLOT], "a", 0), None, "it was never written");
    }
}
