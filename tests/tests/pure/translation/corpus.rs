//! A short and deterministic run of what the fuzz targets check (`tests/fuzz`): the corpus, mutations of it
//! from one seed, and whatever fuzzing once found.

use fastrand::Rng;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use preamp_core::Exporter;
use preamp_core::types::Encoding;
use preamp_tests::corpus::cases;
use preamp_tests::otlp_json::{Style, encode};
use preamp_tests::payloads::NOW_NS;
use prost::Message as _;
use std::path::Path;

#[path = "../../../fuzz/checks.rs"]
mod checks;

use checks::options::BYTES as OPTION_BYTES;

const SEED: u64 = 20_261_124;
const MUTATIONS: usize = 20_000;

/// Larger payloads are for other tests: here the number of different ones counts.
const PAYLOAD_BYTES_MAX: usize = 8_192;

/// Payloads of the corpus, of a size to try many.
fn payloads() -> Vec<Vec<u8>> {
    let payloads = cases().into_iter().map(|case| case.payload);
    payloads.filter(|payload| payload.len() <= PAYLOAD_BYTES_MAX).collect()
}

/// Those that are requests, in JSON.
fn documents() -> Vec<Vec<u8>> {
    let requests =
        payloads().into_iter().filter_map(|payload| ExportMetricsServiceRequest::decode(&*payload).ok());
    requests
        .flat_map(|request| [Style::Specification, Style::Loose].map(|style| encode(&request, style)))
        .collect()
}

/// Checks all inputs, and mutations of them, each with configurations of all kinds.
fn check_mutations(check: fn(&[u8]), inputs: &[Vec<u8>], mutations: usize) {
    assert!(inputs.len() > 10, "only {} inputs", inputs.len());
    let mut random = Rng::with_seed(SEED);
    let mut options = || std::array::from_fn::<u8, OPTION_BYTES, _>(|_| random.u8(..));
    for input in inputs {
        for options in [[0; OPTION_BYTES], options(), options(), options()] {
            check(&[&options[..], input].concat());
        }
    }
    for _ in 0..mutations {
        let mut input = inputs[random.usize(..inputs.len())].clone();
        for _ in 0..random.usize(1..4) {
            mutate(&mut input, inputs, &mut random);
        }
        let options = std::array::from_fn::<u8, OPTION_BYTES, _>(|_| random.u8(..));
        check(&[&options[..], &input].concat());
    }
}

#[test]
fn payloads_of_the_corpus_and_their_mutations() {
    // Those too large to be mutated too, once.
    cases().iter().for_each(|case| checks::accept(&[&[0; OPTION_BYTES], &case.payload[..]].concat()));
    check_mutations(checks::accept, &payloads(), MUTATIONS);
}

#[test]
fn json_of_the_corpus_and_its_mutations() {
    check_mutations(checks::json, &documents(), MUTATIONS);
}

#[test]
fn batches_of_well_formed_payloads_can_be_worked_on() {
    let mut random = Rng::with_seed(SEED);
    for _ in 0..MUTATIONS / 4 {
        let input: Vec<_> = (0..random.usize(..400)).map(|_| random.u8(..)).collect();
        checks::rework::batches(&input);
    }
}

#[test]
fn damaged_batches_are_worked_on_or_refused() {
    let mut bodies = Vec::new();
    for version in ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"] {
        let json = format!(
            r#"{{"endpoint":"https://localhost/","protobuf_message":"{version}","profile":"prometheus"}}"#
        );
        let mut exporter = Exporter::open(&json).expect("a valid configuration");
        for payload in payloads() {
            let Ok(accepted) = exporter.accept(&payload, Encoding::Protobuf, NOW_NS) else { continue };
            let how = if version.contains("v2") { 0b100 } else { 0 };
            bodies.extend(accepted.batches.into_iter().map(|batch| {
                [&[how, batch.points as u8, batch.series as u8, batch.samples as u8, 0, 9], &batch.body[..]]
                    .concat()
            }));
        }
    }
    check_mutations(checks::rework::bodies, &bodies, MUTATIONS);
}

#[test]
fn state_is_restored_or_refused() {
    let accumulating = r#"{"endpoint":"https://localhost/","delta":"accumulate"}"#;
    let mut states = Vec::new();
    for payload in payloads() {
        let mut exporter = Exporter::open(accumulating).expect("a valid configuration");
        if exporter.accept(&payload, Encoding::Protobuf, NOW_NS).is_ok() {
            states.push([&[1], &exporter.snapshot()[..]].concat());
        }
    }
    check_mutations(checks::state, &states, MUTATIONS / 4);
}

#[test]
fn answers_of_every_status_and_their_mutations() {
    let texts = [
        "120",
        "Thu, 15 Jan 2026 23:59:30 GMT",
        "application/json",
        "ExpiredTokenException",
        r#"{"message":"Signature expired: 20260115T235930Z is now earlier than 20260116T235930Z"}"#,
        "user=1_ws-1: err: out of order sample. timestamp=2026-01-15T23:59:30Z, series={__name__=\"x\"}",
        "per-user series limit of 5 exceeded",
        "Rate exceeded",
        "",
    ];
    let mut random = Rng::with_seed(SEED);
    for round in 0..MUTATIONS {
        // Every status once, then any at all.
        let status = if round < 1_000 { round as u16 } else { random.u16(..) };
        let mut answer =
            [&status.to_le_bytes()[..], &random.u32(..).to_le_bytes(), &random.u64(..).to_le_bytes()]
                .concat();
        let parts: Vec<_> = (0..5).map(|_| texts[random.usize(..texts.len())].as_bytes()).collect();
        answer.extend(parts.join(&0));
        if random.bool() {
            mutate(&mut answer, &[], &mut random);
        }
        checks::judging::judge(&answer);
    }
}

/// The inputs that once made a target fail: `tests/fuzz/regressions/TARGET`.
#[test]
fn what_fuzzing_found_stays_mended() {
    type Check = fn(&[u8]);
    let targets: [(&str, Check); 7] = [
        ("accept", checks::accept),
        ("json", checks::json),
        ("rework", checks::rework::batches),
        ("bodies", checks::rework::bodies),
        ("state", checks::state),
        ("open", checks::open),
        ("judge", checks::judging::judge),
    ];
    let regressions = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions");
    for (target, check) in targets {
        let Ok(inputs) = std::fs::read_dir(regressions.join(target)) else { continue };
        for input in inputs {
            let path = input.expect("a readable folder").path();
            eprintln!("{}", path.display());
            check(&std::fs::read(path).expect("a readable file"));
        }
    }
}

/// Changes something somewhere: a bit, a byte, the length, or a piece taken from another input.
fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Rng) {
    if input.is_empty() {
        return input.push(random.u8(..));
    }
    let at = random.usize(..input.len());
    match random.u8(..6) {
        0 => input[at] ^= 1 << random.u8(..8),
        1 => input[at] = random.u8(..),
        2 => input.truncate(at),
        3 => input.insert(at, random.u8(..)),
        4 => drop(input.remove(at)),
        _ => {
            let Some(other) = others.get(random.usize(..others.len().max(1))) else { return };
            let start = random.usize(..=other.len());
            let end = random.usize(start..=other.len());
            input.splice(at..at, other[start..end].iter().copied());
        }
    }
}
