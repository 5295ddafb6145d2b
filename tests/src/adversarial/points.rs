//! Trouble at the points: labels, buckets, exemplars, times.

use super::collisions::{colliding_texts, colliding_values as values_of_colliding_series};
use super::wire::{attribute, field, fixed, integer, metric, push, request, request_of};
use crate::payloads::RECENT_NS;

/// Fields of `Metric`, and of the points of each kind that are not alike.
const GAUGE: u64 = 5;
const SUM: u64 = 7;
const HISTOGRAM: u64 = 9;
const EXPONENTIAL: u64 = 10;
const SUMMARY: u64 = 11;
const NUMBER_ATTRIBUTES: u64 = 7;
const NUMBER_EXEMPLARS: u64 = 5;
const HISTOGRAM_ATTRIBUTES: u64 = 9;
const HISTOGRAM_EXEMPLARS: u64 = 8;

const CUMULATIVE: u64 = 2;
const DELTA: u64 = 1;

/// A gauge point with one attribute, at a time before the usual one, in milliseconds.
fn gauge_point(key: &[u8], value: &[u8], before_ms: u64) -> Vec<u8> {
    let mut point = fixed(3, RECENT_NS - before_ms * 1_000_000);
    point.extend(fixed(4, 1f64.to_bits()));
    push(NUMBER_ATTRIBUTES, &attribute(key, value), &mut point);
    point
}

/// Points until there are so many bytes of them.
fn points(bytes: usize, mut make: impl FnMut(u64) -> Vec<u8>) -> Vec<u8> {
    let mut data = Vec::with_capacity(bytes + 64);
    for number in 0.. {
        if data.len() >= bytes {
            break;
        }
        push(1, &make(number), &mut data);
    }
    data
}

/// Small gauge points, each a series of its own.
pub(super) fn small_points(bytes: usize) -> Vec<u8> {
    points(bytes, |number| gauge_point(b"k", number.to_string().as_bytes(), 0))
}

fn long(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes]
}

pub fn colliding_values(bytes: usize) -> Vec<u8> {
    let mut texts = colliding_texts();
    let make = |_| gauge_point(b"k", &texts.next().unwrap_or_default(), 0);
    request(&metric(b"m", GAUGE, &points(bytes, make)))
}

pub fn colliding_keys(bytes: usize) -> Vec<u8> {
    let mut texts = colliding_texts();
    let make = |_| gauge_point(&texts.next().unwrap_or_default(), b"v", 0);
    request(&metric(b"m", GAUGE, &points(bytes, make)))
}

pub fn colliding_deltas(bytes: usize) -> Vec<u8> {
    let mut values = values_of_colliding_series(b"d_total", b"k");
    let make = |_| gauge_point(b"k", &values.next().unwrap_or_default(), 0);
    let data = [points(bytes, make), integer(2, DELTA), integer(3, 1)].concat();
    request(&metric(b"d", SUM, &data))
}

/// A histogram point: half of it is one label, half of it are buckets.
pub fn long_label_of_buckets(bytes: usize) -> Vec<u8> {
    let buckets = bytes / 2 / 16;
    let point = histogram_point(buckets, &attribute(b"k", &long(bytes / 2)), HISTOGRAM_ATTRIBUTES);
    request(&metric(b"m", HISTOGRAM, &[field(1, &point), integer(2, CUMULATIVE)].concat()))
}

fn histogram_point(buckets: usize, part: &[u8], part_field: u64) -> Vec<u8> {
    let bounds: Vec<u8> = (0..buckets).flat_map(|bound| (bound as f64).to_le_bytes()).collect();
    let counts = vec![0; 8 * (buckets + 1)];
    let mut point = [fixed(3, RECENT_NS), fixed(4, 0), fixed(5, 0)].concat();
    push(6, &counts, &mut point);
    push(7, &bounds, &mut point);
    if !part.is_empty() {
        push(part_field, part, &mut point);
    }
    point
}

pub fn long_label_of_quantiles(bytes: usize) -> Vec<u8> {
    let mut point = [fixed(3, RECENT_NS), fixed(4, 1), fixed(5, 0)].concat();
    push(7, &attribute(b"k", &long(bytes / 2)), &mut point);
    for number in 0..bytes / 2 / 20 {
        let quantile = 1.0 / (number + 1) as f64;
        push(6, &[fixed(1, quantile.to_bits()), fixed(2, 0)].concat(), &mut point);
    }
    request(&metric(b"m", SUMMARY, &field(1, &point)))
}

/// Exponential points, each with a label that is long for its buckets.
pub fn long_label_of_exponential(bytes: usize) -> Vec<u8> {
    let make = |number: u64| {
        let buckets = [integer(1, 0), field(2, &[1; 1000])].concat();
        let mut point = exponential_head();
        push(1, &attribute(b"k", &long(1000)), &mut point);
        push(1, &attribute(b"n", number.to_string().as_bytes()), &mut point);
        push(8, &buckets, &mut point);
        point
    };
    request(&metric(b"m", EXPONENTIAL, &[points(bytes, make), integer(2, CUMULATIVE)].concat()))
}

fn exponential_head() -> Vec<u8> {
    [fixed(3, RECENT_NS), fixed(4, 1), fixed(5, 0), integer(6, 0)].concat()
}

pub fn long_name(bytes: usize) -> Vec<u8> {
    request(&metric(&long(bytes / 2), GAUGE, &small_points(bytes / 2)))
}

