//! What is known of a series.

use super::Window;
use super::exponential::Exponential;
use super::hash::SeriesId;
use crate::otlp::point::Number;

/// One series and its total so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub id: SeriesId,
    /// Since when the total counts, in nanoseconds since the epoch; 0 if that is not known.
    pub start: u64,
    /// The time of the last point, in nanoseconds since the epoch.
    pub last: u64,
    /// When the last point arrived, in milliseconds since the epoch.
    pub touched: u64,
    /// A hash of the last point, by which a repeated one is known.
    pub digest: u32,
    /// The number of the payload that had the last point.
    pub payload: u32,
    pub total: Total,
}

impl Series {
    /// A series of which nothing is known but its id.
    pub fn unknown(id: SeriesId) -> Series {
        Series { id, start: 0, last: 0, touched: 0, digest: 0, payload: 0, total: Total::Unknown }
    }

    /// Whether nothing was heard of it for longer than `max_idle_ms`, at `now` in milliseconds since the
    /// epoch.
    pub fn is_idle(&self, now: u64, max_idle_ms: u64) -> bool {
        now.saturating_sub(self.touched) > max_idle_ms
    }

    /// Moves on to the end of a window, and returns since when the total counts. A total that begins
    /// anew counts since the start of the window, or if that is not known, since the last point.
    pub fn advance(&mut self, window: Window, is_new: bool) -> u64 {
        if is_new {
            self.start = if window.start == 0 { self.last } else { window.start };
        }
        self.last = window.time;
        self.start
    }

    /// The total, if it is that of a classic histogram with these bounds and as many counts.
    pub fn histogram(&mut self, bounds: u64, counts: usize) -> Option<&mut Histogram> {
        match &mut self.total {
            Total::Histogram(total) if total.bounds == bounds && total.counts.len() == counts => Some(total),
            _ => None,
        }
    }
}

/// A total, by kind of metric.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Total {
    /// The series is known, but its total is not: it begins anew.
    Unknown,
    Number {
        total: Number,
        monotonic: bool,
    },
    Histogram(Box<Histogram>),
    Exponential(Box<Exponential>),
}

/// The total of a classic histogram.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    pub count: u64,
    pub sum: Option<f64>,
    /// A hash of the bounds. The bounds themselves come with every point.
    pub bounds: u64,
    pub counts: Box<[u64]>,
}
