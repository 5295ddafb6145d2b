//! What `convert` and `print-config` print.

use super::{FULL, environment, explain, read};
use crate::{Loaded, Request, Source, Storage, convert};

const URL: &str = "https://aps-workspaces.us-east-2.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

fn request(text: &str) -> (tempfile::NamedTempFile, Request) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let request = Source::File(file.path().to_owned()).into();
    (file, request)
}

/// The settings as a text that can be compared, with what `Debug` leaves out.
fn settings(loaded: &Loaded) -> String {
    format!("{:#?} {}", loaded.settings, loaded.settings.exporter.component_json)
}

#[test]
fn what_was_converted_means_the_same() {
    let bindplane = format!(
        "kind: Destination\nname: amp\ntype: aws_managed_prometheus\nparameters:\n  endpoint: {}\n  region: us-east-2\n  \
         arn: arn:aws:iam::123456789012:role/writer\n  session_name: bp-1\n  enable_tls: true\n  strict_tls_verify: \
         true\n  ca_file: /etc/ca.pem\n  headers: {{X-Team: '${{env:TEAM}}', X-Price: '5$$'}}\n  \
         retry_on_failure_initial_interval: 7\n",
        URL.trim_start_matches("https://")
    );
    let prometheus = format!(
        "global: {{external_labels: {{price: '5$', a: '${{PORT}}'}}}}\nremote_write:\n  - url: {URL}\n    name: amp\n    \
         sigv4: {{region: us-east-2, access_key: AKID, secret_key: '${{env:SECRET}}'}}\n    queue_config: {{max_shards: \
         3, sample_age_limit: 2d}}\n"
    );
    for text in [FULL, &bindplane, &prometheus] {
        let (_file, request) = request(text);
        let converted = convert(&request, false, &environment).unwrap().settings.text;
        let again = read(&converted).unwrap_or_else(|errors| panic!("{errors}\n{converted}"));
        assert_eq!(settings(&again), settings(&read(text).unwrap()), "{converted}");
        assert!(!converted.contains("hunter2") && !converted.contains("secret-token"), "{converted}");
    }
    let (_file, request) = request(&prometheus);
    let converted = convert(&request, false, &environment).unwrap().settings.text;
    assert!(
        converted.contains("price: 5$$\n") && converted.contains("secret_key: $${env:SECRET}\n"),
        "{converted}"
    );
}

#[test]
fn what_is_explained_names_the_source_of_each_value_and_no_secret() {
    let text = format!(
        "exporters:\n  prometheusremotewrite:\n    endpoint: {URL}\n    headers: {{X-Token: s3cret, X-Team: '${{TEAM}}'}}\n    \
         auth: {{authenticator: sigv4auth}}\nextensions: {{sigv4auth: }}\nreceivers: {{otlp: {{protocols: {{grpc: }}}}}}\n\
         service:\n  extensions: [sigv4auth]\n  pipelines: {{metrics: {{receivers: [otlp], exporters: \
         [prometheusremotewrite]}}}}\n"
    );
    let (file, mut request) = request(&text);
    request
        .sources
        .push(Source::of_set("exporters.prometheusremotewrite.remote_write_queue.queue_size=7").unwrap());
    let explained = explain(&request, &environment).unwrap().settings;
    let explained = explained.replace(&file.path().display().to_string(), "f");
    for line in [
        "        endpoint: localhost:4317  # default\n",
        "        max_recv_msg_size_mib: 4  # default\n",
        "        max_concurrent_streams: 100  # default\n",
        "        max_connections: 10000  # default\n",
        "            max_connection_idle: 2m  # default\n",
        "    timeout: 5s  # default\n",
        "    profile: aps  # default\n",
        "    max_sample_age: 1h  # default\n",
        "    max_batch_size_bytes: 990000  # default\n",
        "    max_queue_bytes: 268435456  # default\n",
        "    idle_conn_timeout: 50s  # default\n",
        "      min_version: \"1.2\"  # default\n",
        "      initial_interval: 50ms  # default\n",
        "                port: 8888  # default\n",
        "      queue_size: 7  # --set exporters.prometheusremotewrite.remote_write_queue.queue_size:1:1\n",
        "      num_consumers: 5  # default\n",
        "      X-Token: (redacted)  # f:4:24\n",
        "      X-Team: ${TEAM}  # f:4:40\n",
        "    region: us-east-2  # default\n",
        "      authenticator: sigv4auth  # f:5:27\n",
    ] {
        assert!(explained.contains(line), "{line}{explained}");
    }
    assert!(!explained.contains("s3cret") && !explained.contains("secret-token"), "{explained}");
}

/// The settings without what only says that the file leaves something open.
fn closed(loaded: Loaded) -> String {
    let Loaded { mut settings, .. } = loaded;
    settings.exporter.queue.is_max_bytes_open = false;
    if let Storage::Nats(nats) = &mut settings.exporter.queue.storage {
        nats.lease = Some(nats.lease_for(settings.exporter.client.timeout));
    }
    format!("{settings:#?}")
}

/// Files with as many of the sections that bring defaults as can stand together.
fn files_with_defaults() -> Vec<String> {
    let file = |extensions: &str, queue: &str, processors: &str| {
        format!(
            "receivers: {{otlp: {{protocols: {{grpc: , http: }}}}}}\nextensions: {{{extensions}}}\nprocessors: {{{processors}}}\n\
             exporters: {{prometheusremotewrite/x: {{endpoint: 'http://localhost:9090/api/v1/write', {queue}}}}}\n\
             service: {{extensions: [{}], pipelines: {{metrics: {{receivers: [otlp], processors: [{}], exporters: \
             [prometheusremotewrite/x]}}}}}}\n",
            names_of(extensions),
            names_of(processors),
        )
    };
    vec![
        file("", "", ""),
        file(
            "health_check: ",
            "remote_write_queue: ",
            "batch: , memory_limiter: {check_interval: 1s, limit_mib: 100}",
        ),
        file(
            "healthcheckv2: {use_v2: true, http: }",
            "sending_queue: ",
            "memory_limiter: {check_interval: 1s, limit_percentage: 50}",
        ),
        file("file_storage: ", "sending_queue: {storage: file_storage}", ""),
        file("", "wal: {directory: /var/q}, retry_on_failure: ", ""),
        file("nats: {servers: ['nats://a:1'], sync_always: true}", "sending_queue: {storage: nats}", ""),
    ]
}

fn names_of(sections: &str) -> String {
    let parts = sections.split(", ").filter_map(|part| part.split_once(':'));
    let names = parts
        .map(|(name, _)| name)
        .filter(|name| !["limit_mib", "limit_percentage", "http", "sync_always"].contains(name));
    names.collect::<Vec<_>>().join(", ")
}

#[test]
fn what_is_explained_is_a_configuration_that_means_the_same() {
    for text in files_with_defaults() {
        let (_file, request) = request(&text);
        let explained =
            explain(&request, &environment).unwrap_or_else(|errors| panic!("{errors}\n{text}")).settings;
        let again = read(&explained).unwrap_or_else(|errors| panic!("{errors}\n{explained}"));
        assert_eq!(closed(again), closed(read(&text).unwrap()), "{explained}");
    }
}
