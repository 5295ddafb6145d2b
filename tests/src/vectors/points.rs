//! Values, times, flags and exemplars; gauges, sums and summaries.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::{Cumulative, Delta, Unspecified};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Metric, NumberDataPoint, Summary, SummaryDataPoint, exemplar,
};
use serde_json::json;

use super::{Definition, of_metrics};
use crate::payloads::{RECENT_NS, START_NS, double_point, gauge, integer_point, metric, sum, text};

pub fn definitions() -> Vec<Definition> {
    let mut all = Vec::new();
    all.extend(values());
    all.extend(times());
    all.extend(exemplars().into_iter().flat_map(Definition::and_in_v2));
    all.extend(summaries().into_iter().flat_map(Definition::and_in_v2));
    all.extend(metadata().into_iter().flat_map(Definition::and_in_v2));
    all.extend(refused().into_iter().flat_map(Definition::and_in_v2));
    all
}

fn one(name: &str, point: NumberDataPoint) -> Definition {
    of_metrics(name, json!({}), vec![gauge("x", "", vec![point])])
}

fn values() -> Vec<Definition> {
    let quiet = f64::from_bits(0x7ff8_0000_0000_1234);
    let flagged = |flags| NumberDataPoint { flags, ..double_point(vec![], 5.0) };
    vec![
        one("value 0", double_point(vec![], 0.0)),
        one("value -0", double_point(vec![], -0.0)),
        one("value NaN with a payload", double_point(vec![], quiet)),
        one("value +Inf", double_point(vec![], f64::INFINITY)),
        one("value as integer", integer_point(vec![], 9_007_199_254_740_993)),
        one("value as least integer", integer_point(vec![], i64::MIN)),
        one("no value", NumberDataPoint { value: None, ..double_point(vec![], 0.0) }),
        one("no recorded value", flagged(1)),
        one("no recorded value and an unknown flag", flagged(3)),
        one("an unknown flag", flagged(2)),
        of_metrics(
            "no recorded value of a sum",
            json!({}),
            vec![sum("x", "", vec![flagged(1)], Cumulative, true)],
        ),
        of_metrics(
            "one series twice",
            json!({}),
            vec![gauge("x", "", vec![double_point(vec![], 2.0), double_point(vec![], 1.0)])],
        ),
        of_metrics(
            "one series of two metrics",
            json!({}),
            vec![
                gauge("x.y", "", vec![double_point(vec![], 2.0)]),
                sum("x_y", "", vec![double_point(vec![], 1.0)], Cumulative, false),
            ],
        ),
    ]
}

fn times() -> Vec<Definition> {
    let nanos = [
        0,
        1,
        999_999,
        1_000_000,
        1_999_999,
        i64::MAX as u64,
        i64::MAX as u64 + 1,
        u64::MAX,
        u64::MAX - 999_999,
    ];
    let at = |time_unix_nano: u64| NumberDataPoint { time_unix_nano, ..double_point(vec![], 1.0) };
    let mut all: Vec<_> = nanos.iter().map(|time| one(&format!("time of {time} ns"), at(*time))).collect();
    let starts = [0, 1_999_999, RECENT_NS + 1].map(|start_time_unix_nano| {
        let point = NumberDataPoint { start_time_unix_nano, ..double_point(vec![], 1.0) };
        let name = format!("start of {start_time_unix_nano} ns");
        of_metrics(&name, json!({}), vec![sum("x", "", vec![point], Cumulative, true)]).and_in_v2()
    });
    all.extend(starts.into_iter().flatten());
    let long = double_point(vec![text("long", &"v".repeat(2_000))], 1.0);
    all.push(of_metrics(
        "first series larger than a batch",
        json!({ "max_batch_size_bytes": 1024 }),
        vec![gauge("x", "", vec![long, double_point(vec![], 2.0)])],
    ));
    all.push(of_metrics(
        "later point first",
        json!({}),
        vec![gauge("x", "", vec![at(RECENT_NS), at(RECENT_NS - 5_000_000_000)])],
    ));
    all
}

fn exemplar(attributes: Vec<KeyValue>, value: Option<exemplar::Value>) -> Exemplar {
    Exemplar {
        filtered_attributes: attributes,
        time_unix_nano: RECENT_NS + 999_999,
        span_id: (1..=8).collect(),
        trace_id: (1..=16).collect(),
        value,
    }
}

