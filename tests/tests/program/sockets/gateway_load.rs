//! What a gateway takes, as one runs it in production: compiled ahead of time, with instances that are used again. AMP's
//! stand-in verifies each signature on the same processors.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::gateways::configuration;
use super::scenarios::{CREDENTIALS, options};
use amp_stand_in::StandIn;
use anyhow::{Context as _, ensure};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use preamp_tests::children::Background;
use preamp_tests::gateway::{Precompiled, World};
use preamp_tests::loopback::{exchange, free_ports};
use preamp_tests::otlp_http::OtlpClient;
use preamp_tests::payloads;
use prost::Message as _;
use serde_json::json;

/// How many requests of 73 points a gateway with instances that are used again takes in a second, at least.
const RATE_MIN: f64 = 500.0;

/// How long it may take from the start of the process to the first delivery, at best.
const FIRST_MAX: Duration = Duration::from_millis(50);

/// How long is measured, after a second to warm up.
const SECONDS: u64 = 5;

/// Of how many starts the times are told.
const STARTS: usize = 9;

/// Instances that are used again. Those of 0.2 are not without this; 0.3 has it by default.
const REUSE: [&str; 2] = ["--max-instance-reuse-count=1000", "--idle-instance-timeout=5s"];

/// What the Collector's hostmetrics receiver sent: 73 points.
struct HostMetrics(ExportMetricsServiceRequest);

impl HostMetrics {
    fn read() -> anyhow::Result<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/hostmetrics/2.otlp");
        let captured = ExportMetricsServiceRequest::decode(&*std::fs::read(file)?)?;
        let points = points(&captured);
        ensure!(points == 73, "the capture has {points} points");
        Ok(Self(captured))
    }

    /// The same of another sender and of now.
    fn of(&self, sender: usize) -> Vec<u8> {
        let now = payloads::now_ms() as u64 * 1_000_000;
        let mut request = self.0.clone();
        for resource in &mut request.resource_metrics {
            let attributes = &mut resource.resource.get_or_insert_default().attributes;
            attributes.push(payloads::text("service.name", "host"));
            attributes.push(payloads::text("service.instance.id", &sender.to_string()));
            for metric in resource.scope_metrics.iter_mut().flat_map(|scope| &mut scope.metrics) {
                let points = match &mut metric.data {
                    Some(Data::Gauge(gauge)) => &mut gauge.data_points,
                    Some(Data::Sum(sum)) => &mut sum.data_points,
                    _ => continue,
                };
                points.iter_mut().for_each(|point| point.time_unix_nano = now);
            }
        }
        request.encode_to_vec()
    }
}

fn points(request: &ExportMetricsServiceRequest) -> usize {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    let points = metrics.map(|metric| match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        _ => 0,
    });
    points.sum()
}

/// What was measured, in requests a second and milliseconds.
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
}

/// Has so many senders, each with a connection and series of its own, send one payload after the other.
async fn measure(http: SocketAddr, senders: usize, seconds: u64) -> anyhow::Result<Measured> {
    let metrics = Arc::new(HostMetrics::read()?);
    let until = Instant::now() + Duration::from_secs(seconds);
    let sent = Arc::new(AtomicU64::new(0));
    let tasks = (0..senders).map(|sender| {
        let (metrics, sent) = (Arc::clone(&metrics), Arc::clone(&sent));
        tokio::spawn(async move {
            let client = OtlpClient::new(http);
            let mut times = Vec::new();
            while Instant::now() < until {
                let payload = metrics.of(sender);
                let begun = Instant::now();
                client.send(payload.into()).await?;
                times.push(begun.elapsed());
                sent.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(times)
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await??);
    }
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1_000.0;
    Ok(Measured { rate: sent.load(Ordering::Relaxed) as f64 / seconds as f64, p50: at(0.5), p99: at(0.99) })
}

/// The load of the machine in the last minute, before anything was measured.
fn busy() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("?").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`: it takes half a minute and the whole machine"]
async fn a_gateway_takes_five_hundred_requests_a_second() -> anyhow::Result<()> {
    println!("load of the machine before: {}", busy());
    println!("| world | instances | connections | requests/s | p50 ms | p99 ms | RSS MiB |");
    for (world, instances, serving) in [
        (World::Http02, "one for each request", &[][..]),
        (World::Http02, "used again", &REUSE),
        (World::Http03, "used again", &REUSE),
        (
            World::Http03,
            "used again, one request at a time",
            &[REUSE[0], REUSE[1], "--max-instance-concurrent-reuse-count=1"],
        ),
    ] {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(options()).await?;
        let gateway = Precompiled::new(&configuration(&stand_in, &json!({})), world, folder.path())?;
        let gateway = gateway.start(&CREDENTIALS, serving, folder.path())?;
        measure(gateway.http, 8, 1).await.with_context(|| gateway.said())?;
        for senders in [1, 8] {
            let Measured { rate, p50, p99 } =
                measure(gateway.http, senders, SECONDS).await.with_context(|| gateway.said())?;
            println!(
                "| {} | {instances} | {senders} | {rate:.0} | {p50:.2} | {p99:.2} | {:.0} |",
                world.name(),
                gateway.memory_mib()?
            );
            let is_held_to_it = instances == "used again" && senders == 8;
            ensure!(!is_held_to_it || rate >= RATE_MIN, "{rate:.0} requests/s are less than {RATE_MIN}");
        }
        let report = stand_in.report();
        ensure!(report.unverified == 0 && report.verified == report.requests, "{report:?}");
        ensure!(report.refused() == 0, "{report:?}");
        println!("  of {} signatures {} were verified", report.requests, report.verified);
    }
    Ok(())
}

/// From the start of a process to its first delivery.
fn first_delivery(
    gateway: &Precompiled,
    payload: &[u8],
    port: u16,
    folder: &Path,
) -> anyhow::Result<Duration> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let command = gateway.command(&CREDENTIALS, &[], &address.to_string())?;
    let headers = [("host", "gateway"), ("content-type", "application/x-protobuf")];
    let begun = Instant::now();
    let process = Background::start("wasmtime", command, folder)?;
    while begun.elapsed() < Duration::from_secs(10) {
        if let Some(reply) = exchange(address, "POST", "/v1/metrics", &headers, payload) {
            ensure!(reply.status == 200, "{reply:?}\n{}", process.said());
            return Ok(begun.elapsed());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    anyhow::bail!("no answer: {}", process.said())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`: it wants the whole machine"]
async fn a_gateway_delivers_soon_after_it_was_started() -> anyhow::Result<()> {
    println!("load of the machine before: {}", busy());
    for world in [World::Http02, World::Http03] {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(options()).await?;
        let gateway = Precompiled::new(&configuration(&stand_in, &json!({})), world, folder.path())?;
        let metrics = HostMetrics::read()?;
        let mut times = Vec::new();
        for start in 0..STARTS {
            let [port] = free_ports::<1>()?;
            times.push(first_delivery(&gateway, &metrics.of(start), port, folder.path())?);
        }
        times.sort();
        let (best, median) = (times[0], times[STARTS / 2]);
        println!(
            "{}: from the start of the process to the first delivery {:.1} ms at best, {:.1} ms in the median of {STARTS}",
            world.name(),
            best.as_secs_f64() * 1_000.0,
            median.as_secs_f64() * 1_000.0
        );
        ensure!(stand_in.report().verified == STARTS as u64, "{:?}", stand_in.report());
        ensure!(best <= FIRST_MAX, "{world:?}: {best:?} is more than {FIRST_MAX:?}");
    }
    Ok(())
}
