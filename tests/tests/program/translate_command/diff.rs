use super::files::{configuration, cumulative, file, shop};
use preamp_tests::preamp_command::{Said, say};
use serde_json::{Value, json};
use std::path::Path;

/// Compares what two exporters with these keys make of a payload.
fn diff_with(folder: &Path, keys: [&str; 2], more: &[&str], payload: Vec<u8>) -> anyhow::Result<Said> {
    let config = |name: &str, keys| file(folder, name, configuration(&[("prometheusremotewrite", keys)]));
    let (old, new) = (config("old.yaml", keys[0])?, config("new.yaml", keys[1])?);
    let capture = file(folder, "capture.otlp", payload)?;
    say(&[&["diff", "--config", &old, "--config", &new], more, &[&capture]].concat())
}

fn diff(keys: [&str; 2], more: &[&str]) -> anyhow::Result<Said> {
    diff_with(tempfile::tempdir()?.path(), keys, more, cumulative())
}

#[test]
fn the_same_twice_makes_no_difference() -> anyhow::Result<()> {
    let said = diff(["namespace: a", "namespace: a"], &[])?;
    assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""));
    assert_eq!(said.stdout(), "no difference: 1 payload: 2 points, 3 series, 3 samples\n");
    Ok(())
}

#[test]
fn series_under_other_names_and_labels_are_found_again() -> anyhow::Result<()> {
    let said =
        diff(["target_info: {enabled: true}", "add_metric_suffixes: false, disable_scope_info: true"], &[])?;
    assert_eq!(said.status, Some(1), "{}", said.stderr);
    let stdout = said.stdout();
    let scope =
        "without otel_scope_name=\"io.opentelemetry.contrib.shop\", without otel_scope_version=\"1.2.3\"";
    for (old, new) in [("http_requests_total", "http_requests"), ("queue_size_bytes", "queue_size")] {
        let line = format!("~ 1 series: __name__ \"{old}\" → \"{new}\", {scope}\n    {old}{{");
        assert!(stdout.contains(&line), "{stdout}");
    }
    assert!(!stdout.lines().any(|line| line.starts_with("- ") || line.starts_with("+ ")), "{stdout}");
    assert!(stdout.contains("\n1 payload"), "{stdout}");
    let row = stdout.lines().find(|line| line.starts_with("bytes ")).unwrap_or_default();
    assert!(row.ends_with(" %") && row.contains('-'), "{stdout}");
    Ok(())
}

/// Whoever comes from a Collector of before sees which dashboards break.
#[test]
fn label_names_of_before_are_told_from_those_of_today() -> anyhow::Result<()> {
    let metric = json!({ "name": "g", "gauge": { "dataPoints": [{
        "timeUnixNano": "1796140800000000000", "asInt": 1,
        "attributes": [
            { "key": "_x", "value": { "stringValue": "1" } },
            { "key": "a..b", "value": { "stringValue": "2" } },
            { "key": "plain", "value": { "stringValue": "3" } },
        ],
    }] } });
    let payload = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [metric] }] }] });
    let folder = tempfile::tempdir()?;
    let keys = ["label_names: contrib-0.156", ""];
    let said = diff_with(folder.path(), keys, &[], payload.to_string().into_bytes())?;
    assert_eq!(said.status, Some(1), "{}", said.stderr);
    let stdout = said.stdout();
    for name in ["key_x", "a_b", "_x=", "a__b"] {
        assert!(stdout.contains(name), "{stdout}");
    }
    assert!(stdout.lines().any(|line| line.starts_with("~ 1 series: ")), "{stdout}");
    Ok(())
}

#[test]
fn series_of_one_side_are_lost_or_added() -> anyhow::Result<()> {
    let keys = [
        "target_info: {enabled: true}",
        "target_info: {enabled: false}, export_created_metric: {enabled: true}",
    ];
    let stdout = diff(keys, &[])?.stdout();
    let lost = "- target_info{deployment_environment_name=\"production\",instance=\"pod-1\",job=\"shop/checkout\"}: 1 sample";
    assert!(stdout.lines().any(|line| line == lost), "{stdout}");
    let is_created = |line: &str| line.starts_with("+ http_requests") && line.contains("_created{");
    assert!(stdout.lines().any(is_created), "{stdout}");

    let said = diff(keys, &["--format", "json"])?;
    assert_eq!(said.status, Some(1));
    let objects: Vec<Value> = said.stdout().lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(objects.len(), 3, "{objects:?}");
    assert_eq!(objects[0]["lost"]["labels"][0], json!(["__name__", "target_info"]));
    assert_eq!(objects[1]["added"]["samples"], 1);
    assert_eq!(objects[2]["total"]["totals"][0]["series"], 3);
    Ok(())
}

