//! OTLP/JSON says the same as protobuf: for every payload that can be written in both, the library
//! makes the same batches and the same rejections of both.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use preamp_core::Exporter;
use preamp_core::types::{Acceptance, Encoding, Refusal};
use preamp_tests::corpus::cases;
use preamp_tests::otlp_json::{Style, encode};
use preamp_tests::payloads::NOW_NS;
use prost::Message as _;

/// All that can be written is, so that all that can be read must be.
const EVERYTHING: &str = r#"{"endpoint":"https://localhost/","profile":"prometheus","send_metadata":true,
    "exemplars":true,"export_created_metric":{"enabled":true},"max_batch_size_bytes":50000}"#;

fn accept(payload: &[u8], encoding: Encoding) -> Result<Acceptance, Refusal> {
    Exporter::open(EVERYTHING).expect("a valid configuration").accept(payload, encoding, NOW_NS)
}

/// The payloads of the corpus that are requests, with what protobuf makes of them.
fn requests() -> Vec<(&'static str, ExportMetricsServiceRequest, Acceptance)> {
    let mut requests = Vec::new();
    for case in cases() {
        let Ok(accepted) = accept(&case.payload, Encoding::Protobuf) else { continue };
        // The official types hold neither texts that are not Unicode nor values nested without end.
        let Ok(request) = ExportMetricsServiceRequest::decode(&*case.payload) else { continue };
        requests.push((case.name, request, accepted));
    }
    assert!(requests.len() > 25, "only {} payloads", requests.len());
    assert!(requests.iter().map(|(_, _, accepted)| accepted.accepted_points).sum::<u64>() > 20_000);
    requests
}

#[test]
fn the_corpus_means_the_same_in_json_however_it_is_written() {
    for (name, request, expected) in requests() {
        for style in [Style::Specification, Style::Loose] {
            let json = encode(&request, style);
            assert_eq!(accept(&json, Encoding::Json), Ok(expected.clone()), "{name}, {style:?}");
        }
    }
}

#[test]
fn a_document_cut_anywhere_is_refused_with_its_place() {
    let (_, request, _) = requests().swap_remove(0);
    let json = encode(&request, Style::Specification);
    for length in 0..json.len() {
        match accept(&json[..length], Encoding::Json) {
            Err(Refusal::Malformed(what)) => assert!(what.contains(" at byte "), "{what}"),
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn other_signals_are_recognised() {
    for (field, signal) in [("resourceSpans", "traces"), ("resourceLogs", "logs")] {
        let json = format!(r#"{{"{field}":[{{"resource":{{}}}}]}}"#);
        assert_eq!(accept(json.as_bytes(), Encoding::Json), Err(Refusal::WrongSignal(signal.into())));
    }
}
