//! Random requests, the same for the same seed.
//!
//! They stay where botocore and the specification agree. Left out are:
//!
//! - paths that end in `.` or `..`: RFC 3986 keeps the slash before them, botocore does not;
//! - parameters without a name and value between two `&`, `=` within a value, `+` for a space, and
//!   percent-encoding other than AWS' own: botocore signs a query as it is spelled;
//! - fields that botocore sets itself, reads as the payload hash, or does not sign (such as
//!   `te` and `traceparent`);
//! - field values with control characters other than tabs, or spaces of Unicode: botocore takes
//!   all of them for spaces, HTTP does not allow them or means no space.

use super::Credentials;
use fastrand::Rng;

/// A request to sign.
pub(super) struct Request {
    pub(super) method: &'static str,
    /// Scheme, host and perhaps port.
    pub(super) origin: String,
    pub(super) path: String,
    pub(super) query: String,
    /// All fields but Host and those that signing adds.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) credentials: Credentials,
    /// Seconds since the Unix epoch.
    pub(super) time: u64,
}

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
const REGIONS: [&str; 5] = ["eu-west-1", "us-gov-east-1", "ap-southeast-7", "eusc-de-east-1", "r"];
const SERVICES: [&str; 4] = ["aps", "execute-api", "es", "service"];
const UNRESERVED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

impl Request {
    pub(super) fn new(rng: &mut Rng) -> Request {
        Request {
            method: choice(rng, &METHODS),
            origin: origin(rng),
            path: path(rng),
            query: if rng.bool() { query(rng) } else { String::new() },
            headers: headers(rng),
            body: body(rng),
            credentials: credentials(rng),
            time: time(rng),
        }
    }
}

pub(super) fn body(rng: &mut Rng) -> Vec<u8> {
    let length = rng.usize(..300);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}

/// Credentials of every length that AWS gives, and beyond.
pub(super) fn credentials(rng: &mut Rng) -> Credentials {
    Credentials {
        access_key_id: format!("AKID{}", text(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 1..17)),
        secret: text(rng, BASE64, 0..90),
        token: rng.bool().then(|| text(rng, BASE64, 1..1500)),
        region: choice(rng, &REGIONS).to_owned(),
        service: choice(rng, &SERVICES).to_owned(),
    }
}

/// A time up to the year 2200, often next to midnight.
pub(super) fn time(rng: &mut Rng) -> u64 {
    const DAY: u64 = 86_400;
    let midnight = rng.u64(1..84_000) * DAY;
    match rng.u8(..4) {
        0 => midnight,
        1 => midnight - 1,
        _ => midnight + rng.u64(..DAY),
    }
}

pub(super) fn origin(rng: &mut Rng) -> String {
    let scheme = choice(rng, &["http", "https"]);
    let host =
        choice(rng, &["example.com", "aps-workspaces.eu-west-1.amazonaws.com", "127.0.0.1", "Localhost"]);
    let port = choice(rng, &["", ":80", ":443", ":8080"]);
    format!("{scheme}://{host}{port}")
}

fn path(rng: &mut Rng) -> String {
    let mut path = String::new();
    for _ in 0..rng.usize(..6) {
        path.push('/');
        match rng.u8(..8) {
            0 => {}
            1 => path.push('.'),
            2 => path.push_str(".."),
            3 => path.push_str(&format!("%{:02x}%{:02X}", rng.u8(..), rng.u8(..))),
            4 => path.push_str(&text(rng, "é€ሴ:@!$&'()*+,;=", 1..5)),
            _ => path.push_str(&text(rng, UNRESERVED, 1..12)),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        path.push('/');
    }
    path
}

/// A query of at least one parameter, spelled as AWS does.
fn query(rng: &mut Rng) -> String {
    let mut parameters = Vec::new();
    for _ in 0..rng.usize(1..6) {
        // Few names, so that some come twice.
        let name = encoded(rng, "abAB-é ", 1..3);
        let value = encoded(rng, "12zZ~/ሴ= %", 0..6);
        parameters.push(if value.is_empty() && rng.bool() { name } else { format!("{name}={value}") });
    }
    parameters.join("&")
}

fn encoded(rng: &mut Rng, alphabet: &str, length: std::ops::Range<usize>) -> String {
    let mut encoded = String::new();
    for byte in text(rng, alphabet, length).bytes() {
        match UNRESERVED.contains(char::from(byte)) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn headers(rng: &mut Rng) -> Vec<(String, String)> {
    let count = rng.usize(..8);
    let mut headers: Vec<(String, String)> = Vec::new();
    for _ in 0..count {
        // Few names in all capitals, so that some come twice.
        let prefix = choice(rng, &["X-", "x-", "X-Amz-", "x-prometheus-", "!#$%&'*+.^_`|~"]);
        headers.push((prefix.to_owned() + &text(rng, "abAB1-", 1..3), spaced(rng)));
    }
    if rng.bool() {
        headers.push(("Content-Type".to_owned(), "application/x-protobuf".to_owned()));
        headers.push(("uSER-aGENT".to_owned(), spaced(rng)));
    }
    headers
}

/// Words with odd spaces before, between and after them; perhaps nothing at all.
fn spaced(rng: &mut Rng) -> String {
    let mut value = String::new();
    for _ in 0..rng.usize(..5) {
        value += &text(rng, " \t", 0..4);
        value += &text(rng, "ab\"',;=:é\\(){}<>?@[]/%&+", 0..6);
    }
    value + &text(rng, " \t", 0..3)
}

pub(super) fn text(rng: &mut Rng, alphabet: &str, length: std::ops::Range<usize>) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    (0..rng.usize(length)).map(|_| alphabet[rng.usize(..alphabet.len())]).collect()
}

fn choice(rng: &mut Rng, of: &[&'static str]) -> &'static str {
    of[rng.usize(..of.len())]
}
