//! The processors of a pipeline at work in `preamp run`.

use std::time::Duration;

use amp_stand_in::{Fault, Options, StandIn};
use anyhow::ensure;
use preamp_tests::children::wait_for;
use preamp_tests::loopback::{Reply, exchange};
use preamp_tests::payloads;
use preamp_tests::running::{PIPELINE, Running, post};

/// A configuration with processors in its pipeline, which begin with their ids.
fn configuration(endpoint: &str, ids: &str, processors: &str, exporter: &str) -> String {
    let pipeline =
        PIPELINE.replace("receivers: [otlp]", &format!("receivers: [otlp]\n      processors: [{ids}]"));
    format!(
        "{pipeline}\nprocessors:\n{processors}\nexporters:\n  prometheusremotewrite:\n    endpoint: {endpoint}\n    {exporter}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_of_resources_are_changed_in_both_encodings() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let resource = "  resource:
    attributes:
      - {key: cluster, value: eu-1, action: upsert}
      - {key: service.instance.id, action: hash}
      - {key: region, from_attribute: cluster, action: insert}
      - {key: leave.out, action: delete}";
    let labels = "resource_to_telemetry_conversion: {enabled: true}";
    let text = configuration(&stand_in.url(), "resource", resource, labels);
    let mut preamp = Running::start(&text, &[], folder.path())?;
    post(preamp.http, &payloads::of_now(3, 1))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    let json = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"leave.out","value":{{"stringValue":"x"}}}},
        {{"key":"service.instance.id","value":{{"stringValue":"1"}}}}]}},"scopeMetrics":[{{"metrics":[{{"name":"of_json",
        "gauge":{{"dataPoints":[{{"asDouble":1.5,"timeUnixNano":"{now}"}}]}}}}]}}]}}]}}"#
    );
    let headers = [("host", "preamp"), ("content-type", "application/json")];
    let reply = exchange(preamp.http, "POST", "/v1/metrics", &headers, json.as_bytes());
    ensure!(reply.as_ref().is_some_and(|reply| reply.status == 200), "{reply:?}");
    preamp.wait_until_delivered()?;
    ensure!(preamp.terminate()?.success(), "{}", preamp.said());
    let series: Vec<String> = stand_in.series().keys().map(|labels| format!("{labels:?}")).collect();
    ensure!(series.len() >= 4, "{series:?}");
    for labels in &series {
        ensure!(labels.contains("eu-1") && labels.matches("eu-1").count() == 2, "{labels}");
        ensure!(!labels.contains("leave_out"), "{labels}");
    }
    // SHA-256 of "1".
    let of_json = series.iter().find(|labels| labels.contains("of_json"));
    ensure!(of_json.is_some_and(|labels| labels.contains("6b86b273ff34fce19d6b804eff5a3f57")), "{series:?}");
    Ok(())
}

/// How many requests forty small payloads become, which come one after the other.
async fn requests_of_forty(ids: &str) -> anyhow::Result<u64> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let batch = "  batch: {timeout: 3s, send_batch_size: 200}";
    let text = configuration(&stand_in.url(), ids, batch, "remote_write_queue: {num_consumers: 1}");
    let preamp = Running::start(&text, &[], folder.path())?;
    for number in 0..40 {
        post(preamp.http, &payloads::of_now(5, number))?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    preamp.wait_until_delivered()?;
    let report = stand_in.report();
    ensure!(report.samples_repeated == 0 && report.refused() == 0, "{report:?}");
    Ok(report.requests)
}

#[tokio::test(flavor = "multi_thread")]
async fn small_payloads_are_sent_together_and_no_later_than_asked() -> anyhow::Result<()> {
    let (alone, together) = (requests_of_forty("").await?, requests_of_forty("batch").await?);
    // Two hundred points are enough, so nobody waited for three seconds.
    ensure!(together <= 2 && alone > 10, "{alone} requests without batch, {together} with it");

    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let text = configuration(&stand_in.url(), "batch", "  batch: {timeout: 400ms}", "");
    let preamp = Running::start(&text, &[], folder.path())?;
    post(preamp.http, &payloads::of_now(5, 1))?;
    let start = std::time::Instant::now();
    preamp.wait_until_delivered()?;
    let waited = start.elapsed();
    ensure!(waited > Duration::from_millis(250) && waited < Duration::from_secs(2), "{waited:?}");
    Ok(())
}

fn try_post(preamp: &Running, number: i64) -> anyhow::Result<Option<Reply>> {
    let headers = [("host", "preamp"), ("content-type", "application/x-protobuf")];
    Ok(exchange(preamp.http, "POST", "/v1/metrics", &headers, &payloads::of_now(5, number)))
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_refused_while_memory_is_short_and_taken_when_nothing_waits() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(Options::unsigned()).await?;
    // What is started uses more from its first moment on.
    let limiter = "  memory_limiter: {check_interval: 20ms, limit_mib: 2}";
    let text = configuration(&stand_in.url(), "memory_limiter", limiter, "");
    (0..8).for_each(|_| stand_in.inject(Fault::Unavailable));
    let preamp = Running::start(&text, &[], folder.path())?;
    post(preamp.http, &payloads::of_now(5, 1))?;
    let refused =
        wait_for(
            "a payload to be refused",
            || Ok(try_post(&preamp, 2)?.filter(|reply| reply.status == 503)),
        )?;
    ensure!(refused.body.contains("memory_limiter: the process uses"), "{refused:?}");
    ensure!(refused.headers.contains_key("retry-after"), "{refused:?}");
    preamp.wait_until_delivered()?;
    // What is delivered waits until that is recorded.
    wait_for("a payload to be taken", || Ok(try_post(&preamp, 3)?.filter(|reply| reply.status == 200)))?;
    Ok(())
}
