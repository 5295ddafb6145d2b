//! Undoes the Content-Encoding of a request, without ever inflating more than is allowed.

use bytes::Bytes;
use std::io::{self, Read};

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
}

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

    /// Unpacks a body into at most `limit` bytes.
    pub(super) fn unpack(self, body: Bytes, limit: usize) -> Result<Bytes, UnpackError> {
        match self {
            Self::Identity if body.len() > limit => Err(UnpackError::TooLarge),
            Self::Identity => Ok(body),
            Self::Gzip => inflate(flate2::read::MultiGzDecoder::new(&*body), limit),
            Self::Deflate => inflate(flate2::read::ZlibDecoder::new(&*body), limit),
            Self::Zstd => zstd::stream::read::Decoder::with_buffer(&*body)
                .map_err(UnpackError::Malformed)
                .and_then(|decoder| inflate(decoder, limit)),
        }
    }
}

fn inflate(decoder: impl Read, limit: usize) -> Result<Bytes, UnpackError> {
    let mut inflated = Vec::new();
    // One byte more than allowed shows that there is more.
    let beyond = (limit as u64).saturating_add(1);
    decoder.take(beyond).read_to_end(&mut inflated).map_err(UnpackError::Malformed)?;
    if inflated.len() > limit {
        return Err(UnpackError::TooLarge);
    }
    Ok(inflated.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(data: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap().into()
    }

    fn zlib(data: &[u8]) -> Bytes {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap().into()
    }

    fn zstd(data: &[u8]) -> Bytes {
        zstd::encode_all(data, 3).unwrap().into()
    }

    #[test]
    fn what_was_packed_comes_out_again_and_the_limit_is_exact() {
        let data: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
        let packed =
            [("gzip", gzip(&data)), ("deflate", zlib(&data)), ("zlib", zlib(&data)), ("zstd", zstd(&data))];
        for (name, body) in packed.into_iter().chain([("Identity", Bytes::from(data.clone()))]) {
            let encoding = ContentEncoding::parse(name).unwrap();
            assert_eq!(encoding.unpack(body.clone(), data.len()).unwrap(), data, "{name}");
            let short = encoding.unpack(body, data.len() - 1);
            assert!(matches!(short, Err(UnpackError::TooLarge)), "{name}");
        }
    }

    #[test]
    fn damaged_and_cut_bodies_are_malformed() {
        for (encoding, body) in
            [(ContentEncoding::Gzip, gzip(&[7; 900])), (ContentEncoding::Zstd, zstd(&[7; 900]))]
        {
            let cut = encoding.unpack(body.slice(..body.len() - 3), 10_000);
            assert!(matches!(cut, Err(UnpackError::Malformed(_))), "{encoding:?}");
            let foreign = encoding.unpack(Bytes::from_static(b"not packed at all"), 10_000);
            assert!(matches!(foreign, Err(UnpackError::Malformed(_))), "{encoding:?}");
        }
    }

    #[test]
    fn several_encodings_one_over_the_other_are_not_taken() {
        assert_eq!(ContentEncoding::parse("gzip, gzip"), None);
        assert_eq!(ContentEncoding::parse("br"), None);
    }
}
