//! What people write by mistake, and what helps.

use super::{errors, read, warnings, with_exporter, with_protocols, with_service};
use crate::parse;

/// What is said of a file, errors and warnings.
fn said(text: &str) -> Vec<String> {
    match read(text) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => problems.to_string().lines().map(str::to_owned).collect(),
    }
}

fn assert_said(text: &str, parts: &[&str]) {
    let said = said(text);
    for part in parts {
        assert!(said.iter().any(|line| line.contains(part)), "{part}: {said:#?}");
    }
}

#[test]
fn a_variable_without_braces_is_named() {
    let endpoint = with_exporter("").replace("http://localhost:9090/api/v1/write", "$AMP_ENDPOINT");
    assert_said(
        &endpoint,
        &[
            "f:3:15: exporters.prometheusremotewrite.endpoint: a variable needs braces, write ${env:AMP_ENDPOINT}",
        ],
    );
    assert_said(&with_exporter("remote_write_queue: {num_consumers: $COUNT}"), &["write ${env:COUNT}"]);
    assert_said(&with_exporter("timeout: $TIMEOUT"), &["write ${env:TIMEOUT}"]);
    assert_said(&with_protocols("grpc: {endpoint: '$MY_POD_IP:4317'}"), &["write ${env:MY_POD_IP}"]);
    // What can be a text is one, with a warning.
    let labels = with_exporter("external_labels: {cluster: $CLUSTER, cost: 5 $, both: $$CLUSTER}");
    assert_eq!(
        warnings(&labels),
        [
            "f:4:32: exporters.prometheusremotewrite.external_labels.cluster: `$CLUSTER` is taken as it is: a variable \
          needs braces, write ${env:CLUSTER}; for the text itself, $$CLUSTER"
        ]
    );
    // A part of a secret is not shown.
    assert_eq!(warnings(&with_exporter("headers: {X-Key: $SECRET}")), [""; 0]);
}

#[test]
fn a_variable_that_is_not_set_is_named_wherever_it_is_missed() {
    let remedy = "the environment variable NONE is not set: set it, or write ${env:NONE:-DEFAULT}";
    for text in [
        with_exporter("").replace("http://localhost:9090/api/v1/write", "'${env:NONE}'"),
        with_exporter("").replace("localhost:9090", "${env:NONE}"),
        with_exporter("external_labels: {a: '${env:NONE}'}\ntimeout: '${env:NONE}s'"),
        with_exporter("auth: {authenticator: '${env:NONE}'}"),
        with_protocols("grpc: {endpoint: '${env:NONE}:x'}"),
    ] {
        let errors = errors(&text);
        assert!(errors.iter().any(|error| error.contains(remedy)), "{text}: {errors:?}");
    }
}

#[test]
fn warnings_stand_beside_errors() {
    let text = with_exporter("timeout: 5\nwrite_buffer_size: 1\nnamespace: '${env:NONE}'");
    assert_said(
        &text,
        &[
            "f:4:14: exporters.prometheusremotewrite.timeout: a duration needs a unit",
            "warning: f:5:5: exporters.prometheusremotewrite.write_buffer_size: is ignored",
            "warning: f:6:16: exporters.prometheusremotewrite.namespace: the environment variable NONE is not set",
        ],
    );
}

#[test]
fn a_key_in_the_wrong_section_is_told_where_it_belongs() {
    for (text, part) in [
        (
            with_protocols("http: {max_recv_msg_size_mib: 5}\n"),
            "http.max_recv_msg_size_mib: unknown key; it belongs under `grpc`",
        ),
        (with_protocols("http: {keepalive: {}}\n"), "it belongs under `grpc`"),
        (with_protocols("grpc: {max_request_body_size: 5}\n"), "it belongs under `http`"),
        (
            with_protocols("grpc:\nendpoint: a:1\n"),
            "protocols.endpoint: unknown key; it belongs under `grpc` or `http`",
        ),
        (with_exporter("max_elapsed_time: 5m"), "it belongs under `retry_on_failure`"),
        (with_exporter("ca_file: /x"), "it belongs under `tls`"),
        (with_exporter("retry_on_failure: {headers: {}}"), "it belongs one level up"),
        (with_exporter("sigv4: {region: a}"), "sign with the extension `sigv4auth`"),
        (with_exporter("basic_auth: {username: a}"), "use the extension `basicauth` with `client_auth`"),
        (with_exporter("url: http://h"), "write it as `endpoint`"),
        (with_service("logs: {level: debug}"), "service.logs: unknown key; it belongs under `telemetry`"),
        (with_service("") + "telemetry: {}\n", "telemetry: unknown key; it belongs under `service`"),
    ] {
        assert_said(&text, &[part]);
    }
}

