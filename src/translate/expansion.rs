//! How far the series of a payload may go beyond its own size.
//!
//! Labels are repeated: those of a point in each of its series, those of resource and scope in each
//! point. So a small payload can stand for a thousand times its size, and would take all memory and
//! time there is. What is repeated is counted each time, before anything of it is written, and a
//! payload with which that goes too far is refused as a whole.
//!
//! Series are counted with all they say, as remote write 1.0 has it, so that a batch of 2.0, in which
//! each text stands once, expands no further when it is written as 1.0 or shown. Labels of points that
//! are rejected count too, for they were looked at; so does a resource for each of its scopes.

use super::labels::{LabelOrigin, PointLabels};
use super::reject::shortened;
use super::sink::NativeHistogram;

/// A payload may come to [`SPARE_BYTES`] and so many times its size.
///
/// That is twice what real ones come to: a histogram of 16 buckets has 18 series, whose labels, with
/// 2 KiB of resource attributes among them, come to 120 times the 325 bytes of the point.
pub const MULTIPLE: u64 = 256;

/// Small payloads may go further: a point that is sent alone pays for all of its resource.
pub const SPARE_BYTES: u64 = 4 << 20;

/// After compression a payload may come to so many bytes, and so many times its size. What real ones come to is less
/// than their size.
const PACKED_SPARE_BYTES: u64 = 4 << 20;
const PACKED_MULTIPLE: u64 = 16;

/// Snappy compresses blocks of 64 KiB, each by itself. A repeated series is written out once in each block, so the
/// longer it is, the larger the part of it that stays.
const BLOCK_BITS: u32 = 16;

/// What a label takes besides its name and its value.
pub(super) const LABEL_BYTES: usize = 8;

/// What a series takes at most besides its labels: its sample, and what stands around it all.
const SERIES_BYTES: usize = 64;

/// The count for one payload.
#[derive(Debug)]
pub(super) struct Expansion {
    payload: u64,
    limit: u64,
    /// Never less than what is written.
    pub spent: u64,
    packed_limit: u64,
    packed: u64,
    series: u64,
    scopes: u64,
    /// Why the payload is refused, once it is.
    pub reason: String,
}

/// A payload expands too far; [`Expansion::reason`] says how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooFar;

/// Series of one point, of which `texts` are all names and values that only one of them has.
pub(super) struct Repeated<'r> {
    /// As the sender knows it.
    pub metric: &'r [u8],
    /// As Prometheus does.
    pub name: &'r [u8],
    /// What each series says of its family.
    pub about: usize,
    pub labels: &'r PointLabels<'r>,
    pub series: usize,
    pub texts: usize,
}

impl Expansion {
    /// Begins a payload of so many bytes, as it was given.
    pub fn new(payload: usize) -> Expansion {
        let payload = payload as u64;
        let limit = SPARE_BYTES.saturating_add(payload.saturating_mul(MULTIPLE));
        let packed_limit = PACKED_SPARE_BYTES.saturating_add(payload.saturating_mul(PACKED_MULTIPLE));
        Expansion {
            payload,
            limit,
            spent: 0,
            packed_limit,
            packed: 0,
            series: 0,
            scopes: 0,
            reason: String::new(),
        }
    }

    /// Counts the series of a point.
    #[inline]
    pub fn series(&mut self, point: &Repeated) -> Result<(), TooFar> {
        let each = point.labels.bytes() + point.name.len() + point.about + SERIES_BYTES;
        self.series += point.series as u64;
        self.spent += each as u64 * point.series as u64 + point.texts as u64;
        self.packed += packed_bytes(each as u64) * point.series as u64;
        if self.spent > self.limit || self.packed > self.packed_limit {
            return Err(self.refuse_series(point));
        }
        Ok(())
    }

    /// Counts what a metric says besides.
    #[inline]
    pub fn bytes(&mut self, bytes: usize, metric: &[u8]) -> Result<(), TooFar> {
        self.spent += bytes as u64;
        if self.spent > self.limit {
            return Err(self.refuse_metric(metric));
        }
        Ok(())
    }

    /// Counts a scope, with which its resource is looked at again.
    pub fn scope(&mut self, resource: usize, scope: usize) -> Result<(), TooFar> {
        self.scopes += 1;
        self.spent += (resource + scope) as u64;
        if self.spent > self.limit {
            let what = format!("a resource of {resource} bytes, repeated for one of {} scopes,", self.scopes);
            return Err(self.refuse(&what, "give the resource fewer or shorter attributes, "));
        }
        Ok(())
    }

    #[cold]
    fn refuse_metric(&mut self, metric: &[u8]) -> TooFar {
        self.refuse(&format!("metric {:?}", shortened(metric)), "")
    }

    #[cold]
    fn refuse_series(&mut self, point: &Repeated) -> TooFar {
        let Repeated { metric, name, about, labels, series, .. } = point;
        let longest = labels.longest();
        let repeated = match longest {
            _ if *about > longest.map_or(0, |longest| longest.bytes) => {
                format!("its description and unit ({about} bytes)")
            }
            Some(longest) if longest.bytes > name.len() => format!(
                "its label {:?} ({} bytes, from {})",
                shortened(longest.name),
                longest.bytes,
                longest.origin.text()
            ),
            _ => format!("its name ({} bytes)", name.len()),
        };
        let what = format!(
            "metric {:?}, {series} series of one point, {} of the payload so far, each with {repeated},",
            shortened(metric),
            self.series,
        );
        let remedy = match longest.map(|longest| longest.origin) {
            Some(LabelOrigin::Resource) => {
                "promote fewer resource attributes (resource_to_telemetry_conversion, resource_constant_labels), "
            }
            Some(LabelOrigin::Above) => {
                "shorten the attributes of resource and scope, set disable_scope_info, "
            }
            _ => "shorten what is repeated, ",
        };
        self.refuse(&what, remedy)
    }

    fn refuse(&mut self, what: &str, remedy: &str) -> TooFar {
        let (of, limit, multiple, spare) = if self.packed > self.packed_limit {
            ("compressed series", self.packed_limit, PACKED_MULTIPLE, PACKED_SPARE_BYTES)
        } else {
            ("series", self.limit, MULTIPLE, SPARE_BYTES)
        };
        self.reason = format!(
            "{what} comes to more than {limit} bytes of {of}: a payload of {} bytes may come to \
             {multiple} times its size and {} MiB; {remedy}send fewer buckets, or smaller payloads",
            self.payload,
            spare >> 20,
        );
        TooFar
    }
}

/// About how many bytes compression leaves of a repeated series of so many bytes.
#[inline]
fn packed_bytes(series: u64) -> u64 {
    (series.saturating_mul(series) >> BLOCK_BITS).min(series)
}

/// What a native histogram takes at most, besides its series.
pub(super) fn native_bytes(histogram: &NativeHistogram) -> usize {
    const HEAD: usize = 96;
    const SPAN: usize = 16;
    const DELTA: usize = 10;
    let sides = [&histogram.positive, &histogram.negative];
    let buckets = sides.map(|side| SPAN * side.spans.len() + DELTA * side.deltas.len());
    HEAD + buckets.iter().sum::<usize>() + 8 * histogram.custom_values.len()
}
