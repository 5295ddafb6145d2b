//! Metric names and units, in all strategies, with and without namespace.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::Cumulative;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use serde_json::json;

use super::{Definition, of_metrics};
use crate::differential::options::MESSAGE_V2;
use crate::payloads::{double_point, gauge, sum};

#[derive(Clone, Copy)]
enum Type {
    Gauge,
    Counter,
    UpDownCounter,
}

use Type::{Counter, Gauge, UpDownCounter};

const ROWS: [(&str, &str, Type); 43] = [
    ("requests_per_second", "1/s", Counter),
    ("a.total.b", "", Counter),
    ("total", "", Counter),
    ("x", "foo!", Counter),
    ("x", "foo!/s", Counter),
    ("foo.seconds", "foo!/s", Gauge),
    ("x", "{req}/s", Gauge),
    ("x", "s/{thing}", Gauge),
    ("x", "/s", Gauge),
    ("x", " s ", Gauge),
    ("x", "\u{2003}s", Gauge),
    ("x", "1", Gauge),
    ("x", " 1", Gauge),
    ("x", "1", UpDownCounter),
    ("x", "1", Counter),
    ("x.ratio", "1", Gauge),
    ("x.ratio.y", "1", Gauge),
    ("disk.bytes.io", "By", Counter),
    ("x", "By/min", Gauge),
    ("x", "m/s/h", Gauge),
    ("x", "KiBy/mo", Gauge),
    ("x", "%", Gauge),
    ("x", "Cel", UpDownCounter),
    ("x", "°C", Gauge),
    ("x", "a__b/c__d", Gauge),
    ("x", "_/_", Gauge),
    ("日本", "s", Gauge),
    ("日本", "", Counter),
    ("日本", "", Gauge),
    ("__x__y", "", Gauge),
    ("x:y", "", Gauge),
    ("123x", "", Gauge),
    ("a__b.c", "", Gauge),
    (".a.", "", Gauge),
    ("1x", "", Gauge),
    ("___", "", Gauge),
    ("", "", Gauge),
    ("subtotal", "", Counter),
    ("kilometers", "m", Gauge),
    ("foo.seconds", "s", Counter),
    ("req.per_second", "1/s", Counter),
    ("total", "", Gauge),
    ("日total", "", Counter),
];

pub fn definitions() -> Vec<Definition> {
    let mut all = Vec::new();
    for strategy in ["UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes"] {
        for (name, unit, kind) in ROWS {
            let options = json!({ "translation_strategy": strategy, "send_metadata": true });
            all.push(named(strategy, options, (name, unit, kind)));
        }
    }
    for strategy in ["NoUTF8EscapingWithSuffixes", "NoTranslation"] {
        for (name, unit, kind) in ROWS {
            let options = json!({ "translation_strategy": strategy, "protobuf_message": MESSAGE_V2 });
            all.push(named(strategy, options, (name, unit, kind)));
        }
    }
    for namespace in ["ns", "my.app", "日本", "1ns"] {
        for suffixes in [true, false] {
            let options = json!({ "namespace": namespace, "add_metric_suffixes": suffixes });
            let what = format!("namespace {namespace}, suffixes {suffixes}:");
            all.push(named(&what, options.clone(), ("x", "s", Gauge)));
            all.push(named(&what, options, ("1x", "1", Gauge)));
        }
    }
    all
}

fn named(what: &str, options: serde_json::Value, (name, unit, kind): (&str, &str, Type)) -> Definition {
    of_metrics(&format!("{what} {name:?} {unit:?}"), options, vec![metric(name, unit, kind)])
}

fn metric(name: &str, unit: &str, kind: Type) -> Metric {
    let points = vec![double_point(vec![], 1.0)];
    match kind {
        Gauge => gauge(name, unit, points),
        Counter => sum(name, unit, points, Cumulative, true),
        UpDownCounter => sum(name, unit, points, Cumulative, false),
    }
}
