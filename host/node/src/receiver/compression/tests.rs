use super::*;
use crate::memory_budget::MemoryBudget;
use std::io::Write as _;
use std::time::{Duration, Instant};

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

fn unpack(encoding: ContentEncoding, body: Bytes, limit: usize) -> Result<Bytes, UnpackError> {
    encoding.unpack(body, limit, &mut MemoryBudget::new(256 << 20).reserve())
}

#[test]
fn what_was_packed_comes_out_again_and_the_limit_is_exact() {
    let data: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let (one, two) = data.split_at(data.len() / 3);
    let packed = [
        ("gzip", gzip(&data)),
        ("gzip", [gzip(one), gzip(b""), gzip(two)].concat().into()),
        ("deflate", zlib(&data)),
        ("zlib", zlib(&data)),
        ("zstd", zstd(&data)),
        ("zstd", [zstd(one), zstd(b""), zstd(two)].concat().into()),
        ("Identity", data.clone().into()),
    ];
    for (name, body) in packed {
        let encoding = ContentEncoding::parse(name).unwrap();
        assert_eq!(unpack(encoding, body.clone(), data.len()).unwrap(), data, "{name}");
        let short = unpack(encoding, body, data.len() - 1);
        assert!(matches!(short, Err(UnpackError::TooLarge)), "{name}");
    }
}

#[test]
fn damaged_and_cut_bodies_are_malformed() {
    for (encoding, body) in
        [(ContentEncoding::Gzip, gzip(&[7; 900])), (ContentEncoding::Zstd, zstd(&[7; 900]))]
    {
        for cut in [1, 3, body.len() / 2, body.len()] {
            let cut = unpack(encoding, body.slice(..body.len() - cut), 10_000);
            assert!(matches!(cut, Err(UnpackError::Malformed(_))), "{encoding:?}");
        }
        let foreign = unpack(encoding, Bytes::from_static(b"not packed at all"), 10_000);
        assert!(matches!(foreign, Err(UnpackError::Malformed(_))), "{encoding:?}");
        let more = [&body[..], b"not packed at all"].concat().into();
        assert!(matches!(unpack(encoding, more, 10_000), Err(UnpackError::Malformed(_))), "{encoding:?}");
    }
}

#[test]
fn parts_without_content_are_refused_before_they_cost_much() {
    // 20 MB each. The frame of the last row is one that is to be skipped.
    let skipped = b"\x50\x2a\x4d\x18\x00\x00\x00\x00";
    let rows = [
        (ContentEncoding::Gzip, gzip(b"").repeat(1_000_000)),
        (ContentEncoding::Zstd, zstd(b"").repeat(2_200_000)),
        (ContentEncoding::Zstd, skipped.repeat(2_500_000)),
    ];
    for (encoding, body) in rows {
        let started = Instant::now();
        let refused = unpack(encoding, body.into(), 64 << 20);
        assert!(matches!(refused, Err(UnpackError::Malformed(_))), "{encoding:?}: {refused:?}");
        assert!(started.elapsed() < Duration::from_millis(300), "{encoding:?}: {:?}", started.elapsed());
    }
}

#[test]
fn parts_with_content_are_taken_however_many_they_are() {
    let part = [b'x'; 2_000];
    for (encoding, one) in [(ContentEncoding::Gzip, gzip(&part)), (ContentEncoding::Zstd, zstd(&part))] {
        let unpacked = unpack(encoding, one.repeat(5_000).into(), 64 << 20).unwrap();
        assert_eq!(unpacked.len(), 10_000_000, "{encoding:?}");
    }
}

#[test]
fn what_comes_out_takes_room_while_it_comes() {
    let room = MemoryBudget::new(256 << 20);
    let mut other = room.reserve();
    while other.grow(1 << 20).is_ok() {}
    for (encoding, body) in [
        (ContentEncoding::Gzip, gzip(&vec![0; 8 << 20])),
        (ContentEncoding::Deflate, zlib(&vec![0; 8 << 20])),
        (ContentEncoding::Zstd, zstd(&vec![0; 8 << 20])),
    ] {
        let refused = encoding.unpack(body, 64 << 20, &mut room.reserve());
        assert!(matches!(refused, Err(UnpackError::Full(_))), "{encoding:?}: {refused:?}");
    }
}

#[test]
fn several_encodings_one_over_the_other_are_not_taken() {
    assert_eq!(ContentEncoding::parse("gzip, gzip"), None);
    assert_eq!(ContentEncoding::parse("br"), None);
}
