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
    payload: u64,
    now_ms: u64,
}

struct Sent {
    /// The number of the payload it was sent with.
    payload: u64,
    at_ms: u64,
}

impl MetadataSchedule {
    /// A schedule on which nothing was sent yet.
    pub fn new(interval_ms: u64) -> MetadataSchedule {
        MetadataSchedule { interval_ms, sent: BTreeMap::new(), payload: 0, now_ms: 0 }
    }

    /// Begins the next payload.
    pub fn begin_payload(&mut self, now_ms: u64) {
        self.payload += 1;
        self.now_ms = now_ms;
    }

    /// Whether this metadata is due now; if it is, it counts as sent. Metadata that changed is always
    /// due.
    pub fn take(&mut self, metadata: &Metadata) -> bool {
        let texts = [metadata.name, metadata.help, metadata.unit];
        let hashes = texts.map(|text| identity::hash(text).0);
        let key = hashes.iter().fold(metadata.kind as u64, |key, hash| identity::label(key, *hash));
        let is_due = self.sent.get(&key).is_none_or(|sent| {
            sent.payload != self.payload && self.now_ms.abs_diff(sent.at_ms) >= self.interval_ms
        });
        if is_due {
            if self.sent.len() >= FAMILIES_MAX {
                self.sent.clear();
            }
            self.sent.insert(key, Sent { payload: self.payload, at_ms: self.now_ms });
        }
        is_due
    }

    /// Forgets what was sent with the present payload, which is refused.
    pub fn undo_payload(&mut self) {
        self.sent.retain(|_, sent| sent.payload != self.payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::sink::MetricType;

    fn about(help: &'static str) -> Metadata<'static> {
        Metadata { name: b"x", kind: MetricType::Gauge, help: help.as_bytes(), unit: b"" }
    }

    #[test]
    fn once_in_a_payload_and_again_after_the_interval() {
        let mut schedule = MetadataSchedule::new(1000);
        schedule.begin_payload(5_000);
        assert!(schedule.take(&about("a")));
        assert!(!schedule.take(&about("a")));
        assert!(schedule.take(&about("b")), "changed");
        schedule.begin_payload(5_999);
        assert!(!schedule.take(&about("a")));
        schedule.begin_payload(6_000);
        assert!(schedule.take(&about("a")));
    }

    #[test]
    fn without_an_interval_every_payload_has_it() {
        let mut schedule = MetadataSchedule::new(0);
        for _ in 0..2 {
            schedule.begin_payload(5);
            assert!(schedule.take(&about("a")));
            assert!(!schedule.take(&about("a")));
        }
    }

    #[test]
    fn a_refused_payload_sent_nothing() {
        let mut schedule = MetadataSchedule::new(1000);
        schedule.begin_payload(5);
        assert!(schedule.take(&about("a")));
        schedule.undo_payload();
        schedule.begin_payload(6);
        assert!(schedule.take(&about("a")));
    }
}
