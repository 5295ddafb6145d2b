//! Nothing that comes from elsewhere is shown: not its values, not its keys, in whatever place it is put.

use super::*;
use crate::yaml::{self, Entry, Node, Value};
use crate::{Request, convert};

/// What stands in all that comes from elsewhere.
const MARK: &str = "zq7";

/// What may come from elsewhere: values, lists and sections, each with something of everybody's own.
const TEXTS: [&str; 12] = [
    "${env:zq7}",
    "a ${file:/zq7} ${env:zq7}",
    "${zq7:zq7}",
    "zq7",
    "5zq7",
    "https://zq7.example/zq7?zq7",
    "https://user:zq7@aps-workspaces.zq7.amazonaws.com/workspaces/zq7/zq7",
    "[zq7, zq7/zq7, otlp/zq7, {zq7: zq7}]",
    "{zq7: zq7}",
    "{zq7/zq7: {zq7: zq7}, otlp/zq7: {zq7: 1}, metrics/zq7: {receivers: [zq7]}}",
    "{prometheusremotewrite/zq7: {endpoint: 'http://zq7', zq7: 1}, sigv4auth/zq7: {zq7: 1}, nats/zq7: {servers: [zq7]}}",
    "{endpoint: zq7, name: zq7, parameters: [{name: zq7, value: zq7}], headers: {zq7: [zq7]}}",
];

/// Puts a reference in place of each part of a document in turn.
fn with_references(text: &str) -> Vec<String> {
    let document = yaml::parse(text).0.unwrap();
    let mut places = Vec::new();
    collect(&document, &mut Vec::new(), &mut places);
    places.into_iter().map(|place| replaced(&document, &place)).collect()
}

/// A way through a tree: numbers of entries and items.
fn collect(node: &Node, way: &mut Vec<usize>, ways: &mut Vec<Vec<usize>>) {
    ways.push(way.clone());
    let below: Vec<&Node> = match &node.value {
        Value::Map(entries) => entries.iter().map(|entry| &entry.value).collect(),
        Value::List(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    for (number, node) in below.into_iter().enumerate() {
        way.push(number);
        collect(node, way, ways);
        way.pop();
    }
}

/// The document as YAML in flow style, with a reference at one place.
fn replaced(node: &Node, way: &[usize]) -> String {
    let at = |number: usize| way.split_first().filter(|(first, _)| **first == number).map(|(_, rest)| rest);
    if way.is_empty() {
        return "\"${env:HIDDEN}\"".to_owned();
    }
    let below = |number: usize, node: &Node| match at(number) {
        Some(rest) => replaced(node, rest),
        None => written(node),
    };
    match &node.value {
        Value::Map(entries) => {
            let entries = entries.iter().enumerate().map(|(number, Entry { key, value, .. })| {
                format!("{}: {}", serde_json::json!(key), below(number, value))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::List(items) => {
            let items = items.iter().enumerate().map(|(number, item)| below(number, item));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        _ => written(node),
    }
}

fn written(node: &Node) -> String {
    match &node.value {
        Value::Map(_) | Value::List(_) => replaced(node, &[usize::MAX]),
        Value::Text => serde_json::json!(node.text).to_string(),
        Value::Null => "null".to_owned(),
        _ => node.text.clone(),
    }
}

#[test]
fn no_message_and_no_command_shows_what_comes_from_elsewhere() {
    let bindplane = "\
kind: Configuration
metadata: {name: all}
spec:
  sources: [{type: otlp, parameters: [{name: http_port, value: 4318}]}]
  destinations: [{type: aws_managed_prometheus, parameters: [{name: endpoint, value: 'http://h/'}, {name: region, value: eu}]}]
";
    let kubernetes = format!("kind: OpenTelemetryCollector\nspec: {{config: {}}}\n", with_nats());
    let file = tempfile::NamedTempFile::new().unwrap();
    let request: Request = Source::File(file.path().to_owned()).into();
    let mut said = 0;
    for text in [FULL, bindplane, &kubernetes, &with_nats()] {
        for (number, with_reference) in with_references(text).into_iter().enumerate() {
            std::fs::write(file.path(), &with_reference).unwrap();
            // Each place has some of them, and each of them has many places.
            for hidden in [0, 5].map(|step| TEXTS[(number + step) % TEXTS.len()]) {
                let environment = |name: &str| (name == "HIDDEN").then(|| hidden.to_owned());
                let results = [
                    explain(&request, &environment).map(|loaded| (loaded.settings, loaded.warnings)),
                    convert(&request, false, &environment)
                        .map(|loaded| (loaded.settings.text, loaded.warnings)),
                ];
                for result in results {
                    let shown = match result {
                        Ok((text, warnings)) => format!("{text}{}", Diagnostics(warnings)),
                        Err(errors) => errors.to_string(),
                    };
                    said += shown.len();
                    assert!(!shown.contains(MARK), "{hidden}\n{with_reference}\n{shown}");
                }
            }
        }
    }
    assert!(said > 100_000, "{said}");
}

/// A file in flow style whose queue is in a stream.
fn with_nats() -> String {
    "{receivers: {otlp: {protocols: {grpc: }}}, \
      extensions: {nats: {servers: ['nats://a:4222'], monitoring: ['http://a:8222'], tls: {ca_file: /dev/null}}}, \
      exporters: {prometheusremotewrite: {http: {endpoint: 'http://localhost:9090/api/v1/write'}, \
        sending_queue: {storage: nats}, external_labels: {a: b}, translation_strategy: UnderscoreEscapingWithSuffixes}}, \
      service: {extensions: [nats], pipelines: {metrics: {receivers: [otlp], exporters: [prometheusremotewrite]}}}}"
        .to_owned()
}

#[test]
fn what_the_component_quotes_is_hidden_too() {
    let text = with_exporter("namespace: '${env:IT}'\nprofile: aps");
    let loaded = parse("f", &text, &|_| Some("s3cret".to_owned())).unwrap();
    let said = loaded.locate("/namespace", r#""s3\"cret" is not one of aps, prometheus"#);
    assert_eq!(said.message, "(hidden) is not one of aps, prometheus");
    let said = loaded.locate("/profile", r#""odd" is not one of aps, prometheus"#);
    assert_eq!(said.message, r#""odd" is not one of aps, prometheus"#);
}

#[test]
fn keys_that_everybody_knows_are_named_wherever_they_come_from() {
    let text = with_exporter("")
        .replace("receivers: {otlp: {protocols: {grpc: }}}", "receivers: {otlp: '${env:IT}'}");
    let environment = |_: &str| Some("{protocols: {grpc: {endpoint: 5}, s3cret: 1}}".to_owned());
    let errors = parse("f", &text, &environment).unwrap_err().to_string();
    assert_eq!(
        errors,
        "f:5:19: receivers.otlp.protocols.(hidden): unknown key; there are grpc, http\n\
         f:5:19: receivers.otlp.protocols.grpc.endpoint: expected host:port, such as 127.0.0.1:4317, found a number of \
         the environment"
    );
}
