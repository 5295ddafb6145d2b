//! What was learnt about the receiver from its answers.

use preamp_contract::{Batch, Protocol};

/// How long the size limit is believed, in milliseconds. Then twice as much is tried, since limits are
/// raised, too.
const SIZE_LIMIT_TTL: u64 = 10 * 60 * 1000;

/// Below this, a 413 is not about size.
const SIZE_LIMIT_MIN: u64 = 16 * 1024;

/// What all partitions of an exporter know of its receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receiver {
    /// The largest request, in bytes before compression, and when that was learnt.
    size_limit: Option<(u64, u64)>,
    is_v1_only: bool,
    /// How many answers showed that address and account are right.
    taken: u64,
}

impl Receiver {
    /// A request of this size was too large.
    pub(crate) fn refused_size(&mut self, bytes: u64, now: u64) {
        let known = self.size_limit.map_or(u64::MAX, |(limit, _)| limit);
        self.size_limit = Some((known.min(bytes / 2).max(SIZE_LIMIT_MIN), now));
    }

    /// The most to send at once, in bytes before compression.
    pub fn size_limit(&mut self, now: u64) -> u64 {
        match &mut self.size_limit {
            None => u64::MAX,
            Some((limit, since)) => {
                if now.saturating_sub(*since) > SIZE_LIMIT_TTL {
                    (*limit, *since) = (limit.saturating_mul(2), now);
                }
                *limit
            }
        }
    }

    /// Notes an answer that shows that address and account are right: something was taken, or series were refused in
    /// words that are known.
    pub(crate) fn has_taken(&mut self) {
        self.taken = self.taken.wrapping_add(1);
    }

    /// How many such answers there were.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Notes that the receiver takes only remote write 1.0; whether that is news. It stays so: asking again
    /// would cost a request now and then, and receivers are updated seldom.
    pub(crate) fn fall_back(&mut self) -> bool {
        !std::mem::replace(&mut self.is_v1_only, true)
    }

    /// Whether a batch has to be written as remote write 1.0 before it is sent.
    #[must_use]
    pub fn needs_downgrade(&self, batch: &Batch) -> bool {
        self.is_v1_only && batch.protocol == Protocol::RemoteWriteV2
    }
}
