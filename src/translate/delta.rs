//! Delta points: turned into totals, if the configuration says so.

use super::family::Family;
use super::labels::PointLabels;
use super::reject::describe;
use super::rejections::{Reason, Rejections};
use crate::accumulate::{Accumulator, Refused, SeriesId, Window};
use crate::otlp::metric::Metric;
use crate::otlp::point::PointHead;
use preamp_contract::NANOS_PER_MILLI;

/// A delta point whose labels are known.
pub(super) struct Delta<'d> {
    pub family: &'d Family<'d>,
    pub name: &'d [u8],
    pub labels: &'d PointLabels<'d>,
    pub identity: u64,
    pub head: PointHead,
}

impl Delta<'_> {
    /// Adds the point up with `add`, which turns it into the total and returns the start of that.
    /// A point that ends its series ends the total. Returns the start, or `None` if the point was
    /// rejected.
    #[inline]
    pub fn accumulate(
        &self,
        totals: &mut Accumulator,
        rejections: &mut Rejections,
        add: impl FnOnce(&mut Accumulator, SeriesId, Window) -> Result<u64, Refused>,
    ) -> Option<u64> {
        let labels = self.labels.iter().map(|label| (label.name, label.value));
        let id = SeriesId::new(self.identity, self.name, labels);
        let window = Window { start: self.head.start, time: self.head.time };
        let added = if self.head.no_recorded_value {
            totals.end(id, window).map(|()| self.head.start)
        } else {
            add(totals, id, window)
        };
        added.map_err(|refused| reject(rejections, &self.family.metric, self.head.time, refused)).ok()
    }
}

fn reject(rejections: &mut Rejections, metric: &Metric, time: u64, refused: Refused) {
    let reason = match refused {
        Refused::OutOfOrder(_) => Reason::DeltaOutOfOrder,
        Refused::Overlap(_) => Reason::DeltaOverlap,
        Refused::Invalid(_) => Reason::InvalidDelta,
        Refused::SeriesLimit => Reason::DeltaSeriesLimit,
    };
    rejections.add(reason, 1, || {
        let what = match refused {
            Refused::OutOfOrder(last) => {
                let late_by = last.saturating_sub(time) / NANOS_PER_MILLI;
                format!("has a delta that is not newer than the last of its series, by {late_by} ms")
            }
            Refused::Overlap(_) => "has a delta that begins before the last of its series ended".to_owned(),
            Refused::Invalid(what) => format!("has a delta with {what}"),
            Refused::SeriesLimit => "has a delta of one series too many".to_owned(),
        };
        describe(metric, &what)
    });
}
