//! The host from intake to delivery, with the real component, in the test's own process.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use amp_stand_in::{Options, Signer};
use bytes::Bytes;
use opentelemetry_proto::tonic::metrics::v1::NumberDataPoint;
use preamp_base::Clock;
use preamp_base::Secret;
use preamp_config::{ClientSettings, Retry};
use preamp_contract::Encoding;
use preamp_host::credentials::{Credentials, CredentialsSource, SigningKeys};
use preamp_host::delivery::{Delivery, DeliveryContext, HttpClient, Pauses, Remains};
use preamp_host::intake::{AckPolicy, Intake, PayloadOutcome, Transport};
use preamp_host::memory_budget::MemoryBudget;
use preamp_host::metrics::{Metrics, Snapshot};
use preamp_host::processors::Processors;
use preamp_host::receiver_clock::ReceiverClock;
use preamp_queue::{MemoryQueue, Queue};
use preamp_tests::built::load;
use preamp_tests::payloads;
use preamp_wasm::{ActiveExporter, ExporterPool, PoolLimits};

pub const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
pub const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-west-1";
const SERVICE: &str = "aps";

/// Longer than any test needs on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What differs from test to test.
pub struct Setup {
    pub partitions: u32,
    /// The receiver profile; `None` leaves it to the component to tell.
    pub profile: Option<&'static str>,
    /// Remote write 2.0 is tried, else 1.0 is sent.
    pub remote_write_2: bool,
    pub max_payloads: u64,
    pub timeout: Duration,
    pub retry: Retry,
    /// Where credentials come from; `None` sends unsigned.
    pub credentials: Option<Box<dyn CredentialsSource>>,
    pub clock: Clock,
    pub patience: AckPolicy,
    pub max_points: u64,
    /// How long a partition is held where the configuration has to be set right.
    pub pauses_when_stopped: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            partitions: 1,
            profile: Some("aps"),
            remote_write_2: false,
            max_payloads: 10_000,
            timeout: Duration::from_secs(10),
            retry: Retry { enabled: true, randomization_factor: 0.5, max_elapsed_time: None },
            credentials: None,
            clock: Clock::system(),
            patience: AckPolicy::default(),
            max_points: u64::MAX,
            pauses_when_stopped: Duration::from_secs(60),
        }
    }
}

/// Intake, queue and delivery.
pub struct Rig {
    intake: Arc<Intake>,
    delivery: Delivery,
    pub queue: Arc<dyn Queue>,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<ReceiverClock>,
}

impl Rig {
    /// Starts to deliver to `url`. Retries and pauses are short.
    pub fn start(url: &str, setup: Setup) -> Self {
        let configuration = configuration(url, &setup);
        let component = load().expect("run `./build.sh host` first");
        let exporters =
            ExporterPool::open(&component, &configuration, PoolLimits::default()).expect("configured");
        let queue: Arc<dyn Queue> = Arc::new(MemoryQueue::limited(
            setup.partitions,
            setup.max_payloads,
            setup.max_points,
            64 << 20,
            u64::MAX,
        ));
        let pool = exporters.clone();
        let metrics = Arc::new(Metrics::new("otlp", "amp", Arc::clone(&queue), move || pool.stats()));
        let clock = Arc::new(ReceiverClock::new(setup.clock));
        let keys = setup.credentials.map(|source| SigningKeys::new(source, REGION.into(), SERVICE.into()));
        let delivery = Delivery::start(DeliveryContext {
            exporters: exporters.clone(),
            queue: Arc::clone(&queue),
            endpoint: url.to_owned(),
            client: Arc::new(
                HttpClient::new(&ClientSettings::new(setup.timeout)).expect("no files are read"),
            ),
            keys,
            clock: Arc::clone(&clock),
            retry: setup.retry,
            in_flight: setup.partitions,
            batching: None,
            pauses: Pauses {
                credentials_first: Duration::from_millis(20),
                credentials_longest: Duration::from_millis(200),
                stop: setup.pauses_when_stopped,
            },
            metrics: Arc::clone(&metrics),
        });
        let intake = Intake::new(
            Arc::new(ActiveExporter::new(exporters)),
            Arc::clone(&queue),
            Arc::clone(&clock),
            Arc::clone(&metrics),
            Processors::default(),
            Arc::new(MemoryBudget::new(256 << 20)),
        );
        let intake = intake.with_ack_policy(setup.patience);
        Self { intake: Arc::new(intake), delivery, queue, metrics, clock }
    }

