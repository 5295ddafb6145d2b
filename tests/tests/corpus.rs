//! A short and deterministic run of what the fuzz targets check (`tests/fuzz`): the corpus, and mutations
//! of it from one seed.

use fastrand::Rng;
use preamp_tests::corpus::cases;

#[path = "../fuzz/checks.rs"]
mod checks;

const SEED: u64 = 20_261_124;
const MUTATIONS: usize = 30_000;

/// Larger payloads are for other tests: here the number of different ones counts.
const PAYLOAD_BYTES_MAX: usize = 8_192;

#[test]
fn payloads_of_the_corpus_and_their_mutations() {
    let corpus: Vec<_> = cases().into_iter().map(|case| case.payload).collect();
    corpus.iter().for_each(|payload| checks::accept(payload));
    let small: Vec<_> = corpus.into_iter().filter(|payload| payload.len() <= PAYLOAD_BYTES_MAX).collect();
    let mut random = Rng::with_seed(SEED);
    for _ in 0..MUTATIONS {
        let mut payload = small[random.usize(..small.len())].clone();
        for _ in 0..random.usize(1..4) {
            mutate(&mut payload, &small, &mut random);
        }
        checks::accept(&payload);
    }
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
        checks::judge(&answer);
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
