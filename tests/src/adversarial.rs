//! Payloads made to cost too much: each family finds one thing that could grow faster than its input.
//!
//! A family makes a payload of about any size, always the same one, so that work and memory can be
//! looked at as the size doubles.

mod collisions;
mod json;
mod points;
mod structure;
mod wire;

pub use collisions::colliding_texts;

use preamp_core::types::Encoding;
use serde_json::{Value, json};

/// A way to make trouble.
pub struct Family {
    /// As in tables.
    pub name: &'static str,
    /// How its payloads are encoded.
    pub encoding: Encoding,
    /// Makes a payload of about so many bytes.
    pub make: fn(usize) -> Vec<u8>,
    /// What becomes of a large one.
    pub fate: Fate,
    options: fn() -> Value,
}

/// What becomes of a payload that is large enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is taken, though perhaps none of its points.
    Taken,
    /// It is refused because it expands too far.
    ExpandsTooFar,
    /// It is refused because it is not well formed.
    Malformed,
}

impl Family {
    /// The configuration of an exporter that has trouble with it.
    #[must_use]
    pub fn configuration(&self) -> String {
        let mut configuration = json!({
            "endpoint": "http://127.0.0.1:9090/api/v1/write",
            "profile": "prometheus",
            "max_sample_future_ms": 0,
        });
        if let (Value::Object(all), Value::Object(options)) = (&mut configuration, (self.options)()) {
            all.extend(options);
        }
        configuration.to_string()
    }
}

/// All of them.
#[must_use]
pub fn families() -> Vec<Family> {
    use Fate::{ExpandsTooFar, Malformed, Taken};
    let protobuf =
        |name, fate, make, options| Family { name, encoding: Encoding::Protobuf, make, fate, options };
    let json = |name, fate, make| Family { name, encoding: Encoding::Json, make, fate, options: plain };
    vec![
        protobuf("texts of one hash, 2.0", Taken, points::colliding_values, v2),
        protobuf("label names of one hash, 2.0", Taken, points::colliding_keys, v2_any_name),
        protobuf("deltas of one hash", Taken, points::colliding_deltas, accumulate),
        protobuf("long label, many buckets", ExpandsTooFar, points::long_label_of_buckets, plain),
        protobuf("long label, many buckets, 2.0", ExpandsTooFar, points::long_label_of_buckets, v2),
        protobuf("long label, many quantiles", ExpandsTooFar, points::long_label_of_quantiles, plain),
        protobuf(
            "long label, exponential buckets",
            ExpandsTooFar,
            points::long_label_of_exponential,
            classic,
        ),
        protobuf("long name, many points", ExpandsTooFar, points::long_name, plain),
        protobuf("long description, many points, 2.0", ExpandsTooFar, points::long_description, v2),
        protobuf(
            "long resource label, many points",
            ExpandsTooFar,
            points::long_resource_label,
            resource_labels,
        ),
        protobuf(
            "long resource label, rejected points",
            ExpandsTooFar,
            points::rejected_under_resource,
            resource_labels,
        ),
        protobuf("long scope label, many points", ExpandsTooFar, points::long_scope_label, plain),
        protobuf("long resource, many scopes", ExpandsTooFar, structure::scopes_of_long_resource, plain),
        protobuf(
            "long resource, scope info",
            ExpandsTooFar,
            structure::named_scopes_of_long_resource,
            scope_info,
        ),
        protobuf("empty resources", Taken, structure::empty_resources, plain),
        protobuf("resources with one attribute", Taken, structure::small_resources, resource_labels),
        protobuf("empty scopes", Taken, structure::empty_scopes, plain),
        protobuf("named scopes", Taken, structure::named_scopes, plain),
        protobuf("metrics without points", Taken, structure::empty_metrics, metadata),
        protobuf("described metrics", Taken, structure::described_metrics, metadata),
        protobuf("nested values", Taken, structure::nested_values, plain),
        protobuf("nested groups", Malformed, structure::nested_groups, plain),
        protobuf("maps of alike keys", Taken, structure::alike_keys, plain),
        protobuf("one attribute again and again", Taken, points::repeated_attribute, plain),
        protobuf("attributes of one label name", Taken, points::attributes_of_one_label, plain),
        protobuf("other attributes in each point", Taken, points::changing_keys, plain),
        protobuf("exemplar of many attributes", Taken, points::exemplar_attributes, v2),
        protobuf("many exemplars, many buckets", Taken, points::exemplars_of_buckets, plain),
        protobuf("sparse exponential buckets", Taken, points::sparse_exponential, plain),
        protobuf("sparse exponential deltas", Taken, points::sparse_exponential_deltas, accumulate),
        protobuf("a payload with its end cut off", Malformed, points::cut_off, plain),
        protobuf("newest points first", Taken, points::newest_first, plain),
        protobuf("newest points first, 2.0", Taken, points::newest_first, v2),
        protobuf("every partition in turn", Taken, points::every_partition, partitions),
        protobuf("every partition in turn, 2.0", Taken, points::every_partition, partitions_v2),
        json("JSON, nested arrays", Taken, json::nested_arrays),
        json("JSON, nested values", Taken, json::nested_values),
        json("JSON, a number of many digits", Malformed, json::digits_of_a_count),
        json("JSON, a double of many digits", Taken, json::digits_of_a_double),
        json("JSON, one name again and again", Taken, json::repeated_name),
        json("JSON, escapes", Taken, json::escapes),
        json("JSON, empty messages", Taken, json::empty_messages),
        json("JSON, a document that does not end", Malformed, json::cut_off),
    ]
}

fn plain() -> Value {
    json!({})
}

fn v2() -> Value {
    json!({"protobuf_message": "io.prometheus.write.v2.Request"})
}

fn v2_any_name() -> Value {
    json!({"protobuf_message": "io.prometheus.write.v2.Request", "translation_strategy": "NoTranslation"})
}

fn accumulate() -> Value {
    json!({"delta": "accumulate", "delta_max_series": 10_000_000})
}

fn classic() -> Value {
    json!({"exponential_histograms": "classic"})
}

fn resource_labels() -> Value {
    json!({"resource_to_telemetry_conversion": {"enabled": true}})
}

fn scope_info() -> Value {
    json!({"otel_scope_info": {"enabled": true}})
}

fn metadata() -> Value {
    json!({"send_metadata": true, "metadata_interval_ms": 60_000})
}

fn partitions() -> Value {
    json!({"partitions": 1024})
}

fn partitions_v2() -> Value {
    json!({"partitions": 1024, "protobuf_message": "io.prometheus.write.v2.Request"})
}

#[cfg(test)]
mod tests {
    use super::families;

    #[test]
    fn payloads_have_about_the_size_asked_for() {
        for family in families() {
            for bytes in [30_000, 120_000] {
                let made = (family.make)(bytes).len();
                assert!(
                    (bytes * 8 / 10..bytes * 12 / 10).contains(&made),
                    "{}: {made} of {bytes}",
                    family.name
                );
            }
        }
    }
}
