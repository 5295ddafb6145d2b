use super::files::{captured, configuration, cumulative, file, shop};
use anyhow::Context as _;
use preamp_tests::payloads::NOW_NS;
use preamp_tests::preamp_command::{Said, said_with, say};
use serde_json::Value;
use std::io::Write as _;

fn translate(arguments: &[&str]) -> anyhow::Result<Said> {
    say(&[&["translate"], arguments].concat())
}

/// Standard output without the lines that name payloads and sum up.
fn series(said: &Said) -> Vec<String> {
    let is_series = |line: &&str| !line.starts_with('#') || line.starts_with("# TYPE");
    said.stdout().lines().filter(is_series).map(str::to_owned).collect()
}

fn objects(said: &Said) -> anyhow::Result<Vec<Value>> {
    said.stdout().lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|message| [&(message.len() as u32).to_be_bytes(), &**message].concat()).collect()
}

fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[test]
fn series_types_and_rejections_are_shown() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let capture = file(folder.path(), "shop.otlp", shop())?;
    let said = translate(&[&capture])?;
    assert_eq!((said.status, said.stderr.as_str()), (Some(3), ""));
    let scope = "otel_scope_name=\"io.opentelemetry.contrib.shop\",otel_scope_version=\"1.2.3\"";
    let labels = format!("instance=\"pod-1\",job=\"shop/checkout\",{scope}");
    let expected = format!(
        "# {capture}: 3 of 5 points
# TYPE http_requests_total counter
# HELP http_requests_total What http.requests measures.
http_requests_total{{{labels},route=\"/pay\",status=\"200\"}} 7 1768521590000
http_requests_total{{{labels},route=\"/pay\",status=\"500\"}} 1 1768521590000
# TYPE queue_size_bytes gauge
# HELP queue_size_bytes What queue.size measures.
# UNIT queue_size_bytes bytes
queue_size_bytes{{{labels}}} 4096 1768521590000
target_info{{deployment_environment_name=\"production\",instance=\"pod-1\",job=\"shop/checkout\"}} 1 1768521590000
# 1 payload: 3 of 5 points, 4 series, 4 samples
# rejected 2 points: delta-temporality
#     {capture}: metric \"orders\" is of type sum
#     set the temporality preference of the SDK to cumulative, or set delta to accumulate
"
    );
    assert_eq!(said.stdout(), expected);
    Ok(())
}

#[test]
fn programs_get_the_same_as_json_lines() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let capture = file(folder.path(), "shop.otlp", shop())?;
    let said = translate(&["--format", "json", &capture])?;
    assert_eq!(said.status, Some(3), "{}", said.stderr);
    let objects = objects(&said)?;
    assert_eq!(objects[0]["payload"]["rejected_points"], 2);
    let gauge = objects.iter().find(|object| object["labels"][0][1] == "queue_size_bytes");
    assert_eq!(gauge.context("no gauge")?["samples"][0]["value"], "4096");
    let types = objects.iter().filter(|object| object["metadata"]["type"] == "counter").count();
    assert_eq!(types, 1);
    let [.., rejection, total] = &objects[..] else { anyhow::bail!("{objects:?}") };
    assert_eq!(rejection["rejection"]["reason"], "delta-temporality");
    assert_eq!(rejection["rejection"]["example_in"], capture.as_str());
    assert_eq!((&total["total"]["points"], &total["total"]["series"]), (&Value::from(3), &Value::from(4)));
    Ok(())
}

#[test]
fn what_real_producers_sent_is_translated_whole() -> anyhow::Result<()> {
    for producer in ["hostmetrics", "java", "node", "python", "rust"] {
        let mut arguments = vec!["translate".into()];
        arguments.extend(captured(producer)?);
        let said = say(&arguments)?;
        assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""), "{producer}");
        let payloads = format!("# {} payloads: ", arguments.len() - 1);
        let stdout = said.stdout();
        assert!(
            stdout.lines().last().is_some_and(|line| line.starts_with(&payloads)),
            "{producer}: {stdout}"
        );
        assert!(series(&said).len() > 100, "{producer}: {stdout}");
    }
    Ok(())
}

#[test]
fn the_files_of_a_collector_say_what_the_requests_in_them_say() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let requests: Vec<Vec<u8>> = captured("node")?.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    let apart = say(&[vec!["translate".into()], captured("node")?].concat())?;
    let expected = series(&apart);
    assert!(expected.len() > 100);

    let lines = requests.join(&b'\n');
    let packed: Vec<_> =
        requests.iter().map(|request| zstd::encode_all(&**request, 1)).collect::<Result<_, _>>()?;
    let documents: Vec<_> = requests
        .iter()
        .map(|request| serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(request)?))
        .collect::<Result<_, _>>()?;
    let forms = [
        ("metrics.jsonl", lines.clone()),
        ("metrics.jsonl.zst", zstd::encode_all(&*lines, 1)?),
        ("metrics.jsonl.gz", gzip(&lines)?),
        ("documents.json", documents.join(&b'\n')),
        ("messages", framed(&requests)),
        ("compressed messages", framed(&packed)),
    ];
    for (name, content) in forms {
        let said = translate(&[&file(folder.path(), name, content)?])?;
        assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""), "{name}");
        assert_eq!(series(&said), expected, "{name}");
    }
    let said = said_with(&["translate", "--input", "json", "-"], &lines)?;
    assert_eq!(series(&said), expected);
    assert!(said.stdout().starts_with("# standard input:1: "), "{}", said.stdout());
    Ok(())
}

