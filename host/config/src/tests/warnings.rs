//! What is accepted with a warning.

use super::*;

/// Asserts that a file can be used and that exactly this is said about it.
#[track_caller]
fn assert_warns(text: &str, expected: &[&str]) {
    assert_eq!(warnings(text), expected);
}

#[test]
fn keys_that_change_nothing() {
    const EXPORTER: &str = "exporters.prometheusremotewrite";
    for (key, path, why) in [
        ("write_buffer_size: 1", "write_buffer_size", "is ignored: preamp sizes its buffers itself"),
        ("read_buffer_size: 1", "read_buffer_size", "is ignored: preamp sizes its buffers itself"),
        ("cookies: {enabled: true}", "cookies", "is ignored: a remote-write receiver sets none"),
        ("compression: gzip", "compression", "remote write takes snappy only: sent as snappy, not as gzip"),
        (
            "sending_queue: {queue_size: 5}",
            "sending_queue",
            "the Collector's exporter calls it `remote_write_queue`; taken as that",
        ),
        ("delta_state_file: /x", "delta_state_file", "keeps nothing without `delta: accumulate`"),
    ] {
        assert_warns(&with_exporter(key), &[&format!("f:4:5: {EXPORTER}.{path}: {why}")]);
    }
    assert_warns(
        &with_exporter("tls: {insecure_skip_verify: true}"),
        &[&format!(
            "f:4:11: {EXPORTER}.tls.insecure_skip_verify: the receiver's certificate goes unchecked: anybody in \
             between can read and change what is sent"
        )],
    );
    let secure = with_exporter("tls: {insecure: true}").replace("http://", "https://");
    assert!(warnings(&secure)[0].contains("changes nothing"));
}

#[test]
fn the_sending_queue_is_honoured() {
    let queue =
        |keys: &str| read(&with_exporter(&format!("sending_queue: {keys}"))).unwrap().settings.exporter.queue;
    assert_eq!((queue("{}").max_payloads, queue("{}").partitions), (1_000_000, 10));
    let own = queue("{queue_size: 3, num_consumers: 2, sizer: requests}");
    assert_eq!((own.max_payloads, own.partitions), (3, 2));
}

#[test]
fn receiver_keys_that_change_nothing() {
    let shown = warnings(&with_protocols(
        "grpc: {read_buffer_size: 1, include_metadata: true}\nhttp: {traces_url_path: /t}",
    ));
    let places: Vec<_> =
        shown.iter().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        places,
        [
            "f:4:14 receivers.otlp.protocols.grpc.read_buffer_size",
            "f:4:35 receivers.otlp.protocols.grpc.include_metadata",
            "f:5:14 receivers.otlp.protocols.http.traces_url_path",
        ]
    );
}

#[test]
fn what_no_metrics_pipeline_uses() {
    let text = with_service("extensions: [pprof]")
        .replace("pipelines: {", "pipelines: {traces: {receivers: [jaeger]}, ")
        + "processors: {resource: }\nconnectors: {spanmetrics: }\nextensions: {pprof: , sigv4auth: }\n";
    assert_warns(
        &text.replace("receivers: {otlp", "receivers: {jaeger: , otlp"),
        &[
            "f:2:13: receivers.jaeger: is in no pipeline of metrics and does nothing",
            "f:4:16: service.extensions[0]: the extension `pprof` is ignored: it shows the Collector's own insides",
            "f:5:15: service.pipelines.traces: is ignored: preamp takes metrics only",
            "f:6:14: processors.resource: is in no pipeline of metrics and does nothing",
            "f:7:14: connectors.spanmetrics: connectors are not supported by this version of preamp yet; it does \
             nothing",
            "f:8:23: extensions.sigv4auth: is not listed in `service.extensions` and does nothing",
        ],
    );
}

#[test]
fn a_pipeline_that_repeats_another() {
    let text = with_exporter("").replace("metrics:", "metrics: &p").replace("}}}\n", "}, metrics/2: *p}}\n");
    let text = text.replace("grpc: }, metrics/2: *p}}", "grpc: }}}");
    assert_warns(
        &text,
        &["f:6:92: service.pipelines.metrics/2: repeats the pipeline above: metrics are delivered once"],
    );
}

#[test]
fn an_unset_variable() {
    assert_warns(
        &with_exporter("namespace: ${env:NONE}"),
        &["f:4:16: exporters.prometheusremotewrite.namespace: the environment variable NONE is not set"],
    );
}

#[test]
fn telemetry_of_the_collector_only() {
    let shown = warnings(&with_service(
        "telemetry: {traces: {level: none}, logs: {sampling: {enabled: false}}, metrics: {readers: [{periodic: \
         {exporter: {console: {}}}}]}}",
    ));
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(
        shown[2].starts_with(
            "f:4:117: service.telemetry.metrics.readers[0].periodic.exporter.console: is ignored"
        ),
        "{shown:?}"
    );
}
