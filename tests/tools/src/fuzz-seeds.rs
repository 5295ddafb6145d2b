//! Writes the first inputs of the fuzz targets, from the payloads of the corpus: FOLDER/TARGET.

use anyhow::Context as _;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use preamp_core::Exporter;
use preamp_core::types::Encoding;
use preamp_tests::corpus::cases;
use preamp_tests::otlp_json::{Style, encode};
use preamp_tests::payloads::NOW_NS;
use prost::Message as _;
use std::path::Path;

/// Larger inputs slow all mutations of them down.
const BYTES_MAX: usize = 4_096;

/// What chooses the configuration, as `tests/fuzz/options.rs` reads it: the usual one, and one with
/// nearly everything on.
const OPTIONS: [[u8; 3]; 2] = [[0, 0, 0], [0xf8, 0x83, 0xc1]];

fn main() -> anyhow::Result<()> {
    let corpus = std::env::args_os().nth(1).context("usage: fuzz-seeds FOLDER")?;
    let corpus = Path::new(&corpus);
    let write = |target: &str, name: &str, bytes: &[u8]| -> anyhow::Result<()> {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(folder.join(name), bytes)?)
    };
    let version_2 =
        r#"{"endpoint":"https://localhost/","protobuf_message":"io.prometheus.write.v2.Request"}"#;
    let mut exporter = Exporter::open(version_2).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    for case in cases().into_iter().filter(|case| case.payload.len() <= BYTES_MAX) {
        for (index, options) in OPTIONS.iter().enumerate() {
            let name = format!("{}-{index}", case.name);
            write("accept", &name, &[&options[..], &case.payload].concat())?;
            write("rework", &name, &[&options[..], &case.payload].concat())?;
            if let Ok(request) = ExportMetricsServiceRequest::decode(&*case.payload) {
                let style = [Style::Specification, Style::Loose][index];
                write("json", &name, &[&options[..], &encode(&request, style)].concat())?;
            }
        }
        let Ok(acceptance) = exporter.accept(&case.payload, Encoding::Protobuf, NOW_NS) else { continue };
        for batch in acceptance.batches.iter().take(1).filter(|batch| batch.body.len() <= BYTES_MAX) {
            // `how`: the body as it is, of 2.0, with its size in the next bytes.
            let head = [OPTIONS[0].as_slice(), &[0b100, 1, 2, 2, 0, 0]].concat();
            write("bodies", case.name, &[head, batch.body.clone()].concat())?;
        }
    }
    // The target adds delta metrics up whatever the options.
    let options = [0_u8, 0, 0];
    let accumulating = r#"{"endpoint":"https://localhost/","delta":"accumulate"}"#;
    for case in cases().into_iter().filter(|case| case.payload.len() <= BYTES_MAX) {
        let mut exporter =
            Exporter::open(accumulating).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        if exporter.accept(&case.payload, Encoding::Protobuf, NOW_NS).is_ok() {
            // `1`: nothing was accepted since.
            write("state", case.name, &[&options[..], &[1], &exporter.snapshot()].concat())?;
        }
    }
    write("open", "accumulating", accumulating.as_bytes())?;
    write("open", "schema", preamp_core::config::SCHEMA.as_bytes())
}
