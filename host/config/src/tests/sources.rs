//! Configurations that are made of several sources, and those that stand in something else.

use super::{FULL, environment, errors, read};
use crate::{Diagnostics, Loaded, Request, Source, load};
use std::path::PathBuf;
use tempfile::TempDir;

const EXPORTER: &str =
    "exporters:\n  prometheusremotewrite: {endpoint: http://localhost:9090/api/v1/write, timeout: 7s}\n";
const REST: &str = "receivers: {otlp: {protocols: {grpc: }}}
service: {pipelines: {metrics: {receivers: [otlp], exporters: [prometheusremotewrite]}}}
";

/// Files of the names `0.yaml`, `1.yaml` and so on.
fn files(texts: &[&str]) -> (TempDir, Vec<Source>) {
    let folder = tempfile::tempdir().unwrap();
    let sources = texts.iter().enumerate().map(|(index, text)| {
        let path: PathBuf = folder.path().join(format!("{index}.yaml"));
        std::fs::write(&path, text).unwrap();
        Source::File(path)
    });
    let sources = sources.collect();
    (folder, sources)
}

fn loaded(sources: Vec<Source>) -> Result<Loaded, Diagnostics> {
    load(&Request { sources, ..Request::default() }, &|name| match name {
        "CONFIG" => Some(REST.to_owned()),
        name => environment(name),
    })
}

