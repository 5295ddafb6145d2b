//! The metrics of the process itself, pushed: through its own pipeline into a real Prometheus, and over OTLP to another
//! process that takes them from senders it knows.

use anyhow::ensure;
use preamp_tests::certificates::Authority;
use preamp_tests::children::wait_for;
use preamp_tests::payloads;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql::query;
use preamp_tests::running::{PIPELINE, Running, post, self_metric};
use preamp_tests::sink;
use std::net::SocketAddr;
use std::time::Duration;

const TOKEN: &str = "t0k3n-of-the-pusher";
const SCRAPED: &str = "      readers:\n";

/// A Collector file whose own metrics are also pushed, by a reader with these keys, and other keys of `telemetry`.
fn pushing(endpoint: &str, periodic: &str, telemetry: &str) -> String {
    let reader = format!("{SCRAPED}        - periodic: {periodic}\n");
    let pipeline = PIPELINE.replace(SCRAPED, &reader);
    let pipeline = pipeline.replace("  telemetry:\n", &format!("  telemetry:\n{telemetry}"));
    format!("{pipeline}exporters:\n  prometheusremotewrite: {{endpoint: '{endpoint}'}}\n")
}

fn pushes(running: &Running, outcome: &str) -> anyhow::Result<f64> {
    let page = running.self_metrics()?;
    Ok(self_metric(&page, "preamp_self_metrics_pushes_total", &format!("outcome=\"{outcome}\"")))
}

#[test]
fn a_workspace_that_nobody_scrapes_for_gets_them_through_the_own_pipeline() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let configuration = pushing(
        &prometheus.write_url(),
        "{interval: 200, exporter: {pipeline: {}}}",
        "    resource: {service.instance.id: one, service.version: null, zone: 3}\n",
    );
    let mut running = Running::start(&configuration, &[], folder.path())?;
    post(running.http, &payloads::of_now(100, 1))?;
    let labels = "job=\"preamp\",instance=\"one\"";
    let value = |expression: &str| -> anyhow::Result<Option<f64>> {
        Ok(query(prometheus.address(), expression)?.values().next().copied())
    };
    let accepted = format!("otelcol_receiver_accepted_metric_points_total{{{labels},transport=\"http\"}}");
    wait_for("the points of the sender to be counted there", || {
        Ok((value(&accepted)? == Some(100.0)).then_some(()))
    })?;
    // A gauge, a histogram, a counter with labels that counts these points too, and what the resource has.
    for expression in [
        format!("preamp_queue_payloads_limit{{{labels}}} or preamp_points_queued{{{labels}}}"),
        format!(
            "histogram_quantile(0.5, prometheus_remote_storage_sent_batch_duration_seconds_bucket{{{labels}}})"
        ),
        format!("preamp_points_total{{{labels},state=\"accepted\"}} > 100"),
        format!("target_info{{{labels},zone=\"3\",service_version=\"\"}}"),
    ] {
        wait_for(&expression, || Ok(value(&expression)?.map(drop)))?;
    }
    ensure!(pushes(&running, "failure")? == 0.0, "{}", running.said());
    // The last values of a process that stops are there as well.
    running.reload(&configuration.replace("interval: 200", "interval: 3600000"))?;
    post(running.http, &payloads::of_now(11, 1))?;
    ensure!(running.terminate()?.success(), "{}", running.said());
    ensure!(value(&accepted)? == Some(111.0), "{:?}", value(&accepted)?);
    Ok(())
}