    pub async fn submit(&self, payload: Vec<u8>) -> PayloadOutcome {
        let share = self.intake.requests().reserve();
        self.intake.submit(Bytes::from(payload), share, Encoding::Protobuf, Transport::Http).await
    }

    /// Submits a payload that must be taken whole.
    pub async fn accept(&self, payload: Vec<u8>) {
        let outcome = self.submit(payload).await;
        assert!(matches!(outcome, PayloadOutcome::Accepted), "{outcome:?}");
    }

    /// Delivers what waits, stops, and checks that the ledger accounts for every point.
    pub async fn drain(&self, within: Duration) -> (Remains, Snapshot) {
        let remains = self.delivery.drain(within).await;
        let ledger = self.metrics.ledger.snapshot();
        assert!(ledger.balances(), "{ledger:?}");
        assert_eq!(remains.points, ledger.queued, "{ledger:?}");
        (remains, ledger)
    }

    /// Drains and expects that nothing is left.
    pub async fn finish(&self) -> Snapshot {
        let (remains, ledger) = self.drain(PATIENCE).await;
        assert_eq!(remains, Remains::default(), "{ledger:?}");
        ledger
    }

    /// Waits until the page of self-metrics has this line.
    pub async fn wait_for_line(&self, line: &str) {
        self.wait_until(line, || self.metrics.encode().lines().any(|found| found == line)).await;
    }

    /// Waits until something is so.
    pub async fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "not so after {PATIENCE:?}: {what}\n{}", self.metrics.encode());
    }
}

fn configuration(url: &str, setup: &Setup) -> String {
    let mut configuration = serde_json::json!({
        "endpoint": url,
        "partitions": setup.partitions,
        "target_info": { "enabled": false },
        "disable_scope_info": true,
        "retry_on_failure": { "initial_interval_ms": 5, "max_interval_ms": 50 },
    });
    if let Some(profile) = setup.profile {
        configuration["profile"] = profile.into();
    }
    if setup.remote_write_2 {
        configuration["protobuf_message"] = "io.prometheus.write.v2.Request".into();
    }
    if setup.credentials.is_some() {
        configuration["sigv4"] = serde_json::json!({ "region": REGION, "service": SERVICE });
    }
    configuration.to_string()
}

/// Credentials with this secret key.
pub fn credentials(secret_access_key: &str) -> Credentials {
    Credentials {
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: Secret::new(secret_access_key.to_owned()),
        session_token: None,
        expires: None,
    }
}

/// A stand-in that knows the one right secret key, and wants strict order.
pub fn signed_stand_in() -> Options {
    strict(Options::signed(Signer::of_amp(ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION)))
}

/// A stand-in that takes everybody, and wants strict order.
pub fn open_stand_in() -> Options {
    strict(Options::unsigned())
}

fn strict(mut options: Options) -> Options {
    options.limits.out_of_order_window = Duration::ZERO;
    options
}

/// A payload of one gauge with `series` points, all of them at the same moment, `tick` milliseconds
/// after `start`.
pub fn payload(series: usize, start: SystemTime, tick: u32) -> Vec<u8> {
    let since_epoch = start.duration_since(UNIX_EPOCH).expect("after 1970");
    let time = since_epoch + Duration::from_millis(tick.into());
    let points = (0..series).map(|number| NumberDataPoint {
        time_unix_nano: u64::try_from(time.as_nanos()).expect("before 2554"),
        ..payloads::double_point(vec![payloads::text("shelf", &number.to_string())], f64::from(tick))
    });
    payloads::metrics(vec![payloads::gauge("stock", "", points.collect())])
}

/// A start for [`payload`] that leaves every tick in the past, but not too old.
pub fn a_minute_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(60)
}
