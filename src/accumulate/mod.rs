//! Totals of what arrives as deltas.
//! (OpenTelemetry specification, "Metrics Data Model", section "Sums: Delta-to-Cumulative".)
//!
//! An [`Accumulator`] takes the decoded points of one payload after the other and gives back totals
//! since a start that stays the same. It is a function of the payloads and times it was given, in
//! their order, and [`Accumulator::snapshot`] holds all of its state.
//!
//! A point is refused rather than counted twice: one that is not newer than the last of its series, or
//! that reaches back before it. The very same point sent again, as a sender does that missed the
//! answer, gets the total it got before.

mod codec;
mod exponential;
mod hash;
mod journal;
mod number;
mod series;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;

pub use hash::SeriesId;

use crate::config::DeltaState;
use crate::otlp::exponential::{ExponentialBuckets, ExponentialPoint};
use crate::otlp::point::{Buckets, HistogramPoint, Number};
use exponential::Exponential;
pub(crate) use hash::Hash;
use journal::Journal;
use number::{add_sums, known};
use preamp_contract::{Instant, NANOS_PER_MILLI};
use series::{Histogram, Series, Total};
use table::Table;

/// The time that a delta covers, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// `start_time_unix_nano`; 0 if it is not known.
    pub start: u64,
    /// `time_unix_nano`.
    pub time: u64,
}

/// Why a point cannot be added to a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not newer than the last point of its series, whose time is given in nanoseconds since the
    /// Unix epoch.
    OutOfOrder(u64),
    /// Begins before the last point of its series, whose time is given likewise: what lies between
    /// would count twice.
    Overlap(u64),
    /// A value that would spoil the total; which is said.
    Invalid(&'static str),
    /// A new series, and there are as many as may be.
    SeriesLimit,
}

/// The state of all series.
#[derive(Debug)]
pub struct Accumulator {
    limits: DeltaState,
    table: Table,
    journal: Journal,
    /// The latest time given, in milliseconds since the epoch.
    now: u64,
    /// The number of the payload at hand.
    payload: u32,
    /// Until this time, in milliseconds since the epoch, there is nothing idle to look for.
    all_busy_until: u64,
}

impl Accumulator {
    /// Knows no series yet. A series that is not heard of for longer than the limit begins anew when it
    /// comes back.
    pub fn new(limits: DeltaState) -> Accumulator {
        Accumulator {
            limits,
            table: Table::default(),
            journal: Journal::default(),
            now: 0,
            payload: 0,
            all_busy_until: 0,
        }
    }

    /// Begins a payload that arrived at `now`. A clock that goes back stands still here.
    pub fn begin(&mut self, now: Instant) {
        self.now = self.now.max(now / NANOS_PER_MILLI);
        self.payload = self.payload.wrapping_add(1);
        self.journal.clear(self.now);
    }

    /// Undoes all that happened since [`begin`](Self::begin).
    pub fn roll_back(&mut self) {
        self.journal.undo(&mut self.table);
        self.all_busy_until = 0;
    }

    /// How many series are known.
    pub fn series(&self) -> usize {
        self.table.len()
    }

    /// Adds a point of a sum. Returns the total, and since when it counts: nanoseconds since the Unix
    /// epoch, 0 if that is not known.
    ///
    /// Integers add up exactly, as far as 64 bits reach.
    ///
    /// # Errors
    ///
    /// The point was not added.
    pub fn number(
        &mut self,
        id: SeriesId,
        window: Window,
        delta: Number,
        monotonic: bool,
    ) -> Result<(Number, u64), Refused> {
        if !delta.as_double().is_finite() {
            return Err(Refused::Invalid("a value that is no number"));
        }
        if monotonic && delta.is_negative() {
            return Err(Refused::Invalid("a negative value in a monotonic sum"));
        }
        let window = window.checked();
        let (series, again) = self.place(id, window, digest_of_number(window, delta))?;
        if again {
            return match series.total {
                Total::Number { total, .. } => Ok((total, series.start)),
                _ => Err(Refused::OutOfOrder(series.last)),
            };
        }
        let sum = match series.total {
            Total::Number { total, monotonic: kind } if kind == monotonic => total.plus(delta),
            _ => None,
        };
        let total = sum.unwrap_or(delta);
        series.total = Total::Number { total, monotonic };
        Ok((total, series.advance(window, sum.is_none())))
    }