#[test]
fn rejections_that_differ_are_shown() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let said = diff_with(folder.path(), ["delta: reject", "delta: accumulate"], &[], shop())?;
    assert_eq!(said.status, Some(1), "{}", said.stderr);
    let stdout = said.stdout();
    assert!(stdout.contains("! delta-temporality: 2 points → "), "{stdout}");
    assert!(stdout.contains("\n+ orders_total{"), "{stdout}");
    Ok(())
}

#[test]
fn exporters_of_one_file_and_the_default_can_be_sides() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let exporters = [("prometheusremotewrite", "profile: aps"), ("prometheusremotewrite/b", "namespace: b")];
    let config = file(folder.path(), "both.yaml", configuration(&exporters))?;
    let capture = file(folder.path(), "capture.otlp", cumulative())?;
    let exporters = ["--exporter", "prometheusremotewrite", "--exporter", "prometheusremotewrite/b"];
    let said = say(&[&["diff", "--config", &config], &exporters[..], &[&capture]].concat())?;
    assert_eq!(said.status, Some(1), "{}", said.stderr);
    let sides = "--- prometheusremotewrite\n+++ prometheusremotewrite/b\n";
    assert!(said.stdout().starts_with(sides), "{}", said.stdout());
    let said = say(&["diff", "--config", &config, &capture])?;
    assert_eq!(said.status, Some(0), "{}", said.stdout());
    assert!(said.stdout().starts_with("no difference: "), "{}", said.stdout());
    Ok(())
}

#[test]
fn trouble_is_told_from_differences() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let capture = file(folder.path(), "capture.otlp", cumulative())?;
    let nothing = say(&["diff", &capture])?;
    assert_eq!(nothing.status, Some(2));
    assert!(nothing.stderr.contains("nothing to compare: give --config"), "{}", nothing.stderr);
    let config = file(folder.path(), "a.yaml", configuration(&[("prometheusremotewrite", "profile: aps")]))?;
    for arguments in
        [["diff", "--config", &config, "/nowhere/x"], ["diff", "--config", "/nowhere/y", &capture]]
    {
        let said = say(&arguments)?;
        assert_eq!(said.status, Some(2), "{arguments:?}");
        assert!(!said.stdout().contains("no difference"), "{arguments:?}: {}", said.stdout());
    }
    // Of what is not read nothing is known, and what is read is said to be a part.
    let empty = file(folder.path(), "b.yaml", configuration(&[("prometheusremotewrite", "profile: aps")]))?;
    let sides = ["diff", "--config", &config, "--config", &empty];
    let said = say(&[&sides[..], &["/nowhere/x"]].concat())?;
    let nothing = "not compared: 1 input could not be read; see standard error\n";
    assert_eq!((said.status, &*said.stdout()), (Some(2), nothing));
    let said = say(&[&sides[..], &["/nowhere/x", &capture]].concat())?;
    let rest = "the rest is the same on both sides: 1 payload: ";
    assert!(
        said.status == Some(2) && said.stdout().starts_with(&format!("{nothing}{rest}")),
        "{}",
        said.stdout()
    );
    let said = say(&[&sides[..], &["--format", "json", "/nowhere/x"]].concat())?;
    assert!(said.stdout().contains("{\"not_compared\":{\"inputs\":1}}"), "{}", said.stdout());
    Ok(())
}

#[test]
fn long_lists_are_cut_where_one_wants_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let keys = [
        "target_info: {enabled: true}",
        "target_info: {enabled: true}, export_created_metric: {enabled: true}",
    ];
    let capture = || preamp_tests::payloads::requests(300);
    let cut = diff_with(folder.path(), keys, &["--limit", "2"], capture())?.stdout();
    assert_eq!(cut.lines().filter(|line| line.starts_with("+ ")).count(), 2, "{cut}");
    assert!(cut.contains("\n… and 198 more added (--limit 0 shows all)\n"), "{cut}");
    let all = diff_with(folder.path(), keys, &["--limit", "0"], capture())?.stdout();
    assert_eq!(all.lines().filter(|line| line.starts_with("+ ")).count(), 200, "{all}");
    Ok(())
}
