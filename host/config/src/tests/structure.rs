//! Mistakes in how a file is built: references, `service`, YAML itself.

use super::*;

#[test]
fn references_resolve() {
    let replaced = |from: &str, to: &str| errors(&with_exporter("").replace(from, to));
    assert_eq!(
        replaced("receivers: [otlp]", "receivers: [otpl]"),
        [
            "f:6:45: service.pipelines.metrics.receivers[0]: no receiver `otpl` is defined; did you mean `otlp`?"
        ]
    );
    assert_eq!(
        replaced("receivers: [otlp]", "receivers: [otlp], processors: [batch]"),
        ["f:6:65: service.pipelines.metrics.processors[0]: no processor `batch` is defined; there are none"]
    );
    assert_eq!(
        replaced("receivers: [otlp]", "receivers: []"),
        ["f:6:32: service.pipelines.metrics: lacks `receivers`: a pipeline needs at least one"]
    );
    assert_eq!(
        replaced("metrics:", "metric:"),
        [
            "f:6:22: service.pipelines: names no pipeline of type `metrics`",
            "f:6:23: service.pipelines.metric: `metric` is no signal; did you mean `metrics`?",
        ]
    );
    assert_eq!(
        replaced("{otlp:", "{otlp/:")[0],
        "f:5:13: receivers.otlp/: is no component id: expected `type` or `type/name`, the type of letters, digits \
         and `_`"
    );
    assert_eq!(replaced("service:", "#"), ["f:1:1: lacks `service`, which says what is to run"]);
}

#[test]
fn one_receiver_and_one_exporter_for_now() {
    let two = with_exporter("")
        .replace("{otlp: ", "{otlp/b: {protocols: {http: }}, otlp: ")
        .replace("[otlp]", "[otlp, otlp/b]");
    assert_eq!(
        errors(&two),
        [
            "f:6:51: service.pipelines.metrics.receivers[1]: a second receiver is not supported by this version of \
          preamp yet; `otlp` is the first"
        ]
    );
    let other = with_exporter("").replace("exporters: [prom", "exporters: [kafka, prom") + "processors:\n";
    assert_eq!(
        errors(&other.replace("exporters:\n", "exporters:\n  kafka: {topic: a}\n")),
        [
            "f:7:64: service.pipelines.metrics.exporters[0]: the exporter type `kafka` is not supported by this \
          version of preamp yet; there are prometheusremotewrite, prometheus_remote_write, awsprometheusremotewrite"
        ]
    );
}

#[test]
fn telemetry_is_checked() {
    for (keys, expected) in [
        (
            "logs: {level: verbose}",
            "29: P.logs.level: \"verbose\" is no value of this key; there are debug, info, \
                                   warn, error, dpanic, panic, fatal",
        ),
        (
            "logs: {encoding: jsn}",
            "32: P.logs.encoding: \"jsn\" is no value of this key; did you mean `json`?",
        ),
        (
            "logs: {output_paths: [/x]}",
            "22: P.logs.output_paths: known to the Collector, but not supported by this version of preamp yet; log \
             lines go to [stderr]",
        ),
        (
            "metrics: {level: nomal}",
            "32: P.metrics.level: \"nomal\" is no value of this key; did you mean `normal`?",
        ),
        (
            "metrics: {readers: [{pull: {exporter: {}}}]}",
            "42: P.metrics.readers[0].pull: lacks `exporter.prometheus`",
        ),
        (
            "metrics: {readers: [{pull: {exporter: {prometheus: {port: 99999}}}}]}",
            "73: P.metrics.readers[0].pull.exporter.prometheus.port: expected a whole number from 0 to 65535, found \
             99999",
        ),
    ] {
        assert_eq!(
            errors(&with_service(&format!("telemetry: {{{keys}}}"))),
            [format!("f:4:{}", expected.replace("P.", "service.telemetry."))]
        );
    }
}

#[test]
fn text_that_is_no_yaml_is_placed() {
    for (text, expected) in [
        ("", "f:1:1: expected `receivers`, `exporters` and `service`, found nothing"),
        ("# nothing\n", "f:1:1: expected `receivers`, `exporters` and `service`, found nothing"),
        ("[]", "f:1:1: expected `receivers`, `exporters` and `service`, found a list"),
        ("a: 1\na: 2\n", "f:2:1: a: stands here again; it first stood at 1:1"),
        ("a: {b: 1, c: 2, b: 3}\n", "f:1:17: a.b: stands here again; it first stood at 1:5"),
        ("a: 1\n---\nb: 2\n", "f:3:1: a second YAML document begins here; expected only one"),
        ("[a]: 1\n", "f:1:1: expected a key, found a list or a section"),
        ("a: &x {b: *x}\n", "f:1:11: a.b: an alias stands inside what it refers to"),
        ("a: !!int b\n", "f:1:4: a: the value does not fit its tag"),
        ("a: {<<: 5}\n", "f:1:9: a: `<<` takes a section or a list of sections"),
    ] {
        let errors = errors(text);
        assert!(errors.iter().any(|error| error == expected), "{text:?}: {errors:?}");
    }
    for text in ["a: [\n", "a: b: c\n", "\t- a\n", "a: 'b\n", "a: *b\n", "%\n", "a: \"\\q\"\n"] {
        let errors = errors(text);
        assert!(errors.len() == 1 && errors[0].starts_with("f:"), "{text:?}: {errors:?}");
    }
}

#[test]
fn depth_and_aliases_are_bounded() {
    for deep in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "a: [".repeat(100_000)] {
        assert_eq!(errors(&deep).len(), 1);
    }
    assert!(errors(&"[".repeat(70))[0].ends_with("is nested deeper than 64 levels"));
    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for level in 1..30 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    assert!(errors(&bomb)[0].ends_with("aliases make the document too large or too deep"));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = Source::File("/nonexistent/preamp.yaml".into());
    let shown = crate::load(&missing.into(), &environment).unwrap_err().to_string();
    assert!(shown.starts_with("/nonexistent/preamp.yaml: cannot be read: "), "{shown}");
}
