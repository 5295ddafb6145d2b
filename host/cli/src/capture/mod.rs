//! Captured OTLP payloads, read from files: what `preamp translate` and `preamp diff` work on.
//!
//! A capture is taken in the forms that captures come in: one protobuf message, JSON documents one
//! after another, and both formats of the Collector's file exporter, one payload a line or one behind each
//! length. Files may be compressed with gzip or zstd. Which form a file has is told from
//! its first bytes ([`form`]), never from its name, and payloads are read one at a time,
//! so that memory is bounded by the largest of them.

mod compression;
mod form;
mod frames;
mod json;

use bytes::Bytes;
use form::Form;
use frames::Frames;
use json::JsonPayloads;
use preamp_contract::Encoding;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest payload that is read, in bytes. It is also the most that the pool of instances takes
/// ([`PoolLimits`](preamp_wasm::PoolLimits)).
pub const PAYLOAD_BYTES_MAX: usize = 256 << 20;

/// One payload of a capture.
#[derive(Debug)]
pub struct Payload {
    /// Its bytes, without framing and compression.
    pub bytes: Bytes,
    /// How it is encoded.
    pub encoding: Encoding,
    /// Where it stands.
    pub place: CapturePlace,
}

/// Where in a capture something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturePlace {
    /// The name of the file, as it was given.
    pub file: String,
    /// Where in the file.
    pub part: Part,
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// What starts at this line, counted from 1.
    Line(u64),
    /// A message of a file of length-prefixed messages.
    Message {
        /// Counted from 1.
        number: u64,
        /// Offset of its length, in bytes, after decompression of the file.
        offset: u64,
    },
}

impl fmt::Display for CapturePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match self.part {
            Part::Whole => Ok(()),
            Part::Line(line) => write!(f, ":{line}"),
            Part::Message { number, offset } => write!(f, ": message {number} at byte {offset}"),
        }
    }
}

/// Why a capture, or the rest of one, cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {message}")]
pub struct CaptureError {
    /// Where the problem is.
    pub place: CapturePlace,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Where a capture is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// `-` stands for standard input.
    #[must_use]
    pub fn named(name: &Path) -> Source {
        if name == Path::new("-") { Source::Stdin } else { Source::File(name.to_owned()) }
    }

    /// Size in bytes, where it is known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match self {
            Source::Stdin => None,
            Source::File(path) => std::fs::metadata(path).ok().filter(|m| m.is_file()).map(|m| m.len()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Stdin => f.write_str("standard input"),
            Source::File(path) => path.display().fmt(f),
        }
    }
}

/// The payloads of one source, in order. After an error nothing more comes.
pub struct Capture {
    file: String,
    payloads: Payloads,
}

enum Payloads {
    /// Nothing more is to come.
    Ended,
    Whole(Box<dyn BufRead>, Encoding),
    Json(JsonPayloads),
    Frames(Frames),
}

impl Capture {
    /// Opens a source and finds out what it holds, unless `encoding` says so. The bytes read from it
    /// are added to `progress`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or holds nothing that can be OTLP.
    pub fn open(
        source: &Source,
        encoding: Option<Encoding>,
        progress: &Arc<AtomicU64>,
    ) -> Result<Capture, CaptureError> {
        let file = source.to_string();
        let input: io::Result<Box<dyn Read>> = match source {
            Source::Stdin => Ok(Box::new(io::stdin())),
            Source::File(path) => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
        };
        let input =
            input.map(|input| Box::new(Counted { input, progress: progress.clone() }) as Box<dyn Read>);
        input
            .map_err(|error| format!("cannot be read: {error}"))
            .and_then(|input| Payloads::of(input, encoding))
            .map(|payloads| Capture { file: file.clone(), payloads })
            .map_err(|message| CaptureError { place: CapturePlace { file, part: Part::Whole }, message })
    }
}

impl Payloads {
    fn of(input: Box<dyn Read>, encoding: Option<Encoding>) -> Result<Payloads, String> {
        let unreadable = |error: io::Error| format!("cannot be read: {error}");
        let (start, input) =
            form::peek(compression::unpacked(input).map_err(unreadable)?).map_err(unreadable)?;
        Ok(match form::recognize(&start, encoding)? {
            Form::Nothing => Payloads::Ended,
            Form::Protobuf => Payloads::Whole(input, Encoding::Protobuf),
            Form::Json => Payloads::Json(JsonPayloads::new(input)),
            Form::Frames => Payloads::Frames(Frames::new(input, encoding)),
        })
    }

    fn next(&mut self) -> Option<Result<Piece, (Part, String)>> {
        match self {
            Payloads::Ended => None,
            Payloads::Whole(input, encoding) => {
                let piece = read_bounded(input)
                    .map(|bytes| Piece { bytes, encoding: *encoding, part: Part::Whole })
                    .map_err(|message| (Part::Whole, message));
                *self = Payloads::Ended;
                Some(piece)
            }
            Payloads::Json(payloads) => payloads.next(),
            Payloads::Frames(frames) => frames.next(),
        }
    }
}

impl Iterator for Capture {
    type Item = Result<Payload, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = |part| CapturePlace { file: self.file.clone(), part };
        let next = match self.payloads.next()? {
            Ok(Piece { bytes, encoding, part }) => {
                Ok(Payload { bytes: bytes.into(), encoding, place: place(part) })
            }
            Err((part, message)) => Err(CaptureError { place: place(part), message }),
        };
        if next.is_err() {
            self.payloads = Payloads::Ended;
        }
        Some(next)
    }
}

/// A payload that does not know its file.
struct Piece {
    bytes: Vec<u8>,
    encoding: Encoding,
    part: Part,
}

/// Reads to the end, which must not be far.
fn read_bounded(input: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there is more.
    let read = input.take(PAYLOAD_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() > PAYLOAD_BYTES_MAX { Err(too_large()) } else { Ok(bytes) }
}

fn too_large() -> String {
    format!(
        "is larger than the {} MiB of one payload: capture smaller ones, such as one request each",
        PAYLOAD_BYTES_MAX >> 20
    )
}

/// Adds up what is read.
struct Counted<R> {
    input: R,
    progress: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.progress.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
