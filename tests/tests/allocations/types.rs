//! Every type of metric in both protocols, bare and with all that can stand beside a point.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Exemplar;
use opentelemetry_proto::tonic::metrics::v1::exemplar::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use preamp_core::types::Encoding;
use preamp_tests::loads::{KINDS, PROTOCOLS, configuration, version};
use preamp_tests::payloads::{NOW_NS, RECENT_NS, text};
use prost::Message;

use super::{ALLOCATIONS, BATCHES};

/// Names of metrics and resources are worked out once for each, which the payloads of numbers have ten of
/// in a thousand points, and the others one of in all.
const METRICS: u64 = 10 * 15;

#[test]
fn points_of_every_type_ask_for_no_memory() {
    check("bare", |payload| payload, |configuration| configuration);
}

#[test]
fn exemplars_created_series_and_scope_info_ask_for_no_memory() {
    check("with everything", with_exemplars, |configuration| {
        configuration.replacen(
            '{',
            r#"{ "exemplars": true, "export_created_metric": {"enabled": true}, "otel_scope_info": {"enabled": true},"#,
            1,
        )
    });
}

fn check(what: &str, dress: impl Fn(Vec<u8>) -> Vec<u8>, configure: impl Fn(String) -> String) {
    for protocol in PROTOCOLS {
        let configuration = configure(configuration(protocol, true));
        for kind in &KINDS {
            let of = |points| count(&dress((kind.make)(points)), &configuration);
            let (few, many) = (of(1_000), of(2_000));
            assert!(
                many <= few + METRICS + BATCHES,
                "{} in {}, {what}: {few} allocations for 1,000 points, {many} for 2,000",
                kind.name,
                version(protocol),
            );
        }
    }
}

/// How often memory is asked for while an exporter that has warmed up takes a payload.
fn count(payload: &[u8], configuration: &str) -> u64 {
    let mut exporter = preamp_core::Exporter::open(configuration).expect("the configuration is valid");
    let mut allocations = 0;
    for _ in 0..2 {
        let before = ALLOCATIONS.get();
        let accepted = exporter.accept(payload, Encoding::Protobuf, NOW_NS);
        let acceptance = accepted.expect("the payload is sound");
        allocations = ALLOCATIONS.get() - before;
        assert!(acceptance.rejections.is_empty(), "{:?}", acceptance.rejections);
    }
    allocations
}

/// A payload whose points have an exemplar each, but for those that cannot have one.
fn with_exemplars(payload: Vec<u8>) -> Vec<u8> {
    let mut request = ExportMetricsServiceRequest::decode(&payload[..]).expect("a sound payload");
    let scopes = request.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
    for metric in scopes.flat_map(|scope| &mut scope.metrics) {
        match &mut metric.data {
            Some(Data::Sum(sum)) => {
                sum.data_points.iter_mut().for_each(|point| point.exemplars = exemplars())
            }
            Some(Data::Histogram(histogram)) => {
                histogram.data_points.iter_mut().for_each(|point| point.exemplars = exemplars());
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                histogram.data_points.iter_mut().for_each(|point| point.exemplars = exemplars());
            }
            _ => {}
        }
    }
    request.encode_to_vec()
}

fn exemplars() -> Vec<Exemplar> {
    vec![Exemplar {
        filtered_attributes: vec![text("customer", "42")],
        time_unix_nano: RECENT_NS,
        span_id: vec![1; 8],
        trace_id: vec![2; 16],
        value: Some(Value::AsDouble(0.3)),
    }]
}
