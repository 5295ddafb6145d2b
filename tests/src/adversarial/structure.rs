//! Trouble around the points: resources, scopes, metrics, and values that nest.

use super::points::small_points;
use super::wire::{any_attribute, attribute, field, fixed, integer, metric, nest, push, request};
use crate::payloads::RECENT_NS;

const GAUGE: u64 = 5;

/// Fields of one number until there are so many bytes of them.
fn repeated(bytes: usize, number: u64, mut make: impl FnMut(usize) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes + 64);
    for index in 0.. {
        if out.len() >= bytes {
            break;
        }
        push(number, &make(index), &mut out);
    }
    out
}

/// A gauge with one point that has one attribute.
fn one_point() -> Vec<u8> {
    metric(b"m", GAUGE, &small_points(1))
}

pub fn empty_resources(bytes: usize) -> Vec<u8> {
    repeated(bytes, 1, |_| Vec::new())
}

/// Resources of one attribute, each with one point.
pub fn small_resources(bytes: usize) -> Vec<u8> {
    repeated(bytes, 1, |index| {
        let resource = field(1, &attribute(b"service.name", index.to_string().as_bytes()));
        [field(1, &resource), field(2, &field(2, &one_point()))].concat()
    })
}

pub fn empty_scopes(bytes: usize) -> Vec<u8> {
    field(1, &repeated(bytes, 2, |_| Vec::new()))
}

/// Scopes with a name, each with one point.
pub fn named_scopes(bytes: usize) -> Vec<u8> {
    field(1, &scopes(bytes))
}

fn scopes(bytes: usize) -> Vec<u8> {
    repeated(bytes, 2, |index| {
        let scope = field(1, format!("s{index}").as_bytes());
        [field(1, &scope), field(2, &one_point())].concat()
    })
}

/// Half of it is a resource, half of it are scopes with nothing in them.
pub fn scopes_of_long_resource(bytes: usize) -> Vec<u8> {
    let resource = field(1, &attribute(b"r", &vec![b'x'; bytes / 2]));
    let empty = repeated(bytes / 2, 2, |_| Vec::new());
    field(1, &[field(1, &resource), empty].concat())
}

/// The same with scopes that have a name and a point, under a `job` of that length.
pub fn named_scopes_of_long_resource(bytes: usize) -> Vec<u8> {
    let resource = field(1, &attribute(b"service.name", &vec![b'x'; bytes / 2]));
    field(1, &[field(1, &resource), scopes(bytes / 2)].concat())
}

pub fn empty_metrics(bytes: usize) -> Vec<u8> {
    let metrics = repeated(bytes, 2, |index| metric(index.to_string().as_bytes(), GAUGE, b""));
    field(1, &field(2, &metrics))
}

/// Metrics with a description, a unit and one point.
pub fn described_metrics(bytes: usize) -> Vec<u8> {
    let metrics = repeated(bytes, 2, |index| {
        let about = [field(2, format!("number {index}").as_bytes()), field(3, b"By")].concat();
        [metric(format!("m{index}").as_bytes(), GAUGE, &small_points(1)), about].concat()
    });
    field(1, &field(2, &metrics))
}

/// A request with one point, one attribute of which has this value, an `AnyValue`.
fn request_with_value(value: &[u8]) -> Vec<u8> {
    let mut point = [fixed(3, RECENT_NS), fixed(4, 0)].concat();
    push(7, &any_attribute(b"k", value), &mut point);
    request(&metric(b"m", GAUGE, &field(1, &point)))
}

/// Arrays in arrays, as deep as the bytes reach.
pub fn nested_values(bytes: usize) -> Vec<u8> {
    // `AnyValue.array_value`, `ArrayValue.values`; a level takes six to eight bytes.
    let levels = (bytes.saturating_sub(60)) / if bytes < 40_000 { 7 } else { 8 };
    request_with_value(&nest(b"", [5, 1].into_iter().cycle().take(2 * levels)))
}

/// Groups, which protobuf once had, as deep as the bytes reach.
pub fn nested_groups(bytes: usize) -> Vec<u8> {
    vec![0x0b; bytes]
}

/// A map in a map in a map, each with many keys that begin alike.
pub fn alike_keys(bytes: usize) -> Vec<u8> {
    let mut value = Vec::new();
    for _ in 0..3 {
        let entries = repeated(bytes / 3, 1, |index| {
            any_attribute(
                format!("{}{:06}", "x".repeat(200), index * 7919 % 100_003).as_bytes(),
                &integer(3, 1),
            )
        });
        let inner = field(1, &any_attribute(b"inner", &value));
        value = field(6, &[inner, entries].concat());
    }
    request_with_value(&value)
}