#[test]
fn of_many_keys_the_nearest_three_are_named() {
    let said = errors(&with_exporter("maximum_batch_bytes_of_a_request: 1"));
    let (_, named) = said[0].split_once("the nearest are ").expect("three names");
    assert!(named.split(", ").count() == 3 && named.contains("max_batch_size_bytes"), "{said:?}");
}

#[test]
fn nothing_is_nothing_in_any_unit() {
    let settings = read(&with_exporter(
        "idle_conn_timeout: 0\nretry_on_failure: {max_elapsed_time: 0}\nmax_sample_age: 0\nhttp2_ping_timeout: '0'",
    ));
    let exporter = settings.unwrap().settings.exporter;
    assert_eq!((exporter.client.connections.idle_timeout, exporter.retry.max_elapsed_time), (None, None));
    assert!(errors(&with_exporter("timeout: 0"))[0].contains("without a time limit"));
    assert!(errors(&with_exporter("idle_conn_timeout: 1"))[0].contains("needs a unit"));
}

#[test]
fn addresses_are_taken_as_go_takes_them() {
    for (endpoint, expected) in [
        ("[127.0.0.1]:4317", Some("127.0.0.1:4317")),
        ("[::1]:4317", Some("[::1]:4317")),
        ("[fd00::1:2]:4317", Some("[fd00::1:2]:4317")),
        ("[localhost]:4317", Some("localhost:4317")),
        ("[]:4317", Some(":4317")),
        (":4317", Some(":4317")),
        ("0.0.0.0:4317", Some("0.0.0.0:4317")),
        ("fd00::1:4317", None),
        ("[::1:4317", None),
        ("[a b]:4317", None),
    ] {
        let text = with_protocols(&format!("grpc: {{endpoint: '{endpoint}'}}"));
        match (expected, read(&text)) {
            (Some(expected), Ok(loaded)) => {
                assert_eq!(loaded.settings.receiver.grpc.unwrap().endpoint, expected);
            }
            (None, Err(problems)) => {
                assert!(problems.to_string().contains("expected host:port"), "{problems}")
            }
            (_, other) => panic!("{endpoint}: {other:?}"),
        }
    }
    assert_said(&with_protocols("grpc: {endpoint: 'fd00::1:4317'}"), &["an IPv6 address stands in brackets"]);
    for (host, expected) in
        [("", ":8888"), ("'[::]'", "[::]:8888"), ("'::1'", "[::1]:8888"), ("'[10.0.0.1]'", "10.0.0.1:8888")]
    {
        let host = if host.is_empty() { "''" } else { host };
        let text = with_service(&format!(
            "telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: {host}}}}}}}}}]}}}}"
        ));
        assert_eq!(read(&text).unwrap().settings.telemetry.metrics_endpoint.as_deref(), Some(expected));
    }
}

/// A file that signs for a region, with a role.
fn signed(region: &str, role: &str, endpoint: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: }}}}}}
extensions: {{sigv4auth: {{region: {region}, assume_role: {{{role}}}}}}}
exporters:
  prometheusremotewrite: {{endpoint: '{endpoint}', auth: {{authenticator: sigv4auth}}}}
service: {{extensions: [sigv4auth], pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}}}}}
"
    )
}

