//! What an SDK recorded, and what Prometheus must therefore answer (OpenTelemetry specification, "Prometheus and
//! OpenMetrics Compatibility").

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use crate::children::{fetched, program};
use crate::promql::{Vector, query};
use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// The output of `sdk_producer.py`, and of the programs that print the same.
#[derive(Debug, Deserialize)]
pub struct Recorded {
    /// Attributes of the resource.
    pub resource: BTreeMap<String, String>,
    series: Vec<Series>,
}

#[derive(Debug, Deserialize)]
struct Series {
    name: String,
    kind: String,
    attributes: BTreeMap<String, serde_json::Value>,
    value: Option<f64>,
    #[serde(default)]
    values: Vec<f64>,
    #[serde(default)]
    bounds: Vec<f64>,
}

/// Has the SDK record something, and export it over `http` or `grpc` to where that is taken.
///
/// # Errors
/// When it cannot be run, or an export fails.
pub fn record(protocol: &str, http: SocketAddr, grpc: SocketAddr) -> anyhow::Result<Recorded> {
    let python = program("PREAMP_PYTHON", fetched("python/bin/python"))?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/sdk_producer.py");
    let endpoint = match protocol {
        "http" => format!("http://{http}/v1/metrics"),
        _ => format!("http://{grpc}"),
    };
    let Output { status, stdout, stderr } =
        Command::new(python).arg(script).args([protocol, &endpoint]).output()?;
    let stderr = String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "sdk_producer.py: {status}, {stderr}");
    serde_json::from_slice(&stdout).with_context(|| format!("sdk_producer.py wrote no JSON; {stderr}"))
}

impl Recorded {
    /// The label `job`.
    #[must_use]
    pub fn job(&self) -> String {
        format!("{}/{}", self.resource["service.namespace"], self.resource["service.name"])
    }

    /// Asks Prometheus for all of it, and for the medians of the latencies.
    ///
    /// # Errors
    /// When it does not answer what was recorded.
    pub fn examine(&self, prometheus: SocketAddr) -> anyhow::Result<()> {
        let all = query(prometheus, &format!("{{job=\"{}\"}}", self.job()))?;
        let expected = self.expected();
        ensure!(all == expected, "Prometheus answers {all:#?}, not {expected:#?}");
        let selector = format!("e2e_latency_milliseconds_bucket{{job=\"{}\"}}", self.job());
        let medians = query(prometheus, &format!("histogram_quantile(0.5, {selector})"))?;
        let buckets = self.median_buckets();
        ensure!(medians.len() == buckets.len(), "{medians:?}");
        for (labels, median) in medians {
            let (lower, upper) = buckets[&labels["http_route"]];
            ensure!(lower < median && median <= upper, "{median} is not in ({lower}, {upper}]");
        }
        Ok(())
    }

    /// What `{job="…"}` must answer: every series with all of its labels.
    ///
    /// # Panics
    /// When the SDK's program wrote a series of an unknown kind.
    #[must_use]
    pub fn expected(&self) -> Vector {
        let mut expected = Vector::new();
        let target_info = self.labels("target_info", &[("deployment_environment_name", "e2e")]);
        expected.insert(target_info, 1.0);
        for series in &self.series {
            let name = prometheus_name(&series.name);
            match (series.kind.as_str(), series.value) {
                ("counter" | "gauge", Some(value)) => {
                    expected.insert(self.series_labels(series, name), value);
                }
                ("histogram", None) => expected.extend(self.histogram(series, name)),
                other => panic!("sdk_producer.py wrote a series of an unknown kind: {other:?}"),
            }
        }
        expected
    }

    fn histogram(&self, series: &Series, name: &str) -> Vector {
        let count_up_to = |bound: f64| series.values.iter().filter(|value| **value <= bound).count() as f64;
        let mut expected = Vector::new();
        for bound in series.bounds.iter().copied().chain([f64::INFINITY]) {
            let mut labels = self.series_labels(series, &format!("{name}_bucket"));
            let le = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
            labels.insert("le".to_owned(), le);
            expected.insert(labels, count_up_to(bound));
        }
        expected.insert(self.series_labels(series, &format!("{name}_count")), series.values.len() as f64);
        expected.insert(self.series_labels(series, &format!("{name}_sum")), series.values.iter().sum());
        expected
    }

    /// By route, the bounds of the bucket of the latency histogram that its median falls into.
    fn median_buckets(&self) -> BTreeMap<String, (f64, f64)> {
        let histograms = self.series.iter().filter(|series| series.kind == "histogram");
        let bucket = |series: &Series| {
            let mut values = series.values.clone();
            values.sort_by(f64::total_cmp);
            let median = values[values.len().div_ceil(2) - 1];
            let upper = series.bounds.iter().copied().find(|bound| median <= *bound);
            let lower = series.bounds.iter().copied().rev().find(|bound| median > *bound);
            (text(&series.attributes["http.route"]), (lower.unwrap_or(0.0), upper.unwrap_or(f64::INFINITY)))
        };
        histograms.map(bucket).collect()
    }

    fn series_labels(&self, series: &Series, name: &str) -> BTreeMap<String, String> {
        let mut labels =
            self.labels(name, &[("otel_scope_name", "sdk_producer"), ("otel_scope_version", "1.0")]);
        for (key, value) in &series.attributes {
            labels.insert(key.replace('.', "_"), text(value));
        }
        labels
    }

    fn labels(&self, name: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let job = self.job();
        let identity =
            [("__name__", name), ("job", &job), ("instance", &self.resource["service.instance.id"])];
        let all = identity.iter().chain(more);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn prometheus_name(name: &str) -> &'static str {
    match name {
        "e2e.requests" => "e2e_requests_total",
        "e2e.io" => "e2e_io_bytes_total",
        "e2e.temperature" => "e2e_temperature_celsius",
        "e2e.latency" => "e2e_latency_milliseconds",
        other => panic!("sdk_producer.py recorded {other}, which this test does not know"),
    }
}
