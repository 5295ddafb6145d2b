//! At three in the morning: what the log and the alerts say of each fault is enough to act on.

use amp_stand_in::{Fault as OfAmp, Options, Script, Signer, StandIn, WORKSPACE_PATH};
use anyhow::{Context as _, ensure};
use preamp_tests::logfmt;
use preamp_tests::loopback::exchange;
use preamp_tests::payloads;
use preamp_tests::promtool::{self, Case};
use preamp_tests::running::{PIPELINE, Running, signing};
use preamp_tests::scripted_receiver::{Says, ScriptedReceiver, Stores};
use preamp_tests::three_am::{Fault, ROWS, Row, UNTIMELY_ON_DISK};
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-west-1";

/// Points in a payload.
const POINTS: usize = 20;

/// Payloads that are sent; more than fit into a queue that is made small.
const PAYLOADS: usize = 4;

/// What has to live as long as a row.
enum Receiver {
    Amp(StandIn),
    Scripted(ScriptedReceiver),
    Nobody(String),
}

impl Receiver {
    async fn of(row: &Row) -> anyhow::Result<Self> {
        let amp = |faults: Script| async {
            let options = Options { faults, ..Options::signed(Signer::of_amp(KEY, SECRET, REGION)) };
            anyhow::Ok(Receiver::Amp(StandIn::start(options).await?))
        };
        let says =
            |says: Says| anyhow::Ok(Receiver::Scripted(ScriptedReceiver::start(move |_| says.clone())?));
        match row.fault {
            Fault::Answers { status, text } => {
                let stores = if row.is_amp { Stores::ValidPart } else { Stores::Nothing };
                says(Says::refused(status, text, stores))
            }
            Fault::WrongKey | Fault::WrongSecret | Fault::WrongRegion => amp(Script::default()).await,
            Fault::Clock => amp(Script::every(NonZeroU64::MIN, [OfAmp::ClockSkew(-3600)])).await,
            Fault::NoName => Ok(Receiver::Nobody("http://preamp.invalid/api/v1/write".to_owned())),
            Fault::Refused | Fault::NoProxy => {
                Ok(Receiver::Nobody("http://127.0.0.1:9/api/v1/write".to_owned()))
            }
            Fault::Hangs => says(Says { after: Duration::from_secs(3), ..Says::taken(204) }),
            Fault::DiskFull | Fault::QueueFull => says(Says::refused(503, "", Stores::Nothing)),
            Fault::Killed => says(Says::taken(204)),
        }
    }

    fn url(&self, row: &Row) -> String {
        match self {
            Receiver::Amp(amp) => amp.url(),
            Receiver::Scripted(receiver) => {
                let path = if row.is_amp { WORKSPACE_PATH } else { "/api/v1/write" };
                format!("http://{}{path}", receiver.address())
            }
            Receiver::Nobody(url) => url.clone(),
        }
    }
}

fn configuration(row: &Row, url: &str, folder: &Path) -> String {
    let queue = format!("wal: {{directory: {}}}", folder.join("queue").display());
    let more = match row.fault {
        Fault::Hangs => "timeout: 300ms".to_owned(),
        Fault::NoProxy => "proxy_url: http://127.0.0.1:9".to_owned(),
        Fault::DiskFull => format!("{queue}\n    min_free_disk_bytes: 1000000000000000"),
        Fault::QueueFull => "remote_write_queue: {queue_size: 2}".to_owned(),
        Fault::Answers { text: UNTIMELY_ON_DISK, .. } => queue,
        _ => "send_metadata: false".to_owned(),
    };
    if !row.is_amp {
        let pipeline = PIPELINE.replace("level: debug", "level: info");
        return format!("{pipeline}exporters:\n  prometheusremotewrite:\n    endpoint: {url}\n    {more}\n");
    }
    let region = if row.fault == Fault::WrongRegion { "eu-west-2" } else { REGION };
    signing(region, "", url, &more).replace("level: debug", "level: info")
}