/// What another process has taken over a protocol.
fn taken(other: &Running, transport: &str) -> anyhow::Result<f64> {
    let page = other.self_metrics()?;
    Ok(self_metric(&page, "otelcol_receiver_accepted_metric_points", &format!("transport=\"{transport}\"")))
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_pushed_over_otlp_to_whom_the_file_names() -> anyhow::Result<()> {
    let (address, _taken) = sink::start(Duration::ZERO).await?;
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("own")?;
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem())?;
    let (certificate, key) = authority.sign(&["localhost"])?.write(folder.path(), "server")?;
    let keys = format!(
        "auth: {{authenticator: bearertokenauth}}, tls: {{cert_file: {}, key_file: {}}}",
        certificate.display(),
        key.display()
    );
    let other = PIPELINE
        .replace("endpoint: 127.0.0.1:0", &format!("{{endpoint: '127.0.0.1:0', {keys}}}"))
        .replace("\n        {", " {")
        .replace("service:\n", "service:\n  extensions: [bearertokenauth]\n");
    let other = format!(
        "{other}extensions: {{bearertokenauth: {{token: {TOKEN}}}}}\nexporters:\n  \
         prometheusremotewrite: {{endpoint: 'http://{address}/w'}}\n"
    );
    let there = tempfile::tempdir()?;
    let mut other = Running::start(&other, &[], there.path())?;
    let target = |address: SocketAddr, keys: &str| {
        format!(
            "{{interval: 100, exporter: {{otlp: {{endpoint: 'https://localhost:{}', certificate: {}, {keys}}}}}}}",
            address.port(),
            ca.display()
        )
    };
    let bearer = format!("Bearer {TOKEN}");
    let cases = [
        (
            "http",
            other.http,
            format!(
                "protocol: http/protobuf, compression: gzip, headers: [{{name: authorization, value: '{bearer}'}}]"
            ),
        ),
        ("http", other.http, format!("protocol: http/protobuf, headers: {{authorization: '{bearer}'}}")),
        ("grpc", other.grpc, format!("protocol: grpc, headers_list: 'authorization={bearer}'")),
        (
            "grpc",
            other.grpc,
            format!("protocol: grpc, compression: gzip, headers_list: 'authorization={bearer}'"),
        ),
    ];
    let endpoint = format!("http://{address}/w");
    for (transport, to, keys) in &cases {
        let before = taken(&other, transport)?;
        let folder = tempfile::tempdir()?;
        let mut running = Running::start(&pushing(&endpoint, &target(*to, keys), ""), &[], folder.path())?;
        wait_for(keys, || Ok((taken(&other, transport)? > before + 50.0).then_some(())))?;
        ensure!(pushes(&running, "failure")? == 0.0, "{}", running.said());
        ensure!(running.terminate()?.success(), "{}", running.said());
    }
    // A wrong token and an absent receiver are logged; the token is not.
    let folder = tempfile::tempdir()?;
    let wrong = target(other.grpc, "protocol: grpc, headers: {authorization: 'Bearer wr0ng'}");
    let mut running = Running::start(&pushing(&endpoint, &wrong, ""), &[], folder.path())?;
    let line =
        |log: &str| log.lines().find(|line| line.contains("own metrics were not pushed")).map(str::to_owned);
    let said = running.wait_for("a line about the token", line)?;
    ensure!(
        said.contains("gRPC status 16") && said.contains(&format!("localhost:{}", other.grpc.port())),
        "{said}"
    );
    wait_for("a failure to be counted", || Ok((pushes(&running, "failure")? > 0.0).then_some(())))?;
    ensure!(!running.said().contains("wr0ng"), "{}", running.said());
    drop(running);
    let (http, grpc) = (other.http, other.grpc);
    ensure!(other.terminate()?.success(), "{}", other.said());
    for (to, protocol) in [(http, "http/protobuf"), (grpc, "grpc")] {
        let folder = tempfile::tempdir()?;
        let gone = target(to, &format!("protocol: {protocol}"));
        let mut running = Running::start(&pushing(&endpoint, &gone, ""), &[], folder.path())?;
        let said = running.wait_for("a line about the receiver", line)?;
        ensure!(said.contains("refused"), "{said}");
        // It goes on with its work, and ends in time.
        post(running.http, &payloads::of_now(3, 1))?;
        running.wait_until_delivered()?;
        ensure!(running.terminate()?.success(), "{}", running.said());
    }
    Ok(())
}
