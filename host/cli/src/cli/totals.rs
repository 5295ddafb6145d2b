//! What payloads came to, in numbers.

use super::words::Counted;
use preamp_contract::Acceptance;
use std::fmt;

/// Sums over all payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) payloads: u64,
    /// Data points that were translated.
    pub(super) points: u64,
    /// Data points that were not.
    pub(super) rejected_points: u64,
    /// Entries in the bodies; a series of several payloads counts in each.
    pub(super) series: u64,
    pub(super) samples: u64,
    /// Native histograms.
    pub(super) histograms: u64,
    pub(super) exemplars: u64,
    /// Request bodies.
    pub(super) batches: u64,
    /// Size of the bodies before compression, in bytes.
    pub(super) uncompressed_bytes: u64,
    /// Size of the bodies, in bytes.
    pub(super) compressed_bytes: u64,
}

impl Totals {
    /// Counts a payload.
    pub(super) fn add(&mut self, acceptance: &Acceptance) {
        self.payloads += 1;
        let Taken { points, rejected_points } = Taken::of(acceptance);
        self.points += points;
        self.rejected_points += rejected_points;
        for batch in &acceptance.batches {
            self.batches += 1;
            self.series += u64::from(batch.series);
            self.samples += u64::from(batch.samples);
            self.histograms += u64::from(batch.histograms);
            self.exemplars += u64::from(batch.exemplars);
            self.uncompressed_bytes += u64::from(batch.uncompressed_size);
            self.compressed_bytes += batch.body.len() as u64;
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { payloads, points, rejected_points, series, samples, .. } = *self;
        write!(f, "{}: {}", Counted(payloads, "payload"), Taken { points, rejected_points })?;
        write!(f, ", {}, {}", Counted(series, "series"), Counted(samples, "sample"))?;
        for (number, noun) in [(self.histograms, "native histogram"), (self.exemplars, "exemplar")] {
            if number > 0 {
                write!(f, ", {}", Counted(number, noun))?;
            }
        }
        Ok(())
    }
}

/// How many of all points were translated.
pub(super) struct Taken {
    pub(super) points: u64,
    pub(super) rejected_points: u64,
}

impl Taken {
    /// The points of a payload.
    pub(super) fn of(acceptance: &Acceptance) -> Taken {
        Taken {
            points: acceptance.accepted_points,
            rejected_points: acceptance.rejections.iter().map(|rejection| rejection.points).sum(),
        }
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Counted(self.points + self.rejected_points, "point");
        match self.rejected_points {
            0 => write!(f, "{all}"),
            _ => write!(f, "{} of {all}", self.points),
        }
    }
}
