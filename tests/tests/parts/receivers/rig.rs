//! A whole service on free ports, delivering to a stand-in for AMP.

use crate::receivers::client::{Grpc, Http};
use amp_stand_in::{Options, StandIn};
use preamp_base::Clock;
use preamp_config::Settings;
use preamp_host::node::NodeOptions;
use preamp_host::service::{Running, Service};
use preamp_tests::payloads::{self, NOW_NS};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// Requests are limited to this many bytes, over both protocols.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;

/// Longer than any test needs on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Rig {
    pub running: Running,
    pub stand_in: StandIn,
    pub http: Http,
    pub grpc: Grpc,
    /// Points that good payloads held.
    good_points: AtomicU64,
}

impl Rig {
    pub async fn start() -> Rig {
        Rig::changed(Options::unsigned(), |_, _| {}).await
    }

    /// A rig that differs from the usual one.
    pub async fn changed(mut options: Options, change: impl FnOnce(&mut Settings, &mut NodeOptions)) -> Rig {
        // Payloads are made for this time, so that they are the same in every run.
        options.clock = Arc::new(|| UNIX_EPOCH + Duration::from_nanos(NOW_NS));
        let stand_in = StandIn::start(options).await.expect("a port");
        let loaded = preamp_config::parse("test.yaml", &configuration(&stand_in.url()), &|_| None);
        let mut settings = loaded.expect("a valid configuration").settings;
        for listener in [&mut settings.receiver.grpc, &mut settings.receiver.http].into_iter().flatten() {
            listener.max_request_bytes = REQUEST_BYTES_MAX as u64;
        }
        let component = preamp_tests::built::load().expect("run `./build.sh host` first");
        let parts = NodeOptions::of_this_system(component);
        let mut parts = NodeOptions { clock: Clock::from_fn(|| NOW_NS), ..parts };
        change(&mut settings, &mut parts);
        let running = Service::start(&settings, parts).await.expect("a service");
        let addresses = running.addresses();
        Rig {
            http: Http::new(addresses.http.expect("OTLP/HTTP")),
            grpc: Grpc::new(addresses.grpc.expect("OTLP/gRPC")),
            running,
            stand_in,
            good_points: AtomicU64::new(0),
        }
    }

    /// Counts points that were answered with success.
    pub fn took(&self, points: u64) {
        self.good_points.fetch_add(points, Ordering::Relaxed);
    }

    /// Sends a good payload over both protocols; both must be taken.
    pub async fn still_accepts(&self, after: &str) {
        const POINTS: usize = 3;
        let answer = self.http.export(payloads::requests(POINTS)).await;
        assert_eq!(answer.response().partial_success, None, "HTTP after {after}");
        let answer = self.grpc.export(payloads::requests(POINTS)).await;
        assert_eq!(answer.expect(after).partial_success, None, "gRPC after {after}");
        self.took(2 * POINTS as u64);
    }

    /// Stops; everything that was taken must have been delivered, and nothing else.
    pub async fn finish(self) {
        let stopped = self.running.shutdown(PATIENCE).await;
        let ledger = stopped.ledger;
        assert!(ledger.balances(), "{ledger:?}");
        let good = self.good_points.into_inner();
        assert_eq!((ledger.accepted, ledger.delivered, ledger.queued), (good, good, 0), "{ledger:?}");
        let report = self.stand_in.report();
        assert_eq!(report.refused(), 0, "{report:?}");
    }
}

fn configuration(endpoint: &str) -> String {
    format!(
        "
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: 127.0.0.1:0}}
      http: {{endpoint: 127.0.0.1:0}}
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
    target_info: {{enabled: false}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}
"
    )
}
