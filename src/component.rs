//! Glue between the contract and the library: converts types, and nothing else.

// The exported functions that wit-bindgen generates take raw pointers across the boundary.
#![allow(unsafe_code)]

mod passage;

use crate::passage::Route;
use passage::Passage;
use preamp_contract as core;
use std::cell::RefCell;
use std::rc::Rc;

wit_bindgen::generate!({ path: "wit", world: "exporter" });

use exports::preamp::exporter::remote_write::{self as wit, Guest, GuestExporter};

struct Component;

export!(Component);

impl Guest for Component {
    type Exporter = Exporter;
    type Passage = Passage;

    fn describe() -> String {
        crate::config::SCHEMA.to_owned()
    }
}

struct Exporter(Rc<Shared>);

/// What an exporter and its passages share.
struct Shared {
    exporter: RefCell<crate::Exporter>,
    route: RefCell<Route>,
}

impl GuestExporter for Exporter {
    fn open(configuration: String) -> Result<wit::Exporter, Vec<wit::Problem>> {
        let exporter = crate::Exporter::open(&configuration)
            .map_err(|problems| problems.into_iter().map(wit::Problem::from).collect::<Vec<_>>())?;
        let shared = Shared { exporter: RefCell::new(exporter), route: RefCell::default() };
        Ok(wit::Exporter::new(Exporter(Rc::new(shared))))
    }

    fn limits(&self) -> wit::Limits {
        let limits = self.0.exporter.borrow().limits();
        wit::Limits {
            profile: limits.profile.into_owned(),
            profile_reason: limits.profile_reason.into_owned(),
            max_age: limits.max_age,
            max_age_sent: limits.max_age_sent,
            max_future: limits.max_future,
            max_payload_bytes: limits.max_payload_bytes,
            max_batch_bytes: limits.max_batch_bytes,
            partitions: limits.partitions,
        }
    }

    fn accept(
        &self,
        payload: Vec<u8>,
        encoding: wit::Encoding,
        now: wit::Instant,
    ) -> Result<wit::Acceptance, wit::Refusal> {
        let acceptance = self.0.exporter.borrow_mut().accept(&payload, encoding.into(), now)?;
        Ok(acceptance.into())
    }

    fn pass(
        &self,
        payload: Vec<u8>,
        content_type: String,
        content_encoding: String,
        now: wit::Instant,
    ) -> wit::Passage {
        let passage = {
            let Shared { exporter, route } = &*self.0;
            let (exporter, route) = (&mut exporter.borrow_mut(), &route.borrow());
            crate::passage::Passage::begin(exporter, route, &payload, &content_type, &content_encoding, now)
        };
        wit::Passage::new(Passage::new(Rc::clone(&self.0), passage))
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.exporter.borrow().snapshot()
    }

    fn restore(&self, state: Vec<u8>, is_current: bool) -> Result<(), String> {
        self.0.exporter.borrow_mut().restore(&state, is_current)
    }

    fn merge(&self, batches: Vec<wit::Batch>) -> Result<Vec<wit::Batch>, wit::BatchError> {
        let batches = batches.into_iter().map(core::Batch::try_from).collect::<Result<_, _>>()?;
        let merged = self.0.exporter.borrow().merge(batches)?;
        Ok(merged.into_iter().map(wit::Batch::from).collect())
    }

    fn halve(&self, batch: wit::Batch) -> Result<(wit::Batch, wit::Batch), wit::BatchError> {
        let (first, second) = self.0.exporter.borrow().halve(&batch.try_into()?)?;
        Ok((first.into(), second.into()))
    }

    fn prune(&self, batch: wit::Batch, oldest: wit::SampleTime) -> Result<wit::Pruned, wit::BatchError> {
        let pruned = self.0.exporter.borrow().prune(batch.try_into()?, oldest)?;
        Ok(wit::Pruned { kept: pruned.kept.map(Into::into), expired: pruned.expired.map(Into::into) })
    }

    fn sign(
        &self,
        digest: Vec<u8>,
        protocol: wit::Protocol,
        now: wit::Instant,
        key: Option<wit::SigningKey>,
    ) -> Result<wit::Request, wit::SignError> {
        let key = key.map(core::SigningKey::from);
        Ok(self.0.exporter.borrow().sign(&digest, protocol.into(), now, key.as_ref())?.into())
    }

