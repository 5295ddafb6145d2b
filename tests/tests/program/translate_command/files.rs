//! Captures and configurations that the tests of both commands use.

use anyhow::Context as _;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::Delta;
use preamp_tests::payloads::{self, counter, gauge, integer, integer_point, sum, text};
use std::path::{Path, PathBuf};

/// A folder of captures in this repository.
pub(crate) fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// The captured requests of a producer, in order.
pub(crate) fn captured(producer: &str) -> anyhow::Result<Vec<PathBuf>> {
    let folder = captures().join(producer);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.file_name() != Some("producer.json".as_ref()) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Two counters and a gauge that can be translated, and a delta that cannot.
pub(crate) fn shop() -> Vec<u8> {
    let requests = [(200, 7), (500, 1)]
        .map(|(status, count)| integer_point(vec![text("route", "/pay"), integer("status", status)], count));
    payloads::metrics(vec![
        counter("http.requests", "1", requests.into()),
        gauge("queue.size", "By", vec![integer_point(vec![], 4096)]),
        sum("orders", "1", vec![integer_point(vec![], 3), integer_point(vec![], 4)], Delta, true),
    ])
}

/// The same without the delta.
pub(crate) fn cumulative() -> Vec<u8> {
    payloads::metrics(vec![
        counter("http.requests", "1", vec![integer_point(vec![text("route", "/pay")], 7)]),
        gauge("queue.size", "By", vec![integer_point(vec![], 4096)]),
    ])
}

/// A file in a folder.
pub(crate) fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> anyhow::Result<String> {
    let path = folder.join(name);
    std::fs::write(&path, content)?;
    Ok(path.display().to_string())
}

/// A configuration whose exporters have these keys, each with its id. The first one is in the pipeline.
pub(crate) fn configuration(exporters: &[(&str, &str)]) -> String {
    let section = |(id, keys): &(&str, &str)| {
        format!("  {id}: {{endpoint: \"http://127.0.0.1:9/api/v1/write\", {keys}}}\n")
    };
    let first = exporters.first().map_or("", |(id, _)| id);
    format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: \"127.0.0.1:0\"}}}}}}}}\nexporters:\n{}\
         service: {{pipelines: {{metrics: {{receivers: [otlp], exporters: [{first}]}}}}}}\n",
        exporters.iter().map(section).collect::<String>()
    )
}
