//! Exporters of one process: what happens at the receiver of one is nothing to the others.

use amp_stand_in::{Fault, Options, Script, Signer, StandIn};
use bytes::Bytes;
use preamp_base::{Directory, Secret};
use preamp_config::{ClientSettings, Retry};
use preamp_contract::Encoding;
use preamp_host::credentials::{Credentials, Fixed, SigningKeys};
use preamp_host::delivery::HttpClient;
use preamp_host::exporter::{Destination, Exporter, ExporterOptions};
use preamp_host::intake::PayloadOutcome;
use preamp_host::metrics::Snapshot;
use preamp_host::node::{Node, NodeOptions};
use preamp_queue::Queue;
use preamp_queue::durable::{self, DurableQueue, Folder};
use preamp_tests::built;
use preamp_tests::payloads;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const REGION: &str = "eu-west-1";
const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
/// Secret keys, one for each workspace.
const ONE: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLE001";
const TWO: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLE002";
const PATIENCE: Duration = Duration::from_secs(20);

/// How far the clock of a receiver is ahead; AMP refuses signatures that are off by more than five minutes.
const AHEAD: Duration = Duration::from_secs(1_800);

fn node() -> Arc<Node> {
    Node::new(NodeOptions::of_this_system(built::load().expect("run `./build.sh host` first")))
}

fn receiver(secret: &str, ahead: Duration) -> Options {
    let signer = Signer::of_amp(ACCESS_KEY_ID, secret, REGION);
    Options { clock: Arc::new(move || SystemTime::now() + ahead), ..Options::signed(signer) }
}

fn keys(secret: &str) -> SigningKeys {
    let credentials = Credentials {
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: Secret::new(secret.to_owned()),
        session_token: None,
        expires: None,
    };
    SigningKeys::new(Box::new(Fixed::new(credentials)), REGION.to_owned(), "aps".to_owned())
}

fn queue(folder: &Path, id: &str) -> Arc<dyn Queue> {
    let options = durable::Options {
        exporter: id.to_owned(),
        partitions: 2,
        max_payloads: 10_000,
        max_points: u64::MAX,
        max_bytes: 64 << 20,
        min_free_bytes: 0,
        cached_bytes: 1 << 20,
        index_bytes: 1 << 20,
    };
    let folder = Folder::reserve(&Directory::private(folder.join(id))).expect("a new folder");
    Arc::new(DurableQueue::open(Arc::new(folder), &options).expect("a new queue").0)
}

async fn start(node: &Arc<Node>, id: &str, url: &str, secret: &str, folder: &Path) -> Exporter {
    let configuration = serde_json::json!({
        "endpoint": url,
        "profile": "aps",
        "partitions": 2,
        "sigv4": { "region": REGION, "service": "aps" },
        "target_info": { "enabled": false },
        "disable_scope_info": true,
        "retry_on_failure": { "initial_interval_ms": 5, "max_interval_ms": 50 },
    });
    let destination = Destination {
        pool: node.open(&configuration.to_string()).expect("a configuration"),
        endpoint: url.to_owned(),
        transport: Arc::new(HttpClient::new(&ClientSettings::new(PATIENCE)).expect("no files are read")),
        keys: Some(keys(secret)),
        retry: Retry { enabled: true, randomization_factor: 0.5, max_elapsed_time: None },
        batching: None,
        in_flight: 2,
    };
    let options = ExporterOptions::new(id, queue(folder, id), destination);
    Exporter::start(node, options).await.expect("no state file is read")
}

async fn submit(exporter: &Exporter, value: i64) {
    // Two values of one millisecond would be a duplicate, which the receiver refuses.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let payload = Bytes::from(payloads::of_now(40, value));
    let outcome = exporter.submit(payload, Encoding::Protobuf).await;
    assert!(matches!(outcome, PayloadOutcome::Accepted), "{outcome:?}");
}

async fn delivered(exporter: &Exporter) -> Snapshot {
    let waiting = async {
        loop {
            let ledger = exporter.metrics().ledger.snapshot();
            if ledger.queued == 0 && ledger.delivered > 0 {
                return ledger;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it is not delivered")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_or_of_another_time_is_nothing_to_the_next_exporter() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = receiver(ONE, AHEAD);
    options.faults = Script::steps(std::iter::repeat_n(Some(Fault::Unavailable), 1_000));
    let first = StandIn::start(options).await.expect("a port");
    let second = StandIn::start(receiver(TWO, Duration::ZERO)).await.expect("a port");

    let node = node();
    let down = start(&node, "down", &first.url(), ONE, folder.path()).await;
    let up = start(&node, "up", &second.url(), TWO, folder.path()).await;
    for value in 0..10 {
        submit(&down, value).await;
        submit(&up, value).await;
    }
    let ledger = delivered(&up).await;
    assert_eq!((ledger.accepted, ledger.delivered), (400, 400), "{ledger:?}");
    let report = second.report();
    assert_eq!(
        (report.samples_stored, report.unverified),
        (400, 0),
        "signed by its own clock and key: {report:?}"
    );
    let waiting = down.metrics().ledger.snapshot();
    assert_eq!((waiting.accepted, waiting.delivered, waiting.queued), (400, 0, 400), "{waiting:?}");

    let page = node.encode_metrics();
    for line in [
        "otelcol_exporter_sent_metric_points_total{exporter=\"up\"} 400",
        "otelcol_exporter_queue_size{exporter=\"down\",data_type=\"metrics\"} 10",
        "preamp_config_last_reload_successful 1",
        "# EOF",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    assert_eq!(node.exporters().len(), 2);
    up.drain(PATIENCE).await;
    drop(up);
    // Its tasks are aborted, which takes a moment.
    let gone = async {
        while node.exporters().len() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("an exporter that is gone is still shown");
    assert_eq!(down.metrics().ledger.snapshot().queued, 400);
    drop(down);
}

/// Forty queues on disk are forty folders, and no thread of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn durable_queues_cost_no_thread_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = threads();
    let queues: Vec<_> = (0..40).map(|number| queue(folder.path(), &format!("q{number}"))).collect();
    assert!(threads() < before + 8, "{before} threads became {}", threads());
    drop(queues);
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux").count()
}
