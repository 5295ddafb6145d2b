//! Plays the scenario with the OpenTelemetry SDK for Rust. Usage: preamp-rust-producer ENDPOINT SCENARIO NAMESPACE

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, PeriodicReader, SdkMeterProvider, Stream};
use serde::Deserialize;
use serde_json::{Map, Value};

const NEVER_BY_ITSELF: Duration = Duration::from_secs(3600);

#[derive(Deserialize)]
struct Scenario {
    resources: Vec<Map<String, Value>>,
    scopes: Vec<Scope>,
    instruments: Vec<Description>,
    exports: Vec<Vec<Step>>,
}

#[derive(Deserialize)]
struct Scope {
    name: String,
    version: String,
    attributes: Map<String, Value>,
}

#[derive(Deserialize)]
struct Description {
    scope: String,
    name: String,
    kind: String,
    unit: String,
    description: String,
    #[serde(default)]
    bounds: Vec<f64>,
}

#[derive(Deserialize)]
struct Step {
    resource: usize,
    instrument: String,
    attributes: Map<String, Value>,
    values: Vec<f64>,
}

type Recorder = Box<dyn Fn(f64, &[KeyValue])>;

fn attributes(object: &Map<String, Value>) -> Vec<KeyValue> {
    let attribute = |(key, value): (&String, &Value)| match value {
        Value::Bool(value) => KeyValue::new(key.clone(), *value),
        Value::Number(value) if value.is_i64() => {
            KeyValue::new(key.clone(), value.as_i64().unwrap_or_default())
        }
        value => KeyValue::new(key.clone(), value.as_str().unwrap_or_default().to_owned()),
    };
    object.iter().map(attribute).collect()
}

fn provider(
    resource: Vec<KeyValue>,
    scenario: &Scenario,
    endpoint: &str,
) -> Result<SdkMeterProvider, Box<dyn Error>> {
    let exporter = MetricExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .build()?;
    let instruments = scenario.instruments.iter();
    let exponential: Vec<String> = instruments
        .filter(|instrument| instrument.kind == "exponential_histogram")
        .map(|instrument| instrument.name.clone())
        .collect();
    let view = move |instrument: &Instrument| {
        let aggregation =
            Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
        let concerned = exponential.iter().any(|name| name == instrument.name());
        concerned.then(|| Stream::builder().with_aggregation(aggregation).build().ok())?
    };
    Ok(SdkMeterProvider::builder()
        .with_resource(Resource::builder().with_attributes(resource).build())
        .with_reader(PeriodicReader::builder(exporter).with_interval(NEVER_BY_ITSELF).build())
        .with_view(view)
        .build())
}

fn recorder(meter: &Meter, it: &Description) -> Recorder {
    let name = it.name.clone();
    let unit = it.unit.clone();
    let description = it.description.clone();
    match it.kind.as_str() {
        "counter" => {
            let counter = meter.u64_counter(name).with_unit(unit).with_description(description).build();
            Box::new(move |value, attributes| counter.add(value as u64, attributes))
        }
        "double_counter" => {
            let counter = meter.f64_counter(name).with_unit(unit).with_description(description).build();
            Box::new(move |value, attributes| counter.add(value, attributes))
        }
        "up_down_counter" => {
            let counter =
                meter.i64_up_down_counter(name).with_unit(unit).with_description(description).build();
            Box::new(move |value, attributes| counter.add(value as i64, attributes))
        }
        "gauge" => {
            let gauge = meter.f64_gauge(name).with_unit(unit).with_description(description).build();
            Box::new(move |value, attributes| gauge.record(value, attributes))
        }
        _ => {
            let builder = meter.f64_histogram(name).with_unit(unit).with_description(description);
            let histogram = match it.bounds.is_empty() {
                true => builder.build(),
                false => builder.with_boundaries(it.bounds.clone()).build(),
            };
            Box::new(move |value, attributes| histogram.record(value, attributes))
        }
    }
}

fn recorders(provider: &SdkMeterProvider, scenario: &Scenario) -> HashMap<String, Recorder> {
    let meter = |scope: &Scope| {
        let scope_attributes = attributes(&scope.attributes);
        let identity = InstrumentationScope::builder(scope.name.clone())
            .with_version(scope.version.clone())
            .with_attributes(scope_attributes)
            .build();
        (scope.name.clone(), provider.meter_with_scope(identity))
    };
    let meters: HashMap<String, Meter> = scenario.scopes.iter().map(meter).collect();
    let instruments = scenario.instruments.iter();
    instruments.map(|it| (it.name.clone(), recorder(&meters[&it.scope], it))).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, endpoint, file, namespace] = arguments.as_slice() else {
        return Err("usage: preamp-rust-producer ENDPOINT SCENARIO NAMESPACE".into());
    };
    let scenario: Scenario = serde_json::from_slice(&std::fs::read(file)?)?;
    let mut providers = Vec::new();
    for resource in &scenario.resources {
        let mut resource = attributes(resource);
        resource.push(KeyValue::new("service.namespace", namespace.clone()));
        providers.push(provider(resource, &scenario, endpoint)?);
    }
    let instruments: Vec<_> = providers.iter().map(|provider| recorders(provider, &scenario)).collect();
    for (index, steps) in scenario.exports.iter().enumerate() {
        if index > 0 {
            std::thread::sleep(Duration::from_secs(1));
        }
        for step in steps {
            let record = &instruments[step.resource][&step.instrument];
            let attributes = attributes(&step.attributes);
            step.values.iter().for_each(|value| record(*value, &attributes));
        }
        for provider in &providers {
            provider.force_flush()?;
        }
    }
    let resource = Resource::builder().build();
    let version = resource.get(&"telemetry.sdk.version".into()).map(|version| version.to_string());
    let version = version.unwrap_or_default();
    println!(
        "{{\"sdk\": \"opentelemetry-rust\", \"version\": \"{version}\", \"supports\": [\"scope attributes\"]}}"
    );
    Ok(())
}
