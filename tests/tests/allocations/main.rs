//! No allocation per point: counted by the allocator of this test program.

#![allow(unsafe_code, reason = "an allocator is unsafe by its trait")]

mod types;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint,
};
use preamp_core::types::Encoding;
use preamp_tests::payloads::{
    NOW_NS, double_point, gauge, integer, latencies, metric, metrics, requests, text,
};
use prost::Message;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread how often it is asked for memory.
struct Counting;

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract; the
// counter is a thread-local without destructor or lazy initialisation, so it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often memory is asked for while an exporter that has warmed up takes a payload.
fn count(payload: &[u8]) -> u64 {
    let configuration = r#"{ "endpoint": "http://127.0.0.1:9090/api/v1/write" }"#;
    let mut exporter = preamp_core::Exporter::open(configuration).expect("the configuration is valid");
    exporter.accept(payload, Encoding::Protobuf, NOW_NS).expect("the payload is sound");
    let before = ALLOCATIONS.get();
    let acceptance = exporter.accept(payload, Encoding::Protobuf, NOW_NS).expect("the payload is sound");
    let allocations = ALLOCATIONS.get() - before;
    assert!(acceptance.rejections.is_empty(), "{:?}", acceptance.rejections);
    allocations
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

/// What may grow is the list of batches and the body of each.
const BATCHES: u64 = 20;

#[test]
fn points_of_a_gauge_ask_for_no_memory() {
    let of = |points| {
        let points = (0..points).map(|number| double_point(attributes(number), number as f64));
        count(&metrics(vec![gauge("queue.length", "{message}", points.collect())]))
    };
    let (few, many) = (of(5_000), of(10_000));
    assert!(many <= few + BATCHES, "{few} allocations for 5,000 points, {many} for 10,000");
}

fn attributes(number: i64) -> Vec<KeyValue> {
    vec![
        text("messaging.system", "kafka"),
        text("messaging.destination.name", &format!("orders-{}", number % 100)),
        integer("messaging.destination.partition.id", number),
        text("server.address", "broker.example"),
        text("messaging.operation.name", "poll"),
    ]
}

#[test]
fn points_of_a_histogram_ask_for_no_memory() {
    let (few, many) = (count(&latencies(1_000)), count(&latencies(2_000)));
    assert!(many <= few + BATCHES, "{few} allocations for 1,000 points, {many} for 2,000");
}

/// Names and resource attributes are worked out once for each metric and resource.
#[test]
fn metrics_and_resources_ask_for_little() {
    let (ten, twenty) = (count(&requests(10_000)), count(&requests(20_000)));
    let per_metric = (twenty - ten) / 100;
    assert!(per_metric <= 15, "{per_metric} allocations for each metric of 100 points: {ten}, then {twenty}");
}

/// A payload as the deltas of one second, the given number of seconds before [`NOW_NS`].
fn as_deltas(payload: &[u8], seconds_ago: u64) -> Vec<u8> {
    let time = NOW_NS - seconds_ago * 1_000_000_000;
    let start = time - 1_000_000_000;
    let mut request = ExportMetricsServiceRequest::decode(payload).expect("a sound payload");
    let scopes = request.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
    let delta = AggregationTemporality::Delta as i32;
    for metric in scopes.flat_map(|scope| &mut scope.metrics) {
        match &mut metric.data {
            Some(Data::Sum(sum)) => {
                sum.aggregation_temporality = delta;
                for point in &mut sum.data_points {
                    (point.start_time_unix_nano, point.time_unix_nano) = (start, time);
                }
            }
            Some(Data::Histogram(histogram)) => {
                histogram.aggregation_temporality = delta;
                for point in &mut histogram.data_points {
                    (point.start_time_unix_nano, point.time_unix_nano) = (start, time);
                }
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                histogram.aggregation_temporality = delta;
                for point in &mut histogram.data_points {
                    (point.start_time_unix_nano, point.time_unix_nano) = (start, time);
                }
            }
            _ => {}
        }
    }
    request.encode_to_vec()
}

/// How often memory is asked for while deltas of known series are added up.
fn count_deltas(payload: &[u8]) -> u64 {
    let configuration = r#"{ "endpoint": "http://127.0.0.1:9090/api/v1/write", "delta": "accumulate" }"#;
    let mut exporter = preamp_core::Exporter::open(configuration).expect("the configuration is valid");
    let mut allocations = 0;
    // The series, then the room to undo a payload, then what is counted.
    for seconds_ago in [3, 2, 1] {
        let payload = as_deltas(payload, seconds_ago);
        let before = ALLOCATIONS.get();
        let accepted = exporter.accept(&payload, Encoding::Protobuf, NOW_NS);
        let acceptance = accepted.expect("the payload is sound");
        allocations = ALLOCATIONS.get() - before;
        assert!(acceptance.rejections.is_empty(), "{:?}", acceptance.rejections);
    }
    allocations
}

#[test]
fn deltas_of_known_series_ask_for_no_memory() {
    let exponential = |points| {
        let point = |number| ExponentialHistogramDataPoint {
            attributes: attributes(number),
            count: 10,
            scale: 3,
            sum: Some(17.5),
            positive: Some(Buckets { offset: -2, bucket_counts: vec![1, 2, 3, 4] }),
            ..Default::default()
        };
        let data =
            ExponentialHistogram { data_points: (0..points).map(point).collect(), ..Default::default() };
        metrics(vec![metric("distance", "m", Data::ExponentialHistogram(data))])
    };
    for (kind, few, many) in [
        ("histograms", count_deltas(&latencies(1_000)), count_deltas(&latencies(2_000))),
        ("exponential histograms", count_deltas(&exponential(1_000)), count_deltas(&exponential(2_000))),
    ] {
        assert!(many <= few + BATCHES, "{kind}: {few} allocations for 1,000 points, {many} for 2,000");
    }
    let (few, many) = (count_deltas(&requests(1_000)), count_deltas(&requests(2_000)));
    assert!(many <= few + 10 * 15 + BATCHES, "sums: {few} allocations for 1,000 points, {many} for 2,000");
}