    /// Adds a point of a classic histogram, and turns it into the total. Returns since when that
    /// counts: nanoseconds since the Unix epoch, 0 if it is not known.
    ///
    /// With other bounds than before the series begins anew. The sum is unknown from the first point
    /// on that does not tell it.
    ///
    /// # Errors
    ///
    /// The point was not added.
    pub fn histogram(
        &mut self,
        id: SeriesId,
        window: Window,
        point: &mut HistogramPoint,
        buckets: &mut Buckets,
    ) -> Result<u64, Refused> {
        point.sum = known(point.sum);
        let window = window.checked();
        let bounds = Hash::new().words(&buckets.bounds).finish();
        let digest = digest(window, 1)
            .word(bounds)
            .words(&buckets.counts)
            .word(point.count)
            .word(point.sum.map_or(u64::MAX, f64::to_bits));
        let (series, again) = self.place(id, window, digest.finish() as u32)?;
        if !again {
            let goes_on = series.histogram(bounds, buckets.counts.len()).is_some_and(|total| {
                for (total, delta) in total.counts.iter_mut().zip(&buckets.counts) {
                    *total = total.saturating_add(*delta);
                }
                total.count = total.count.saturating_add(point.count);
                total.sum = add_sums(total.sum, point.sum);
                true
            });
            if !goes_on {
                let counts = buckets.counts.as_slice().into();
                let total = Histogram { count: point.count, sum: point.sum, bounds, counts };
                series.total = Total::Histogram(Box::new(total));
            }
            series.advance(window, !goes_on);
        }
        let last = series.last;
        let start = series.start;
        let total = series.histogram(bounds, buckets.counts.len()).ok_or(Refused::OutOfOrder(last))?;
        buckets.counts.copy_from_slice(&total.counts);
        (point.count, point.sum) = (total.count, total.sum);
        Ok(start)
    }

    /// Adds a point of an exponential histogram, and turns it into the total. Returns since when that
    /// counts: nanoseconds since the Unix epoch, 0 if it is not known.
    ///
    /// The total has the lowest scale there was, or a lower one that keeps it within 160 buckets on
    /// each side, and the widest zero threshold.
    ///
    /// # Errors
    ///
    /// The point was not added.
    pub fn exponential(
        &mut self,
        id: SeriesId,
        window: Window,
        point: &mut ExponentialPoint,
        buckets: &mut ExponentialBuckets,
    ) -> Result<u64, Refused> {
        let mut delta = Exponential::take(point, buckets);
        let result = self.add_exponential(id, window.checked(), &mut delta);
        delta.give_back(point, buckets);
        result
    }

    fn add_exponential(
        &mut self,
        id: SeriesId,
        window: Window,
        delta: &mut Exponential,
    ) -> Result<u64, Refused> {
        delta.normalise().map_err(Refused::Invalid)?;
        let (series, again) = self.place(id, window, digest_of_exponential(window, delta))?;
        match &mut series.total {
            Total::Exponential(total) if again => {
                delta.copy(total);
                Ok(series.start)
            }
            _ if again => Err(Refused::OutOfOrder(series.last)),
            Total::Exponential(total) => {
                total.add(delta);
                delta.copy(total);
                Ok(series.advance(window, false))
            }
            _ => {
                series.total = Total::Exponential(Box::new(delta.clone()));
                Ok(series.advance(window, true))
            }
        }
    }

    /// Ends a series: its source says that there is no value any more. If it comes back, it begins
    /// anew.
    ///
    /// # Errors
    ///
    /// The series has a newer point.
    pub fn end(&mut self, id: SeriesId, window: Window) -> Result<(), Refused> {
        let Some(place) = self.table.find(id) else { return Ok(()) };
        let Some(series) = self.table.get_mut(place) else { return Ok(()) };
        if window.time <= series.last && !series.is_idle(self.now, self.limits.max_idle_ms) {
            return Err(Refused::OutOfOrder(series.last));
        }
        self.journal.changes(series);
        self.table.remove(id);
        Ok(())
    }

