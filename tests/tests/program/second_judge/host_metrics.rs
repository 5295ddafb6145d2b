//! What Prometheus must answer about the Collector's host metrics: what the payloads say, read with the types that
//! are generated from OTLP's definition.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    NumberDataPoint, ResourceMetrics, ScopeMetrics, number_data_point,
};
use preamp_tests::promql::Labels;
use prost::Message as _;

/// By labels, the samples: time in milliseconds and value.
pub type Points = BTreeMap<Labels, Vec<(i64, f64)>>;

/// The series of a payload where resource attributes become labels.
pub fn read(payload: &[u8], points: &mut Points) -> anyhow::Result<()> {
    for resource in ExportMetricsServiceRequest::decode(payload)?.resource_metrics {
        for scope in &resource.scope_metrics {
            for metric in &scope.metrics {
                let data_points = match &metric.data {
                    Some(Data::Gauge(gauge)) => &gauge.data_points,
                    Some(Data::Sum(sum)) => &sum.data_points,
                    other => bail!("{} is of a kind that this test does not know: {other:?}", metric.name),
                };
                for point in data_points {
                    let labels = labels(&resource, scope, prometheus_name(&metric.name)?, point)?;
                    let time = i64::try_from(point.time_unix_nano / 1_000_000)?;
                    points.entry(labels).or_default().push((time, value(point)?));
                }
            }
        }
    }
    Ok(())
}

fn labels(
    resource: &ResourceMetrics,
    scope: &ScopeMetrics,
    name: &str,
    point: &NumberDataPoint,
) -> anyhow::Result<Labels> {
    let mut labels = Labels::from([("__name__".to_owned(), name.to_owned())]);
    if let Some(scope) = &scope.scope {
        labels.insert("otel_scope_name".to_owned(), scope.name.clone());
        labels.insert("otel_scope_version".to_owned(), scope.version.clone());
    }
    let of_resource = resource.resource.iter().flat_map(|resource| &resource.attributes);
    for KeyValue { key, value, .. } in of_resource.chain(&point.attributes) {
        let value = match value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(integer)) => integer.to_string(),
            other => bail!("{key} is of a kind that this test does not know: {other:?}"),
        };
        labels.insert(key.replace('.', "_"), value);
    }
    labels.retain(|_, value| !value.is_empty());
    Ok(labels)
}

fn value(point: &NumberDataPoint) -> anyhow::Result<f64> {
    Ok(match point.value.context("a point without value")? {
        number_data_point::Value::AsDouble(value) => value,
        number_data_point::Value::AsInt(value) => value as f64,
    })
}

fn prometheus_name(name: &str) -> anyhow::Result<&'static str> {
    Ok(match name {
        "process.context_switches" => "process_context_switches_total",
        "process.cpu.time" => "process_cpu_time_seconds_total",
        "process.disk.io" => "process_disk_io_bytes_total",
        "process.memory.usage" => "process_memory_usage_bytes",
        "process.memory.virtual" => "process_memory_virtual_bytes",
        "process.threads" => "process_threads",
        "system.cpu.load_average.15m" => "system_cpu_load_average_15m",
        "system.cpu.load_average.1m" => "system_cpu_load_average_1m",
        "system.cpu.load_average.5m" => "system_cpu_load_average_5m",
        "system.cpu.logical.count" => "system_cpu_logical_count",
        "system.cpu.time" => "system_cpu_time_seconds_total",
        "system.cpu.utilization" => "system_cpu_utilization_ratio",
        "system.memory.usage" => "system_memory_usage_bytes",
        "system.memory.utilization" => "system_memory_utilization_ratio",
        "system.network.connections" => "system_network_connections",
        "system.network.dropped" => "system_network_dropped_total",
        "system.network.errors" => "system_network_errors_total",
        "system.network.io" => "system_network_io_bytes_total",
        "system.network.packets" => "system_network_packets_total",
        "system.paging.faults" => "system_paging_faults_total",
        "system.paging.operations" => "system_paging_operations_total",
        "system.processes.count" => "system_processes_count",
        "system.processes.created" => "system_processes_created_total",
        other => bail!("the capture has {other}, which this test does not know"),
    })
}
