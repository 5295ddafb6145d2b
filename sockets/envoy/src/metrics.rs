//! Counters, which Envoy shows beside its own, and adds up over its workers.

use preamp_core::passage::Outcome;
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

/// A counter.
struct Counter(Option<u32>);

impl Counter {
    fn new(name: &str) -> Self {
        Counter(hostcalls::define_metric(MetricType::Counter, name).ok())
    }

    fn add(&self, number: u64) {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        // Envoy takes an increment of nothing for a mistake.
        if let Some(id) = self.0.filter(|_| number > 0) {
            let _counted = hostcalls::increment_metric(id, number);
        }
    }
}

/// What became of payloads, points and requests.
pub struct Metrics {
    payloads_settled: Counter,
    payloads_refused: Counter,
    payloads_unsettled: Counter,
    payloads_abandoned: Counter,
    points_delivered: Counter,
    points_partly_rejected: Counter,
    points_rejected: Counter,
    points_unsettled: Counter,
    requests: Counter,
    requests_unanswered: Counter,
}

impl Metrics {
    /// Defines them.
    pub fn new() -> Self {
        Metrics {
            payloads_settled: Counter::new("preamp_payloads_settled_total"),
            payloads_refused: Counter::new("preamp_payloads_refused_total"),
            payloads_unsettled: Counter::new("preamp_payloads_unsettled_total"),
            payloads_abandoned: Counter::new("preamp_payloads_abandoned_total"),
            points_delivered: Counter::new("preamp_points_delivered_total"),
            points_partly_rejected: Counter::new("preamp_points_partly_rejected_total"),
            points_rejected: Counter::new("preamp_points_rejected_total"),
            points_unsettled: Counter::new("preamp_points_unsettled_total"),
            requests: Counter::new("preamp_requests_total"),
            requests_unanswered: Counter::new("preamp_requests_unanswered_total"),
        }
    }

    /// A payload came to its end.
    pub fn ended(&self, outcome: &Outcome) {
        self.payload(outcome.status);
        self.points_delivered.add(outcome.delivered);
        self.points_partly_rejected.add(outcome.partly_rejected);
        self.points_rejected.add(outcome.rejected);
        self.points_unsettled.add(outcome.unsettled);
    }

    /// A sender went before it was answered.
    pub fn abandoned(&self) {
        self.payloads_abandoned.add(1);
    }

    /// A payload was answered with this status.
    pub fn payload(&self, status: u16) {
        match status {
            200 => self.payloads_settled.add(1),
            503 => self.payloads_unsettled.add(1),
            _ => self.payloads_refused.add(1),
        }
    }

    /// A request was sent.
    pub fn sent(&self) {
        self.requests.add(1);
    }

    /// The receiver did not answer, or could not be sent to.
    pub fn unanswered(&self) {
        self.requests_unanswered.add(1);
    }
}
