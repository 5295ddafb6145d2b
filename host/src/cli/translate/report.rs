//! What became of all payloads together.

use crate::cli::words::Counted;
use preamp_host::capture::Place;
use preamp_host::component::{Acceptance, Rejection};
use std::fmt;

/// Counts over all payloads.
#[derive(Default)]
pub(super) struct Report {
    payloads: u64,
    accepted: u64,
    rejections: Vec<Rejected>,
    batches: u64,
    series: u64,
    samples: u64,
    uncompressed: u64,
    compressed: u64,
}

/// Points that were rejected for one reason.
pub(super) struct Rejected {
    /// All of them, with the first example.
    rejection: Rejection,
    /// The payload that the example is in.
    place: Place,
}

impl Report {
    /// Counts a payload.
    pub(super) fn add(&mut self, place: &Place, acceptance: &Acceptance) {
        self.payloads += 1;
        self.accepted += acceptance.accepted_points;
        for batch in &acceptance.batches {
            self.batches += 1;
            self.series += u64::from(batch.series);
            self.samples += u64::from(batch.samples);
            self.uncompressed += u64::from(batch.uncompressed_size);
            self.compressed += batch.body.len() as u64;
        }
        for rejection in &acceptance.rejections {
            let known = self.rejections.iter_mut().find(|known| known.rejection.reason == rejection.reason);
            match known {
                Some(known) => known.rejection.points += rejection.points,
                None => {
                    self.rejections.push(Rejected { rejection: rejection.clone(), place: place.clone() });
                }
            }
        }
    }

    /// What was rejected, in the order of the first examples.
    pub(super) fn rejections(&self) -> &[Rejected] {
        &self.rejections
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {}, {}, {}",
            Counted(self.payloads, "payload"),
            Counted(self.accepted, "point"),
            Counted(self.series, "series"),
            Counted(self.samples, "sample")
        )?;
        if self.batches > 0 {
            writeln!(
                f,
                "{} of {}, compressed {}",
                Counted(self.batches, "request body"),
                Counted(self.uncompressed, "byte"),
                Counted(self.compressed, "byte")
            )?;
        }
        for Rejected { rejection: Rejection { reason, points, example, remedy }, place } in &self.rejections {
            writeln!(f, "rejected {}: {reason}", Counted(*points, "point"))?;
            writeln!(f, "    {place}: {example}\n    {remedy}")?;
        }
        Ok(())
    }
}
