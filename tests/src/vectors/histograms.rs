//! Classic and exponential histograms.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::{Cumulative, Delta};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint, exemplar,
};
use serde_json::json;

use super::{Definition, of_metrics};
use crate::payloads::{RECENT_NS, START_NS, metric, text};

pub fn definitions() -> Vec<Definition> {
    let mut all = Vec::new();
    all.extend(classic().into_iter().flat_map(Definition::and_in_v2));
    all.extend(classic().into_iter().map(as_custom_buckets).flat_map(Definition::and_in_v2));
    all.extend(kept().into_iter().flat_map(Definition::and_in_v2));
    all.extend(layouts().into_iter().flat_map(Definition::and_in_v2));
    all.extend(exponential().into_iter().flat_map(Definition::and_in_v2));
    all
}

fn classic_point(bounds: &[f64], counts: &[u64]) -> HistogramDataPoint {
    HistogramDataPoint {
        start_time_unix_nano: START_NS,
        time_unix_nano: RECENT_NS,
        count: counts.iter().sum(),
        sum: Some(12.5),
        bucket_counts: counts.to_vec(),
        explicit_bounds: bounds.to_vec(),
        min: Some(0.1),
        max: Some(9.0),
        ..HistogramDataPoint::default()
    }
}

fn of_classic(name: &str, data_points: Vec<HistogramDataPoint>) -> Definition {
    let histogram = Histogram { data_points, aggregation_temporality: Cumulative as i32 };
    of_metrics(name, json!({}), vec![metric("x", "s", Data::Histogram(histogram))])
}