    fn judge(
        &self,
        sent: wit::Sent,
        response: wit::Response,
        attempt: u32,
        now: wit::Instant,
    ) -> wit::Verdict {
        let sent =
            core::Sent { protocol: sent.protocol.into(), samples: sent.samples, histograms: sent.histograms };
        self.0.exporter.borrow().judge(&sent, &response.into(), attempt, now).into()
    }

    fn downgrade(&self, batch: wit::Batch) -> Result<Vec<wit::Batch>, wit::BatchError> {
        let batches = self.0.exporter.borrow().downgrade(&batch.try_into()?)?;
        Ok(batches.into_iter().map(wit::Batch::from).collect())
    }

    fn explain(&self, batch: wit::Batch) -> Result<String, wit::BatchError> {
        Ok(self.0.exporter.borrow().explain(&batch.try_into()?)?)
    }

    fn inspect(&self, batch: wit::Batch) -> Result<String, wit::BatchError> {
        Ok(self.0.exporter.borrow().inspect(&batch.try_into()?)?)
    }
}

impl From<core::Problem> for wit::Problem {
    fn from(problem: core::Problem) -> Self {
        wit::Problem { path: problem.path, message: problem.message }
    }
}

impl From<wit::Encoding> for core::Encoding {
    fn from(encoding: wit::Encoding) -> Self {
        match encoding {
            wit::Encoding::Protobuf => core::Encoding::Protobuf,
            wit::Encoding::Json => core::Encoding::Json,
        }
    }
}

impl From<wit::Protocol> for core::Protocol {
    fn from(protocol: wit::Protocol) -> Self {
        match protocol {
            wit::Protocol::RemoteWriteV1 => core::Protocol::RemoteWriteV1,
            wit::Protocol::RemoteWriteV2 => core::Protocol::RemoteWriteV2,
        }
    }
}

impl From<core::Protocol> for wit::Protocol {
    fn from(protocol: core::Protocol) -> Self {
        match protocol {
            core::Protocol::RemoteWriteV1 => wit::Protocol::RemoteWriteV1,
            core::Protocol::RemoteWriteV2 => wit::Protocol::RemoteWriteV2,
        }
    }
}

impl TryFrom<wit::Batch> for core::Batch {
    type Error = wit::BatchError;

    fn try_from(batch: wit::Batch) -> Result<Self, Self::Error> {
        let digest = match batch.digest {
            digest if digest.is_empty() => None,
            digest => Some(digest.try_into().map_err(|_| {
                wit::BatchError::Malformed("the digest is neither empty nor 32 bytes long".to_owned())
            })?),
        };
        Ok(core::Batch {
            body: batch.body,
            digest,
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
        })
    }
}

