//! What the demo measures: a make-believe shop. It keeps its own books, so that what arrives can be compared with
//! what was recorded.

use std::collections::BTreeMap;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

const ROUTES: u64 = 60;
const WORKERS: u64 = 16;
const STATUSES: [i64; 4] = [200, 200, 404, 500];

/// Upper bounds of the histogram's buckets, in seconds: those the semantic conventions advise for HTTP.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The name, in Prometheus, of the counter `shop.requests`.
pub(super) const REQUESTS: &str = "shop_requests_total";
/// The name, in Prometheus, of the count of the histogram `shop.request.duration`.
pub(super) const DURATION_COUNT: &str = "shop_request_duration_seconds_count";
/// The name, in Prometheus, of the sum of the histogram `shop.request.duration`.
pub(super) const DURATION_SUM: &str = "shop_request_duration_seconds_sum";
/// The name, in Prometheus, of the gauge `shop.worker.load`.
pub(super) const LOAD: &str = "shop_worker_load";

/// A series as far as the shop is concerned: metric name, and the labels that come from its attributes.
pub(super) type Key = (&'static str, Vec<(&'static str, String)>);

/// The shop: its instruments and its books.
pub(super) struct Shop {
    requests: Counter<u64>,
    duration: Histogram<f64>,
    load: Gauge<f64>,
    random: fastrand::Rng,
    served: u64,
    books: BTreeMap<Key, f64>,
}

impl Shop {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            requests: meter.u64_counter("shop.requests").with_unit("{request}").build(),
            duration: meter
                .f64_histogram("shop.request.duration")
                .with_unit("s")
                .with_boundaries(BOUNDS.to_vec())
                .build(),
            load: meter.f64_gauge("shop.worker.load").build(),
            random: fastrand::Rng::with_seed(7),
            served: 0,
            books: BTreeMap::new(),
        }
    }

    /// Serves some requests, each measured by all three instruments.
    pub(super) fn serve(&mut self, requests: u64) {
        for _ in 0..requests {
            let route = format!("/item/{}", self.served % ROUTES);
            let status = STATUSES[self.random.usize(..STATUSES.len())];
            let worker = format!("w{}", self.served % WORKERS);
            self.served += 1;
            // Multiples of a power of two add up without rounding, in whichever order they are added.
            let seconds = f64::from(self.random.u32(1..8192)) / 1024.0;
            let load = f64::from(self.random.u32(..1000)) / 8.0;

            let on_route = KeyValue::new("route", route.clone());
            self.requests.add(1, &[on_route.clone(), KeyValue::new("status", status)]);
            self.duration.record(seconds, &[on_route]);
            self.load.record(load, &[KeyValue::new("worker", worker.clone())]);

            let by_route = vec![("route", route.clone())];
            *self.entry(REQUESTS, vec![("route", route), ("status", status.to_string())]) += 1.0;
            *self.entry(DURATION_COUNT, by_route.clone()) += 1.0;
            *self.entry(DURATION_SUM, by_route) += seconds;
            *self.entry(LOAD, vec![("worker", worker)]) = load;
        }
    }

    /// The value that each series must end with.
    pub(super) fn books(&self) -> &BTreeMap<Key, f64> {
        &self.books
    }

    fn entry(&mut self, name: &'static str, labels: Vec<(&'static str, String)>) -> &mut f64 {
        self.books.entry((name, labels)).or_default()
    }
}