#[test]
fn what_cannot_be_read_is_named_and_costs_the_rest_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = String::from_utf8(std::fs::read(&captured("node")?[0])?)?;
    let lines =
        file(folder.path(), "lines", format!("{good}\n{{\"resourceMetrics\": 7}}\n{{\"resourceM\n{good}\n"))?;
    let yaml = file(folder.path(), "yaml", "receivers:\n")?;
    let said = translate(&["/nowhere/x", &yaml, &lines])?;
    assert_eq!(said.status, Some(1));
    let problems: Vec<_> = said.stderr.lines().collect();
    assert_eq!(problems.len(), 4, "{}", said.stderr);
    assert!(problems[0].starts_with("preamp: /nowhere/x: cannot be read: "), "{}", problems[0]);
    let seen = format!("preamp: {yaml}: holds text that starts with `receivers:`: expected an OTLP");
    assert!(problems[1].starts_with(&seen), "{}", problems[1]);
    for (problem, line) in problems[2..].iter().zip([2, 3]) {
        let start = format!("preamp: {lines}:{line}: is no OTLP metrics payload: ");
        assert!(problem.starts_with(&start), "{problem}");
    }
    assert!(said.stdout().contains("# 2 payloads: "), "{}", said.stdout());

    let damaged = format!("{good}\n{}", "{\"resourceM\n".repeat(30));
    let said = translate(&[&file(folder.path(), "damaged", damaged)?])?;
    assert_eq!(said.stderr.lines().count(), 11, "{}", said.stderr);
    assert!(said.stderr.ends_with("preamp: and 20 more that cannot be read\n"), "{}", said.stderr);
    Ok(())
}

#[test]
fn bodies_are_those_that_would_be_sent() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let capture = file(folder.path(), "one.otlp", cumulative())?;
    let config =
        file(folder.path(), "preamp.yaml", configuration(&[("prometheusremotewrite", "namespace: acme")]))?;
    let write = ["--format", "remote-write", "--config", &config];
    let said = translate(&[&write[..], &[&capture]].concat())?;
    assert_eq!(said.status, Some(0), "{}", said.stderr);
    let library = r#"{"endpoint": "http://127.0.0.1:9/api/v1/write", "namespace": "acme"}"#;
    let mut library =
        preamp_core::Exporter::open(library).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    let accepted = library.accept(&cumulative(), preamp_core::types::Encoding::Protobuf, NOW_NS);
    let accepted = accepted.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    assert_eq!(accepted.batches.len(), 1);
    assert_eq!(said.bytes, accepted.batches[0].body);
    let command = "curl --fail-with-body --request POST 'http://127.0.0.1:9/api/v1/write' \\\n    --header \
                   'content-type: application/x-protobuf' \\\n    --header 'content-encoding: snappy'";
    assert!(said.stderr.contains(command), "{}", said.stderr);

    let several = translate(&[&write[..], &[&capture, &capture]].concat())?;
    assert_eq!((several.status, several.bytes.len()), (Some(1), 0));
    assert!(
        several.stderr.contains("more than one request body: name a folder with --output"),
        "{}",
        several.stderr
    );
    let bodies = folder.path().join("bodies").display().to_string();
    let into_folder = [&write[..], &["--output", &bodies, &capture, &capture]].concat();
    assert_eq!(translate(&into_folder)?.status, Some(0));
    for name in ["000001.snappy", "000002.snappy"] {
        assert_eq!(std::fs::read(folder.path().join("bodies").join(name))?, accepted.batches[0].body);
    }
    let again = translate(&into_folder)?;
    assert_eq!(again.status, Some(1));
    assert!(
        again.stderr.contains("000001.snappy: cannot be written; name another folder"),
        "{}",
        again.stderr
    );
    Ok(())
}

