//! The second judge of the translation: what real producers recorded is what a real Prometheus answers, through
//! `preamp run` with a Collector file. (The first judge is the Collector's own translator.)

mod captures;
mod classic;
mod host_metrics;
mod quantile;
mod scenario;
mod sdks;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use amp_stand_in::{Options, Signer, StandIn, Storage};
use anyhow::Context as _;
use captures::{Producer, payloads, send};
use host_metrics::Points;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{Summary, SummaryDataPoint};
use preamp_tests::gateway::{Gateway, World};
use preamp_tests::payloads::{RECENT_NS, START_NS, metric, metrics};
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql::{Labels, newest, query_at, samples};
use preamp_tests::running::{PIPELINE, Running, signing};
use scenario::Scenario;
use sdks::Judge;

const SDKS: [&str; 4] = ["python", "node", "java", "rust"];
const VERSION_1: &str = "prometheus.WriteRequest";
const VERSION_2: &str = "io.prometheus.write.v2.Request";
const NATIVE: &str = "exponential_histograms: native";

/// A `preamp run` that writes to Prometheus, with these further options of the exporter.
fn preamp(endpoint: &str, options: &[&str], folder: &Path) -> anyhow::Result<Running> {
    let mut configuration =
        format!("{PIPELINE}\nexporters:\n  prometheusremotewrite:\n    endpoint: {endpoint}\n");
    for option in options {
        configuration.push_str(&format!("    {option}\n"));
    }
    Running::start(&configuration, &[], folder)
}

fn what_sdks_recorded(prometheus: &Prometheus, message: &str, folder: &Path) -> anyhow::Result<()> {
    let options = [&*format!("protobuf_message: {message}"), NATIVE];
    let preamp = preamp(&prometheus.write_url(), &options, folder)?;
    send_all(preamp.http)?;
    preamp.wait_until_delivered()?;
    examine(prometheus, message, true)
}

fn send_all(http: SocketAddr) -> anyhow::Result<()> {
    for name in SDKS {
        for (media_type, body) in payloads(name)? {
            send(http, media_type, &body).with_context(|| name.to_owned())?;
        }
    }
    Ok(())
}

fn examine(prometheus: &Prometheus, message: &str, exemplars: bool) -> anyhow::Result<()> {
    let judge = Judge {
        prometheus: prometheus.address(),
        newest: newest(prometheus.address())?,
        over_version_1: message == VERSION_1,
        exemplars,
    };
    let scenario = Scenario::read()?;
    let recorded = scenario.recorded();
    for name in SDKS {
        judge.examine(&Producer::read(name)?, &recorded).with_context(|| format!("{name}, {message}"))?;
    }
    Ok(())
}

#[test]
fn what_sdks_recorded_is_what_prometheus_answers_over_1_0() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    what_sdks_recorded(&prometheus, VERSION_1, folder.path())
}

#[test]
fn what_sdks_recorded_is_what_prometheus_answers_over_2_0() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    what_sdks_recorded(&prometheus, VERSION_2, folder.path())
}

#[test]
fn exponential_histograms_can_be_classic_ones() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let preamp = preamp(&prometheus.write_url(), &["exponential_histograms: classic"], folder.path())?;
    send_all(preamp.http)?;
    preamp.wait_until_delivered()?;
    let newest = newest(prometheus.address())?;
    let scenario = Scenario::read()?;
    let recorded = scenario.recorded();
    for name in SDKS {
        classic::examine(prometheus.address(), newest, &Producer::read(name)?, &recorded)?;
    }
    Ok(())
}

/// AMP's stand-in, which hands on to Prometheus what AMP would store. The captures are older than AMP allows, by as much as
/// they are old.
async fn amp(prometheus: &Prometheus, options: Options) -> anyhow::Result<StandIn> {
    let storage = Storage::Prometheus(prometheus.write_url().parse()?);
    let mut options = Options { storage, ..options };
    options.limits.sample_age = Duration::from_secs(10 * 365 * 24 * 3600);
    Ok(StandIn::start(options).await?)
}

const OF_AMP: [&str; 4] = ["profile: aps", "max_sample_age: 0s", "send_metadata: true", NATIVE];

#[tokio::test(flavor = "multi_thread")]
async fn what_sdks_recorded_is_what_amp_would_answer() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let stand_in = amp(&prometheus, Options::unsigned()).await?;
    let preamp = preamp(&stand_in.url(), &OF_AMP, folder.path())?;
    send_all(preamp.http).with_context(|| format!("{:?}", stand_in.report()))?;
    preamp.wait_until_delivered()?;
    examine(&prometheus, VERSION_1, false)?;
    let report = stand_in.report();
    assert_eq!((report.refused(), report.exemplars_ignored), (0, 0), "{report:?}");
    assert!(report.metadata > 0, "{report:?}");
    Ok(())
}

/// The same through a gateway, in a runtime that is none of ours, with signatures.
#[tokio::test(flavor = "multi_thread")]
async fn what_sdks_recorded_comes_through_a_gateway() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let (id, secret) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let signer = Signer::of_amp(id, secret, "eu-west-1");
    let stand_in = amp(&prometheus, Options::signed(signer)).await?;
    let configuration = signing("eu-west-1", "", &stand_in.url(), &OF_AMP.join("\n    "));
    let credentials = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
    let gateway = Gateway::start(&configuration, World::Http02, &credentials, &[], folder.path())?;
    send_all(gateway.http).with_context(|| format!("{}{:?}", gateway.said(), stand_in.report()))?;
    examine(&prometheus, VERSION_1, false)?;
    let report = stand_in.report();
    assert_eq!((report.refused(), report.unverified), (0, 0), "{report:?}");
    Ok(())
}

