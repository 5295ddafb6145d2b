//! Undoes the Content-Encoding of a request, without ever inflating more than is allowed.
//!
//! A body may consist of many parts, each packed for itself. A part costs microseconds even if it holds nothing,
//! so that there may be only as many as their content explains.

use crate::memory_budget::{Full, Reservation};
use bytes::Bytes;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use std::io::{self, Read};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

/// A Content-Encoding that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentEncoding {
    Identity,
    Gzip,
    /// The zlib format, which HTTP calls `deflate` (RFC 9110, section 8.4.1.2).
    Deflate,
    Zstd,
}

/// Why a body could not be unpacked.
#[derive(Debug)]
pub(super) enum UnpackError {
    /// It is larger than allowed; how far was not looked at.
    TooLarge,
    /// It is not in the encoding announced, or cut off.
    Malformed(io::Error),
    /// There is no room for what comes out of it.
    Full(Full),
}

impl From<io::Error> for UnpackError {
    fn from(error: io::Error) -> Self {
        Self::Malformed(error)
    }
}

/// So many parts a body may have in any case.
const PARTS: usize = 1_000;

/// From there on, a part must hold so many bytes on average.
const BYTES_PER_PART: usize = 1 << 10;

/// The least and the most that room is taken for at a time.
const STEP_MIN: usize = 4 << 10;
const STEP_MAX: usize = 1 << 20;

/// Zstandard decoders must take windows of 8 MiB (RFC 8878, section 3.1.1.1.2). A larger one is of use only to a
/// larger body.
const ZSTD_WINDOW_LOG_MIN: u32 = 23;

/// The largest window that the library takes unasked.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

impl ContentEncoding {
    /// The names that [`parse`](Self::parse) takes, for an error message.
    pub(super) const NAMES: &str = "identity, gzip, deflate, zlib and zstd";

    /// Reads the value of a Content-Encoding field.
    pub(super) fn parse(value: &str) -> Option<ContentEncoding> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" | "zlib" => Some(Self::Deflate),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Unpacks a body into at most `limit` bytes, which take their room in `share`.
    pub(super) fn unpack(
        self,
        body: Bytes,
        limit: usize,
        share: &mut Reservation,
    ) -> Result<Bytes, UnpackError> {
        let mut output = Output { bytes: Vec::new(), granted: 0, limit, share };
        match self {
            Self::Identity if body.len() > limit => return Err(UnpackError::TooLarge),
            Self::Identity => return Ok(body),
            Self::Gzip => inflate_members(&body, &mut output)?,
            Self::Deflate => output.read(ZlibDecoder::new(&*body))?,
            Self::Zstd => inflate_frames(&body, &mut output)?,
        }
        Ok(output.bytes.into())
    }
}

/// What comes out of a body.
struct Output<'s> {
    bytes: Vec<u8>,
    /// For so many bytes there is room.
    granted: usize,
    limit: usize,
    share: &'s mut Reservation,
}

impl Output<'_> {
    /// Sees to room for the next bytes, and says for how many there is. Once the limit is reached, one byte more
    /// shows that there is more.
    fn grow(&mut self) -> Result<usize, UnpackError> {
        let length = self.bytes.len();
        if self.granted <= length {
            let beyond = self.limit.saturating_add(1) - length;
            let step = length.clamp(STEP_MIN, STEP_MAX).min(beyond);
            self.share.grow(length + step - self.granted).map_err(UnpackError::Full)?;
            self.granted = length + step;
            self.bytes.reserve(step);
        }
        Ok(self.granted - length)
    }

    fn check(&self) -> Result<(), UnpackError> {
        if self.bytes.len() > self.limit { Err(UnpackError::TooLarge) } else { Ok(()) }
    }

    /// Takes all that a decoder gives.
    fn read(&mut self, mut decoder: impl Read) -> Result<(), UnpackError> {
        loop {
            let step = self.grow()?;
            let read = decoder.by_ref().take(step as u64).read_to_end(&mut self.bytes)?;
            self.check()?;
            if read < step {
                return Ok(());
            }
        }
    }

    /// Whether the content so far explains so many parts.
    fn explains(&self, parts: usize) -> Result<(), UnpackError> {
        if parts <= PARTS + self.bytes.len() / BYTES_PER_PART {
            return Ok(());
        }
        let message = format!("it consists of more than {parts} parts with next to nothing in them");
        Err(UnpackError::Malformed(io::Error::new(io::ErrorKind::InvalidData, message)))
    }
}

/// Unpacks the members of a gzip file, one after the other.
fn inflate_members(mut body: &[u8], output: &mut Output) -> Result<(), UnpackError> {
    let mut parts = 0;
    while parts == 0 || !body.is_empty() {
        parts += 1;
        output.explains(parts)?;
        output.read(GzDecoder::new(&mut body))?;
    }
    Ok(())
}

/// Unpacks the frames of a Zstandard file, one after the other.
fn inflate_frames(body: &[u8], output: &mut Output) -> Result<(), UnpackError> {
    let failed = |code| UnpackError::Malformed(io::Error::other(get_error_name(code)));
    let window = output.limit.max(1).ilog2() + 1;
    let window = window.clamp(ZSTD_WINDOW_LOG_MIN, ZSTD_WINDOW_LOG_MAX);
    let mut context = DCtx::create();
    context.set_parameter(DParameter::WindowLogMax(window)).map_err(failed)?;
    let mut input = InBuffer::around(body);
    let (mut parts, mut is_within) = (1, true);
    while is_within || input.pos() < body.len() {
        output.explains(parts)?;
        let step = output.grow()?;
        let (before, read) = (output.bytes.len(), input.pos());
        // Writes behind what is there, as far as there is room.
        let hint =
            context.decompress_stream(&mut OutBuffer::around_pos(&mut output.bytes, before), &mut input);
        let hint = hint.map_err(failed)?;
        output.check()?;
        is_within = hint > 0;
        parts += usize::from(!is_within);
        let is_stuck = output.bytes.len() == before && input.pos() == read;
        if is_within && (is_stuck || (input.pos() == body.len() && output.bytes.len() < before + step)) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "compression/tests.rs"]
mod tests;