fn classic() -> Vec<Definition> {
    let one = |name: &str, point| of_classic(&format!("classic: {name}"), vec![point]);
    let usual = || classic_point(&[1.0, 2.5], &[3, 4, 5]);
    let attributed = |key: &str| vec![text(key, "attribute:no"), text("a", "b")];
    let exemplars = [0.5, 1.0, 2.0, 1e9, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let delta = Histogram { data_points: vec![usual()], aggregation_temporality: Delta as i32 };
    vec![
        one("usual", usual()),
        one("count is not the sum of the buckets", HistogramDataPoint { count: 20, ..usual() }),
        one("no sum", HistogramDataPoint { sum: None, ..usual() }),
        one("bounds without counts", classic_point(&[1.0, 2.5], &[])),
        one("counts without bounds", classic_point(&[], &[3])),
        one("more counts than bounds ask for", classic_point(&[1.0], &[1, 2, 3])),
        one("fewer counts than bounds", classic_point(&[1.0, 2.0, 3.0], &[1, 2])),
        one("nothing", HistogramDataPoint { sum: None, ..classic_point(&[], &[]) }),
        one("large and small bounds", classic_point(&[1e-5, 1e-7, 0.1, 1e6, 1e21, 123_456_789.125], &[1; 7])),
        one("negative bounds and zero", classic_point(&[f64::NEG_INFINITY, -1.5, -0.0, 5e-324], &[1; 5])),
        one("explicit infinite bound", classic_point(&[1.0, f64::INFINITY], &[2, 3])),
        one(
            "explicit infinite bound and a bucket behind it",
            classic_point(&[1.0, f64::INFINITY], &[2, 3, 4]),
        ),
        one("bound that is not a number", classic_point(&[1.0, f64::NAN], &[2, 3, 4])),
        one("equal bounds", classic_point(&[1.0, 1.0], &[2, 3, 4])),
        one("counts that overflow", classic_point(&[1.0, 2.0], &[u64::MAX / 2, u64::MAX / 2, 1])),
        one("no recorded value", HistogramDataPoint { flags: 1, ..usual() }),
        one("attribute le", HistogramDataPoint { attributes: attributed("le"), ..usual() }),
        one("attribute quantile", HistogramDataPoint { attributes: attributed("quantile"), ..usual() }),
        one("attribute __name__", HistogramDataPoint { attributes: attributed("__name__"), ..usual() }),
        one(
            "exemplar at an infinite bound",
            HistogramDataPoint {
                exemplars: vec![exemplar(f64::NEG_INFINITY)],
                ..classic_point(&[f64::NEG_INFINITY], &[1])
            },
        ),
        one("exemplars", HistogramDataPoint { exemplars: exemplars.map(exemplar).to_vec(), ..usual() }),
        one(
            "exemplars without buckets",
            HistogramDataPoint { exemplars: vec![exemplar(1.0)], ..classic_point(&[], &[]) },
        ),
        of_classic("classic: one series twice", vec![usual(), classic_point(&[1.0], &[1, 1])]),
        of_metrics("classic: delta", json!({}), vec![metric("x", "s", Data::Histogram(delta))]),
    ]
}

/// The same case, as a native histogram with custom buckets.
fn as_custom_buckets(mut definition: Definition) -> Definition {
    definition.name = definition.name.replace("classic", "custom buckets");
    definition.case.options.set("convert_explicit_histograms_to_nhcb", json!(true));
    definition
}

/// Classic histograms that stay beside native ones, and layouts of custom buckets.
fn kept() -> Vec<Definition> {
    let usual = || classic_point(&[1.0, 2.5], &[3, 4, 5]);
    let keep = |definition: Definition| {
        let mut definition = as_custom_buckets(definition);
        definition.name += ", kept";
        definition.case.options.set("keep_classic_histograms", json!(true));
        definition
    };
    let one = |name: &str, point| of_classic(&format!("classic: {name}"), vec![point]);
    let bounds: Vec<f64> = (1..=9).map(f64::from).collect();
    let layout = |counts: [u64; 10]| {
        as_custom_buckets(one(&format!("counts {counts:?}"), classic_point(&bounds, &counts)))
    };
    vec![
        keep(one("usual", usual())),
        keep(one("a bound that is not a number", classic_point(&[1.0, f64::NAN], &[2, 3, 4]))),
        keep(one(
            "exemplars",
            HistogramDataPoint { exemplars: [0.5, 1e9].map(exemplar).to_vec(), ..usual() },
        )),
        keep(one("no recorded value", HistogramDataPoint { flags: 1, ..usual() })),
        keep(one(
            "attribute le",
            HistogramDataPoint { attributes: vec![text("le", "attribute:no")], ..usual() },
        )),
        as_custom_buckets(one("equal bounds out of order", classic_point(&[2.0, 1.0, 2.0], &[3, 0, 0, 4]))),
        as_custom_buckets(one("bounds out of order", classic_point(&[2.0, 1.0], &[3, 1, 4]))),
        as_custom_buckets(one("count below the buckets", HistogramDataPoint { count: 2, ..usual() })),
        as_custom_buckets(one("2^53 + 1 observations", classic_point(&[1.0], &[1 << 53, 1]))),
        layout([0, 0, 1, 0, 0, 2, 0, 0, 0, 0]),
        layout([1, 0, 0, 0, 2, 0, 0, 0, 0, 3]),
        layout([0; 10]),
    ]
}

fn exemplar(value: f64) -> Exemplar {
    Exemplar {
        filtered_attributes: vec![text("user.id", "7")],
        time_unix_nano: RECENT_NS,
        trace_id: (1..=16).collect(),
        value: Some(exemplar::Value::AsDouble(value)),
        ..Exemplar::default()
    }
}

fn exponential_point(
    scale: i32,
    positive: Option<Buckets>,
    negative: Option<Buckets>,
) -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        attributes: vec![text("a", "b")],
        start_time_unix_nano: START_NS,
        time_unix_nano: RECENT_NS,
        count: 17,
        sum: Some(12.5),
        scale,
        zero_count: 2,
        positive,
        negative,
        ..ExponentialHistogramDataPoint::default()
    }
}

