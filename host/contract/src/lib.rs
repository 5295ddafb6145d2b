//! The records and variants of the contract as plain Rust types; `wit/exporter.wit` holds their meaning in full.
//!
//! The core, the queue and the host all speak these. The bindings of both sides of the WebAssembly boundary are
//! converted into them at that boundary, and appear nowhere else.

use std::borrow::Cow;
use std::fmt;
use zeroize::Zeroizing;

/// An instant of the wall clock: nanoseconds since the Unix epoch, UTC.
pub type Instant = u64;

/// How many nanoseconds, the unit of OTLP, are a millisecond, the unit of remote write.
pub const NANOS_PER_MILLI: u64 = 1_000_000;

/// A sample timestamp: milliseconds since the Unix epoch, UTC.
pub type SampleTime = i64;

/// What the receiver takes, and how the exporter is cut to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The receiver profile.
    pub profile: Cow<'static, str>,
    /// Why the receiver is taken for that, for a person.
    pub profile_reason: Cow<'static, str>,
    /// The greatest age of a point that `accept` takes, in milliseconds; `None` takes any.
    pub max_age: Option<u64>,
    /// The greatest age of a queued sample that is worth sending, in milliseconds; `None` sends any.
    pub max_age_sent: Option<u64>,
    /// How far ahead of `now` a point may be, in milliseconds; `None` takes any.
    pub max_future: Option<u64>,
    /// The largest payload that `accept` takes, in bytes.
    pub max_payload_bytes: u64,
    /// The largest request body, in bytes before compression.
    pub max_batch_bytes: u64,
    /// How many partitions series are spread over.
    pub partitions: u32,
}

/// Something wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A JSON Pointer (RFC 6901) into the configuration; empty for the document itself.
    pub path: String,
    /// What is wrong and what is expected instead.
    pub message: String,
}

/// How an OTLP payload is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Binary protobuf `ExportMetricsServiceRequest`.
    Protobuf,
    /// OTLP/JSON of the same message.
    Json,
}

/// The remote-write protocol a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Remote write 1.0, message `prometheus.WriteRequest`.
    RemoteWriteV1,
    /// Remote write 2.0, message `io.prometheus.write.v2.Request`.
    RemoteWriteV2,
}

/// One request body with all that is needed to deliver it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The HTTP body: protobuf in the snappy block format.
    pub body: Vec<u8>,
    /// SHA-256 of `body`; `None` if the configuration leaves it to the host.
    pub digest: Option<[u8; 32]>,
    /// The partition that must be sent in order.
    pub partition: u32,
    /// OTLP data points.
    pub points: u32,
    /// Time series entries.
    pub series: u32,
    /// Samples, native histograms not among them.
    pub samples: u32,
    /// Native histograms.
    pub histograms: u32,
    /// Exemplars.
    pub exemplars: u32,
    /// The oldest sample or native histogram.
    pub first: SampleTime,
    /// The newest sample or native histogram.
    pub last: SampleTime,
    /// Size of the body before compression, in bytes.
    pub uncompressed_size: u32,
    /// What the body is written in.
    pub protocol: Protocol,
}

impl Batch {
    /// The digest as the contract carries it: 32 bytes, or none.
    #[must_use]
    pub fn digest_bytes(&self) -> &[u8] {
        self.digest.as_ref().map_or(&[], |digest| digest)
    }
}

/// Points of a payload that could not be taken, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// A stable identifier, fit for a metric label.
    pub reason: Cow<'static, str>,
    /// How many points share the reason.
    pub points: u64,
    /// The first of them, for a person.
    pub example: String,
    /// What to change so that such points are taken.
    pub remedy: Cow<'static, str>,
    /// Whether the points were left out for their age, judged by `now`.
    pub because_of_time: bool,
}

/// What became of a payload that could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// In the order they must be sent within each partition.
    pub batches: Vec<Batch>,
    /// Points in `batches`.
    pub accepted_points: u64,
    /// All other points, by reason.
    pub rejections: Vec<Rejection>,
}

/// Why a payload was refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a well-formed message; what, at which byte offset, and for JSON in which field.
    Malformed(String),
    /// A message of another signal: `traces` or `logs`.
    WrongSignal(Cow<'static, str>),
    /// Larger than the configured limit, which is given in bytes.
    TooLarge(u64),
    /// Its series would take far more than the payload itself; what is repeated how often, the limit, and
    /// what to change.
    ExpandsTooFar(String),
}

impl Refusal {
    /// A stable identifier.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "malformed",
            Refusal::WrongSignal(_) => "wrong-signal",
            Refusal::TooLarge(_) => "too-large",
            Refusal::ExpandsTooFar(_) => "expands-too-far",
        }
    }
}

/// In the words that its sender is told.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Malformed(what) => write!(f, "not an OTLP metrics request: {what}"),
            Refusal::WrongSignal(signal) => write!(
                f,
                "these are {signal}, but only metrics are taken here: send them to another exporter"
            ),
            Refusal::TooLarge(limit) => write!(f, "more than {limit} bytes"),
            Refusal::ExpandsTooFar(what) => f.write_str(what),
        }
    }
}

/// Why a batch given back could not be worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The body is not what this exporter wrote; what and where.
    Malformed(String),
    /// A single series cannot be halved.
    SingleSeries,
    /// Batches of different partitions, which are given, were mixed.
    MixedPartitions(u32, u32),
    /// The protocol of the batch is not one the function works on.
    UnsupportedProtocol(Protocol),
}

/// What pruning made of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Samples young enough to send.
    pub kept: Option<Batch>,
    /// Samples that fell out.
    pub expired: Option<Batch>,
}

