//! Going on with what an earlier process left.

use super::Stored;
use super::disk::Disk;
use super::in_flight::{self, InFlight, Slot};
use super::log::Log;
use super::recovery;
use crate::Window;
use crate::backlog::{Backlog, Entry, First};
use preamp_base::clock::since_epoch;
use preamp_contract::PossiblyDelivered;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Puts what an earlier process left into its place.
pub(super) fn restore(backlog: &mut Backlog<Stored>, waiting: Vec<recovery::RecoveredBatch>) {
    let now = (Instant::now(), Duration::from_nanos(since_epoch(SystemTime::now())));
    let mut payload = (None, backlog.begin_payload(None));
    for recovery::RecoveredBatch { location, partition, size, accepted_at } in waiting {
        let place = Some((location.segment.number, location.record));
        let begins_payload = payload.0 != place;
        if begins_payload {
            payload = (place, backlog.begin_payload(None));
        }
        let age = now.1.saturating_sub(Duration::from_millis(accepted_at.max(0) as u64));
        let since = now.0.checked_sub(age).unwrap_or(now.0);
        let layout = location.layout;
        let item = Stored { location, cached: None };
        backlog.restore(
            layout,
            partition,
            Entry { item, size, payload: payload.1.clone(), since },
            begins_payload,
        );
    }
    backlog.leave_empty_layouts();
}

/// What the slot of a partition in which something waits has to say.
pub(super) fn slot(backlog: &Backlog<Stored>, partition: u32) -> Option<Slot> {
    let PossiblyDelivered { batches, in_parts } = backlog.possibly_delivered(partition);
    let sequence = |index| backlog.nth(partition, index).map(|stored| stored.location.sequence);
    let sent_to = match batches.checked_sub(1) {
        Some(last) => sequence(last)? + 1,
        None => sequence(0)?,
    };
    Some(Slot { sent_to, in_parts })
}

/// Notes what an earlier process may have sent of what it left, and begins to record what this one sends.
pub(super) fn take_over(
    backlog: &mut Backlog<Stored>,
    log: &Log,
    disk: &Arc<dyn Disk>,
    was_closed: bool,
) -> io::Result<InFlight> {
    let partitions = backlog.readers();
    let known = in_flight::read(&**disk, partitions as usize);
    let settled = log.layouts.get(&backlog.first_layout());
    let mut slots = Vec::new();
    for (partition, known) in (0..partitions).zip(known) {
        let settled =
            settled.and_then(|settled| settled.get(partition as usize)).copied().unwrap_or_default();
        // Where something was settled behind it, it is older than that, and not to be trusted.
        let known = known.filter(|known| known.sent_to >= settled);
        let sent = match known {
            _ if was_closed => PossiblyDelivered::default(),
            Some(Slot { sent_to, in_parts }) => PossiblyDelivered {
                batches: backlog.count_first(partition, |stored| stored.location.sequence < sent_to),
                in_parts,
            },
            None => match backlog.first(partition, Window::REQUEST) {
                First::Waiting(first, _) => {
                    PossiblyDelivered { batches: first.len(), in_parts: PossiblyDelivered::IN_PARTS }
                }
                _ => PossiblyDelivered::default(),
            },
        };
        backlog.note_sent(partition, Some(sent));
        let nothing_waits = Slot { sent_to: settled, in_parts: 0 };
        slots.push(slot(backlog, partition).unwrap_or(nothing_waits));
    }
    InFlight::begin(disk.clone(), &slots)
}
