//! When the metadata of a metric family is due: once in a payload, and then after an interval.

use crate::translate::identity;
use crate::translate::sink::Metadata;
use std::collections::BTreeMap;

/// How many families are remembered. With more, metadata is sent more often than it need be.
const FAMILIES_MAX: usize = 50_000;

/// The families whose metadata was sent, and when.
pub struct MetadataSchedule {
    interval_ms: u64,
    sent: BTreeMap<u64, Sent>,
    /// What was sent with the present payload.
    latest: Vec<u64>,
    payload: u64,
    now_ms: u64,
}

/// What a schedule knows metadata by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataKey(u64);

struct Sent {
    /// The number of the payload it was sent with.
    payload: u64,
    at_ms: u64,
}

impl MetadataSchedule {
    /// A schedule on which nothing was sent yet.
    pub fn new(interval_ms: u64) -> MetadataSchedule {
        MetadataSchedule { interval_ms, sent: BTreeMap::new(), latest: Vec::new(), payload: 0, now_ms: 0 }
    }

    /// Begins the next payload.
    pub fn begin_payload(&mut self, now_ms: u64) {
        self.payload += 1;
        self.latest.clear();
        self.now_ms = now_ms;
    }

    /// The key of this metadata if it is due now. Metadata that changed is always due.
    pub fn due(&self, metadata: &Metadata) -> Option<MetadataKey> {
        let texts = [metadata.name, metadata.help, metadata.unit];
        let hashes = texts.map(|text| identity::hash(text).0);
        let key = hashes.iter().fold(metadata.kind as u64, |key, hash| identity::label(key, *hash));
        let is_due = self.sent.get(&key).is_none_or(|sent| {
            sent.payload != self.payload && self.now_ms.abs_diff(sent.at_ms) >= self.interval_ms
        });
        is_due.then_some(MetadataKey(key))
    }

    /// Counts metadata as sent with the present payload.
    pub fn mark_sent(&mut self, key: MetadataKey) {
        if self.sent.len() >= FAMILIES_MAX {
            self.sent.clear();
        }
        self.latest.push(key.0);
        self.sent.insert(key.0, Sent { payload: self.payload, at_ms: self.now_ms });
    }

    /// Forgets what was sent with the present payload, which is refused.
    pub fn undo_payload(&mut self) {
        for key in self.latest.drain(..) {
            self.sent.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::sink::MetricType;

    fn take(schedule: &mut MetadataSchedule, help: &'static str) -> bool {
        let due = schedule.due(&about(help));
        due.inspect(|key| schedule.mark_sent(*key)).is_some()
    }

    fn about(help: &'static str) -> Metadata<'static> {
        Metadata { name: b"x", kind: MetricType::Gauge, help: help.as_bytes(), unit: b"" }
    }

    #[test]
    fn once_in_a_payload_and_again_after_the_interval() {
        let mut schedule = MetadataSchedule::new(1000);
        schedule.begin_payload(5_000);
        assert!(take(&mut schedule, "a"));
        assert!(!take(&mut schedule, "a"));
        assert!(take(&mut schedule, "b"), "changed");
        schedule.begin_payload(5_999);
        assert!(!take(&mut schedule, "a"));
        schedule.begin_payload(6_000);
        assert!(take(&mut schedule, "a"));
    }

    #[test]
    fn without_an_interval_every_payload_has_it() {
        let mut schedule = MetadataSchedule::new(0);
        for _ in 0..2 {
            schedule.begin_payload(5);
            assert!(take(&mut schedule, "a"));
            assert!(!take(&mut schedule, "a"));
        }
    }

    #[test]
    fn a_refused_payload_sent_nothing() {
        let mut schedule = MetadataSchedule::new(1000);
        schedule.begin_payload(5);
        assert!(take(&mut schedule, "a"));
        schedule.undo_payload();
        schedule.begin_payload(6);
        assert!(take(&mut schedule, "a"));
    }
}