/// What is needed to sign (AWS Signature Version 4, "Derive a signing key"). Neither the key nor the token shows in
/// `Debug`, and both are overwritten with zeros when the value is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The access key id.
    pub access_key_id: String,
    /// The session token of temporary credentials.
    pub session_token: Option<Zeroizing<String>>,
    /// HMAC-SHA256 chain of the secret over date, region, service and `aws4_request`: 32 bytes.
    pub derived_key: Zeroizing<Vec<u8>>,
    /// The UTC date the key was derived for, `YYYYMMDD`.
    pub date: String,
    /// The region the key was derived for.
    pub region: String,
    /// The service the key was derived for.
    pub service: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("access_key_id", &self.access_key_id)
            .field("date", &self.date)
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// Why a request could not be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignError {
    /// The key is of another date; the date needed is given, as `YYYYMMDD`.
    WrongDate(String),
    /// The key is of another region or service; what is expected is given, as `region/service`.
    WrongScope(String),
    /// The configuration signs, but no key was given.
    KeyRequired,
    /// Digest or key are not 32 bytes long, or a text cannot stand in a header; which is said.
    Invalid(String),
}

/// An HTTP header field, its name in lower case. Values that grant access do not show in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Field name, lower case.
    pub name: String,
    /// Field value.
    pub value: String,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let grants_access = matches!(self.name.as_str(), "authorization" | "x-amz-security-token");
        let value = if grants_access { "…" } else { &self.value };
        write!(f, "{}: {value}", self.name)
    }
}

/// A request head. The body is the batch's, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// HTTP method.
    pub method: Cow<'static, str>,
    /// Absolute URL.
    pub url: String,
    /// All header fields to send but Content-Length.
    pub headers: Vec<Header>,
}

/// What came back from the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status; 0 when there was no answer at all.
    pub status: u16,
    /// Header fields of the answer.
    pub headers: Vec<Header>,
    /// The first KiB of the body, or the text of the transport error.
    pub body: Vec<u8>,
}

/// What was sent, as far as it decides what an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What the body is written in.
    pub protocol: Protocol,
    /// Samples in the body.
    pub samples: u32,
    /// Native histograms in the body.
    pub histograms: u32,
}

impl From<&Batch> for Sent {
    fn from(batch: &Batch) -> Sent {
        Sent { protocol: batch.protocol, samples: batch.samples, histograms: batch.histograms }
    }
}

/// How many of the first batches of a partition the receiver may have: they were sent, and not acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PossiblyDelivered {
    /// Batches, from the front.
    pub batches: usize,
    /// How many of their series, from the front, may have been sent in parts. The others were sent only in requests of
    /// all these batches, so a receiver that rolls back has all of these series or none. [`Self::IN_PARTS`] for all
    /// series, or where it is not known.
    pub in_parts: u32,
}

impl PossiblyDelivered {
    /// Any series may have been sent apart from any other.
    pub const IN_PARTS: u32 = u32::MAX;

    /// What the receiver may have once these are sent. Whoever sends all of the same batches knows what was sent before
    /// of their series, and says so anew.
    #[must_use]
    pub fn and(self, sent: Self) -> Self {
        if self.batches == 0 || self.batches == sent.batches {
            return sent;
        }
        let batches = self.batches.max(sent.batches);
        PossiblyDelivered {
            batches,
            in_parts: if sent.batches == 0 { self.in_parts } else { Self::IN_PARTS },
        }
    }

    /// What is left of them behind the first `acknowledged` batches. More of their series may seem to have been sent in
    /// parts than were.
    #[must_use]
    pub fn behind(self, acknowledged: usize) -> Self {
        match self.batches.saturating_sub(acknowledged) {
            0 => PossiblyDelivered::default(),
            batches => PossiblyDelivered { batches, ..self },
        }
    }

    /// Those among the first `batches` batches.
    #[must_use]
    pub fn among(self, batches: usize) -> Self {
        PossiblyDelivered { batches: self.batches.min(batches), ..self }
    }
}

/// Retry the same batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Wait at least this long, in milliseconds.
    pub after: u64,
    /// Why, for a log line.
    pub reason: String,
}

/// A verdict for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// A stable identifier, fit for a metric label.
    pub reason: Cow<'static, str>,
    /// What the receiver said, shortened.
    pub detail: String,
    /// What to change.
    pub remedy: String,
    /// Whether this refusal means that the receiver has stored the batch, if it was possibly delivered before.
    pub stored_if_repeated: bool,
}

/// Why a batch is to be halved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalveCause {
    /// The request is larger than the receiver takes.
    TooLarge,
    /// The receiver refuses at least one series and stored nothing of the request.
    BadSeries,
    /// The receiver refuses the request, and it is open whether some series are the reason, or everything.
    Unknown,
}

/// Halve the batch and send both halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halving {
    /// Which of the two reasons.
    pub why: HalveCause,
    /// Why the batch is rejected if it cannot be halved.
    pub explanation: Explanation,
}

/// What a response means for the batch that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stored.
    Delivered,
    /// The status says stored, in an answer that no receiver of remote write gives.
    Unconfirmed(Explanation),
    /// Not stored, but may be later.
    Retry(Retry),
    /// Fetch newer credentials, sign anew, send again.
    RefreshCredentials(Explanation),
    /// Add this many milliseconds to the local clock when signing, and send again.
    FixClock(i64),
    /// Halve the batch and send both halves, the first one first.
    Halve(Halving),
    /// The receiver does not take remote write 2.0: send the batch as 1.0, and all others too.
    Downgrade(Explanation),
    /// The valid part was stored; the rest never will be.
    PartlyRejected(Explanation),
    /// Nothing was stored and nothing ever will be.
    Rejected(Explanation),
    /// The configuration is wrong; hold all batches.
    Stop(Explanation),
}
