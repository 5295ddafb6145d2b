//! The processors of a pipeline.

use super::{errors, read, warnings, with_exporter};
use crate::{
    AttributeAction, AttributeKeys, AttributeType, AttributeValue, Batching, Change, MemoryLimit,
    MemoryLimiter, Processors,
};
use std::time::Duration;

const MEBIBYTE: u64 = 1024 * 1024;

/// A file with these processors, all of them in the pipeline; they begin in line 8.
fn with_processors(ids: &str, processors: &str) -> String {
    with_exporter("").replace("receivers: [otlp]", &format!("receivers: [otlp], processors: [{ids}]"))
        + "processors:\n  "
        + processors
        + "\n"
}

fn processors(ids: &str, processors: &str) -> Processors {
    let loaded = read(&with_processors(ids, processors)).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    loaded.settings.processors
}

#[test]
fn batches_and_limits_have_the_defaults_of_the_collector() {
    let batch = |keys: &str| processors("batch", &format!("batch: {keys}")).batch.unwrap();
    assert_eq!(batch(""), Batching { timeout: Duration::from_millis(200), points: 8192 });
    assert_eq!(
        batch("{timeout: 2s, send_batch_size: 100}"),
        Batching { timeout: Duration::from_secs(2), points: 100 }
    );
    let limiter =
        |keys: &str| processors("memory_limiter", &format!("memory_limiter: {keys}")).memory_limiter.unwrap();
    let check_interval = Duration::from_secs(1);
    let bytes = |limit: u64, margin: u64| MemoryLimiter {
        check_interval,
        limit: MemoryLimit::Bytes(limit * MEBIBYTE),
        margin: MemoryLimit::Bytes(margin * MEBIBYTE),
    };
    let part = |limit, margin| MemoryLimiter {
        check_interval,
        limit: MemoryLimit::Percentage(limit),
        margin: MemoryLimit::Percentage(margin),
    };
    assert_eq!(limiter("{check_interval: 1s, limit_mib: 100}"), bytes(100, 20));
    assert_eq!(limiter("{check_interval: 1s, limit_mib: 100, spike_limit_mib: 30}"), bytes(100, 30));
    assert_eq!(
        limiter("{check_interval: 1s, limit_percentage: 75, spike_limit_percentage: 15}"),
        part(75, 15)
    );
    // The size counts where both stand.
    assert_eq!(limiter("{check_interval: 1s, limit_mib: 100, limit_percentage: 75}"), bytes(100, 20));
}

#[test]
fn actions_on_resources_are_read_in_order() {
    let text = "\
resource/a:
    attributes:
      - {key: cluster, value: eu, action: upsert}
      - {key: n, value: 5, action: insert}
      - {key: host, from_attribute: host.name, default_value: none, action: update}
      - {key: secret, action: hash}
  resource/b:
    attributes:
      - {pattern: ^tmp, action: delete}
      - {key: n, action: convert, converted_type: string}
      - {key: path, action: extract, pattern: '^(?P<first>[a-z]+)'}";
    let one = |key: &str, change| AttributeAction { keys: AttributeKeys::One(key.to_owned()), change };
    let set = |inserts, updates, value| Change::Set { inserts, updates, value };
    let string = |text: &str| AttributeValue::String(text.to_owned());
    let from =
        AttributeValue::Of { attribute: "host.name".to_owned(), default: Some(Box::new(string("none"))) };
    let matching = AttributeKeys::Matching("^tmp".to_owned());
    assert_eq!(
        processors("resource/a, resource/b", text).resource,
        [
            one("cluster", set(true, true, string("eu"))),
            one("n", set(true, false, AttributeValue::Int(5))),
            one("host", set(false, true, from)),
            one("secret", Change::Hash),
            AttributeAction { keys: matching, change: Change::Delete },
            one("n", Change::Convert(AttributeType::String)),
            one("path", Change::Extract("^(?P<first>[a-z]+)".to_owned())),
        ]
    );
}

#[test]
fn what_is_wrong_is_said() {
    for (processor, message) in [
        ("batch: {timeot: 1s}", "f:8:11: processors.batch.timeot: unknown key; did you mean `timeout`?"),
        ("batch: {metadata_keys: [a]}", "f:8:11: processors.batch.metadata_keys: known to the Collector"),
        ("batch: {send_batch_max_size: 5}", "f:8:32: processors.batch.send_batch_max_size: is less than"),
        ("memory_limiter: {limit_mib: 5}", "f:8:19: processors.memory_limiter: needs a `check_interval`"),
        ("memory_limiter: {check_interval: 0s}", "f:8:36: processors.memory_limiter.check_interval: needs"),
        ("memory_limiter: {check_interval: 1s}", "f:8:19: processors.memory_limiter: needs `limit_mib` or"),
        (
            "memory_limiter: {check_interval: 1s, limit_mib: 5, spike_limit_mib: 5}",
            "f:8:71: processors.memory_limiter.spike_limit_mib: must be less",
        ),
        ("resource: {}", "f:8:13: processors.resource: needs `attributes`"),
        ("resource: {attributes: [{key: a}]}", "f:8:27: processors.resource.attributes[0]: lacks `action`"),
        (
            "resource: {attributes: [{key: a, action: upsrt, value: b}]}",
            "f:8:44: processors.resource.attributes[0].action: \"upsrt\" is no value of this key; did you mean `upsert`?",
        ),
        (
            "resource: {attributes: [{action: insert, value: b}]}",
            "f:8:27: processors.resource.attributes[0]: lacks `key`",
        ),
        (
            "resource: {attributes: [{key: a, action: insert}]}",
            "f:8:27: processors.resource.attributes[0]: lacks `value`",
        ),
        (
            "resource: {attributes: [{key: a, action: insert, value: [b]}]}",
            "f:8:59: processors.resource.attributes[0].value: lists and sections are known",
        ),
        (
            "resource: {attributes: [{key: a, action: insert, from_context: b}]}",
            "f:8:52: processors.resource.attributes[0].from_context: known to the Collector",
        ),
        (
            "resource: {attributes: [{key: a, action: extract, pattern: '('}]}",
            "f:8:62: processors.resource.attributes[0].pattern: is no regular expression",
        ),
        (
            "resource: {attributes: [{key: a, action: convert}]}",
            "f:8:27: processors.resource.attributes[0]: lacks `converted_type`",
        ),
    ] {
        let (id, _) = processor.split_once(':').unwrap();
        let errors = errors(&with_processors(id, processor));
        assert!(errors.iter().any(|error| error.starts_with(message)), "{message}: {errors:?}");
    }
    let twice = errors(&with_processors("batch, batch", "batch:"));
    assert_eq!(
        twice,
        ["f:6:72: service.pipelines.metrics.processors[1]: `batch` stands in the pipeline twice"]
    );
    let said = warnings(&with_processors("batch", "batch: {send_batch_max_size: 9000}"));
    assert!(said[0].contains("`max_batch_size_bytes` of the exporter bounds a request"), "{said:?}");
}

#[test]
fn pipelines_may_repeat_but_not_differ() {
    let text = with_processors("batch", "batch:\n  resource: {attributes: [{key: a, action: delete}]}");
    let second = |processors: &str| {
        text.replace(
            "pipelines: {",
            &format!("pipelines: {{metrics/b: {{receivers: [otlp], exporters: [prometheusremotewrite]{processors}}}, "),
        )
    };
    assert!(
        errors(&second(", processors: [resource]"))[0].contains("a second pipeline with other processors")
    );
    let said = warnings(&second(", processors: [batch]"));
    assert!(said.iter().any(|said| said.contains("repeats the pipeline above")), "{said:?}");
}