pub fn long_description(bytes: usize) -> Vec<u8> {
    let metric = [metric(b"m", GAUGE, &small_points(bytes / 2)), field(2, &long(bytes / 2))].concat();
    request(&metric)
}

pub fn long_resource_label(bytes: usize) -> Vec<u8> {
    let resource = field(1, &attribute(b"r", &long(bytes / 2)));
    request_of(&resource, b"", &metric(b"m", GAUGE, &small_points(bytes / 2)))
}

/// Nothing comes of the points, but each has to be looked at with the labels of the resource.
pub fn rejected_under_resource(bytes: usize) -> Vec<u8> {
    let resource = field(1, &attribute(b"r", &long(bytes / 2)));
    let data = points(bytes / 2, |_| gauge_point(b"z", b"\xff", 0));
    request_of(&resource, b"", &metric(b"m", GAUGE, &data))
}

pub fn long_scope_label(bytes: usize) -> Vec<u8> {
    let scope = field(3, &attribute(b"s", &long(bytes / 2)));
    request_of(b"", &scope, &metric(b"m", GAUGE, &small_points(bytes / 2)))
}

/// One point.
fn point_of(bytes: usize, mut part: impl FnMut(usize) -> Vec<u8>) -> Vec<u8> {
    let mut point = [fixed(3, RECENT_NS), fixed(4, 0)].concat();
    for number in 0.. {
        if point.len() >= bytes {
            break;
        }
        point.extend(part(number));
    }
    request(&metric(b"m", GAUGE, &field(1, &point)))
}

pub fn repeated_attribute(bytes: usize) -> Vec<u8> {
    point_of(bytes, |number| field(NUMBER_ATTRIBUTES, &attribute(b"k", number.to_string().as_bytes())))
}

pub fn attributes_of_one_label(bytes: usize) -> Vec<u8> {
    // Runs of bad characters become one underscore.
    let keys = |number: usize| format!("a{}b", [".", "-", "/", ":"][number % 4].repeat(1 + number / 4 % 50));
    point_of(bytes, move |number| field(NUMBER_ATTRIBUTES, &attribute(keys(number).as_bytes(), b"v")))
}

pub fn changing_keys(bytes: usize) -> Vec<u8> {
    let make = |number: u64| gauge_point(format!("key{number}").as_bytes(), b"v", 0);
    request(&metric(b"m", GAUGE, &points(bytes, make)))
}

pub fn exemplar_attributes(bytes: usize) -> Vec<u8> {
    let mut exemplar = [fixed(2, RECENT_NS), fixed(3, 0)].concat();
    for number in 0.. {
        if exemplar.len() >= bytes {
            break;
        }
        push(7, &attribute(format!("{number:x}").as_bytes(), b"v"), &mut exemplar);
    }
    let point = [fixed(3, RECENT_NS), fixed(4, 0), field(NUMBER_EXEMPLARS, &exemplar)].concat();
    request(&metric(b"m", GAUGE, &field(1, &point)))
}

pub fn exemplars_of_buckets(bytes: usize) -> Vec<u8> {
    let buckets = bytes / 2 / 16;
    let mut point = histogram_point(buckets, b"", HISTOGRAM_ATTRIBUTES);
    for number in 0.. {
        if point.len() >= bytes {
            break;
        }
        let value = (number % buckets.max(1)) as f64;
        push(HISTOGRAM_EXEMPLARS, &[fixed(2, RECENT_NS), fixed(3, value.to_bits())].concat(), &mut point);
    }
    request(&metric(b"m", HISTOGRAM, &[field(1, &point), integer(2, CUMULATIVE)].concat()))
}

/// Every fifth bucket has something in it, so that each begins a span.
fn sparse_buckets(bytes: usize) -> Vec<u8> {
    let counts: Vec<u8> = [1, 0, 0, 0, 0].into_iter().cycle().take(bytes).collect();
    [integer(1, 1), field(2, &counts)].concat()
}

pub fn sparse_exponential(bytes: usize) -> Vec<u8> {
    let mut point = exponential_head();
    push(8, &sparse_buckets(bytes / 2), &mut point);
    push(9, &sparse_buckets(bytes / 2), &mut point);
    request(&metric(b"m", EXPONENTIAL, &[field(1, &point), integer(2, CUMULATIVE)].concat()))
}

/// Deltas of one series, each with buckets and a zero threshold that swallows some of them.
pub fn sparse_exponential_deltas(bytes: usize) -> Vec<u8> {
    let make = |number: u64| {
        let mut point = exponential_head();
        point[1..9].copy_from_slice(&(RECENT_NS + number).to_le_bytes());
        push(8, &sparse_buckets(160), &mut point);
        point.extend(fixed(14, ((number % 100) as f64).exp2().to_bits()));
        point
    };
    request(&metric(b"m", EXPONENTIAL, &[points(bytes, make), integer(2, DELTA)].concat()))
}

/// The last field is longer than what is left.
pub fn cut_off(bytes: usize) -> Vec<u8> {
    [&request(&metric(b"m", GAUGE, &small_points(bytes)))[..], b"\x0a\x7f"].concat()
}

pub fn newest_first(bytes: usize) -> Vec<u8> {
    let make = |number: u64| gauge_point(b"k", number.to_string().as_bytes(), number);
    request(&metric(b"m", GAUGE, &points(bytes, make)))
}

pub fn every_partition(bytes: usize) -> Vec<u8> {
    request(&metric(b"m", GAUGE, &small_points(bytes)))
}
