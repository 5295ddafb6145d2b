//! The same file with another name for the exporter: what Prometheus answers is the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use amp_stand_in::{Options, StandIn, Storage};
use anyhow::{Context as _, ensure};
use preamp_tests::children::wait_for;
use preamp_tests::collector::Collector;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql::{Labels, newest, query, query_at, samples};
use preamp_tests::recorded::record;
use preamp_tests::sockets::Socket as _;

use super::super::scenarios::{CREDENTIALS, REGION, options};

/// How often the target is scraped at least, once a second.
const SCRAPES: f64 = 5.0;

/// The section of an exporter: both have the same keys but for who signs.
fn section(name: &str, endpoint: &str, signer: &str) -> String {
    format!(
        "  {name}:
    endpoint: {endpoint}
    external_labels: {{exporter: {name}}}
    resource_to_telemetry_conversion: {{enabled: true}}
    send_metadata: true
    remote_write_queue: {{enabled: true, queue_size: 1000}}
    retry_on_failure: {{enabled: true, initial_interval: 100ms}}
    timeout: 10s
    {signer}
"
    )
}

const EXTENSION: &str = "auth: {authenticator: sigv4auth}";

/// Scrapes a target, and writes what comes of it with both exporters.
fn configuration(target: SocketAddr, endpoint: &str, signer: &str) -> String {
    let exporters =
        section("prometheusremotewrite", endpoint, EXTENSION) + &section("preamp", endpoint, signer);
    format!(
        "receivers:
  prometheus:
    config:
      scrape_configs:
        - job_name: target
          scrape_interval: 1s
          static_configs: [{{targets: ['{target}']}}]
processors:
  resourcedetection: {{detectors: [env, system], system: {{hostname_sources: [os]}}}}
  filter: {{metrics: {{metric: ['IsMatch(name, \"^go_gc_.*\")']}}}}
  batch: {{}}
extensions:
  sigv4auth: {{region: {REGION}, service: aps}}
exporters:
{exporters}
service:
  extensions: [sigv4auth]
  pipelines:
    metrics: {{receivers: [otlp, prometheus], processors: [resourcedetection, filter, batch], exporters: [prometheusremotewrite, preamp]}}
"
    )
}

async fn receiver(prometheus: &Prometheus) -> anyhow::Result<StandIn> {
    let storage = Storage::Prometheus(prometheus.write_url().parse()?);
    Ok(StandIn::start(Options { storage, ..options() }).await?)
}

const ENVIRONMENT: [(&str, &str); 3] = [
    CREDENTIALS[0],
    CREDENTIALS[1],
    ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=shop,team=pay"),
];

/// The samples of one exporter, by labels without the one that tells the exporters apart; values by their bits, since some
/// are not numbers.
type Written = BTreeMap<Labels, Vec<(i64, u64)>>;

fn written(prometheus: SocketAddr, exporter: &str) -> anyhow::Result<Written> {
    let selector = format!("{{exporter=\"{exporter}\"}}[1h]");
    let found = samples(prometheus, &selector, newest(prometheus)?)?;
    let series = found.into_iter().map(|(mut labels, series)| {
        ensure!(series.histograms.is_empty(), "{labels:?} has native histograms, which are not compared");
        labels.remove("exporter");
        Ok((labels, series.values.into_iter().map(|(time, value)| (time, value.to_bits())).collect()))
    });
    series.collect()
}

/// What differs, for a person; nothing if nothing does.
fn differences(stock: &Written, preamp: &Written) -> Vec<String> {
    let names = stock.keys().chain(preamp.keys());
    let mut told: Vec<_> = names
        .filter(|labels| stock.get(*labels) != preamp.get(*labels))
        .map(|labels| format!("{labels:?}: {:?}, not {:?}", preamp.get(labels), stock.get(labels)))
        .collect();
    told.sort();
    told.dedup();
    told
}