fn of_exponential(name: &str, data_points: Vec<ExponentialHistogramDataPoint>) -> Definition {
    let histogram = ExponentialHistogram { data_points, aggregation_temporality: Cumulative as i32 };
    of_metrics(name, json!({}), vec![metric("x", "s", Data::ExponentialHistogram(histogram))])
}

/// Counts, offset, and by how much the scale is above the largest schema.
const LAYOUTS: [(&[u64], i32, i32); 17] = [
    (&[4, 3, 2, 1], 0, 1),
    (&[0, 3, 4], 0, 0),
    (&[0, 0, 0, 0, 0, 7], 0, 0),
    (&[1, 0, 0, 0, 0], 0, 0),
    (&[0, 0, 0], 0, 0),
    (&[0, 0, 3, 4], 0, 1),
    (&[4, 2, 0, 2, 0, 0, 0, 0, 0, 0, 1, 1], 4, 1),
    (&[], 5, 0),
    (&[1], -1, 0),
    (&[1, 2, 3, 4], -3, 1),
    (&[1, 2, 3, 4, 5], -3, 2),
    (&[1, 0, 0, 1], 0, 0),
    (&[1, 0, 0, 0, 1], 0, 0),
    (&[1, 0, 0, 0, 0, 1, 0, 1], 100_000, 0),
    (&[5, 0, 7], -100_000, 12),
    (&[u64::MAX, 1, u64::MAX], 0, 0),
    (&[0, 1, 0, 1, 0, 1, 0, 1], 1, 1),
];

fn layouts() -> Vec<Definition> {
    let mut all = Vec::new();
    for (counts, offset, above) in LAYOUTS {
        let buckets = || Some(Buckets { offset, bucket_counts: counts.to_vec() });
        let other = || Some(Buckets { offset: 2, bucket_counts: vec![1, 0, 2] });
        let what = format!("{counts:?} at {offset}, scale {}", 8 + above);
        all.push(of_exponential(
            &format!("positive {what}"),
            vec![exponential_point(8 + above, buckets(), other())],
        ));
        all.push(of_exponential(
            &format!("negative {what}"),
            vec![exponential_point(8 + above, None, buckets())],
        ));
    }
    all
}

fn exponential() -> Vec<Definition> {
    let usual =
        |scale| exponential_point(scale, Some(Buckets { offset: 1, bucket_counts: vec![1, 2] }), None);
    let one = |name: &str, point| of_exponential(&format!("exponential: {name}"), vec![point]);
    let attributes = |key: &str| -> Vec<KeyValue> { vec![text(key, "attribute:no")] };
    let mut all: Vec<_> =
        [-5, -4, 0, 8, 9, 20].map(|scale| one(&format!("scale {scale}"), usual(scale))).into_iter().collect();
    all.extend([0.0, 0.5, 1e-128, -0.0].map(|zero_threshold| {
        one(
            &format!("zero threshold {zero_threshold:?}"),
            ExponentialHistogramDataPoint { zero_threshold, ..usual(3) },
        )
    }));
    all.extend([
        one("no sum", ExponentialHistogramDataPoint { sum: None, ..usual(3) }),
        one("no recorded value", ExponentialHistogramDataPoint { flags: 1, ..usual(3) }),
        one(
            "exemplars",
            ExponentialHistogramDataPoint { exemplars: [0.5, 1e9].map(exemplar).to_vec(), ..usual(3) },
        ),
        one(
            "attributes le and quantile",
            ExponentialHistogramDataPoint { attributes: attributes("le"), ..usual(3) },
        ),
        one(
            "attribute __name__",
            ExponentialHistogramDataPoint { attributes: attributes("__name__"), ..usual(3) },
        ),
        of_exponential("exponential: one of two refused", vec![usual(-5), usual(3)]),
        of_exponential("exponential: one series twice", vec![usual(3), usual(9)]),
    ]);
    all
}