#[test]
fn secrets_of_a_configuration_are_not_shown() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let capture = file(folder.path(), "one.otlp", cumulative())?;
    let keys = "headers: {X-Token: hunter2}";
    let config = file(folder.path(), "preamp.yaml", configuration(&[("prometheusremotewrite", keys)]))?;
    for format in ["text", "json", "remote-write"] {
        let said = translate(&["--format", format, "--config", &config, &capture])?;
        assert_eq!(said.status, Some(0), "{}", said.stderr);
        assert!(!said.stderr.contains("hunter2") && !said.stdout().contains("hunter2"), "{said:?}");
    }
    Ok(())
}

#[test]
fn age_counts_only_where_a_time_is_given() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let capture = file(folder.path(), "one.otlp", cumulative())?;
    assert_eq!(translate(&[&capture])?.status, Some(0));
    assert_eq!(translate(&["--now", "2026-01-16T00:30:00Z", &capture])?.status, Some(0));
    let late = translate(&["--now", "2026-01-16T02:00:00Z", &capture])?;
    assert_eq!(late.status, Some(3));
    assert!(late.stdout().contains("# rejected 2 points: too-old"), "{}", late.stdout());
    let wrong = translate(&["--now", "yesterday", &capture])?;
    assert_eq!(wrong.status, Some(2));
    assert!(
        wrong.stderr.contains("expected a time such as 2026-01-16T12:00:00Z, or `now`"),
        "{}",
        wrong.stderr
    );
    Ok(())
}

#[test]
fn one_exporter_can_be_chosen_from_a_file() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let capture = file(folder.path(), "one.otlp", cumulative())?;
    let exporters =
        [("prometheusremotewrite", "namespace: first"), ("prometheusremotewrite/other", "namespace: second")];
    let config = file(folder.path(), "preamp.yaml", configuration(&exporters))?;
    let first = translate(&["--config", &config, &capture])?;
    assert!(first.stdout().contains("first_queue_size_bytes{"), "{}", first.stdout());
    let second = translate(&["--config", &config, "--exporter", "prometheusremotewrite/other", &capture])?;
    assert!(second.stdout().contains("second_queue_size_bytes{"), "{}", second.stdout());
    let none = translate(&["--config", &config, "--exporter", "prometheusremotewrite/otter", &capture])?;
    assert_eq!(none.status, Some(1));
    assert!(none.stderr.contains("no exporter `prometheusremotewrite/otter` is defined"), "{}", none.stderr);
    Ok(())
}

#[test]
fn a_component_in_a_file_takes_the_place_of_the_one_built_in() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let capture = file(folder.path(), "one.otlp", cumulative())?;
    let broken = file(folder.path(), "broken.wasm", "\0asm")?;
    let said = translate(&["--component", &broken, &capture])?;
    assert_eq!((said.status, said.bytes.len()), (Some(1), 0));
    assert!(said.stderr.contains("broken.wasm: cannot be loaded as a component: "), "{}", said.stderr);
    Ok(())
}

#[test]
fn progress_is_shown_where_it_is_asked_for() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let capture = file(folder.path(), "one.otlp", cumulative())?;
    assert_eq!(translate(&[&capture])?.stderr, "");
    let said = translate(&["--progress", &capture, &capture])?;
    assert_eq!(said.stderr, "2 payloads, 0.0 MiB of 0.0 MiB (100 %)\n");
    Ok(())
}