    /// The series of a point, and whether it has the point already. What it is going to be changed
    /// from is in the journal.
    fn place(&mut self, id: SeriesId, window: Window, digest: u32) -> Result<(&mut Series, bool), Refused> {
        let (now, payload) = (self.now, self.payload);
        let (place, again) = self.find_place(id, window, digest)?;
        let series = self.table.get_mut(place).ok_or(Refused::SeriesLimit)?;
        if !again {
            (series.touched, series.payload, series.digest) = (now, payload, digest);
        }
        Ok((series, again))
    }

    /// The place of the series in the table, and whether it has the point already.
    fn find_place(&mut self, id: SeriesId, window: Window, digest: u32) -> Result<(usize, bool), Refused> {
        let Some(place) = self.table.find(id) else {
            self.make_room()?;
            self.journal.added(id);
            return Ok((self.table.insert(Series::unknown(id)), false));
        };
        let (now, max_idle) = (self.now, self.limits.max_idle_ms);
        let Some(series) = self.table.get_mut(place) else { return Err(Refused::SeriesLimit) };
        if series.is_idle(now, max_idle) {
            self.journal.changes(series);
            *series = Series::unknown(id);
            return Ok((place, false));
        }
        let again = window.time == series.last && digest == series.digest;
        // Within one payload it is no repetition but two points that fall on one series.
        if again && series.payload != self.payload {
            return Ok((place, true));
        }
        if window.time <= series.last {
            return Err(Refused::OutOfOrder(series.last));
        }
        if window.start != 0 && window.start < series.last {
            return Err(Refused::Overlap(series.last));
        }
        if series.payload != self.payload {
            self.journal.changes(series);
        }
        Ok((place, false))
    }

    /// Makes room for a new series.
    fn make_room(&mut self) -> Result<(), Refused> {
        let at_limit = self.table.len() >= self.limits.max_series;
        if !at_limit && !self.table.is_full() {
            return Ok(());
        }
        if self.now > self.all_busy_until {
            let (now, max_idle) = (self.now, self.limits.max_idle_ms);
            let mut oldest = now;
            self.table.retain(|series| {
                let keeps = !series.is_idle(now, max_idle);
                if keeps {
                    oldest = oldest.min(series.touched);
                }
                keeps
            });
            self.all_busy_until = oldest.saturating_add(max_idle);
        }
        if self.table.len() >= self.limits.max_series {
            return Err(Refused::SeriesLimit);
        }
        Ok(())
    }
}

impl Window {
    /// A start after the end says nothing.
    fn checked(self) -> Window {
        Window { start: if self.start > self.time { 0 } else { self.start }, ..self }
    }
}

/// The part of a digest that all points share; `kind` tells apart which other parts follow.
fn digest(window: Window, kind: u64) -> Hash {
    Hash::new().word(kind).word(window.start).word(window.time)
}

fn digest_of_number(window: Window, delta: Number) -> u32 {
    let hash = match delta {
        Number::Int(value) => digest(window, 2).word(value.cast_unsigned()),
        Number::Double(value) => digest(window, 3).word(value.to_bits()),
    };
    hash.finish() as u32
}

fn digest_of_exponential(window: Window, point: &Exponential) -> u32 {
    let Exponential { scale, zero_threshold, zero_count, count, sum, positive, negative } = point;
    let hash = digest(window, 4)
        .word(i64::from(*scale).cast_unsigned())
        .word(zero_threshold.to_bits())
        .word(*zero_count)
        .word(*count)
        .word(sum.map_or(u64::MAX, f64::to_bits));
    let sides = [positive, negative].into_iter();
    let hash =
        sides.fold(hash, |hash, side| hash.word(i64::from(side.offset).cast_unsigned()).words(&side.counts));
    hash.finish() as u32
}
