//! Between the types of the contract and those that wasmtime's bindings generate for it. Bodies are moved, not copied.

use crate::bindings::exports::preamp::exporter::remote_write as wit;
use preamp_contract as plain;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

/// Converts each element.
pub(super) fn all<A, B: From<A>>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(B::from).collect()
}

/// Converts what came of a call.
pub(super) fn outcome<A, E, B: From<A>, F: From<E>>(result: Result<A, E>) -> Result<B, F> {
    result.map(B::from).map_err(F::from)
}

/// Declares enums without contents whose variants have the same names on both sides.
macro_rules! same_names {
    ($($name:ident { $($variant:ident),* })*) => {$(
        impl From<plain::$name> for wit::$name {
            fn from(value: plain::$name) -> Self {
                match value { $(plain::$name::$variant => wit::$name::$variant),* }
            }
        }
        impl From<wit::$name> for plain::$name {
            fn from(value: wit::$name) -> Self {
                match value { $(wit::$name::$variant => plain::$name::$variant),* }
            }
        }
    )*};
}

same_names! {
    Encoding { Protobuf, Json }
    Protocol { RemoteWriteV1, RemoteWriteV2 }
    HalveCause { TooLarge, BadSeries, Unknown }
}

impl From<wit::Problem> for plain::Problem {
    fn from(problem: wit::Problem) -> Self {
        let wit::Problem { path, message } = problem;
        plain::Problem { path, message }
    }
}

/// The host adds the digest itself: it has the processor's SHA instructions, and the component, configured with
/// `digest: false`, has not.
impl From<wit::Batch> for plain::Batch {
    fn from(batch: wit::Batch) -> Self {
        let digest = <[u8; 32]>::try_from(batch.digest).ok();
        plain::Batch {
            digest: digest.or_else(|| Some(Sha256::digest(&batch.body).into())),
            body: batch.body,
            partition: batch.partition,
            points: batch.points,
            series: batch.series,
            samples: batch.samples,
            histograms: batch.histograms,
            exemplars: batch.exemplars,
            first: batch.first,
            last: batch.last,
            uncompressed_size: batch.uncompressed_size,
            protocol: batch.protocol.into(),
        }
    }
}

impl From<plain::Batch> for wit::Batch {
    fn from(batch: plain::Batch) -> Self {
        wit::Batch {
            body: batch.body,
            digest: batch.digest.map(Vec::from).unwrap_or_default(),
            partition: batch.partition,
            points: batch.points,
            series: batch.series,
            samples: batch.samples,
            histograms: batch.histograms,
            exemplars: batch.exemplars,
            first: batch.first,
            last: batch.last,
            uncompressed_size: batch.uncompressed_size,
            protocol: batch.protocol.into(),
        }
    }
}

impl From<wit::Rejection> for plain::Rejection {
    fn from(rejection: wit::Rejection) -> Self {
        let wit::Rejection { reason, points, example, remedy, because_of_time } = rejection;
        plain::Rejection { reason: reason.into(), points, example, remedy: remedy.into(), because_of_time }
    }
}

impl From<wit::Acceptance> for plain::Acceptance {
    fn from(acceptance: wit::Acceptance) -> Self {
        let wit::Acceptance { batches, accepted_points, rejections } = acceptance;
        plain::Acceptance { batches: all(batches), accepted_points, rejections: all(rejections) }
    }
}

impl From<wit::Refusal> for plain::Refusal {
    fn from(refusal: wit::Refusal) -> Self {
        match refusal {
            wit::Refusal::Malformed(what) => plain::Refusal::Malformed(what),
            wit::Refusal::WrongSignal(signal) => plain::Refusal::WrongSignal(signal.into()),
            wit::Refusal::TooLarge(limit) => plain::Refusal::TooLarge(limit),
            wit::Refusal::ExpandsTooFar(what) => plain::Refusal::ExpandsTooFar(what),
        }
    }
}

impl From<wit::BatchError> for plain::BatchError {
    fn from(error: wit::BatchError) -> Self {
        match error {
            wit::BatchError::Malformed(what) => plain::BatchError::Malformed(what),
            wit::BatchError::SingleSeries => plain::BatchError::SingleSeries,
            wit::BatchError::MixedPartitions((a, b)) => plain::BatchError::MixedPartitions(a, b),
            wit::BatchError::UnsupportedProtocol(protocol) => {
                plain::BatchError::UnsupportedProtocol(protocol.into())
            }
        }
    }
}

