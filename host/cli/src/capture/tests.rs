use super::*;
use std::io::Write as _;

/// A request with one empty resource in it.
const MESSAGE: &[u8] = &[0x0a, 0x02, 0x0a, 0x00];

/// The payloads of a file of these bytes, or where reading ended.
fn read_as(bytes: &[u8], encoding: Option<Encoding>) -> Result<Vec<(Part, Encoding, Vec<u8>)>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let progress = Arc::default();
    let name = file.path().display().to_string();
    let capture = Capture::open(&Source::named(file.path()), encoding, &progress);
    let payloads = capture.and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let payloads = payloads.map_err(|error| error.to_string().replace(&name, "FILE"))?;
    assert_eq!(progress.load(Ordering::Relaxed), bytes.len() as u64);
    Ok(payloads.into_iter().map(|p| (p.place.part, p.encoding, p.bytes.to_vec())).collect())
}

fn read(bytes: &[u8]) -> Result<Vec<(Part, Encoding, Vec<u8>)>, String> {
    read_as(bytes, None)
}

fn json(line: u64, text: &str) -> (Part, Encoding, Vec<u8>) {
    (Part::Line(line), Encoding::Json, text.into())
}

fn framed(messages: &[&[u8]]) -> Vec<u8> {
    let frames = messages.iter().map(|message| [&(message.len() as u32).to_be_bytes(), *message].concat());
    frames.collect::<Vec<_>>().concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn protobuf_is_one_payload_to_the_end() {
    let whole = (Part::Whole, Encoding::Protobuf, MESSAGE.to_vec());
    assert_eq!(read(MESSAGE), Ok(vec![whole]));
    // These bytes are a message of 123 bytes as well as the start of a JSON text.
    let ambiguous = [b"\n{\n\x22".as_slice(), &[0x0a; 0x22], &[0x12; 87]].concat();
    assert_eq!(read(&ambiguous).unwrap()[0].1, Encoding::Protobuf);
}

#[test]
fn nothing_is_no_payload() {
    for nothing in [b"".as_slice(), b"\n", b" \r\n\n", b"\xef\xbb\xbf"] {
        assert_eq!(read(nothing), Ok(vec![]), "{nothing:?}");
    }
}

#[test]
fn lines_are_payloads_and_a_broken_one_does_not_take_others_along() {
    let lines = "\u{feff}{\"a\":[1]}\n\n{\"a\":\n{\"b\":\"}\"}";
    let read = read(lines.as_bytes());
    assert_eq!(read, Ok(vec![json(1, "{\"a\":[1]}\n"), json(3, "{\"a\":\n"), json(4, "{\"b\":\"}\"}")]));
}

#[test]
fn documents_may_spread_over_lines() {
    let (first, second) = ("{\n \"a}\\\"\": {\n }\n}\n", "{\n}");
    let read = read(format!("{first}\n{second}").as_bytes());
    assert_eq!(read, Ok(vec![json(1, first), json(6, second)]));
    assert_eq!(super::tests::read(b"{\n  {"), Ok(vec![json(1, "{\n  {")]));
}

#[test]
fn messages_behind_lengths_have_number_and_offset() {
    let object = b"{\"a\": 1}";
    let packed = zstd(object);
    let read = read(&framed(&[MESSAGE, object, &packed, b""])).unwrap();
    let at = |number, offset| Part::Message { number, offset };
    let last = 20 + 4 + packed.len() as u64;
    let expected = [
        (at(1, 0), Encoding::Protobuf, MESSAGE.to_vec()),
        (at(2, 8), Encoding::Json, object.to_vec()),
        (at(3, 20), Encoding::Json, object.to_vec()),
        (at(4, last), Encoding::Protobuf, vec![]),
    ];
    assert_eq!(read, expected);
}

#[test]
fn a_damaged_file_of_messages_says_where() {
    let whole = framed(&[MESSAGE, MESSAGE]);
    let message = |bytes: &[u8]| read(bytes).unwrap_err();
    assert_eq!(message(&whole[..10]), "FILE: message 2 at byte 8: is cut off after 2 bytes of its length");
    assert_eq!(message(&whole[..14]), "FILE: message 2 at byte 8: is cut off: 2 of 4 bytes are there");
    let jump = [&whole[..8], &[0xff; 9]].concat();
    assert!(
        message(&jump).contains("message 2 at byte 8: claims to be 4294967295 bytes long"),
        "{}",
        message(&jump)
    );
}

#[test]
fn compressed_files_are_read_like_others() {
    let line = b"{\"a\":1}\n";
    for pack in [gzip, zstd] {
        assert_eq!(read(&pack(MESSAGE)).unwrap()[0].2, MESSAGE);
        let appended = [pack(line), pack(line)].concat();
        assert_eq!(read(&appended), Ok(vec![json(1, "{\"a\":1}\n"), json(2, "{\"a\":1}\n")]));
        let whole = pack(&line.repeat(10_000));
        let cut = read(&whole[..whole.len() - 9]).unwrap_err();
        assert!(cut.contains("cannot be read"), "{cut}");
    }
}

#[test]
fn what_is_no_otlp_is_named_by_what_was_seen() {
    let refused = [
        (b"# HELP up\nup 1\n".as_slice(), "FILE: holds text that starts with `# HELP up`: expected"),
        (b"[{\"resourceMetrics\":[]}]", "FILE: holds a JSON array"),
        (b"\xff\x06\x00\x00sNaPpY", "FILE: holds bytes that start with ff 06 00 00 73 4e 61 50: expected"),
        (&framed(&[&[7, 7]]), "FILE: message 1 at byte 0: is no OTLP: it starts with 07 07"),
    ];
    for (bytes, message) in refused {
        let said = read(bytes).unwrap_err();
        assert!(said.starts_with(message), "{said}");
    }
    let missing = Capture::open(&Source::named(Path::new("/nowhere/a.json")), None, &Arc::default());
    assert!(missing.err().unwrap().to_string().starts_with("/nowhere/a.json: cannot be read: "));
}

#[test]
fn who_says_what_it_is_is_believed() {
    assert_eq!(read_as(b"[]", Some(Encoding::Json)), Ok(vec![json(1, "[]")]));
    let text = (Part::Whole, Encoding::Protobuf, b"text".to_vec());
    assert_eq!(read_as(b"text", Some(Encoding::Protobuf)), Ok(vec![text]));
    let message = (Part::Message { number: 1, offset: 0 }, Encoding::Json, MESSAGE.to_vec());
    assert_eq!(read_as(&framed(&[MESSAGE]), Some(Encoding::Json)), Ok(vec![message]));
}