/// What came of a row.
struct Seen {
    log: String,
    case: Case,
}

async fn meet(row: &'static Row) -> anyhow::Result<Seen> {
    let folder = tempfile::tempdir()?;
    let receiver = Receiver::of(row).await?;
    let text = configuration(row, &receiver.url(row), folder.path());
    let key = if row.fault == Fault::WrongKey { "AKIAI44QH8DHBEXAMPLE" } else { KEY };
    let secret =
        if row.fault == Fault::WrongSecret { "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY" } else { SECRET };
    let environment = [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)];
    let seen = tokio::task::spawn_blocking(move || {
        let mut preamp = Running::start(&text, &environment, folder.path()).context(text)?;
        let before = preamp.self_metrics()?;
        for _ in 0..PAYLOADS {
            let headers = [("host", "preamp"), ("content-type", "application/x-protobuf")];
            // A full queue refuses it.
            let reply = exchange(
                preamp.http,
                "POST",
                "/v1/metrics",
                &headers,
                &payloads::of_now(POINTS / PAYLOADS, 1),
            );
            ensure!(reply.is_some(), "no answer");
        }
        let is_said = |log: &str| {
            let says_all = |line: &str| row.says.iter().all(|word| line.contains(word));
            log.lines().any(says_all).then_some(())
        };
        preamp.wait_for("the log to say what is wrong", is_said)?;
        // Until it is held, and what waits has done so for a second.
        std::thread::sleep(Duration::from_millis(1_200));
        let after = preamp.self_metrics()?;
        if row.fault != Fault::Killed {
            let _what_is_lost_or_left_is_in_the_log = preamp.terminate()?;
        }
        let log = preamp.said();
        let is_killed = row.fault == Fault::Killed;
        let (name, alert) = (row.name.to_owned(), row.alert.to_owned());
        Ok(Seen { log, case: Case { name, before, after, is_killed, alert } })
    });
    let seen = seen.await?;
    drop(receiver);
    seen
}

/// Every point is in a line that says how it ended, and the last line says what is lost or left.
fn check_totals(row: &Row, lines: &[logfmt::Line]) -> anyhow::Result<()> {
    // Nothing was accepted where the disk is full.
    if matches!(row.fault, Fault::Killed | Fault::DiskFull) {
        return Ok(());
    }
    let last = lines.last().context("a line")?;
    // Another clock is mended by itself.
    let is_whole = row.fault == Fault::Clock;
    ensure!(last["msg"] == "stopped" && last.contains_key("why") != is_whole, "{last:?}");
    ensure!((last["level"] == "INFO") == is_whole, "{last:?}");
    if row.alert == "PreampLosesMuch" {
        let told = lines.iter().filter(|line| line["msg"].starts_with("the receiver refused"));
        let points = told.map(|line| line["points"].parse::<usize>()).sum::<Result<usize, _>>()?;
        ensure!(points == POINTS, "{points} of {POINTS} points are told of");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_told_and_alerted() -> anyhow::Result<()> {
    let (mut cases, mut failures) = (Vec::new(), Vec::new());
    // A few at a time: each is a process of its own.
    for rows in ROWS.chunks(7) {
        let met: Vec<_> = rows.iter().map(|row| tokio::spawn(meet(row))).collect();
        for (row, seen) in rows.iter().zip(met) {
            match seen.await? {
                Ok(Seen { log, case }) => {
                    let lines = logfmt::read_all(&log).with_context(|| row.name)?;
                    check_totals(row, &lines).with_context(|| format!("{}:\n{log}", row.name))?;
                    cases.push(case);
                }
                Err(error) => failures.push(format!("{}: {error:#}", row.name)),
            }
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    let folder = tempfile::tempdir()?;
    let rules =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus/alerts.yaml").canonicalize()?;
    let file = folder.path().join("test.yaml");
    std::fs::write(&file, promtool::rules_test(&rules, &cases)?)?;
    promtool::test_rules(&file)
}
