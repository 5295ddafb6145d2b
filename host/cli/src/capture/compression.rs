//! Undoes the compression of files, which is told from the magic number at their start. No
//! uncompressed form of a capture starts with one of these numbers.

use super::form::peek;
use std::io::{self, BufRead, BufReader, Read};

/// RFC 1952, section 2.3.1.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// RFC 8878, section 3.1.1.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// What an input says, decompressed if need be. Members (gzip) and frames (zstd) one after another are
/// read as one, since appending is how logs of captures grow.
pub(super) fn unpacked<'r>(input: Box<dyn Read + 'r>) -> io::Result<Box<dyn Read + 'r>> {
    let (start, input) = peek(input)?;
    Ok(if start.starts_with(GZIP) {
        Box::new(flate2::bufread::MultiGzDecoder::new(input))
    } else if start.starts_with(ZSTD) {
        Box::new(zstd::stream::read::Decoder::with_buffer(input)?)
    } else {
        Box::new(input)
    })
}

/// Whether a message is compressed by itself.
pub(super) fn is_packed(message: &[u8]) -> bool {
    message.starts_with(GZIP) || message.starts_with(ZSTD)
}

/// An input with the bytes that were looked at already put back in front.
pub(super) fn rejoined<'r>(start: Vec<u8>, input: impl Read + 'r) -> Box<dyn BufRead + 'r> {
    Box::new(BufReader::with_capacity(1 << 17, io::Cursor::new(start).chain(input)))
}
