//! What a receiver of remote write 2.0 says that it stored (remote-write specification 2.0, "Required
//! Written Response Headers").

use super::answer::header;
use preamp_contract::{Response, Sent};

/// How much was stored of a request, by the header fields of the answer.
pub(super) struct Written {
    samples: u64,
    histograms: u64,
}

impl Written {
    /// Reads the fields. One that is missing beside another means that nothing was written; an answer
    /// with none of them does not come from a receiver of 2.0.
    pub(super) fn read(response: &Response) -> Option<Written> {
        let count = |kind: &str| {
            header(response, &["x-prometheus-remote-write-", kind, "-written"].concat())?.parse::<u64>().ok()
        };
        let [samples, histograms, exemplars] = ["samples", "histograms", "exemplars"].map(count);
        samples.or(histograms).or(exemplars)?;
        Some(Written { samples: samples.unwrap_or(0), histograms: histograms.unwrap_or(0) })
    }

    /// Whether all samples and histograms were stored. Exemplars do not count: receivers without
    /// storage for them leave them out, and no point is lost with them.
    pub(super) fn is_all_of(&self, sent: &Sent) -> bool {
        self.samples >= u64::from(sent.samples) && self.histograms >= u64::from(sent.histograms)
    }

    /// Whether no sample and no histogram was stored.
    pub(super) fn is_nothing(&self) -> bool {
        self.samples == 0 && self.histograms == 0
    }

    /// What was stored of what was sent, for a person.
    pub(super) fn describe(&self, sent: &Sent) -> String {
        format!(
            "{} of {} samples and {} of {} native histograms were stored",
            self.samples, sent.samples, self.histograms, sent.histograms
        )
    }
}
