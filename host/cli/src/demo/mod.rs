//! `preamp demo`: the whole way on this machine alone, without an AWS account.
//!
//! A real OpenTelemetry SDK in this process sends metrics over OTLP/gRPC to the exporter, which runs from a Collector
//! configuration as in production; the AMP stand-in verifies each signature, enforces AMP's limits and keeps the
//! series. In the end three independent counts must agree.

mod sdk;
pub mod stand_in;
mod summary;
mod workload;

use std::io::Write as _;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use amp_stand_in::{Fault, Options, Report, Script, Signer, StandIn};
use anyhow::Context as _;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use crate::{embedded, telemetry};
use preamp_base::Secret;
use preamp_host::credentials::{Credentials, Fixed};
use preamp_host::metrics::Snapshot;
use preamp_host::node::NodeOptions;
use preamp_host::service::{Addresses, Running, Service};
use sdk::Exported;
use summary::{Summary, compare, grouped};
use workload::Shop;

const REGION: &str = "eu-west-1";
// The key pair of AWS' own signing examples; the stand-in knows no other.
const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION_TOKEN: &str = "preamp-demo-session";

/// How often the shop is busy, and how many requests it then serves.
const BUSY_EVERY: Duration = Duration::from_millis(20);
const REQUESTS: u64 = 50;
/// How long what is queued in the end may take to be delivered.
const DRAIN: Duration = Duration::from_secs(30);
/// Every so many requests something goes wrong in a demo with faults.
const FAULT_EVERY: NonZeroU64 = NonZeroU64::new(4).unwrap();
/// The stand-in's memory in a demo without end; stricter than AMP, which takes samples up to an hour old.
const SHORT_MEMORY: Duration = Duration::from_secs(300);

/// What `preamp demo` can be asked for.
#[derive(clap::Args, Clone, Debug)]
pub struct DemoArgs {
    /// Produce metrics for this many seconds
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Go on until stopped with Ctrl-C, and say how other programs write to the stand-in and see its series
    #[arg(long, conflicts_with = "seconds")]
    pub keep: bool,
    /// Let the receiver answer 429, 503 and 413 and cut connections every now and then; nothing may be lost
    #[arg(long)]
    pub offline_fault: bool,
}

/// Runs the demo: progress on standard error, the summary on standard output.
///
/// # Errors
///
/// When something could not be started, and when anything was lost: the error says what.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let stand_in = StandIn::start(stand_in_options(&args)).await.context("cannot start the AMP stand-in")?;
    let mut running = start_exporter(&stand_in).await?;
    let otlp = running.addresses().grpc.context("the exporter does not listen for OTLP/gRPC")?;
    announce(&stand_in, &running.addresses(), args.keep);

    let started = Instant::now();
    let exported = Arc::new(Exported::default());
    let provider = sdk::provider(&format!("http://{otlp}"), Arc::clone(&exported))?;
    let mut shop = Shop::new(&provider.meter("shop"));
    let metrics = Arc::clone(running.metrics());
    let report = |elapsed| progress(elapsed, &metrics.ledger.snapshot(), &stand_in.report());
    tokio::select! {
        ended = produce(&args, &mut shop, report) => ended?,
        failure = running.failure() => anyhow::bail!("the exporter failed: {failure}"),
    }
    flush(provider).await?;
    let stopped = running.shutdown(DRAIN).await;

    let (matching, deviations) = compare(shop.books(), &stand_in.series());
    let summary = Summary {
        took: started.elapsed(),
        exported: exported.points.load(Ordering::Relaxed),
        export_failed: exported.failed.load(Ordering::Relaxed),
        ledger: stopped.ledger,
        report: stand_in.report(),
        matching,
        deviations,
    };
    stand_in.shutdown().await;
    conclude(&summary)
}

/// Who may write to the stand-in.
fn signer() -> Signer {
    Signer {
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: SECRET_ACCESS_KEY.to_owned(),
        session_token: Some(SESSION_TOKEN.to_owned()),
        region: REGION.to_owned(),
        service: "aps".to_owned(),
    }
}