impl From<core::Batch> for wit::Batch {
    fn from(batch: core::Batch) -> Self {
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

impl From<core::Acceptance> for wit::Acceptance {
    fn from(acceptance: core::Acceptance) -> Self {
        wit::Acceptance {
            batches: acceptance.batches.into_iter().map(wit::Batch::from).collect(),
            accepted_points: acceptance.accepted_points,
            rejections: acceptance.rejections.into_iter().map(wit::Rejection::from).collect(),
        }
    }
}

impl From<core::Rejection> for wit::Rejection {
    fn from(rejection: core::Rejection) -> Self {
        wit::Rejection {
            reason: rejection.reason.into_owned(),
            points: rejection.points,
            example: rejection.example,
            remedy: rejection.remedy.into_owned(),
            because_of_time: rejection.because_of_time,
        }
    }
}

impl From<core::Refusal> for wit::Refusal {
    fn from(refusal: core::Refusal) -> Self {
        match refusal {
            core::Refusal::Malformed(what) => wit::Refusal::Malformed(what),
            core::Refusal::WrongSignal(signal) => wit::Refusal::WrongSignal(signal.into_owned()),
            core::Refusal::TooLarge(limit) => wit::Refusal::TooLarge(limit),
            core::Refusal::ExpandsTooFar(what) => wit::Refusal::ExpandsTooFar(what),
        }
    }
}

impl From<core::BatchError> for wit::BatchError {
    fn from(error: core::BatchError) -> Self {
        match error {
            core::BatchError::Malformed(what) => wit::BatchError::Malformed(what),
            core::BatchError::SingleSeries => wit::BatchError::SingleSeries,
            core::BatchError::MixedPartitions(a, b) => wit::BatchError::MixedPartitions((a, b)),
            core::BatchError::UnsupportedProtocol(protocol) => {
                wit::BatchError::UnsupportedProtocol(protocol.into())
            }
        }
    }
}

impl From<wit::SigningKey> for core::SigningKey {
    fn from(key: wit::SigningKey) -> Self {
        core::SigningKey {
            access_key_id: key.access_key_id,
            session_token: key.session_token.map(Into::into),
            derived_key: key.derived_key.into(),
            date: key.date,
            region: key.region,
            service: key.service,
        }
    }
}

impl From<core::SignError> for wit::SignError {
    fn from(error: core::SignError) -> Self {
        match error {
            core::SignError::WrongDate(date) => wit::SignError::WrongDate(date),
            core::SignError::WrongScope(scope) => wit::SignError::WrongScope(scope),
            core::SignError::KeyRequired => wit::SignError::KeyRequired,
            core::SignError::Invalid(what) => wit::SignError::Invalid(what),
        }
    }
}

impl From<core::Request> for wit::Request {
    fn from(request: core::Request) -> Self {
        wit::Request {
            method: request.method.into_owned(),
            url: request.url,
            headers: request.headers.into_iter().map(wit::Header::from).collect(),
        }
    }
}

impl From<wit::Response> for core::Response {
    fn from(response: wit::Response) -> Self {
        core::Response {
            status: response.status,
            headers: response.headers.into_iter().map(core::Header::from).collect(),
            body: response.body,
        }
    }
}

impl From<core::Header> for wit::Header {
    fn from(header: core::Header) -> Self {
        wit::Header { name: header.name, value: header.value }
    }
}

impl From<wit::Header> for core::Header {
    fn from(header: wit::Header) -> Self {
        core::Header { name: header.name, value: header.value }
    }
}

impl From<core::Explanation> for wit::Explanation {
    fn from(explanation: core::Explanation) -> Self {
        wit::Explanation {
            reason: explanation.reason.into_owned(),
            detail: explanation.detail,
            remedy: explanation.remedy,
            stored_if_repeated: explanation.stored_if_repeated,
        }
    }
}

impl From<core::Halving> for wit::Halving {
    fn from(halving: core::Halving) -> Self {
        let why = match halving.why {
            core::HalveCause::TooLarge => wit::HalveCause::TooLarge,
            core::HalveCause::BadSeries => wit::HalveCause::BadSeries,
            core::HalveCause::Unknown => wit::HalveCause::Unknown,
        };
        wit::Halving { why, explanation: halving.explanation.into() }
    }
}

impl From<core::Verdict> for wit::Verdict {
    fn from(verdict: core::Verdict) -> Self {
        match verdict {
            core::Verdict::Delivered => wit::Verdict::Delivered,
            core::Verdict::Unconfirmed(why) => wit::Verdict::Unconfirmed(why.into()),
            core::Verdict::Retry(retry) => {
                wit::Verdict::Retry(wit::Retry { after: retry.after, reason: retry.reason })
            }
            core::Verdict::RefreshCredentials(why) => wit::Verdict::RefreshCredentials(why.into()),
            core::Verdict::FixClock(offset) => wit::Verdict::FixClock(offset),
            core::Verdict::Halve(halving) => wit::Verdict::Halve(halving.into()),
            core::Verdict::Downgrade(why) => wit::Verdict::Downgrade(why.into()),
            core::Verdict::PartlyRejected(why) => wit::Verdict::PartlyRejected(why.into()),
            core::Verdict::Rejected(why) => wit::Verdict::Rejected(why.into()),
            core::Verdict::Stop(why) => wit::Verdict::Stop(why.into()),
        }
    }
}
