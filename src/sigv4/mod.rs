//! Request heads for batches, signed with AWS Signature Version 4 when the configuration asks for
//! it.
//!
//! [`Signature`] signs any request; [`sign`] applies it to remote write: it knows which fields a
//! remote-write request carries and which of them can be signed.

mod canonical;
mod signature;

pub use canonical::{PathRules, Signable};
pub use signature::{Signature, Timestamp, derive_key};

use crate::config::{Config, SigningScope, is_header_value};
use preamp_contract::{Header, Instant, Protocol, Request, SignError, SigningKey};

/// Fields that HTTP clients, proxies and tracing may change on the way, so that a signature over
/// them would break (as AWS' own SDKs leave them out).
const UNSIGNED_HEADERS: [&str; 15] = [
    "authorization",
    "baggage",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-amzn-trace-id",
];

/// Makes the request head for a batch: method, URL and all header fields.
///
/// `digest` is the SHA-256 of the body. `key` is needed exactly when the configuration signs, must
/// be of the date of `now`, and is not looked at otherwise.
///
/// # Errors
///
/// [`SignError::KeyRequired`] without a key, [`SignError::WrongScope`] and
/// [`SignError::WrongDate`] for a key of another region, service or date, and
/// [`SignError::Invalid`] for a digest or key of the wrong length or a text that cannot stand in a
/// header.
pub fn sign(
    config: &Config,
    digest: &[u8],
    protocol: Protocol,
    now: Instant,
    key: Option<&SigningKey>,
) -> Result<Request, SignError> {
    let digest = digest
        .try_into()
        .map_err(|_| SignError::Invalid(format!("the digest is {} bytes long, not 32", digest.len())))?;
    let mut headers = unsigned_headers(config, protocol);
    if let Some(scope) = &config.sigv4 {
        let key = key.ok_or(SignError::KeyRequired)?;
        let timestamp = Timestamp::new(now);
        check_key(key, scope, &timestamp)?;
        headers.push(header("x-amz-date", timestamp.as_str()));
        // An empty token is how an unset environment variable often arrives.
        if let Some(token) = key.session_token.as_ref().filter(|token| !token.is_empty()) {
            headers.push(header("x-amz-security-token", token));
        }
        let authorization = authorization(config, &headers, digest, key, &timestamp);
        headers.push(header("authorization", &authorization));
    }
    check_values(&headers)?;
    Ok(Request { method: "POST".into(), url: config.endpoint.url.clone(), headers })
}

/// The fields that every request has (remote write 1.0, "Protocol"; 2.0, "Required HTTP Headers"),
/// and the configured ones.
fn unsigned_headers(config: &Config, protocol: Protocol) -> Vec<Header> {
    let (content_type, version) = match protocol {
        Protocol::RemoteWriteV1 => ("application/x-protobuf", "0.1.0"),
        Protocol::RemoteWriteV2 => ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
    };
    let mut headers = vec![
        header("host", &config.endpoint.host),
        header("content-type", content_type),
        header("content-encoding", "snappy"),
        header("user-agent", &config.user_agent),
        header("x-prometheus-remote-write-version", version),
    ];
    headers.extend_from_slice(&config.headers);
    headers
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.to_owned() }
}

fn check_key(key: &SigningKey, scope: &SigningScope, timestamp: &Timestamp) -> Result<(), SignError> {
    if key.derived_key.len() != 32 {
        let length = key.derived_key.len();
        return Err(SignError::Invalid(format!("the derived key is {length} bytes long, not 32")));
    }
    let is_id = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    if key.access_key_id.is_empty() || !key.access_key_id.bytes().all(is_id) {
        return Err(SignError::Invalid("the access key id is not of letters and digits".to_owned()));
    }
    if (&key.region, &key.service) != (&scope.region, &scope.service) {
        return Err(SignError::WrongScope(format!("{}/{}", scope.region, scope.service)));
    }
    if key.date != timestamp.date() {
        return Err(SignError::WrongDate(timestamp.date().to_owned()));
    }
    Ok(())
}

fn authorization(
    config: &Config,
    headers: &[Header],
    digest: &[u8; 32],
    key: &SigningKey,
    timestamp: &Timestamp,
) -> String {
    let signed: Vec<(&str, &str)> = headers
        .iter()
        .filter(|header| !UNSIGNED_HEADERS.contains(&header.name.as_str()))
        .map(|header| (header.name.as_str(), header.value.as_str()))
        .collect();
    let request = Signable {
        method: "POST",
        path: &config.endpoint.path,
        query: &config.endpoint.query,
        headers: &signed,
        payload_sha256: digest,
    };
    Signature::new(&request, PathRules::default(), key, timestamp).authorization
}

/// Refuses values that a header cannot hold, without showing them: they may be secrets.
fn check_values(headers: &[Header]) -> Result<(), SignError> {
    match headers.iter().find(|header| !is_header_value(&header.value)) {
        Some(header) => Err(SignError::Invalid(format!(
            "the value of {} holds a control or non-ASCII character",
            header.name
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