#[test]
fn what_is_of_another_partition_of_aws_is_warned_of() {
    let url = |host: &str| format!("https://{host}/workspaces/ws-1/api/v1/remote_write");
    let role = |partition: &str| format!("arn: 'arn:{partition}:iam::111122223333:role/w'");
    for (region, role, host, part) in [
        (
            "us-gov-west-1",
            role("aws"),
            "aps-workspaces.us-gov-west-1.amazonaws.com",
            "write arn:aws-us-gov:iam::111122223333:role/w",
        ),
        (
            "eu-west-1",
            role("aws-cn"),
            "aps-workspaces.eu-west-1.amazonaws.com",
            "write arn:aws:iam::111122223333:role/w",
        ),
        (
            "eu-west-1",
            role("aws") + ", sts_region: cn-north-1",
            "aps-workspaces.eu-west-1.amazonaws.com",
            "sts_region: is in another partition",
        ),
        ("cn-north-1", role("aws-cn"), "aps-workspaces.cn-north-1.amazonaws.com", "end in .amazonaws.com.cn"),
        (
            "eu-west-2",
            role("aws"),
            "aps.eu-west-2.amazonaws.com",
            "takes no samples: write https://aps-workspaces.eu-west-2.amazonaws.com/workspaces/",
        ),
    ] {
        let text = signed(region, &role, &url(host));
        let text = if host.starts_with("aps.") {
            text.replace("region: eu", "service: aps, region: eu")
        } else {
            text
        };
        let said = warnings(&text);
        assert!(said.len() == 1 && said[0].contains(part), "{part}: {said:?}");
    }
    let right =
        signed("us-gov-west-1", &role("aws-us-gov"), &url("aps-workspaces.us-gov-west-1.amazonaws.com"));
    assert_eq!(warnings(&right), [""; 0]);
    let naked = signed("$AWS_REGION", "", &url("aps-workspaces.eu-west-1.amazonaws.com"));
    assert!(errors(&naked)[0].contains("write ${env:AWS_REGION}"), "{:?}", errors(&naked));
}

#[test]
fn placeholders_are_named_where_they_stand() {
    let url = |host: &str| format!("https://{host}/workspaces/ws-1/api/v1/remote_write");
    let right = url("aps-workspaces.eu-west-1.amazonaws.com");
    let said = "looks like a placeholder: put the real value in its place";
    for (region, role, endpoint, path, found) in [
        ("eu-west-1", "", url("aps-workspaces.REGION.amazonaws.com"), "endpoint", "REGION"),
        ("eu-west-1", "", right.replace("/ws-1/", "/WORKSPACE_ID/"), "endpoint", "WORKSPACE_ID"),
        ("my-region", "", right.clone(), "sigv4auth.region", "my-region"),
        (
            "eu-west-1",
            "arn: 'arn:aws:iam::111122223333:role/ROLE_NAME'",
            right.clone(),
            "assume_role.arn",
            "ROLE_NAME",
        ),
    ] {
        let told = warnings(&signed(region, role, &endpoint));
        let is_told =
            |line: &String| line.contains(path) && line.contains(&format!("`{found}")) && line.contains(said);
        assert!(told.iter().any(is_told), "{found}: {told:?}");
    }
    assert_eq!(warnings(&signed("eu-west-1", "", &right)), [""; 0]);
    // What is no URL for it is refused for it.
    let told = errors(&signed("eu-west-1", "", &url("aps-workspaces.<region>.amazonaws.com")));
    assert!(told[0].contains("`<region>` looks like a placeholder"), "{told:?}");
    // What comes from elsewhere is not shown.
    let hidden = signed("eu-west-1", "", "${env:ENDPOINT}");
    let endpoint = url("aps-workspaces.REGION.amazonaws.com");
    let loaded = parse("f", &hidden, &|_| Some(endpoint.clone())).unwrap();
    let told = loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(told.iter().any(|line| line.contains("holds what looks like a placeholder")), "{told:?}");
}

#[test]
fn files_that_lead_to_a_prometheus_file_are_told_from_it() {
    const RENDERED: &str = "take the `remote_write` of the rendered prometheus.yml";
    for text in [
        "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nspec: {remoteWrite: [{url: 'http://h'}]}\n",
        "apiVersion: monitoring.coreos.com/v1alpha1\nkind: PrometheusAgent\nspec: {}\n",
        "kind: Namespace\n---\napiVersion: monitoring.coreos.com/v1\nkind: Prometheus\n",
        "server: {remoteWrite: [{url: 'http://h'}]}\n",
        "prometheus: {prometheusSpec: {remoteWrite: []}}\n",
        "kind: HelmRelease\nspec: {values: {prometheus: {prometheusSpec: {remoteWrite: []}}}}\n",
        "serverFiles: {prometheus.yml: {remote_write: []}}\n",
    ] {
        let said = parse("f", text, &|_| None).unwrap_err().to_string();
        assert!(said.lines().count() == 1 && said.contains(RENDERED), "{text}: {said}");
    }
}