/// Only 2.0 carries types, units and start times with each series; Prometheus makes labels of the first two, and a
/// zero at the third.
#[test]
#[ignore = "needs a newer Prometheus than 3.5: `./build.sh soak judges`"]
fn types_units_and_start_times_arrive_over_2_0() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let features = ["type-and-unit-labels", "created-timestamp-zero-ingestion"];
    let prometheus = Prometheus::start_with(folder.path(), &features)?;
    let preamp =
        preamp(&prometheus.write_url(), &[&format!("protobuf_message: {VERSION_2}")], folder.path())?;
    for (media_type, body) in payloads("java")? {
        send(preamp.http, media_type, &body)?;
    }
    preamp.wait_until_delivered()?;
    let newest = newest(prometheus.address())?;
    for (name, kind, unit) in [
        ("shop_orders_total", "counter", ""),
        ("shop_payment_volume_EUR_total", "counter", "EUR"),
        ("shop_cart_items", "gauge", ""),
        ("http_server_request_duration_seconds_bucket", "histogram", "seconds"),
        ("shop_payment_amount_EUR", "histogram", "EUR"),
        ("warehouse_temperature_celsius", "gauge", "celsius"),
        ("warehouse_fill_ratio", "gauge", ""),
    ] {
        let found = samples(prometheus.address(), &format!("{{__name__=\"{name}\"}}[1h]"), newest)?;
        assert!(!found.is_empty(), "no {name}");
        for (labels, series) in found {
            let label = |name: &str| labels.get(name).map_or("", String::as_str);
            assert_eq!((label("__type__"), label("__unit__")), (kind, unit), "{labels:?}");
            let values = series.values.iter().map(|(_, value)| *value);
            let values: Vec<f64> =
                values.chain(series.histograms.iter().map(|(_, histogram)| histogram.count)).collect();
            if kind == "gauge" {
                // A gauge has no start, so nothing but what was measured; an up-down counter is one.
                assert_eq!(values.len(), 4, "{labels:?}: {values:?}");
            } else {
                assert_eq!(values[0], 0.0, "{labels:?}: {values:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn what_the_collector_scraped_is_what_prometheus_answers() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let preamp = preamp(
        &prometheus.write_url(),
        &["resource_to_telemetry_conversion: {enabled: true}"],
        folder.path(),
    )?;
    let mut expected = Points::new();
    for (media_type, body) in payloads("hostmetrics")? {
        host_metrics::read(&body, &mut expected)?;
        send(preamp.http, media_type, &body)?;
    }
    preamp.wait_until_delivered()?;
    let newest = newest(prometheus.address())?;
    let selector = "{__name__!=\"target_info\",host_name=\"capture-host\"}[1h]";
    let found = samples(prometheus.address(), selector, newest)?;
    let found: Points = found.into_iter().map(|(labels, series)| (labels, series.values)).collect();
    assert_eq!(found, expected);
    assert!(found.len() > 60, "{} series", found.len());

    // A person's question: how busy was the machine?
    let grown = |busy: bool| -> f64 {
        let of_processors = expected.iter().filter(|(labels, _)| {
            labels["__name__"] == "system_cpu_time_seconds_total" && !(busy && labels["state"] == "idle")
        });
        of_processors.map(|(_, points)| points[points.len() - 1].1 - points[0].1).sum()
    };
    let processors = "rate(system_cpu_time_seconds_total[1m])";
    let share = format!("sum({}) / sum({processors})", processors.replace('[', "{state!=\"idle\"}["));
    let share: Vec<f64> = query_at(prometheus.address(), &share, newest)?.into_values().collect();
    let busy = grown(true) / grown(false);
    assert!(matches!(share[..], [share] if (share - busy).abs() < 1e-6), "{share:?}, not {busy}");
    Ok(())
}

/// No SDK makes summaries, so this payload is our own.
#[test]
fn a_summary_is_what_prometheus_answers() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let preamp = preamp(&prometheus.write_url(), &[], folder.path())?;
    let quantiles = [(0.0, 0.125), (0.5, 0.25), (0.99, 1.5), (1.0, 4.0)];
    let point = SummaryDataPoint {
        start_time_unix_nano: START_NS,
        time_unix_nano: RECENT_NS,
        count: 24,
        sum: 9.0,
        quantile_values: quantiles.map(|(quantile, value)| ValueAtQuantile { quantile, value }).to_vec(),
        ..Default::default()
    };
    let summary = metric("rpc.duration", "s", Data::Summary(Summary { data_points: vec![point] }));
    send(preamp.http, "application/x-protobuf", &metrics(vec![summary]))?;
    preamp.wait_until_delivered()?;
    let newest = newest(prometheus.address())?;
    let answer = |expression: &str| -> anyhow::Result<Vec<(Labels, f64)>> {
        Ok(query_at(prometheus.address(), expression, newest)?.into_iter().collect())
    };
    let answered: Vec<(String, f64)> = answer("sum by (quantile) (rpc_duration_seconds)")?
        .into_iter()
        .map(|(labels, value)| (labels["quantile"].clone(), value))
        .collect();
    let expected = [("0", 0.125), ("0.5", 0.25), ("0.99", 1.5), ("1", 4.0)];
    assert_eq!(answered, expected.map(|(quantile, value)| (quantile.to_owned(), value)));
    let average = "rpc_duration_seconds_sum{job=\"shop/checkout\"} / rpc_duration_seconds_count";
    let average: Vec<f64> = answer(average)?.into_iter().map(|(_, value)| value).collect();
    assert_eq!(average, [0.375]);
    Ok(())
}
