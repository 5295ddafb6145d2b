//! What became of all payloads together.

use crate::capture::CapturePlace;
use crate::cli::totals::Totals;
use crate::cli::words::Counted;
use preamp_base::printable::Line;
use preamp_contract::{Acceptance, Rejection};
use serde_json::{Value, json};
use std::fmt;

/// What becomes of native histograms at AMP (AWS Cloud Operations Blog, "Introducing native histogram support in Amazon
/// Managed Service for Prometheus"; user guide, "Use CloudWatch metrics to monitor AMP resources").
pub(super) const NATIVE_AT_AMP: &str = "\
note: AMP stores native histograms with scale -4 to 8; of those with too many buckets it lowers the resolution. With \
exponential_histograms: classic they are sent as classic ones.";

/// Counts and rejections of all payloads.
#[derive(Default)]
pub(super) struct Report {
    totals: Totals,
    rejections: Vec<Rejected>,
}

/// Points that were rejected for one reason.
pub(super) struct Rejected {
    /// All of them, with the first example.
    rejection: Rejection,
    /// The payload that the example is in.
    place: CapturePlace,
}

impl Report {
    /// Counts a payload.
    pub(super) fn add(&mut self, place: &CapturePlace, acceptance: &Acceptance) {
        self.totals.add(acceptance);
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

    /// Whether there are native histograms, which not every receiver takes.
    pub(super) fn has_native_histograms(&self) -> bool {
        self.totals.histograms > 0
    }

    /// What was rejected, in the order of the first examples.
    pub(super) fn rejections(&self) -> &[Rejected] {
        &self.rejections
    }

    /// The sizes of the bodies, where they are those that would be sent.
    pub(super) fn sizes(&self) -> String {
        let Totals { batches, uncompressed_bytes, compressed_bytes, .. } = self.totals;
        format!(
            "{} of {}, compressed {}\n",
            Counted(batches, "request body"),
            Counted(uncompressed_bytes, "byte"),
            Counted(compressed_bytes, "byte")
        )
    }

    /// The rejections and the totals as JSON objects.
    pub(super) fn to_json(&self) -> impl Iterator<Item = Value> {
        let Totals { payloads, points, rejected_points, series, samples, histograms, exemplars, .. } =
            self.totals;
        let total = json!({ "total": {
            "payloads": payloads,
            "points": points,
            "rejected_points": rejected_points,
            "series": series,
            "samples": samples,
            "native_histograms": histograms,
            "exemplars": exemplars,
        }});
        self.rejections.iter().map(Rejected::to_json).chain([total])
    }
}

impl Rejected {
    fn to_json(&self) -> Value {
        let Rejected { rejection, place } = self;
        json!({ "rejection": {
            "reason": rejection.reason,
            "points": rejection.points,
            "example": rejection.example,
            "example_in": place.to_string(),
            "remedy": rejection.remedy,
        }})
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.totals)?;
        for Rejected { rejection: Rejection { reason, points, example, remedy, .. }, place } in
            &self.rejections
        {
            match points {
                0 => writeln!(f, "left out: {reason}")?,
                _ => writeln!(f, "rejected {}: {reason}", Counted(*points, "point"))?,
            }
            writeln!(f, "    {}: {}\n    {}", Line(place), Line(example), Line(remedy))?;
        }
        Ok(())
    }
}
