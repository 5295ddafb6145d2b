//! Which points are left out, and what is said about them.

use super::Walk;
use super::base::METRIC_NAME;
use super::expansion::{Expansion, TooFar};
use super::family::Family;
use super::labels::{LabelError, LabelFault, PointLabels};
use super::rejections::{Reason, Rejections};
use super::sink::Sink;
use super::time_ms;
use crate::config::PointLimits;
use crate::otlp::metric::Metric;
use crate::otlp::point::PointHead;

impl<S: Sink> Walk<'_, '_, S> {
    /// The time of a point in milliseconds, or `None` if the receiver would refuse it for its time.
    #[inline]
    pub(super) fn accept_time(&mut self, head: &PointHead, metric: &Metric) -> Option<i64> {
        if !is_in_nanoseconds(head.time) {
            self.reject_unit(head.time, metric);
            return None;
        }
        self.newest = self.newest.max(head.time);
        let time = time_ms(head.time);
        if time < self.oldest {
            let late_by = self.oldest.saturating_sub(time);
            self.gate.rejections.add(Reason::TooOld, 1, || {
                describe(metric, &format!("has a point {late_by} ms beyond the age the receiver takes"))
            });
            return None;
        }
        if time > self.newest_allowed {
            let early_by = time.saturating_sub(self.newest_allowed);
            self.gate.rejections.add(Reason::TooFarInTheFuture, 1, || {
                describe(metric, &format!("has a point {early_by} ms further ahead than the receiver takes"))
            });
            return None;
        }
        Some(time)
    }

    #[cold]
    fn reject_unit(&mut self, time: u64, metric: &Metric) {
        let Some(unit) = unit_of(time) else {
            let what = || describe(metric, "has a point that has no time");
            return self.gate.rejections.add(Reason::NoTime, 1, what);
        };
        let what = || describe(metric, &format!("has a point at {time}, which looks like {unit} since 1970"));
        self.gate.rejections.add(Reason::WrongTimeUnit, 1, what);
    }
}

/// Times from 2001 to 2286, in this unit.
const UNITS: [(&str, std::ops::Range<u64>); 3] = [
    ("seconds", 1_000_000_000..10_000_000_000),
    ("milliseconds", 1_000_000_000_000..10_000_000_000_000),
    ("microseconds", 1_000_000_000_000_000..10_000_000_000_000_000),
];

/// The unit that a time seems to have that is not in nanoseconds; `None` for 0.
fn unit_of(time: u64) -> Option<&'static str> {
    UNITS.into_iter().find(|(_, range)| range.contains(&time)).map(|(unit, _)| unit)
}

/// Whether a point has a time, and one that may be meant in nanoseconds.
#[inline]
pub(super) fn is_in_nanoseconds(time: u64) -> bool {
    // One comparison for nearly all of them.
    time >= 10_000_000_000_000_000 || time != 0 && unit_of(time).is_none()
}

/// What decides whether a point of a payload gets in, and counts those that do not.
pub(super) struct Gate {
    limits: PointLimits,
    /// The points that were left out.
    pub rejections: Rejections,
    /// How far the payload expands, rejected points included.
    pub expansion: Expansion,
}

impl Gate {
    /// A gate for a payload of so many bytes, as it was given.
    pub fn new(limits: PointLimits, payload: usize) -> Gate {
        Gate { limits, rejections: Rejections::default(), expansion: Expansion::new(payload) }
    }

    /// The labels of a point and the identity of its family with them; a point whose labels cannot be, or
    /// are more than the receiver takes, is counted, and has none.
    #[inline]
    pub fn admit<'p>(
        &mut self,
        labels: Result<(PointLabels<'p>, u64), LabelError>,
        family: &Family,
        name: &[u8],
    ) -> Result<Option<(PointLabels<'p>, u64)>, TooFar> {
        let (labels, identity) = match labels {
            Ok(labels) => labels,
            Err(error) => {
                self.expansion.bytes(error.bytes, family.metric.name)?;
                reject_labels(&mut self.rejections, &family.metric, &error.fault);
                return Ok(None);
            }
        };
        let limits = &self.limits;
        if (limits.max_labels.is_some() || limits.max_labels_bytes.is_some())
            && let Some(excess) = Excess::of(limits, &labels, name)
        {
            self.expansion.bytes(labels.bytes(), family.metric.name)?;
            self.rejections.add(Reason::LabelLimit, 1, || describe(&family.metric, &excess.text()));
            return Ok(None);
        }
        Ok(Some((labels, identity.wrapping_add(family.identity))))
    }
}

/// What is too much in the labels, counted with the metric name as a label.
enum Excess {
    Labels(u64),
    Bytes(u64),
}

impl Excess {
    fn of(limits: &PointLimits, labels: &PointLabels, name: &[u8]) -> Option<Excess> {
        let (count, bytes) = labels.size();
        let (count, bytes) = (count as u64 + 1, (bytes + METRIC_NAME.len() + name.len()) as u64);
        if limits.max_labels.is_some_and(|max| count > max) {
            return Some(Excess::Labels(count));
        }
        limits.max_labels_bytes.is_some_and(|max| bytes > max).then_some(Excess::Bytes(bytes))
    }

    fn text(&self) -> String {
        match self {
            Excess::Labels(count) => format!("has a point with {count} labels"),
            Excess::Bytes(bytes) => format!("has a point with labels of {bytes} bytes"),
        }
    }
}

fn reject_labels(rejections: &mut Rejections, metric: &Metric, fault: &LabelFault) {
    let reason = match fault {
        LabelFault::Name(_) => Reason::InvalidLabel,
        LabelFault::NotUtf8(_) => Reason::InvalidUtf8,
    };
    rejections.add(reason, 1, || {
        let what = match fault {
            LabelFault::Name(key) => format!("has the attribute key {:?}", shortened(key)),
            LabelFault::NotUtf8(name) => {
                format!("has a label value that is not UTF-8: {:?}", shortened(name))
            }
        };
        describe(metric, &what)
    });
}

/// A sentence about a metric for a rejection, bounded in size.
pub(super) fn describe(metric: &Metric, what: &str) -> String {
    format!("metric {:?} {what}", shortened(metric.name))
}

/// As much of the front of a text that may be anything as takes a hundred characters to show, escapes
/// included.
pub(super) fn shortened(text: &[u8]) -> String {
    const SHOWN_MAX: usize = 100;
    let text = String::from_utf8_lossy(text);
    let mut shown = 0;
    let too_much = text.char_indices().find(|(_, c)| {
        shown += c.escape_debug().len();
        shown > SHOWN_MAX
    });
    match too_much {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
