//! What becomes of points: histograms, labels, several batches and partitions, totals of deltas.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::Delta;
use opentelemetry_proto::tonic::metrics::v1::NumberDataPoint;
use serde_json::json;

use super::Case;
use super::recorder::{PROTOBUF, stored};
use super::senders::gzip;
use crate::payloads::{
    RECENT_NS, counter, distributions, gauge, integer_point, latencies, metrics, quantiles, requests, sum,
    text,
};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [kinds(), labels(), several()].into_iter().flatten().collect()
}

fn kinds() -> Vec<Case> {
    vec![
        Case::new("a classic histogram", json!({}), |recorder| {
            recorder.deliver(&latencies(2), &[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("native histograms", json!({}), |recorder| {
            recorder.deliver(&distributions(3), &[stored()])?.is(200, 3, 0, 0)
        }),
        Case::new("a summary", json!({}), |recorder| {
            recorder.deliver(&quantiles(2), &[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("metadata beside the series", json!({"send_metadata": true}), |recorder| {
            recorder.deliver(&requests(2), &[stored()])?.is(200, 2, 0, 0)?;
            recorder.deliver(&latencies(1), &[stored()])?.is(200, 1, 0, 0)
        }),
        Case::new("deltas, added up", json!({"delta": "accumulate"}), |recorder| {
            for (seconds, value) in [(2, 5), (1, 7)] {
                let point = NumberDataPoint {
                    start_time_unix_nano: RECENT_NS - (seconds + 1) * 1_000_000_000,
                    time_unix_nano: RECENT_NS - seconds * 1_000_000_000,
                    ..integer_point(vec![text("queue", "orders")], value)
                };
                let payload = metrics(vec![sum("orders", "", vec![point], Delta, true)]);
                recorder.deliver(&payload, &[stored()])?.is(200, 1, 0, 0)?;
            }
            Ok(())
        }),
    ]
}

fn labels() -> Vec<Case> {
    let options = json!({
        "namespace": "acme",
        "external_labels": {"cluster": "eu-1", "region": "eu-west-1"},
        "resource_to_telemetry_conversion": {"enabled": true},
        "target_info": {"enabled": true},
    });
    vec![
        Case::new("external labels, a namespace, resource attributes, target_info", options, |recorder| {
            recorder.deliver(&requests(2), &[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("labels and a name outside ASCII", json!({}), |recorder| {
            let point = integer_point(vec![text("stadt.größe", "Köln, 東京 🚀")], 1);
            let metrics = metrics(vec![gauge("température.air", "Cel", vec![point])]);
            recorder.deliver(&metrics, &[stored()])?.is(200, 1, 0, 0)
        }),
    ]
}

fn several() -> Vec<Case> {
    vec![
        Case::new(
            "several batches, one after the other",
            json!({"max_batch_size_bytes": 1_500}),
            |recorder| {
                let answers = vec![stored(); 5];
                recorder.deliver(&requests(14), &answers)?.is(200, 14, 0, 0)
            },
        ),
        Case::new("several partitions", json!({"partitions": 3}), |recorder| {
            recorder.deliver(&requests(9), &vec![stored(); 3])?.is(200, 9, 0, 0)
        }),
        Case::new("a body that is given by its digest", json!({}), |recorder| {
            let orders = (0..900).map(|order| integer_point(vec![text("order", &order.to_string())], order));
            let payload = metrics(vec![counter("orders", "", orders.collect())]);
            recorder.pass(&gzip(&payload)?, PROTOBUF, "gzip");
            recorder.bring_to_its_end(&[stored()])?.is(200, 900, 0, 0)
        }),
    ]
}
