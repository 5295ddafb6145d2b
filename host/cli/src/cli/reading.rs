//! Reads captures for the commands that work on them, and says how far it is.

use super::progress::Progress;
use crate::capture::{Capture, CapturePlace, Payload, Source};
use clap::{Args, ValueEnum};
use preamp_contract::Encoding;
use std::fmt::Display;
use std::path::PathBuf;

/// Payloads that cannot be read are named up to this number; in a large damaged file, more would
/// tell nothing new.
const NAMED_MAX: u64 = 10;

#[derive(Args, Debug)]
pub(super) struct ReadingArgs {
    /// Captured OTLP payloads; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How payloads are encoded; `auto` tells it from the first bytes of each file.
    #[arg(long, value_enum, value_name = "ENCODING", default_value = "auto")]
    input: Input,
    /// Show progress even if standard error is no terminal.
    #[arg(long)]
    progress: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Input {
    Auto,
    Protobuf,
    Json,
}

/// The payloads of all files, in order.
pub(super) struct Reading {
    sources: std::vec::IntoIter<Source>,
    encoding: Option<Encoding>,
    capture: Option<Capture>,
    progress: Progress,
    unreadable: u64,
}

impl Reading {
    pub(super) fn new(args: &ReadingArgs) -> Reading {
        let sources: Vec<_> = args.files.iter().map(|file| Source::named(file)).collect();
        Reading {
            progress: Progress::new(args.progress, sources.iter().map(Source::size).sum()),
            sources: sources.into_iter(),
            encoding: match args.input {
                Input::Auto => None,
                Input::Protobuf => Some(Encoding::Protobuf),
                Input::Json => Some(Encoding::Json),
            },
            capture: None,
            unreadable: 0,
        }
    }

    /// The next payload. What cannot be read is reported and passed over.
    pub(super) fn next(&mut self) -> Option<Payload> {
        loop {
            let Some(capture) = &mut self.capture else {
                let source = self.sources.next()?;
                match Capture::open(&source, self.encoding, self.progress.bytes()) {
                    Ok(capture) => self.capture = Some(capture),
                    Err(error) => self.report(&error),
                }
                continue;
            };
            match capture.next() {
                Some(Ok(payload)) => {
                    self.progress.step();
                    return Some(payload);
                }
                Some(Err(error)) => self.report(&error),
                None => self.capture = None,
            }
        }
    }

    /// Reports that a payload is none.
    pub(super) fn refused(&mut self, place: &CapturePlace, reason: &str) {
        self.report(&format_args!("{place}: {reason}"));
    }

    fn report(&mut self, problem: &impl Display) {
        self.unreadable += 1;
        if self.unreadable <= NAMED_MAX {
            self.progress.say(format_args!("preamp: {problem}"));
        }
    }

    /// Ends the display of progress, and gives the number of files and payloads that could not be read.
    pub(super) fn finish(self) -> u64 {
        self.progress.finish();
        if let Some(more @ 1..) = self.unreadable.checked_sub(NAMED_MAX) {
            self.progress.say(format_args!("preamp: and {more} more that cannot be read"));
        }
        self.unreadable
    }
}
