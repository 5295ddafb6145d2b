//! What stands in a line of the file; `sockets/conformance/README.md` says what it means.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use preamp_core::passage;
use preamp_core::types::{Header, Instant, NANOS_PER_MILLI, SigningKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A body of more bytes is given by its digest.
const BODY_MAX: usize = 4 << 10;

/// A configuration, and the calls to an exporter that was opened with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vector {
    /// What it shows; no other has the name.
    pub name: String,
    /// The text for `open`.
    pub configuration: String,
    /// What `open` fails with, as JSON Pointer and message; nothing if it succeeds.
    pub problems: Vec<(String, String)>,
    /// One after the other, all for the passage that was begun last.
    pub calls: Vec<Call>,
}

/// A call to a passage. Times are milliseconds since 1970.
#[allow(missing_docs, reason = "sockets/conformance/README.md says what the fields mean")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Call {
    /// `exporter.pass`. A passage that was begun before is dropped.
    Pass { at: u64, content_type: String, content_encoding: String, payload: Base64 },
    /// `passage.next`.
    Next { at: u64, expect: Expected },
    /// `passage.give-key`.
    GiveKey { at: u64, key: Option<Key> },
    /// `passage.answered`.
    Answered { at: u64, status: u16, headers: Vec<(String, String)>, body: Base64 },
    /// `passage.give-up`.
    GiveUp { expect: Expected },
}

/// What comes of a call.
#[allow(missing_docs, reason = "sockets/conformance/README.md says what the fields mean")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Expected {
    /// A request.
    Send(Send),
    /// A signing key is wanted.
    Key {
        date: String,
        region: String,
        service: String,
        #[serde(rename = "isRefused")]
        is_refused: bool,
    },
    /// A pause, in milliseconds.
    Wait(u64),
    /// The end.
    Done(Outcome),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Send {
    /// The method.
    pub method: String,
    /// The address.
    pub url: String,
    /// All fields, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(flatten)]
    pub content: Content,
}

/// A body, or what identifies one that is long.
#[allow(missing_docs, reason = "sockets/conformance/README.md says what the fields mean")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// All of it.
    Whole { body: Base64 },
    /// SHA-256, in hexadecimal digits, and the number of bytes.
    Digest { sha256: String, length: usize },
}

impl Content {
    /// Of a body.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        match body.len() {
            ..=BODY_MAX => Self::Whole { body: Base64(body.to_vec()) },
            length => Self::Digest { sha256: hex::encode(Sha256::digest(body)), length },
        }
    }
}

/// What a signing key is derived from, and for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// The access key id.
    pub access_key_id: String,
    /// The secret, which the socket derives a key from.
    pub secret_access_key: String,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
    /// The UTC date, `YYYYMMDD`.
    pub date: String,
    /// The region.
    pub region: String,
    /// The service.
    pub service: String,
}

impl Key {
    /// The key.
    #[must_use]
    pub fn derive(&self) -> SigningKey {
        let Self { access_key_id, secret_access_key, session_token, date, region, service } = self;
        SigningKey {
            access_key_id: access_key_id.clone(),
            session_token: session_token.clone().map(Into::into),
            derived_key: preamp_core::sigv4::derive_key(secret_access_key, date, region, service)
                .to_vec()
                .into(),
            date: date.clone(),
            region: region.clone(),
            service: service.clone(),
        }
    }
}

/// The answer for the sender, and what became of the points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outcome {
    /// HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Base64,
    /// Points that the receiver has.
    pub delivered: u64,
    /// Points of requests that were stored in part.
    pub partly_rejected: u64,
    /// Points that nobody takes.
    pub rejected: u64,
    /// Points that are to be sent again.
    pub unsettled: u64,
    /// Why, by reason.
    pub explanations: Vec<Explanation>,
}

/// Why points were rejected or are held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// What kind.
    pub reason: String,
    /// What the receiver said.
    pub detail: String,
    /// What to change.
    pub remedy: String,
}

impl From<passage::Outcome> for Outcome {
    fn from(outcome: passage::Outcome) -> Self {
        let explanation = |why: preamp_core::types::Explanation| Explanation {
            reason: why.reason.into_owned(),
            detail: why.detail,
            remedy: why.remedy,
        };
        Self {
            status: outcome.status,
            headers: pairs(outcome.headers),
            body: Base64(outcome.body),
            delivered: outcome.delivered,
            partly_rejected: outcome.partly_rejected,
            rejected: outcome.rejected,
            unsettled: outcome.unsettled,
            explanations: outcome.explanations.into_iter().map(explanation).collect(),
        }
    }
}

impl From<passage::Step> for Expected {
    fn from(step: passage::Step) -> Self {
        match step {
            passage::Step::Send { request, batch } => Self::Send(Send {
                method: request.method.into_owned(),
                url: request.url,
                headers: pairs(request.headers),
                content: Content::of(batch.as_ref().map_or(&[], |batch| &batch.body)),
            }),
            passage::Step::Key(passage::KeyRequest { date, region, service, is_refused }) => {
                Self::Key { date, region, service, is_refused }
            }
            passage::Step::Wait(pause) => Self::Wait(pause),
            passage::Step::Done(outcome) => Self::Done(outcome.into()),
        }
    }
}

fn pairs(headers: Vec<Header>) -> Vec<(String, String)> {
    headers.into_iter().map(|Header { name, value }| (name, value)).collect()
}

/// A time of a call as the core takes it.
#[must_use]
pub fn instant(at: u64) -> Instant {
    at * NANOS_PER_MILLI
}

/// Bytes, in base64 in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'d> Deserialize<'d> for Base64 {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map(Self).map_err(serde::de::Error::custom)
    }
}
