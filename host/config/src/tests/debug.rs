//! The exporters `debug` and `logging`.

use super::{errors, read, warnings, with_exporter};
use crate::{Output, Sampling, Verbosity};

/// A file with one more exporter in the pipeline.
fn beside(id: &str, keys: &str) -> String {
    with_exporter("")
        .replace("exporters:\n", &format!("exporters:\n  {id}: {keys}\n"))
        .replace("exporters: [", &format!("exporters: [{id}, "))
}

#[test]
fn both_types_have_the_defaults_of_the_collector() {
    let basic = Sampling { initial: 2, thereafter: 1 };
    for (id, keys, verbosity, sampling, output) in [
        ("debug", "", Verbosity::Basic, basic, Output::Log),
        (
            "debug/a",
            "{verbosity: Detailed, sampling_initial: 5, sampling_thereafter: 200}",
            Verbosity::Detailed,
            Sampling { initial: 5, thereafter: 200 },
            Output::Log,
        ),
        ("debug", "{use_internal_logger: false}", Verbosity::Basic, basic, Output::Stdout),
        (
            "debug",
            "{verbosity: normal, use_internal_logger: false, output_paths: stderr}",
            Verbosity::Normal,
            basic,
            Output::Stderr,
        ),
        (
            "debug",
            "{use_internal_logger: false, output_paths: [/var/log/shown]}",
            Verbosity::Basic,
            basic,
            Output::File("/var/log/shown".into()),
        ),
        ("logging", "", Verbosity::Normal, Sampling { thereafter: 500, ..basic }, Output::Log),
        (
            "logging",
            "{loglevel: debug}",
            Verbosity::Detailed,
            Sampling { thereafter: 500, ..basic },
            Output::Log,
        ),
        ("logging", "{loglevel: warn}", Verbosity::Basic, Sampling { thereafter: 500, ..basic }, Output::Log),
    ] {
        let settings = read(&beside(id, keys)).unwrap_or_else(|errors| panic!("{keys}: {errors}")).settings;
        let debug = settings.debug.first().expect(keys);
        assert_eq!((debug.id.as_str(), debug.verbosity, debug.sampling), (id, verbosity, sampling), "{keys}");
        assert_eq!(debug.output, output, "{keys}");
    }
}

#[test]
fn what_it_does_not_do_is_said() {
    for (text, message) in [
        (beside("logging", "{loglevel: debug}"), "newer Collectors do not know it: write `debug`"),
        (beside("debug", "{output_paths: [/x]}"), "is ignored: with `use_internal_logger`"),
        (beside("debug", "{sending_queue: {enabled: true}}"), "sending_queue: is ignored"),
        (
            beside("debug", "").replace("service: {", "service: {telemetry: {logs: {level: error}}, "),
            "exporters.debug: shows nothing",
        ),
    ] {
        let said = warnings(&text);
        assert!(said.iter().any(|warning| warning.contains(message)), "{message}: {said:?}");
    }
    for (text, message) in [
        (beside("debug", "{verbosity: loud}"), "there are basic, normal, detailed"),
        (beside("debug", "{verbosty: basic}"), "did you mean `verbosity`?"),
        (beside("logging", "{loglevel: info, verbosity: basic}"), "cannot stand beside `verbosity`"),
        (
            beside("debug", "").replace(", prometheusremotewrite]", "]"),
            "nothing is sent: no pipeline of metrics has an exporter that sends",
        ),
    ] {
        let said = errors(&text);
        assert!(said.iter().any(|error| error.contains(message)), "{message}: {said:?}");
    }
}

#[test]
fn it_may_have_a_pipeline_and_processors_of_its_own() {
    let text = "\
receivers: {otlp: {protocols: {grpc: }}}
processors: {resource: {attributes: [{key: a, value: b, action: upsert}]}}
exporters:
  debug/b:
  prometheusremotewrite: {endpoint: 'http://h/w'}
service:
  pipelines:
    metrics/debug: {receivers: [otlp], processors: [resource], exporters: [debug/b]}
    metrics: {receivers: [otlp], exporters: [prometheusremotewrite]}
";
    let loaded = read(text).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.warnings, []);
    let settings = loaded.settings;
    assert_eq!((settings.processors.resource.len(), settings.debug[0].processors.resource.len()), (0, 1));
}
