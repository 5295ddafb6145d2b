//! `_created` series, as the last version of the Collector's translator that had them wrote them.
//!
//! That version knows no scope labels, and names by older rules: so there is no scope here, and names
//! are plain.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::Cumulative;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, Summary, SummaryDataPoint,
};
use serde_json::json;

use super::{Definition, Judge, Vector, of_metrics};
use crate::canonical::Canonical;
use crate::differential::visit::each_point;
use crate::oracle::Oracle;
use crate::payloads::{RECENT_NS, START_NS, double_point, gauge, metric, sum, text};

/// Heading in `docs/differences.md`.
pub const EACH_POINT: &str = "Each point with a start has its _created";

pub fn definitions() -> Vec<Definition> {
    let number = |start_time_unix_nano, id: &str| NumberDataPoint {
        start_time_unix_nano,
        ..double_point(vec![text("id", id)], 1.0)
    };
    let counter = |points| sum("x", "s", points, Cumulative, true);
    let histogram = |start_time_unix_nano| {
        let point = HistogramDataPoint {
            start_time_unix_nano,
            time_unix_nano: RECENT_NS,
            count: 3,
            sum: Some(1.5),
            bucket_counts: vec![1, 2],
            explicit_bounds: vec![0.5],
            ..HistogramDataPoint::default()
        };
        let data = Histogram { data_points: vec![point], aggregation_temporality: Cumulative as i32 };
        metric("h", "s", Data::Histogram(data))
    };
    let summary = |start_time_unix_nano| {
        let point = SummaryDataPoint {
            start_time_unix_nano,
            time_unix_nano: RECENT_NS,
            count: 3,
            sum: 1.5,
            ..SummaryDataPoint::default()
        };
        metric("s", "s", Data::Summary(Summary { data_points: vec![point] }))
    };
    vec![
        created("counter", vec![counter(vec![number(START_NS, "1"), number(START_NS + 1_999_999, "2")])]),
        created("counter without start", vec![counter(vec![number(0, "1"), number(START_NS, "2")])]),
        created(
            "one counter twice",
            vec![counter(vec![number(START_NS, "1"), number(START_NS + 5_000_000, "1")])],
        ),
        created(
            "sum that is not monotonic",
            vec![sum("x", "s", vec![number(START_NS, "1")], Cumulative, false)],
        ),
        created("gauge", vec![gauge("x", "s", vec![number(START_NS, "1")])]),
        created("histogram", vec![histogram(START_NS)]),
        created("histogram without start", vec![histogram(0)]),
        created("summary", vec![summary(START_NS)]),
        created("summary without start", vec![summary(0)]),
    ]
}

fn created(name: &str, metrics: Vec<Metric>) -> Definition {
    let options = json!({ "export_created_metric": { "enabled": true }, "namespace": "ns" });
    Definition { judge: Judge::Created, ..of_metrics(&format!("_created: {name}"), options, metrics) }
}

/// Asks about the case, and about each point alone: where these differ, a point without start cost the
/// points behind it, or only the first point of a series has its `_created`.
pub fn answered(definition: &Definition, oracle: &mut dyn Oracle) -> anyhow::Result<Vector> {
    let answer = oracle.ask(&definition.case.question()?)?.sorted();
    let mut each = Canonical::default();
    let mut case = definition.case.clone();
    for metric in case.metrics_mut() {
        for alone in each_point(metric) {
            let mut question = definition.case.clone();
            question.metrics_mut().for_each(|metric| *metric = alone.clone());
            each.series.append(&mut oracle.ask(&question.question()?)?.series);
        }
    }
    let each = each.sorted();
    let differences = if each == answer { vec![] } else { vec![EACH_POINT.to_owned()] };
    Ok(definition.vector(answer, each, differences))
}
