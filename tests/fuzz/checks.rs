//! What must hold whatever comes in. The fuzz targets and the deterministic run in the tests share it, and
//! each uses its part.
#![allow(dead_code)]

pub mod judging;
pub mod options;
pub mod rework;
mod shape;

use options::Options;
use preamp_core::Exporter;
use preamp_core::types::{Acceptance, Batch, Encoding, Refusal};
use shape::{NOW, Source};

/// A payload is refused, or becomes batches that are whole, counted, within their limits, and the same every
/// time. The first bytes choose the configuration.
pub fn accept(input: &[u8]) {
    let Some((options, payload)) = Options::split(input) else { return };
    check_accept(options, payload, Encoding::Protobuf);
}

/// The same for JSON.
pub fn json(input: &[u8]) {
    let Some((options, payload)) = Options::split(input) else { return };
    check_accept(options, payload, Encoding::Json);
}

fn check_accept(options: Options, payload: &[u8], encoding: Encoding) {
    let accepted = options.with_exporter(|exporter| exporter.accept(payload, encoding, NOW));
    match &accepted {
        Ok(acceptance) => check_acceptance(options, acceptance),
        Err(Refusal::Malformed(what)) => assert!(what.contains(" at byte "), "{what}"),
        Err(Refusal::ExpandsTooFar(what)) => assert!(what.chars().count() < 1_000, "{what}"),
        Err(_) => {}
    }
    // A second run makes each input cost more than twice: one in eight must do.
    if payload.len().is_multiple_of(8) {
        assert_eq!(accepted, options.open().accept(payload, encoding, NOW), "not the same twice");
    }
}

fn check_acceptance(options: Options, acceptance: &Acceptance) {
    // That no more is written than was counted is asserted where both are known, in `Exporter::accept`.
    let points: u64 = acceptance.batches.iter().map(|batch| u64::from(batch.points)).sum();
    assert_eq!(acceptance.accepted_points, points);
    for batch in &acceptance.batches {
        assert!(batch.partition < options.partitions());
        check_counts(batch, options.limit());
    }
    for rejection in &acceptance.rejections {
        assert!(!rejection.example.is_empty() && !rejection.remedy.is_empty());
        assert!(rejection.example.chars().count() < 600, "{}", rejection.example);
    }
}

fn check_counts(batch: &Batch, limit: u32) {
    assert!(batch.uncompressed_size <= limit || batch.series == 1, "over the limit: {}", summary(batch));
    assert!(batch.series > 0 && batch.samples + batch.histograms == batch.series, "{}", summary(batch));
    assert!(batch.first <= batch.last, "{}", summary(batch));
}

fn summary(batch: &Batch) -> String {
    format!("{:?}", Batch { body: Vec::new(), ..batch.clone() })
}

/// State of any bytes is taken or refused, and what is taken is given out again.
pub fn state(input: &[u8]) {
    let Some((options, state)) = Options::split(input) else { return };
    let options = options.accumulating();
    let (mut exporter, mut other) = (options.open(), options.open());
    let (is_current, state) =
        state.split_first().map_or((false, state), |(first, rest)| (first & 1 == 1, rest));
    let before = exporter.snapshot();
    if exporter.restore(state, is_current).is_err() {
        assert_eq!(exporter.snapshot(), before, "state that was refused changed something");
        return;
    }
    let taken = exporter.snapshot();
    other.restore(&taken, true).expect("state that was given out");
    assert_eq!(other.snapshot(), taken);
    let payload = shape::payload(&mut Source::new(state));
    let accepted = exporter.accept(&payload, Encoding::Protobuf, NOW).expect("a well-formed payload");
    check_acceptance(options, &accepted);
}

/// A configuration of any text is taken, or refused with places and reasons.
pub fn open(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Err(problems) = Exporter::open(text) {
        assert!(!problems.is_empty());
        assert!(problems.iter().all(|problem| !problem.message.is_empty()));
    }
}