fn stand_in_options(args: &DemoArgs) -> Options {
    let mut options = Options::signed(signer());
    if args.keep {
        options.limits.sample_age = SHORT_MEMORY;
    }
    if args.offline_fault {
        let faults = [
            Fault::RateExceeded,
            Fault::Unavailable,
            Fault::TooLarge,
            Fault::LoseAnswer,
            Fault::IngestionRate(1),
            Fault::CutBeforeBody,
        ];
        options.faults = Script::every(FAULT_EVERY, faults);
    }
    options
}

/// The configuration an operator would write for a Collector, but for the ports.
fn configuration(endpoint: &str) -> String {
    format!(
        "receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
extensions:
  sigv4auth:
    region: {REGION}
    service: aps
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
    auth:
      authenticator: sigv4auth
service:
  extensions: [sigv4auth]
  telemetry:
    logs:
      level: error
    metrics:
      readers:
        - pull:
            exporter:
              prometheus:
                host: 127.0.0.1
                port: 0
  pipelines:
    metrics:
      receivers: [otlp]
      exporters: [prometheusremotewrite]
"
    )
}

async fn start_exporter(stand_in: &StandIn) -> anyhow::Result<Running> {
    let settings = preamp_config::parse("demo.yaml", &configuration(&stand_in.url()), &|_| None)?.settings;
    telemetry::start(&settings.telemetry).map_err(anyhow::Error::from_boxed)?;
    let credentials = Credentials {
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: Secret::new(SECRET_ACCESS_KEY.to_owned()),
        session_token: Some(Secret::new(SESSION_TOKEN.to_owned())),
        expires: None,
    };
    let options = NodeOptions {
        credentials: Some(Arc::new(Fixed::new(credentials))),
        ..NodeOptions::of_this_system(embedded::load()?)
    };
    Ok(Service::start(&settings, options).await?)
}

fn announce(stand_in: &StandIn, addresses: &Addresses, is_kept: bool) {
    let shown = |address: Option<SocketAddr>| address.map(|it| it.to_string()).unwrap_or_default();
    let (otlp, metrics) = (shown(addresses.grpc), shown(addresses.metrics));
    let mut err = std::io::stderr().lock();
    // Who closed standard error does not want to read this.
    let _written = writeln!(
        err,
        "OpenTelemetry SDK ─▶ OTLP/gRPC {otlp} ─▶ preamp ─▶ remote write with SigV4 {} ─▶ AMP stand-in\n\
         self-metrics: http://{metrics}/metrics",
        stand_in.address()
    );
    if is_kept {
        let _written = write!(err, "{}", stand_in::instructions(stand_in, true));
    }
}

/// Keeps the shop busy until it is time, or Ctrl-C is pressed.
async fn produce(args: &DemoArgs, shop: &mut Shop, report: impl Fn(Duration)) -> anyhow::Result<()> {
    let started = Instant::now();
    let end = async {
        if args.keep {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    };
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(end, interrupted);
    let mut busy = tokio::time::interval(BUSY_EVERY);
    let second = Duration::from_secs(1);
    let mut seconds = tokio::time::interval_at(tokio::time::Instant::now() + second, second);
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            result = &mut interrupted => return result.context("cannot wait for Ctrl-C"),
            _ = busy.tick() => shop.serve(REQUESTS),
            _ = seconds.tick() => report(started.elapsed()),
        }
    }
}

fn progress(elapsed: Duration, ledger: &Snapshot, report: &Report) {
    let mut err = std::io::stderr().lock();
    let _written = writeln!(
        err,
        "{:>4} s  points: {} in, {} delivered, {} waiting   requests: {}, {} verified   series: {}",
        elapsed.as_secs(),
        grouped(ledger.accepted),
        grouped(ledger.delivered),
        grouped(ledger.queued),
        grouped(report.requests),
        grouped(report.verified),
        grouped(report.series),
    );
}

/// Exports what is left. The SDK blocks the thread for that.
async fn flush(provider: SdkMeterProvider) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || provider.shutdown()).await?.context("the SDK's last export failed")
}

fn conclude(summary: &Summary) -> anyhow::Result<()> {
    let problems = summary.problems();
    let mut out = std::io::stdout().lock();
    write!(out, "{summary}")?;
    if problems.is_empty() {
        writeln!(out, "Nothing was lost.")?;
        return Ok(());
    }
    anyhow::bail!("the demo did not end as it should:\n  {}", problems.join("\n  "))
}
