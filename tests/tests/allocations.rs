//! No allocation per point: counted by the allocator of this test program.

#![allow(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use preamp::types::Encoding;
use preamp_tests::payloads::{NOW_NS, double_point, gauge, integer, latencies, metrics, requests, text};

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
    let mut exporter = preamp::Exporter::open(configuration).expect("the configuration is valid");
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
