//! What the SDKs recorded: the scenario that all of them played (tests/producers/scenario.json).

use std::path::Path;

use preamp_tests::promql::Labels;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The file.
#[derive(Deserialize)]
pub struct Scenario {
    resources: Vec<Map<String, Value>>,
    scopes: Vec<Scope>,
    instruments: Vec<Instrument>,
    exports: Vec<Vec<Step>>,
}

#[derive(Deserialize)]
struct Scope {
    name: String,
    version: String,
    attributes: Map<String, Value>,
}

/// An instrument.
#[derive(Deserialize)]
pub struct Instrument {
    scope: String,
    name: String,
    /// What kind of instrument.
    pub kind: Kind,
    /// The upper bounds of the buckets of a histogram.
    #[serde(default)]
    pub bounds: Vec<f64>,
}

/// What kind of instrument.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Counter,
    DoubleCounter,
    UpDownCounter,
    Gauge,
    Histogram,
    ExponentialHistogram,
}

#[derive(Deserialize)]
struct Step {
    resource: usize,
    instrument: String,
    attributes: Map<String, Value>,
    values: Vec<f64>,
    span: Option<Span>,
}

/// The span in which something was measured.
#[derive(Clone, Deserialize)]
pub struct Span {
    /// In hexadecimal.
    pub trace_id: String,
    /// In hexadecimal.
    pub span_id: String,
}

/// What was measured in a span.
pub struct Traced {
    /// Before which export, counted from the first of its series.
    pub export: usize,
    /// The measurement.
    pub value: f64,
    /// The span.
    pub span: Span,
}

/// What was measured with one instrument and one set of attributes.
pub struct Recorded<'a> {
    /// The instrument.
    pub instrument: &'a Instrument,
    scope: &'a Scope,
    resource: &'a Map<String, Value>,
    attributes: &'a Map<String, Value>,
    /// By export, what was measured before it, from the first export on before which there was something.
    pub exports: Vec<Vec<f64>>,
    /// What was measured in a span.
    pub traced: Vec<Traced>,
}

impl Scenario {
    /// Reads it.
    pub fn read() -> anyhow::Result<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("producers/scenario.json");
        Ok(serde_json::from_slice(&std::fs::read(file)?)?)
    }

    /// What was recorded, series by series.
    pub fn recorded(&self) -> Vec<Recorded<'_>> {
        let mut recorded: Vec<Recorded<'_>> = Vec::new();
        for steps in &self.exports {
            for entry in &mut recorded {
                entry.exports.push(Vec::new());
            }
            for step in steps {
                let same = |entry: &Recorded<'_>| {
                    entry.instrument.name == step.instrument
                        && entry.attributes == &step.attributes
                        && std::ptr::eq(entry.resource, &self.resources[step.resource])
                };
                let index = recorded.iter().position(same).unwrap_or_else(|| {
                    recorded.push(self.begin(step));
                    recorded.len() - 1
                });
                let entry = &mut recorded[index];
                entry.exports.last_mut().expect("one for this export").extend(&step.values);
                let export = entry.exports.len() - 1;
                let traced = |span: &Span| {
                    step.values
                        .iter()
                        .map(|value| Traced { export, value: *value, span: span.clone() })
                        .collect()
                };
                entry.traced.extend(step.span.as_ref().map_or_else(Vec::new, traced));
            }
        }
        recorded
    }

    fn begin<'a>(&'a self, step: &'a Step) -> Recorded<'a> {
        let instrument = self.instruments.iter().find(|instrument| instrument.name == step.instrument);
        let instrument = instrument.expect("an instrument of the scenario");
        let scope = self.scopes.iter().find(|scope| scope.name == instrument.scope);
        Recorded {
            instrument,
            scope: scope.expect("a scope of the scenario"),
            resource: &self.resources[step.resource],
            attributes: &step.attributes,
            exports: vec![Vec::new()],
            traced: Vec::new(),
        }
    }
}

impl Recorded<'_> {
    /// The name of the metric in Prometheus (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility").
    pub fn name(&self) -> &'static str {
        match self.instrument.name.as_str() {
            "shop.orders" => "shop_orders_total",
            "shop.payment.volume" => "shop_payment_volume_EUR_total",
            "shop.cart.items" => "shop_cart_items",
            "http.server.request.duration" => "http_server_request_duration_seconds",
            "shop.payment.amount" => "shop_payment_amount_EUR",
            "warehouse.temperature" => "warehouse_temperature_celsius",
            "warehouse.fill" => "warehouse_fill_ratio",
            other => panic!("the scenario has {other}, which this test does not know"),
        }
    }

    /// The labels of the series, with what is appended to its name.
    pub fn labels(&self, job: &str, suffix: &str, scope_attributes: bool) -> Labels {
        let mut labels = self.target(job);
        labels.insert("__name__".to_owned(), format!("{}{suffix}", self.name()));
        labels.insert("otel_scope_name".to_owned(), self.scope.name.clone());
        labels.insert("otel_scope_version".to_owned(), self.scope.version.clone());
        if scope_attributes {
            labels.extend(as_labels("otel_scope_", &self.scope.attributes));
        }
        labels.extend(as_labels("", self.attributes));
        labels
    }

    /// The labels `job` and `instance`.
    pub fn target(&self, job: &str) -> Labels {
        let instance = text(&self.resource["service.instance.id"]);
        Labels::from([("job".to_owned(), job.to_owned()), ("instance".to_owned(), instance)])
    }

    /// The resource's other attributes as labels of `target_info`.
    pub fn resource_labels(&self) -> Labels {
        let mut labels = as_labels("", self.resource);
        labels.retain(|name, _| !name.starts_with("service_"));
        labels
    }

    /// The value of a sum or gauge at each export.
    pub fn values(&self) -> Vec<f64> {
        let mut total = 0.0;
        let value = |measured: &Vec<f64>| {
            total += measured.iter().sum::<f64>();
            match self.instrument.kind {
                Kind::Gauge => *measured.last().expect("a gauge is set before each export"),
                _ => total,
            }
        };
        self.exports.iter().map(value).collect()
    }

    /// All that was measured up to each export.
    pub fn cumulative(&self) -> Vec<Vec<f64>> {
        let mut all = Vec::new();
        let up_to = |measured: &Vec<f64>| {
            all.extend(measured);
            all.clone()
        };
        self.exports.iter().map(up_to).collect()
    }

    /// What was measured after the first export and up to the last: what a range over both tells of.
    pub fn since_first(&self) -> Vec<f64> {
        let mut measured = self.exports[1..].concat();
        measured.sort_by(f64::total_cmp);
        measured
    }
}

fn as_labels(prefix: &str, attributes: &Map<String, Value>) -> Labels {
    attributes
        .iter()
        .map(|(key, value)| (format!("{prefix}{}", key.replace('.', "_")), text(value)))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