impl From<wit::Pruned> for plain::Pruned {
    fn from(pruned: wit::Pruned) -> Self {
        plain::Pruned { kept: pruned.kept.map(Into::into), expired: pruned.expired.map(Into::into) }
    }
}

/// A signing key as the bindings take it, overwritten with zeros after the call.
pub(super) struct BoundKey(pub(super) wit::SigningKey);

impl From<&plain::SigningKey> for BoundKey {
    fn from(key: &plain::SigningKey) -> Self {
        BoundKey(wit::SigningKey {
            access_key_id: key.access_key_id.clone(),
            session_token: key.session_token.as_deref().cloned(),
            derived_key: key.derived_key.to_vec(),
            date: key.date.clone(),
            region: key.region.clone(),
            service: key.service.clone(),
        })
    }
}

impl Drop for BoundKey {
    fn drop(&mut self) {
        self.0.derived_key.zeroize();
        self.0.session_token.zeroize();
    }
}

impl From<wit::SignError> for plain::SignError {
    fn from(error: wit::SignError) -> Self {
        match error {
            wit::SignError::WrongDate(date) => plain::SignError::WrongDate(date),
            wit::SignError::WrongScope(scope) => plain::SignError::WrongScope(scope),
            wit::SignError::KeyRequired => plain::SignError::KeyRequired,
            wit::SignError::Invalid(what) => plain::SignError::Invalid(what),
        }
    }
}

impl From<wit::Header> for plain::Header {
    fn from(header: wit::Header) -> Self {
        let wit::Header { name, value } = header;
        plain::Header { name, value }
    }
}

impl From<&plain::Header> for wit::Header {
    fn from(header: &plain::Header) -> Self {
        wit::Header { name: header.name.clone(), value: header.value.clone() }
    }
}

impl From<wit::Request> for plain::Request {
    fn from(request: wit::Request) -> Self {
        let wit::Request { method, url, headers } = request;
        plain::Request { method: method.into(), url, headers: all(headers) }
    }
}

impl From<plain::Sent> for wit::Sent {
    fn from(sent: plain::Sent) -> Self {
        let plain::Sent { protocol, samples, histograms } = sent;
        wit::Sent { protocol: protocol.into(), samples, histograms }
    }
}

impl From<&plain::Response> for wit::Response {
    fn from(response: &plain::Response) -> Self {
        wit::Response {
            status: response.status,
            headers: response.headers.iter().map(wit::Header::from).collect(),
            body: response.body.clone(),
        }
    }
}

impl From<wit::Explanation> for plain::Explanation {
    fn from(why: wit::Explanation) -> Self {
        let wit::Explanation { reason, detail, remedy, stored_if_repeated } = why;
        plain::Explanation { reason: reason.into(), detail, remedy, stored_if_repeated }
    }
}

impl From<wit::Halving> for plain::Halving {
    fn from(halving: wit::Halving) -> Self {
        plain::Halving { why: halving.why.into(), explanation: halving.explanation.into() }
    }
}

impl From<wit::Limits> for plain::Limits {
    fn from(limits: wit::Limits) -> Self {
        plain::Limits {
            profile: limits.profile.into(),
            profile_reason: limits.profile_reason.into(),
            max_age: limits.max_age,
            max_age_sent: limits.max_age_sent,
            max_future: limits.max_future,
            max_payload_bytes: limits.max_payload_bytes,
            max_batch_bytes: limits.max_batch_bytes,
            partitions: limits.partitions,
        }
    }
}

impl From<wit::Verdict> for plain::Verdict {
    fn from(verdict: wit::Verdict) -> Self {
        match verdict {
            wit::Verdict::Delivered => plain::Verdict::Delivered,
            wit::Verdict::Unconfirmed(why) => plain::Verdict::Unconfirmed(why.into()),
            wit::Verdict::Retry(wit::Retry { after, reason }) => {
                plain::Verdict::Retry(plain::Retry { after, reason })
            }
            wit::Verdict::RefreshCredentials(why) => plain::Verdict::RefreshCredentials(why.into()),
            wit::Verdict::FixClock(offset) => plain::Verdict::FixClock(offset),
            wit::Verdict::Halve(halving) => plain::Verdict::Halve(halving.into()),
            wit::Verdict::Downgrade(why) => plain::Verdict::Downgrade(why.into()),
            wit::Verdict::PartlyRejected(why) => plain::Verdict::PartlyRejected(why.into()),
            wit::Verdict::Rejected(why) => plain::Verdict::Rejected(why.into()),
            wit::Verdict::Stop(why) => plain::Verdict::Stop(why.into()),
        }
    }
}
