//! Files that earlier versions left behind: each is opened, and what it holds is delivered. `tests/golden/record.py`
//! makes such files; a version that changes a format adds a folder, and the old ones stay.

use amp_stand_in::{Options, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::loopback::exchange;
use preamp_tests::running::{PIPELINE, Running, printed};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// When the samples begin: 2026-11-01 12:00 UTC, in milliseconds.
const BEGIN: i64 = 1_793_534_400_000;

/// A series by its name and its label `phase`, with a sample: seconds since [`BEGIN`], and the value.
type Sample = (&'static str, &'static str, i64, f64);

/// What was in the queue of each.
const QUEUED: [Sample; 7] = [
    ("orders_total", "all", 10, 12.0),
    ("power_watts", "a", 10, 2.5),
    ("power_watts", "a", 20, 3.5),
    ("power_watts", "b", 10, 2.5),
    ("power_watts", "b", 20, 3.5),
    ("power_watts", "c", 10, 2.5),
    ("power_watts", "c", 20, 3.5),
];

fn versions() -> anyhow::Result<Vec<PathBuf>> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let entries = std::fs::read_dir(&golden)?.collect::<Result<Vec<_>, _>>()?;
    let folders: Vec<_> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    ensure!(!folders.is_empty(), "{} holds no version", golden.display());
    Ok(folders)
}

/// Puts the files of a folder into another one as they were.
fn unpack(from: &Path, into: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(into)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_stem().context("no name")?;
        if path.is_dir() {
            unpack(&path, &into.join(name))?;
        } else {
            std::fs::write(into.join(name), zstd::decode_all(&*std::fs::read(&path)?)?)?;
        }
    }
    Ok(())
}

struct Left {
    folder: tempfile::TempDir,
    configuration: String,
    stand_in: StandIn,
}

impl Left {
    /// The files that a process left, with a receiver of remote write 1.0 that takes samples of any age.
    async fn of(kept: &Path, message: &str, partitions: u32) -> anyhow::Result<Left> {
        let folder = tempfile::tempdir()?;
        unpack(kept, folder.path())?;
        let mut options = Options::unsigned();
        options.limits.sample_age = Duration::from_secs(100 * 365 * 86_400);
        let stand_in = StandIn::start(options).await?;
        let configuration = format!(
            "{PIPELINE}
exporters:
  prometheusremotewrite:
    endpoint: {}
    profile: prometheus
    protobuf_message: {message}
    target_info: {{enabled: false}}
    wal: {{directory: {}}}
    max_queue_bytes: 1048576
    remote_write_queue: {{num_consumers: {partitions}}}
    delta: accumulate
    delta_max_idle: 876000h
    delta_state_file: {}
",
            stand_in.url(),
            folder.path().join("queue").display(),
            folder.path().join("totals").display(),
        );
        std::fs::write(folder.path().join("preamp.yaml"), &configuration)?;
        Ok(Left { folder, configuration, stand_in })
    }

    fn command(&self, arguments: &[&str]) -> anyhow::Result<String> {
        printed(arguments, &[], &self.folder.path().join("preamp.yaml"))
    }

    fn audit(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.command(&["audit", "--json"])?)?)
    }

    /// Delivers what waits, then a delta of 1, and says what total comes of it.
    fn deliver(&self) -> anyhow::Result<f64> {
        let mut running = Running::start(&self.configuration, &[], self.folder.path())?;
        running.wait_for_empty_queue()?;
        let found = self.stored();
        let expected: BTreeSet<_> = QUEUED.map(|sample| format!("{sample:?}")).into();
        ensure!(found == expected, "{found:?}");
        let delta = format!(
            r#"{{"resourceMetrics": [{{"resource": {{"attributes": [{{"key": "service.name",
                "value": {{"stringValue": "golden"}}}}]}}, "scopeMetrics": [{{"metrics": [{{"name": "orders",
                "sum": {{"aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [{{"asDouble": 1,
                "attributes": [{{"key": "phase", "value": {{"stringValue": "all"}}}}],
                "startTimeUnixNano": "{}000000", "timeUnixNano": "{}000000"}}]}}}}]}}]}}]}}"#,
            BEGIN + 29_000,
            BEGIN + 30_000,
        );
        let headers = [("host", "preamp"), ("content-type", "application/json")];
        let reply = exchange(running.http, "POST", "/v1/metrics", &headers, delta.as_bytes());
        ensure!(reply.as_ref().is_some_and(|reply| reply.status == 200), "{reply:?}");
        running.wait_for_empty_queue()?;
        ensure!(running.terminate()?.success(), "{}", running.said());
        let series = self.stand_in.series();
        let mut samples = series.values().flatten();
        let total = samples.find(|sample| sample.timestamp == BEGIN + 30_000).context("no total")?;
        Ok(total.value)
    }

    /// What the receiver has, each sample as it is noted in [`QUEUED`].
    fn stored(&self) -> BTreeSet<String> {
        let series = self.stand_in.series();
        let label = |labels: &[(String, String)], name: &str| {
            labels.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let notes = series.iter().flat_map(|(labels, samples)| {
            let (name, phase) = (label(labels, "__name__"), label(labels, "phase"));
            samples.iter().map(move |sample| {
                let seconds = (sample.timestamp - BEGIN) / 1_000;
                format!("{:?}", (name.as_str(), phase.as_str(), seconds, sample.value))
            })
        });
        notes.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_of_an_earlier_version_left_is_delivered() -> anyhow::Result<()> {
    for version in versions()? {
        let left = Left::of(&version.join("killed"), "prometheus.WriteRequest", 2).await?;
        let audit = left.audit()?;
        ensure!(audit["accepted"] == 11 && audit["queued"] == 7, "{audit}");
        ensure!(audit["problems"] == serde_json::json!([]), "{audit}");
        let kept: Value = serde_json::from_str(&left.command(&["quarantine", "list", "--json"])?)?;
        ensure!(kept["reason"] == "invalid" && kept["points"] == 1, "{kept}");
        let shown = left.command(&["quarantine", "show"])?;
        ensure!(shown.contains(r#"power_watts{job="golden",phase="unwanted"} 1.5 1793534400000"#), "{shown}");
        let total = left.deliver()?;
        ensure!(
            total == 1.0,
            "the snapshot is older than what was sent, so totals begin anew, not at {total}"
        );
        let audit = left.audit()?;
        ensure!(audit["accepted"] == 12 && audit["queued"] == 0, "{audit}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_left_in_order_is_delivered_and_totals_go_on() -> anyhow::Result<()> {
    for version in versions()? {
        let left = Left::of(&version.join("stopped"), "io.prometheus.write.v2.Request", 1).await?;
        let status = left.command(&["queue", "status"])?;
        ensure!(status.contains("7 data points"), "{status}");
        let total = left.deliver()?;
        ensure!(total == 13.0, "5, 7 and 1 were counted, not {total}");
        let audit = left.audit()?;
        ensure!(audit["accepted"] == 10 && audit["queued"] == 0, "{audit}");
    }
    Ok(())
}
