use super::*;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Both decoders of Zstandard, and what else there is.
#[derive(Clone, Copy, Debug)]
enum Decoder {
    Of(ContentEncoding),
    ZstdInRust,
}

use ContentEncoding::{Deflate, Gzip, Zstd};
use Decoder::{Of, ZstdInRust};

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 3).unwrap()
}

fn unpack(decoder: Decoder, body: &[u8], limit: usize) -> Result<Vec<u8>, UnpackError<Full>> {
    unpack_into(decoder, body, limit, &mut Bounded(256 << 20))
}

fn unpack_into(
    decoder: Decoder,
    body: &[u8],
    limit: usize,
    room: &mut Bounded,
) -> Result<Vec<u8>, UnpackError<Full>> {
    match decoder {
        Of(encoding) => encoding.unpack(body, limit, room).map(Cow::into_owned),
        ZstdInRust => {
            let mut output = Output { bytes: Vec::new(), granted: 0, limit, room };
            zstd_rust::inflate_frames(body, &mut output).map(|()| output.bytes)
        }
    }
}

/// Room for so many bytes.
struct Bounded(usize);

#[derive(Debug)]
struct Full;

impl Room for Bounded {
    type Full = Full;

    fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        self.0 = self.0.checked_sub(bytes).ok_or(Full)?;
        Ok(())
    }
}

#[test]
fn what_was_packed_comes_out_again_and_the_limit_is_exact() {
    let data: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let (one, two) = data.split_at(data.len() / 3);
    let named = |name: &str| Of(ContentEncoding::parse(name).unwrap());
    let skipped = *b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc";
    let frames = [&zstd(one)[..], &zstd(b""), &skipped, &zstd(two)].concat();
    let packed = [
        (named("gzip"), gzip(&data)),
        (named("gzip"), [gzip(one), gzip(b""), gzip(two)].concat()),
        (named("deflate"), zlib(&data)),
        (named("zlib"), zlib(&data)),
        (named("zstd"), zstd(&data)),
        (named("zstd"), frames.clone()),
        (ZstdInRust, zstd(&data)),
        (ZstdInRust, frames),
        (named("Identity"), data.clone()),
    ];
    for (decoder, body) in packed {
        assert_eq!(unpack(decoder, &body, data.len()).unwrap(), data, "{decoder:?}");
        let short = unpack(decoder, &body, data.len() - 1);
        assert!(matches!(short, Err(UnpackError::TooLarge)), "{decoder:?}");
    }
}

#[test]
fn damaged_and_cut_bodies_are_malformed() {
    for (decoder, body) in
        [(Of(Gzip), gzip(&[7; 900])), (Of(Zstd), zstd(&[7; 900])), (ZstdInRust, zstd(&[7; 900]))]
    {
        for cut in [1, 3, body.len() / 2, body.len()] {
            let cut = unpack(decoder, &body[..body.len() - cut], 10_000);
            assert!(matches!(cut, Err(UnpackError::Malformed(_))), "{decoder:?}");
        }
        let foreign = unpack(decoder, b"not packed at all", 10_000);
        assert!(matches!(foreign, Err(UnpackError::Malformed(_))), "{decoder:?}");
        let more = [&body[..], b"not packed at all"].concat();
        assert!(matches!(unpack(decoder, &more, 10_000), Err(UnpackError::Malformed(_))), "{decoder:?}");
    }
}

#[test]
fn a_frame_with_another_checksum_is_malformed() {
    let data = vec![7; 300_000];
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&data).unwrap();
    let mut body = encoder.finish().unwrap();
    for decoder in [Of(Zstd), ZstdInRust] {
        assert_eq!(unpack(decoder, &body, data.len()).unwrap(), data, "{decoder:?}");
    }
    *body.last_mut().unwrap() ^= 1;
    for decoder in [Of(Zstd), ZstdInRust] {
        let changed = unpack(decoder, &body, data.len());
        assert!(matches!(changed, Err(UnpackError::Malformed(_))), "{decoder:?}: {changed:?}");
    }
}

#[test]
fn parts_without_content_are_refused_before_they_cost_much() {
    // 20 MB each. The frame of the last row is one that is to be skipped.
    let skipped = b"\x50\x2a\x4d\x18\x00\x00\x00\x00";
    let rows = [
        (Of(Gzip), gzip(b"").repeat(1_000_000)),
        (Of(Zstd), zstd(b"").repeat(2_200_000)),
        (Of(Zstd), skipped.repeat(2_500_000)),
        (ZstdInRust, zstd(b"").repeat(2_200_000)),
        (ZstdInRust, skipped.repeat(2_500_000)),
    ];
    for (decoder, body) in rows {
        let started = Instant::now();
        let refused = unpack(decoder, &body, 64 << 20);
        assert!(matches!(refused, Err(UnpackError::Malformed(_))), "{decoder:?}: {refused:?}");
        assert!(started.elapsed() < Duration::from_millis(300), "{decoder:?}: {:?}", started.elapsed());
    }
}

#[test]
fn parts_with_content_are_taken_however_many_they_are() {
    let part = [b'x'; 2_000];
    for (decoder, one) in [(Of(Gzip), gzip(&part)), (Of(Zstd), zstd(&part)), (ZstdInRust, zstd(&part))] {
        let unpacked = unpack(decoder, &one.repeat(5_000), 64 << 20).unwrap();
        assert_eq!(unpacked.len(), 10_000_000, "{decoder:?}");
    }
}

#[test]
fn what_comes_out_takes_room_while_it_comes() {
    for (decoder, body) in [
        (Of(Gzip), gzip(&vec![0; 8 << 20])),
        (Of(Deflate), zlib(&vec![0; 8 << 20])),
        (Of(Zstd), zstd(&vec![0; 8 << 20])),
        (ZstdInRust, zstd(&vec![0; 8 << 20])),
    ] {
        let refused = unpack_into(decoder, &body, 64 << 20, &mut Bounded(1 << 20));
        assert!(matches!(refused, Err(UnpackError::Full(Full))), "{decoder:?}: {refused:?}");
    }
}

#[test]
fn several_encodings_one_over_the_other_are_not_taken() {
    for value in ["gzip, gzip", "br"] {
        let problem = ContentEncoding::parse(value).unwrap_err().to_string();
        assert!(problem.starts_with(&format!("{value:?} is not taken: use one of identity, ")), "{problem}");
    }
}