fn exemplars() -> Vec<Definition> {
    let some = |attributes| exemplar(attributes, Some(exemplar::Value::AsDouble(0.5)));
    let number = |exemplars: Vec<Exemplar>| NumberDataPoint { exemplars, ..double_point(vec![], 1.0) };
    let counter = |name: &str, exemplars| {
        of_metrics(name, json!({}), vec![sum("x", "", vec![number(exemplars)], Cumulative, true)])
    };
    // The ids take 63 characters with their names, and the key one.
    let long = |characters: usize| some(vec![text("k", &"é".repeat(characters))]);
    vec![
        counter("exemplar of a counter", vec![some(vec![text("z.y", "1"), text("a", "2")])]),
        counter("exemplar of 128 characters", vec![long(64)]),
        counter("exemplar of 129 characters", vec![long(65)]),
        counter("exemplar without a value", vec![exemplar(vec![], None), some(vec![])]),
        counter("exemplar of an integer", vec![exemplar(vec![], Some(exemplar::Value::AsInt(-3)))]),
        counter(
            "exemplar with ids of zeros",
            vec![Exemplar {
                span_id: vec![0; 8],
                trace_id: vec![0; 16],
                ..some(vec![text("trace_id", "t")])
            }],
        ),
        counter(
            "exemplar with ids as attributes too",
            vec![some(vec![text("trace_id", "t"), text("span_id", "s")])],
        ),
        counter("exemplar before 1970", vec![Exemplar { time_unix_nano: u64::MAX - 1, ..some(vec![]) }]),
        counter("exemplar with an empty attribute", vec![some(vec![text("k", ""), text("_", "é")])]),
        of_metrics("exemplar of a gauge", json!({}), vec![gauge("x", "", vec![number(vec![some(vec![])])])]),
        of_metrics(
            "exemplar of a sum that is not monotonic",
            json!({}),
            vec![sum("x", "", vec![number(vec![some(vec![])])], Cumulative, false)],
        ),
        of_metrics(
            "two exemplars",
            json!({}),
            vec![sum("x", "", vec![number(vec![some(vec![]), some(vec![])])], Cumulative, true)],
        ),
    ]
}

fn summaries() -> Vec<Definition> {
    let quantile = |(quantile, value): &(f64, f64)| ValueAtQuantile { quantile: *quantile, value: *value };
    let of = |name: &str, attributes: Vec<KeyValue>, flags, quantiles: &[(f64, f64)]| {
        let point = SummaryDataPoint {
            attributes,
            start_time_unix_nano: START_NS,
            time_unix_nano: RECENT_NS,
            count: 7,
            sum: 2.5,
            quantile_values: quantiles.iter().map(quantile).collect(),
            flags,
        };
        let summary = Summary { data_points: vec![point] };
        of_metrics(name, json!({}), vec![metric("x", "s", Data::Summary(summary))])
    };
    let usual = [(0.0, 0.1), (0.5, 1.0), (0.99, f64::NAN), (1.0, 1e300)];
    vec![
        of("summary", vec![text("a", "b")], 0, &usual),
        of("summary without quantiles", vec![], 0, &[]),
        of("summary without recorded value", vec![], 1, &usual),
        of(
            "summary of odd quantiles",
            vec![],
            0,
            &[(1e-7, 1.0), (1e21, 2.0), (f64::NAN, 3.0), (-0.0, 4.0), (f64::INFINITY, 5.0)],
        ),
        of("summary with a quantile twice", vec![], 0, &[(0.5, 1.0), (0.5, 2.0)]),
        of(
            "summary with an attribute quantile",
            vec![text("quantile", "attribute:no"), text("le", "1")],
            0,
            &usual,
        ),
        of("summary with an attribute __name__", vec![text("__name__", "attribute:no")], 0, &usual),
    ]
}

fn metadata() -> Vec<Definition> {
    let one = || vec![double_point(vec![], 1.0)];
    let typed = |name: &str, metric: Metric, prometheus_type: &str| {
        let metadata = vec![text("prometheus.type", prometheus_type)];
        of_metrics(name, json!({ "send_metadata": true }), vec![Metric { metadata, ..metric }])
    };
    let up_down = || sum("x", "{thing}/s", one(), Cumulative, false);
    vec![
        typed("metadata of a gauge", gauge("x", "By/s", one()), "gauge"),
        typed("metadata of an unknown type", gauge("x", "By/s", one()), "unknown"),
        typed("metadata of a counter", sum("x", "foo!/bar!", one(), Cumulative, true), "info"),
        typed("metadata of a sum", up_down(), "counter"),
        typed("metadata of an info", up_down(), "info"),
        typed("metadata of a stateset", up_down(), "stateset"),
        typed("metadata of a gauge that was an info", gauge("x", "_a_", one()), "info"),
        of_metrics(
            "metadata twice",
            json!({ "send_metadata": true }),
            vec![gauge("x", "s", one()), gauge("x", "s", one()), sum("x", "s", one(), Cumulative, false)],
        ),
        of_metrics(
            "metadata of what is not sent",
            json!({ "send_metadata": true }),
            vec![sum("x", "s", one(), Delta, false), gauge("y", "", vec![]), gauge("z", "", one())],
        ),
    ]
}

fn refused() -> Vec<Definition> {
    let one = || vec![double_point(vec![], 1.0)];
    let good = || gauge("good", "", one());
    let beside = |name: &str, metric| of_metrics(name, json!({}), vec![metric, good()]);
    vec![
        beside("delta sum", sum("x", "", one(), Delta, true)),
        beside("sum of unspecified temporality", sum("x", "", one(), Unspecified, true)),
        beside("gauge without points", gauge("x", "", vec![])),
        beside("metric without data", Metric { data: None, ..good() }),
        beside(
            "point with a key that cannot be",
            gauge(
                "x",
                "",
                vec![
                    double_point(vec![text("", "v")], 1.0),
                    double_point(vec![text("____", "v")], 2.0),
                    double_point(vec![], 3.0),
                ],
            ),
        ),
    ]
}
