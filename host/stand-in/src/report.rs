//! What a stand-in counted.

use std::collections::{BTreeMap, VecDeque};

/// Counters since the start. Every sample of a verified, readable request that met no fault is in exactly one of
/// `samples_stored`, `samples_repeated` and `samples_refused`; a native histogram is one sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Requests that arrived, those that met a fault included.
    pub requests: u64,
    /// Requests whose signature was right. Zero for a stand-in that does not check.
    pub verified: u64,
    /// Requests whose signature was wrong or missing.
    pub unverified: u64,
    /// Requests whose signature was right, by access key id.
    pub verified_by: BTreeMap<String, u64>,
    /// Requests that were not let in, by the access key id that they claim, if they do.
    pub unverified_by: BTreeMap<String, u64>,
    /// Requests by the status they were answered with.
    pub answers: BTreeMap<u16, u64>,
    /// Faults that were played, by [`crate::Fault::name`].
    pub faults: BTreeMap<&'static str, u64>,
    /// Bytes of the bodies answered with 2xx, as they arrived.
    pub body_bytes: u64,
    /// The same bodies, decompressed.
    pub uncompressed_bytes: u64,
    /// New samples. With an upstream: samples the upstream answered 2xx for, repeated ones included.
    pub samples_stored: u64,
    /// Samples that were known already, with the same value.
    pub samples_repeated: u64,
    /// Samples refused for good, by reason.
    pub samples_refused: BTreeMap<&'static str, u64>,
    /// Metadata entries in bodies answered with 2xx.
    pub metadata: u64,
    /// Exemplars that came with series that passed. They are ignored, as by a Cortex without room for them: AMP says
    /// that it does not support them, but not what it does when they come.
    pub exemplars_ignored: u64,
    /// Series that samples are kept of.
    pub series: u64,
    /// The latest few answers that were not 2xx, status and text, for a person.
    pub latest_errors: VecDeque<String>,
}

impl Report {
    /// Samples refused for good, of all reasons.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.samples_refused.values().sum()
    }

    pub(crate) fn note_error(&mut self, status: u16, text: &str) {
        const KEPT: usize = 16;
        if self.latest_errors.len() == KEPT {
            self.latest_errors.pop_front();
        }
        let shortened: String = text.chars().take(300).collect();
        self.latest_errors.push_back(format!("{status} {shortened}"));
    }
}
