//! The queue in a stream.

use super::{errors, explain, read};
use crate::{NatsCredentials, Source, Storage};

fn file(nats: &str, exporter: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: }}}}}}
extensions: {{nats: {{{nats}}}}}
exporters: {{prometheusremotewrite: {{endpoint: 'http://localhost:9090/api/v1/write', sending_queue: {{storage: nats}}, {exporter}}}}}
service: {{extensions: [nats], pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}}}}}
"
    )
}

const SERVERS: &str = "servers: ['nats://a:4222'], monitoring: ['http://a:8222']";

#[test]
fn a_stream_has_partitions_of_its_own_and_consumers_are_what_is_in_flight() {
    let settings = read(&file(SERVERS, "")).unwrap().settings;
    let queue = settings.exporter.queue;
    assert_eq!((queue.partitions, queue.consumers), (64, 10));
    assert!(
        settings.exporter.component_json.contains("\"partitions\":64"),
        "{}",
        settings.exporter.component_json
    );
    let Storage::Nats(nats) = queue.storage else { panic!("{:?}", queue.storage) };
    assert_eq!((nats.replicas, nats.sync_always, nats.credentials), (3, false, NatsCredentials::Anonymous));
    assert_eq!(settings.exporter.retry.max_elapsed_time, None);
}

#[test]
fn the_consumers_that_are_explained_are_those_of_this_process() {
    let written = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(written.path(), file(SERVERS, "")).unwrap();
    let request = Source::File(written.path().to_owned()).into();
    let explained = explain(&request, &|_| None).unwrap().settings;
    assert!(explained.contains("num_consumers: 10"), "{explained}");
    assert!(explained.contains("    lease: 25s  # default\n"), "ten seconds and three attempts: {explained}");
}

#[test]
fn what_would_lose_something_is_refused() {
    let cases = [
        ("servers: ['nats://a:4222']", "names no `monitoring` addresses"),
        ("servers: ['nats://a:4222'], sync_always: false", "set `sync_interval: always`"),
        ("monitoring: ['http://a:8222']", "names no `servers`"),
        (&format!("{SERVERS}, replicas: 1"), "replicas"),
        (&format!("{SERVERS}, lease: 10s"), "is shorter than 3 times the `timeout`"),
        (&format!("{SERVERS}, stream: a.b"), "is no name of a stream"),
        ("servers: ['http://a:4222'], sync_always: true", "is no URL of a NATS server"),
        (&format!("{SERVERS}, token: t, username: u, password: p"), "a second way to say who preamp is"),
        (&format!("{SERVERS}, username: u"), "lacks its `password`"),
        ("servers: ['nats://u:s3cret@a:4222'], sync_always: true", "set `username` and `password`"),
        ("servers: ['tls://s3cret@a:4222'], sync_always: true", "set `username` and `password`"),
        ("servers: ['u:s3cret@a:4222'], sync_always: true", "is no URL of a NATS server"),
        ("servers: ['nats://a:1'], monitoring: ['http://u:s3cret@a:8222']", "take it out"),
    ];
    for (nats, expected) in cases {
        let errors = errors(&file(nats, ""));
        assert!(errors.iter().all(|error| !error.contains("s3cret")), "{nats}: {errors:?}");
        assert!(errors.iter().any(|error| error.contains(expected)), "{nats}: {errors:?}");
    }
}

#[test]
fn a_result_cannot_be_waited_for_where_another_process_delivers() {
    let waiting = file(SERVERS, "").replace("{storage: nats}", "{storage: nats, wait_for_result: true}");
    assert!(
        errors(&waiting)[0].contains("whoever delivers does not answer the sender"),
        "{:?}",
        errors(&waiting)
    );
}

#[test]
fn the_oldest_cannot_be_given_up_where_another_process_delivers() {
    let dropping = file(SERVERS, "drop_oldest_on_overflow: true");
    assert!(errors(&dropping)[0].contains("whoever accepts does not deliver"), "{:?}", errors(&dropping));
}

#[test]
fn who_vouches_need_not_be_asked() {
    let vouched = file("servers: ['tls://a:4222'], sync_always: true, credentials_file: /c", "");
    let Storage::Nats(nats) = read(&vouched).unwrap().settings.exporter.queue.storage else { panic!() };
    assert!(nats.sync_always && nats.monitoring.is_empty());
    assert_eq!(nats.credentials, NatsCredentials::File("/c".into()));
}
