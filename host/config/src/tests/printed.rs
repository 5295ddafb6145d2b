//! What `convert` and `print-config` print.

use super::{FULL, environment, read};
use crate::{Loaded, Request, Source, convert, explain};

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
        "            max_connection_idle: 120s  # default\n",
        "    timeout: 5s  # default\n",
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
