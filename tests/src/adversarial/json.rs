//! Trouble in OTLP/JSON.

/// A document of about so many bytes: `head`, the same piece again and again with commas between, `tail`.
fn document(bytes: usize, head: &str, piece: &str, tail: &str) -> Vec<u8> {
    let count = bytes.saturating_sub(head.len() + tail.len()) / (piece.len() + 1);
    let pieces = vec![piece; count.max(1)].join(",");
    [head, &pieces, tail].concat().into_bytes()
}

/// What stands before and behind the fields of one gauge point.
const POINT: [&str; 2] = [
    r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"timeUnixNano":"1768521590000000000","asDouble":1,"#,
    "}]}}]}]}]}",
];

fn point(bytes: usize, [before, behind]: [&str; 2], filler: &str) -> Vec<u8> {
    let frame = POINT[0].len() + before.len() + behind.len() + POINT[1].len();
    let filler = filler.repeat(bytes.saturating_sub(frame) / filler.len());
    [POINT[0], before, &filler, behind, POINT[1]].concat().into_bytes()
}

/// Arrays in arrays, in a field that is not known.
pub fn nested_arrays(bytes: usize) -> Vec<u8> {
    let depth = bytes.saturating_sub(10) / 2;
    [r#"{"later":"#, &"[".repeat(depth), &"]".repeat(depth), "}"].concat().into_bytes()
}

/// Values in values, as deep as the bytes reach.
pub fn nested_values(bytes: usize) -> Vec<u8> {
    const OPEN: &str = r#"{"arrayValue":{"values":["#;
    const CLOSE: &str = "]}}";
    let [before, behind] = [r#""attributes":[{"key":"k","value":"#, "}]"];
    let frame = POINT[0].len() + before.len() + behind.len() + POINT[1].len();
    let depth = bytes.saturating_sub(frame) / (OPEN.len() + CLOSE.len());
    [POINT[0], before, &OPEN.repeat(depth), &CLOSE.repeat(depth), behind, POINT[1]].concat().into_bytes()
}

pub fn digits_of_a_count(bytes: usize) -> Vec<u8> {
    point(bytes, [r#""asInt":"1"#, r#"""#], "7")
}

pub fn digits_of_a_double(bytes: usize) -> Vec<u8> {
    point(bytes, [r#""asDouble":0."#, "1"], "7")
}

pub fn repeated_name(bytes: usize) -> Vec<u8> {
    document(bytes, "{", r#""resourceMetrics":[{"resource":{"attributes":[]}}]"#, "}")
}

pub fn escapes(bytes: usize) -> Vec<u8> {
    point(bytes, [r#""attributes":[{"key":"k","value":{"stringValue":""#, r#""}}]"#], r"\u00e9\ud83d\ude00\n")
}

pub fn empty_messages(bytes: usize) -> Vec<u8> {
    document(bytes, r#"{"resourceMetrics":["#, "{}", "]}")
}

pub fn cut_off(bytes: usize) -> Vec<u8> {
    document(bytes, r#"{"resourceMetrics":["#, r#"{"scopeMetrics":[{"metrics":[{"name":"m"}]}]}"#, "")
}
