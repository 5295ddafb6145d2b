//! Takes one payload so many times, for a program that counts instructions (`tests/tests/instructions.rs`).

use std::process::ExitCode;

use preamp::types::Encoding;
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
    eprintln!("usage: instructions KIND VERSION POINTS REPETITIONS");
    ExitCode::FAILURE
}

fn take(payload: &[u8], configuration: &str, repetitions: u32) -> ExitCode {
    let mut exporter = match preamp::Exporter::open(configuration) {
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