async fn compared(signer: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let stand_in = receiver(&prometheus).await?;
    let configuration = configuration(prometheus.address(), &stand_in.url(), signer);
    let mut collector = Collector::start(&configuration, &ENVIRONMENT, folder.path())?;
    wait_for("enough scrapes", || {
        let scraped = query(prometheus.address(), "min(count_over_time(up{job=\"target\"}[1h]))")?;
        Ok(scraped.into_values().any(|count| count >= SCRAPES).then_some(()))
    })
    .with_context(|| format!("{:?}\n{}", stand_in.report(), collector.said()))?;
    let ended = collector.terminate()?;
    ensure!(ended.success(), "{ended}: {}", collector.said());

    let [stock, preamp] = ["prometheusremotewrite", "preamp"].map(|name| written(prometheus.address(), name));
    let (stock, preamp) = (stock?, preamp?);
    let told = differences(&stock, &preamp);
    ensure!(
        told.is_empty(),
        "{} of {} series differ: {:#?}",
        told.len(),
        stock.len(),
        &told[..told.len().min(20)]
    );
    ensure!(stock.len() > 200, "{} series", stock.len());
    let named = |name: &str| stock.keys().filter(|labels| labels["__name__"] == name).count();
    ensure!(named("go_goroutines") == 1 && named("go_gc_gogc_percent") == 0, "the filter did not filter");
    ensure!(stock.keys().all(|labels| labels["team"] == "pay"), "no attributes of the resource");

    // What a person asks.
    for question in [
        "sum by (code) (increase(prometheus_http_requests_total{X}[1m]))",
        "histogram_quantile(0.9, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket{X}[1m])))",
        "go_memstats_alloc_bytes{X} / process_resident_memory_bytes{X}",
        "up{X} + on (job, instance) scrape_samples_scraped{X}",
    ] {
        let [stock, preamp] = ["prometheusremotewrite", "preamp"].map(|name| {
            let asked = question.replace("{X}", &format!("{{exporter=\"{name}\"}}"));
            let answer = query_at(prometheus.address(), &asked, newest(prometheus.address())?)?;
            let unnamed = answer.into_iter().map(|(mut labels, value)| {
                labels.remove("exporter");
                (labels, value)
            });
            anyhow::Ok(unnamed.collect::<BTreeMap<_, _>>())
        });
        let (stock, preamp) = (stock?, preamp?);
        ensure!(
            !stock.is_empty() && format!("{stock:?}") == format!("{preamp:?}"),
            "{question}: {preamp:?}, not {stock:?}"
        );
    }
    let report = stand_in.report();
    ensure!(
        report.unverified == 0 && report.verified == report.requests && report.refused() == 0,
        "{report:?}"
    );
    println!(
        "{} series of each exporter, {} of {} signatures verified",
        stock.len(),
        report.verified,
        report.requests
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn another_name_for_the_exporter_changes_no_answer() -> anyhow::Result<()> {
    // The profile is told from the host of AMP, which the stand-in has not.
    compared(&format!("{EXTENSION}\n    profile: aps")).await.context("the extension signs")?;
    compared(&super::signed()).await.context("the component signs")
}

/// An SDK over gRPC in front, and Prometheus behind: it answers what the SDK recorded.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn what_an_sdk_recorded_is_what_prometheus_answers() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let stand_in = receiver(&prometheus).await?;
    let configuration = format!(
        "exporters: {{preamp: {{endpoint: '{}', {}}}}}\nservice: {{pipelines: {{metrics: {{receivers: [otlp], exporters: [preamp]}}}}}}\n",
        stand_in.url(),
        super::signed()
    );
    let mut collector = Collector::start(&configuration, &CREDENTIALS, folder.path())?;
    for protocol in ["grpc", "http"] {
        let recorded = record(protocol, collector.http, collector.grpc).with_context(|| collector.said())?;
        let asked = format!("{{job=\"{}\"}}", recorded.job());
        let expected = recorded.expected();
        wait_for("everything to arrive", || {
            Ok((query(prometheus.address(), &asked)? == expected).then_some(()))
        })
        .with_context(|| {
            format!("{protocol}: {:?}, not {expected:?}", query(prometheus.address(), &asked))
        })?;
    }
    ensure!(collector.terminate()?.success(), "{}", collector.said());
    let report = stand_in.report();
    ensure!(report.unverified == 0 && report.verified > 0 && report.refused() == 0, "{report:?}");
    Ok(())
}
