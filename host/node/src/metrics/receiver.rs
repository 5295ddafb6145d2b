//! What came in.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{ByLabel, add};

/// How a payload came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
    /// A call of the program that embeds this library.
    Embedded,
    /// The process' own metrics, pushed into its own pipeline.
    Internal,
}

impl Transport {
    /// The value of the Collector's label `transport`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::Embedded => "embedded",
            Self::Internal => "internal",
        }
    }
}

/// How a request to the receiver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Taken, at least in part.
    Success,
    /// Not taken because what comes after the receiver could not take it: the queue was full.
    Refused,
    /// Not taken because of the request or an error of our own: malformed, too large, a trap.
    Failure,
}

impl RequestOutcome {
    fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Failure => "failure",
        }
    }
}

/// What came in, by transport.
#[derive(Debug, Default)]
pub struct ReceiverMetrics {
    requests: Family<[(&'static str, &'static str); 2], Counter>,
    denied: Family<[(&'static str, &'static str); 2], Counter>,
    accepted: ByLabel,
    refused: ByLabel,
    failed: ByLabel,
    untranslated: ByLabel,
}

impl ReceiverMetrics {
    pub(super) fn register(registry: &mut Registry, id: &str) -> Self {
        let metrics = Self::default();
        // Whoever watches for the first one needs to have seen none.
        for transport in [Transport::Grpc, Transport::Http] {
            for family in [&metrics.accepted, &metrics.refused, &metrics.failed] {
                add(family, "transport", transport.name(), 0);
            }
            for outcome in [RequestOutcome::Success, RequestOutcome::Refused, RequestOutcome::Failure] {
                let labels = [("transport", transport.name()), ("outcome", outcome.name())];
                drop(metrics.requests.get_or_create_owned(&labels));
            }
            drop(
                metrics
                    .denied
                    .get_or_create_owned(&[("transport", transport.name()), ("reason", "unauthenticated")]),
            );
        }
        registry.register(
            "preamp_translation_rejected_points",
            "OTLP points that cannot become series, by reason; they are not part of the ledger",
            metrics.untranslated.clone(),
        );
        registry.register(
            "preamp_receiver_requests_denied",
            "Requests that were refused unread, since their sender is not authenticated or a stranger's page",
            metrics.denied.clone(),
        );
        let registry = registry
            .sub_registry_with_prefix("otelcol_receiver")
            .sub_registry_with_label(("receiver".into(), id.to_owned().into()));
        registry.register("requests", "Requests, by how they ended", metrics.requests.clone());
        registry.register("accepted_metric_points", "Points taken over", metrics.accepted.clone());
        registry.register(
            "refused_metric_points",
            "Points of requests that were refused because the queue was full or closed",
            metrics.refused.clone(),
        );
        registry.register(
            "failed_metric_points",
            "Points that were not taken because they or their request are wrong",
            metrics.failed.clone(),
        );
        metrics
    }

    /// Counts a request, and its points by what became of them: `taken` and `lost` of a success,
    /// `lost` of the others. Points of a request that cannot be read are unknown: 0.
    pub fn request(&self, transport: Transport, outcome: RequestOutcome, taken: u64, lost: u64) {
        self.requests
            .get_or_create_owned(&[("transport", transport.name()), ("outcome", outcome.name())])
            .inc();
        let refused = if outcome == RequestOutcome::Refused { &self.refused } else { &self.failed };
        add(&self.accepted, "transport", transport.name(), taken);
        add(refused, "transport", transport.name(), lost);
    }

    /// Counts a request that was refused unread: `unauthenticated`, or a `host` that is not this one.
    pub fn denied(&self, transport: Transport, reason: &'static str) {
        self.denied.get_or_create_owned(&[("transport", transport.name()), ("reason", reason)]).inc();
    }

    /// Counts points that the component could not translate, which were answered with OTLP
    /// `partial_success`.
    pub fn untranslated(&self, reason: &str, points: u64) {
        add(&self.untranslated, "reason", reason, points);
    }
}