/// What is said, without the folder of the files.
fn said(sources: Vec<Source>, folder: &TempDir) -> String {
    let said = match loaded(sources) {
        Ok(loaded) => loaded.warnings.iter().map(|warning| format!("{warning}\n")).collect(),
        Err(errors) => errors.to_string(),
    };
    said.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn later_sources_count_over_earlier_ones() {
    let (_folder, mut sources) = files(&[EXPORTER, REST]);
    sources.push(Source::of_config("yaml:exporters::prometheusremotewrite::timeout: 8s").unwrap());
    let timeout =
        |sources: &[Source]| loaded(sources.to_vec()).unwrap().settings.exporter.client.timeout.as_secs();
    assert_eq!((timeout(&sources[..2]), timeout(&sources)), (7, 8));
    sources.push(Source::of_set("exporters.prometheusremotewrite.timeout=9s").unwrap());
    assert_eq!(timeout(&sources), 9);
    let (_folder, mut sources) = files(&[EXPORTER]);
    sources.push(Source::of_config("env:CONFIG").unwrap());
    assert_eq!(timeout(&sources), 7);
    sources.push(
        Source::of_set("exporters.prometheusremotewrite.external_labels={a: \"${env:PORT}\"}").unwrap(),
    );
    let loaded = loaded(sources).unwrap();
    assert!(loaded.settings.exporter.component_json.contains(r#""external_labels":{"a":"4317"}"#));
}

#[test]
fn problems_are_placed_in_the_source_they_stand_in() {
    let (folder, mut sources) = files(&[EXPORTER, &REST.replace("[otlp]", "[otpl]")]);
    sources.push(Source::of_set("exporters.prometheusremotewrite.timeout=5").unwrap());
    assert_eq!(
        said(sources, &folder),
        "warning: 1.yaml:1:13: receivers.otlp: is in no pipeline of metrics and does nothing\n\
         1.yaml:2:45: service.pipelines.metrics.receivers[0]: no receiver `otpl` is defined; did you mean `otlp`?\n\
         --set exporters.prometheusremotewrite.timeout:1:1: exporters.prometheusremotewrite.timeout: a duration \
         needs a unit: write 5s or 5ms"
    );
    let (folder, sources) = files(&[EXPORTER, "a: [", "- 5\n"]);
    let said = said(sources, &folder);
    assert!(said.contains("1.yaml:2:1: a") && said.contains("2.yaml:1:1: expected `receivers`"), "{said}");
    let two = Source::of_set("a.b=1\n---\n2").unwrap();
    assert!(loaded(vec![two]).unwrap_err().to_string().contains("a second YAML document begins here"));
    let problem = loaded(vec![Source::Variable("NONE".to_owned())]).unwrap_err().to_string();
    assert_eq!(problem, "--config env:NONE: the variable is not set");
}

#[test]
fn what_the_component_finds_is_placed_too() {
    let (folder, sources) = files(&[REST, EXPORTER]);
    let found = loaded(sources).unwrap().locate("/endpoint", "is odd").to_string();
    let expected = "1.yaml:2:37: exporters.prometheusremotewrite.endpoint: is odd";
    assert_eq!(found.replace(&format!("{}/", folder.path().display()), ""), expected);
}

#[test]
fn what_the_operator_of_kubernetes_takes_is_taken() {
    let indented = |spaces: usize| -> String {
        FULL.lines().map(|line| format!("{}{line}\n", " ".repeat(spaces))).collect()
    };
    let plain = read(FULL).unwrap();
    let head = |version: &str, config: &str| {
        format!(
            "---\napiVersion: opentelemetry.io/{version}\nkind: OpenTelemetryCollector\nmetadata: {{name: amp}}\n\
             spec:\n  mode: deployment\n  config: {config}\n"
        )
    };
    for text in [head("v1beta1", "") + &indented(4), head("v1alpha1", "|") + &indented(4)] {
        let loaded = read(&text).unwrap();
        assert_eq!(loaded.settings.exporter, plain.settings.exporter);
        // Seven lines stand above, and four spaces before.
        let place = |loaded: &Loaded| loaded.locate("/namespace", "").place.unwrap();
        let (found, expected) = (place(&loaded), place(&plain));
        assert_eq!((found.line, found.column), (expected.line + 7, expected.column + 4));
    }
    let said = errors(&(head("v1alpha1", "|") + "    receivers: [\n"));
    assert!(said[0].starts_with("f:9:5: receivers[0]: "), "{said:?}");
    let two = head("v1beta1", "") + &indented(4) + &head("v1beta1", "{}");
    let said = errors(&two);
    assert!(
        said.iter().any(|said| said.ends_with("is a second OpenTelemetryCollector: keep one in this file"))
    );
    assert_eq!(
        errors("kind: OpenTelemetryCollector\nspec: {}\n"),
        ["f:1:1: lacks `spec.config`, the Collector's configuration"]
    );
}

#[test]
fn values_of_a_chart_are_recognized() {
    let text = format!("mode: deployment\nconfig:\n  {}", REST.replace('\n', "\n  "));
    assert!(errors(&text)[0].starts_with("f:1:1: holds values of a Helm chart"));
}

#[test]
fn the_configuration_of_bindplane_connects_its_resources() {
    const URL: &str = "https://aps-workspaces.us-east-2.amazonaws.com/workspaces/ws-1/api/v1/remote_write";
    let destination = |name: &str| {
        format!(
            "---\nkind: Destination\nmetadata: {{name: {name}}}\nspec:\n  type: aws_managed_prometheus\n  parameters:\n    \
             - {{name: endpoint, value: '{URL}'}}\n"
        )
    };
    let source = "---\nkind: Source\nmetadata: {name: in}\nspec:\n  type: otlp:2\n  parameters:\n    \
                  - {name: listen_address, value: 127.0.0.1}\n    - {name: http_port, value: 0}\n";
    let configuration = |body: &str| format!("kind: Configuration\nmetadata: {{name: all}}\nspec: {body}\n");
    let connected = configuration("{sources: [{name: 'in:2'}], destinations: [{name: amp}]}");
    let loaded = read(&format!("{connected}{source}{}", destination("amp"))).unwrap();
    let receiver = &loaded.settings.receiver;
    assert_eq!(receiver.grpc.as_ref().unwrap().endpoint, "127.0.0.1:4317");
    assert!(receiver.http.is_none());
    assert_eq!(loaded.settings.exporter.id, "prometheusremotewrite/amp");

    let inline = configuration(&format!(
        "{{destinations: [{{type: aws_managed_prometheus, parameters: [{{name: endpoint, value: '{URL}'}}]}}]}}"
    ));
    assert_eq!(read(&inline).unwrap().settings.receiver.http.as_ref().unwrap().endpoint, "localhost:4318");

    let raw = format!("|\n    {}", FULL.replace('\n', "\n    "));
    let raw = read(&configuration(&format!("\n  raw: {raw}"))).unwrap();
    assert_eq!(
        raw.settings.exporter,
        read(FULL).unwrap().settings.exporter,
        "the keys are those of a Collector too"
    );

    let twice = errors(&format!("{connected}{source}{}---\n{connected}", destination("amp")));
    assert!(twice[0].ends_with("is a second Configuration: keep one in this file"), "{twice:?}");

    for (text, message) in [
        (
            format!("{connected}{source}"),
            "f:3:57: spec.destinations[0].name: no destination `amp` is in this file; there are none",
        ),
        (
            configuration("{sources: [{type: host, parameters: []}], destinations: []}"),
            "f:3:63: spec.destinations: names no destination of type aws_managed_prometheus",
        ),
        (
            configuration(
                "{sources: [{type: host, parameters: []}], destinations: [{type: aws_managed_prometheus, parameters: []}]}",
            ),
            "f:3:25: spec.sources[0].type: \"host\" is no source that preamp stands for; there are otlp",
        ),
        (
            format!("{}{}", destination("a"), destination("b")),
            "f:9:1: is one of several destinations, a, b: choose one with --destination NAME",
        ),
    ] {
        let errors = errors(&text);
        assert!(errors.iter().any(|error| error == message), "{message}: {errors:?}");
    }
    let (_folder, sources) = files(&[&format!("{}{}", destination("a"), destination("b"))]);
    let chosen = |name: &str| {
        let request =
            Request { sources: sources.clone(), destination: Some(name.to_owned()), ..Request::default() };
        load(&request, &environment).map(|loaded| loaded.settings.exporter.id)
    };
    assert_eq!(chosen("b").unwrap(), "prometheusremotewrite/b");
    assert!(
        chosen("c")
            .unwrap_err()
            .to_string()
            .ends_with("no destination `c` is in this file; did you mean `a`?")
    );
}
