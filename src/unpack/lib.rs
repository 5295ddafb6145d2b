//! Undoes the Content-Encoding of a request, without ever inflating more than is allowed.
//!
//! A body may consist of many parts, each packed for itself. A part costs microseconds even if it holds nothing,
//! so that there may be only as many as their content explains.

#[cfg(any(feature = "zstd-c", feature = "zstd-rust"))]
mod window;
#[cfg(feature = "zstd-c")]
mod zstd_c;
#[cfg(all(feature = "zstd-rust", any(test, not(feature = "zstd-c"))))]
mod zstd_rust;

use flate2::bufread::{GzDecoder, ZlibDecoder};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};

#[cfg(feature = "zstd-c")]
use zstd_c::inflate_frames;
#[cfg(all(feature = "zstd-rust", not(feature = "zstd-c")))]
use zstd_rust::inflate_frames;

/// A Content-Encoding that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncoding {
    /// Not packed.
    Identity,
    /// Gzip (RFC 1952).
    Gzip,
    /// The zlib format, which HTTP calls `deflate` (RFC 9110, section 8.4.1.2).
    Deflate,
    /// Zstandard (RFC 8878).
    #[cfg(any(feature = "zstd-c", feature = "zstd-rust"))]
    Zstd,
}

/// A Content-Encoding that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEncoding(String);

impl fmt::Display for UnknownEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zstd = if cfg!(any(feature = "zstd-c", feature = "zstd-rust")) {
            ", zlib and zstd"
        } else {
            " and zlib"
        };
        write!(f, "{:?} is not taken: use one of identity, gzip, deflate{zstd}", self.0)
    }
}

/// Why a body could not be unpacked.
#[derive(Debug)]
pub enum UnpackError<F> {
    /// It is larger than allowed; how far was not looked at.
    TooLarge,
    /// It is not in the encoding announced, or cut off.
    Malformed(io::Error),
    /// There is no room for what comes out of it.
    Full(F),
}

impl<F> From<io::Error> for UnpackError<F> {
    fn from(error: io::Error) -> Self {
        Self::Malformed(error)
    }
}

/// Where the bytes that come out of a body are accounted for, before they come.
pub trait Room {
    /// There is no room.
    type Full;

    /// Takes room for more bytes.
    ///
    /// # Errors
    ///
    /// When there is not enough.
    fn grow(&mut self, bytes: usize) -> Result<(), Self::Full>;
}

/// Room without an end, besides the limit of the body itself.
pub struct Unbounded;

impl Room for Unbounded {
    type Full = std::convert::Infallible;

    fn grow(&mut self, _bytes: usize) -> Result<(), Self::Full> {
        Ok(())
    }
}

/// So many parts a body may have in any case.
const PARTS: usize = 1_000;

/// From there on, a part must hold so many bytes on average.
const BYTES_PER_PART: usize = 1 << 10;

/// The least and the most that room is taken for at a time.
const STEP_MIN: usize = 4 << 10;
const STEP_MAX: usize = 1 << 20;

impl ContentEncoding {
    /// Reads the value of a Content-Encoding field.
    ///
    /// # Errors
    ///
    /// When it is another one, or several.
    pub fn parse(value: &str) -> Result<ContentEncoding, UnknownEncoding> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" | "zlib" => Ok(Self::Deflate),
            #[cfg(any(feature = "zstd-c", feature = "zstd-rust"))]
            "zstd" => Ok(Self::Zstd),
            _ => Err(UnknownEncoding(value.to_owned())),
        }
    }

    /// Unpacks a body into at most `limit` bytes, which take their room in `room`.
    ///
    /// # Errors
    ///
    /// When there is more in it, it is damaged, or there is no room.
    pub fn unpack<'b, R: Room>(
        self,
        body: &'b [u8],
        limit: usize,
        room: &mut R,
    ) -> Result<Cow<'b, [u8]>, UnpackError<R::Full>> {
        let mut output = Output { bytes: Vec::new(), granted: 0, limit, room };
        match self {
            Self::Identity if body.len() > limit => return Err(UnpackError::TooLarge),
            Self::Identity => return Ok(Cow::Borrowed(body)),
            Self::Gzip => inflate_members(body, &mut output)?,
            Self::Deflate => output.read(ZlibDecoder::new(body))?,
            #[cfg(any(feature = "zstd-c", feature = "zstd-rust"))]
            Self::Zstd => inflate_frames(body, &mut output)?,
        }
        Ok(Cow::Owned(output.bytes))
    }
}

/// What comes out of a body.
struct Output<'r, R> {
    bytes: Vec<u8>,
    /// For so many bytes there is room.
    granted: usize,
    limit: usize,
    room: &'r mut R,
}

impl<R: Room> Output<'_, R> {
    /// Sees to room for the next bytes, and says for how many there is. Once the limit is reached, one byte more
    /// shows that there is more.
    fn grow(&mut self) -> Result<usize, UnpackError<R::Full>> {
        let length = self.bytes.len();
        if self.granted <= length {
            let beyond = self.limit.saturating_add(1) - length;
            let step = length.clamp(STEP_MIN, STEP_MAX).min(beyond);
            self.room.grow(length + step - self.granted).map_err(UnpackError::Full)?;
            self.granted = length + step;
            self.bytes.reserve(step);
        }
        Ok(self.granted - length)
    }

    fn check(&self) -> Result<(), UnpackError<R::Full>> {
        if self.bytes.len() > self.limit { Err(UnpackError::TooLarge) } else { Ok(()) }
    }

    /// Takes all that a decoder gives.
    fn read(&mut self, mut decoder: impl Read) -> Result<(), UnpackError<R::Full>> {
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
    fn explains(&self, parts: usize) -> Result<(), UnpackError<R::Full>> {
        if parts <= PARTS + self.bytes.len() / BYTES_PER_PART {
            return Ok(());
        }
        let message = format!("it consists of more than {parts} parts with next to nothing in them");
        Err(UnpackError::Malformed(io::Error::new(io::ErrorKind::InvalidData, message)))
    }
}

/// Unpacks the members of a gzip file, one after the other.
fn inflate_members<R: Room>(mut body: &[u8], output: &mut Output<R>) -> Result<(), UnpackError<R::Full>> {
    let mut parts = 0;
    while parts == 0 || !body.is_empty() {
        parts += 1;
        output.explains(parts)?;
        output.read(GzDecoder::new(&mut body))?;
    }
    Ok(())
}

#[cfg(all(test, feature = "zstd-c", feature = "zstd-rust"))]
mod tests;
