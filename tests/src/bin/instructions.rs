//! Takes one payload so many times, or those of a folder once each, for a program that counts instructions
//! (`tests/tests/pure/instructions.rs`).

use std::path::Path;
use std::process::ExitCode;

use preamp_core::types::{Encoding, Refusal};
use preamp_tests::adversarial::{Family, Fate, families};
use preamp_tests::loads::{KINDS, PROTOCOLS, configuration, version};
use preamp_tests::payloads::NOW_NS;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [kind, protocol, points, repetitions] = &arguments[..]
        && let Some(kind) = KINDS.iter().find(|known| known.name == kind)
        && let Some(protocol) = PROTOCOLS.into_iter().find(|known| version(*known) == protocol)
        && let (Ok(points), Ok(repetitions)) = (points.parse(), repetitions.parse())
    {
        return take(&(kind.make)(points), &configuration(protocol, false), repetitions);
    }
    if let [mode, files @ ..] = &arguments[..]
        && mode == "--growth"
    {
        return take_files(files);
    }
    eprintln!("usage: instructions KIND VERSION POINTS REPETITIONS, or --growth FILE…");
    ExitCode::FAILURE
}

/// Takes payloads of the adversarial families, each with an exporter of its own. A file has the name of its
/// family, and behind a blank its size.
fn take_files(files: &[String]) -> ExitCode {
    let families = families();
    for file in files {
        let name = Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let family = name.rsplit_once(' ').and_then(|(name, _)| families.iter().find(|one| one.name == name));
        let taken = match (family, std::fs::read(file)) {
            (Some(family), Ok(payload)) => take_hostile(family, &payload),
            (family, read) => Err(format!("family {:?}, {:?}", family.map(|one| one.name), read.err())),
        };
        if let Err(problem) = taken {
            eprintln!("{file}: {problem}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn take_hostile(family: &Family, payload: &[u8]) -> Result<(), String> {
    let opened = preamp_core::Exporter::open(&family.configuration());
    let mut exporter = opened.map_err(|problems| format!("{problems:?}"))?;
    // What is counted lies between these calls, which callgrind can see.
    let _seen = std::process::id();
    let outcome = exporter.accept(payload, family.encoding, NOW_NS);
    let _seen = std::process::id();
    let is_refused = matches!(outcome, Err(Refusal::Malformed(_) | Refusal::ExpandsTooFar(_)));
    match family.fate {
        Fate::Taken if outcome.is_ok() => Ok(()),
        Fate::Malformed if is_refused => Ok(()),
        // A small payload may go further.
        Fate::ExpandsTooFar if outcome.is_ok() || is_refused => Ok(()),
        expected => Err(format!("{expected:?} was expected: {:?}", outcome.map(|taken| taken.rejections))),
    }
}

fn take(payload: &[u8], configuration: &str, repetitions: u32) -> ExitCode {
    let mut exporter = match preamp_core::Exporter::open(configuration) {
        Ok(exporter) => exporter,
        Err(problems) => {
            eprintln!("{problems:?}");
            return ExitCode::FAILURE;
        }
    };
    for _ in 0..repetitions {
        match exporter.accept(payload, Encoding::Protobuf, NOW_NS) {
            Ok(acceptance) if acceptance.rejections.is_empty() => {}
            other => {
                eprintln!("not all was taken: {other:?}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
