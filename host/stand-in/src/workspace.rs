//! One request from arrival to answer: fault, size, signature, body, series, storage.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use prost::Message;
use scratchstack_aws_signature::KeyLengthError;

use crate::answer::Answer;
use crate::body::{Decoded, Passed, check_series, decode};
use crate::fault::{Fault, Script};
use crate::message::{MetricMetadata, TimeSeries, WriteRequest};
use crate::options::{Authentication, Clock, Limits, Options, Session, Storage, WORKSPACE_PATH};
use crate::report::Report;
use crate::signature::{Verifier, claimed, missing_token};
use crate::store::{SampleOutcome, Store};
use crate::upstream::Upstream;
use crate::view::{self, SERIES_PATH};

/// Nothing beyond this is read of a body, in bytes: what is larger than the quota gets its 413 just the same.
const READ_LIMIT: usize = 16 << 20;
/// The reason of samples of a series too many, as AMP's metric `DiscardedSamples` names it.
const SERIES_LIMIT: &str = "per_user_series_limit";
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection cut on purpose")
    }
}

impl std::error::Error for Cut {}

pub(crate) struct Workspace {
    verifier: Option<Verifier>,
    upstream: Option<Upstream>,
    limits: Mutex<Limits>,
    clock: Clock,
    version_2_status: StatusCode,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) report: Report,
    pub(crate) faults: Script,
    forgot: SystemTime,
}

impl Workspace {
    pub(crate) fn new(options: Options) -> std::io::Result<Self> {
        let verifier = match options.authentication {
            Authentication::None => None,
            Authentication::SigV4(signer) => Some(Verifier::new(signer).map_err(unusable)?),
        };
        let upstream = match options.storage {
            Storage::Memory => None,
            Storage::Prometheus(url) => Some(Upstream::new(url)),
        };
        let state = State {
            store: Store::default(),
            report: Report::default(),
            faults: options.faults,
            forgot: (options.clock)(),
        };
        Ok(Self {
            verifier,
            upstream,
            limits: Mutex::new(options.limits),
            clock: options.clock,
            version_2_status: options.version_2_status,
            state: Mutex::new(state),
        })
    }

    /// Lets one more identity in, if signatures are verified at all.
    pub(crate) fn know(&self, session: Session) -> std::io::Result<()> {
        self.verifier.as_ref().map_or(Ok(()), |verifier| verifier.know(session).map_err(unusable))
    }

    /// Refuses bodies of so many bytes or more from now on.
    pub(crate) fn limit_bodies(&self, bytes: usize) {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).body_bytes = bytes;
    }

    fn limits(&self) -> Limits {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request, or cuts its connection.
    pub(crate) async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        if request.method() == Method::GET && request.uri().path() == SERIES_PATH {
            let text = view::series(&self.state().store, request.uri().query());
            return Ok(Response::new(Full::new(Bytes::from(text))));
        }
        let (number, fault) = self.arrive();
        if fault == Some(Fault::CutBeforeBody) {
            return Err(Cut);
        }
        let now = self.now(fault);
        let (parts, body) = request.into_parts();
        let answer = match Limited::new(body, READ_LIMIT).collect().await {
            Ok(body) => self.reply(&parts, &body.to_bytes(), fault, now).await?,
            Err(error) if error.is::<LengthLimitError>() => Answer::too_large(),
            Err(_) => return Err(Cut),
        };
        let status = answer.status;
        let mut state = self.state();
        *state.report.answers.entry(status.as_u16()).or_default() += 1;
        if !status.is_success() {
            tracing::debug!(status = status.as_u16(), body = answer.body, "stand-in refuses");
            state.report.note_error(status.as_u16(), &answer.body);
        }
        let date = DateTime::<Utc>::from(now).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        Ok(answer.into_response(number, &date))
    }

    fn arrive(&self) -> (u64, Option<Fault>) {
        let mut state = self.state();
        state.report.requests += 1;
        let fault = state.faults.advance();
        if let Some(fault) = fault {
            *state.report.faults.entry(fault.name()).or_default() += 1;
        }
        (state.report.requests, fault)
    }

    fn now(&self, fault: Option<Fault>) -> SystemTime {
        let now = (self.clock)();
        match fault {
            Some(Fault::ClockSkew(seconds)) => {
                (DateTime::<Utc>::from(now) + TimeDelta::seconds(seconds)).into()
            }
            _ => now,
        }
    }

    async fn reply(
        &self,
        parts: &Parts,
        body: &Bytes,
        fault: Option<Fault>,
        now: SystemTime,
    ) -> Result<Answer, Cut> {
        if let Err(answer) = self.admit(parts, body, now).await {
            return Ok(answer);
        }
        match fault {
            Some(Fault::IngestionRate(seconds)) => {
                let text = "ingestion rate limit (1666666) exceeded while adding 1 samples and 0 metadata";
                Ok(Answer::text(StatusCode::TOO_MANY_REQUESTS, text).retry_after(seconds))
            }
            Some(Fault::RateExceeded) => {
                Ok(Answer::front(StatusCode::TOO_MANY_REQUESTS, "ThrottlingException", "Rate exceeded"))
            }
            Some(Fault::Unavailable) => Ok(Answer::text(StatusCode::SERVICE_UNAVAILABLE, "")),
            Some(Fault::TooLarge) => Ok(Answer::too_large()),
            Some(Fault::ExpiredToken) => {
                let text = "The security token included in the request is expired";
                Ok(Answer::forbidden("ExpiredTokenException", text))
            }
            Some(Fault::CutBeforeBody | Fault::CutAfterBody) => Err(Cut),
            Some(Fault::Hang(time)) => {
                tokio::time::sleep(time).await;
                Err(Cut)
            }
            Some(Fault::LoseAnswer) => {
                self.take(&parts.headers, body, now).await;
                Err(Cut)
            }
            Some(Fault::ClockSkew(_)) | None => Ok(self.take(&parts.headers, body, now).await),
        }
    }

    /// What the front of the service checks: size, address, signature.
    async fn admit(&self, parts: &Parts, body: &Bytes, now: SystemTime) -> Result<(), Answer> {
        if body.len() >= self.limits().body_bytes {
            return Err(Answer::too_large());
        }
        let addressed =
            parts.method == Method::POST && parts.uri.path() == WORKSPACE_PATH && parts.uri.query().is_none();
        let verdict = match &self.verifier {
            _ if !addressed => Err(missing_token()),
            Some(verifier) => verifier.verify(parts, body, now).await,
            None => return Ok(()),
        };
        let report = &mut self.state().report;
        let (requests, by) = match &verdict {
            Ok(()) => (&mut report.verified, &mut report.verified_by),
            Err(_) => (&mut report.unverified, &mut report.unverified_by),
        };
        *requests += 1;
        if let Some(access_key_id) = claimed(parts) {
            *by.entry(access_key_id.to_owned()).or_default() += 1;
        }
        verdict
    }

    /// What the Cortex behind the front does: the valid part is stored, the first refusal answered.
    async fn take(&self, headers: &HeaderMap, body: &Bytes, now: SystemTime) -> Answer {
        let limits = self.limits();
        let decoded = match decode(headers, body, &limits, self.version_2_status) {
            Ok(decoded) => decoded,
            Err(answer) => return answer,
        };
        let oldest = DateTime::<Utc>::from(now).timestamp_millis()
            - i64::try_from(limits.sample_age.as_millis()).unwrap_or(i64::MAX);
        let mut refusals = Vec::new();
        let mut passed: Vec<Passed<'_>> = Vec::new();
        for series in &decoded.request.timeseries {
            match check_series(series, &limits, oldest) {
                Ok(series) => passed.push(series),
                Err((reason, text)) => {
                    refusals.push((reason, text, series.samples.len() + series.histograms.len()));
                }
            }
        }
        let exemplars = passed.iter().map(|passed| passed.series.exemplars.len() as u64).sum::<u64>();
        let metadata = &decoded.request.metadata;
        let stored = match &self.upstream {
            Some(upstream) if refusals.is_empty() && exemplars == 0 => {
                self.relay(upstream, headers, body.clone(), &passed).await
            }
            Some(upstream) => self.relay(upstream, headers, encode(&passed, metadata), &passed).await,
            None => self.store(&passed, metadata, oldest, now),
        };
        self.state().report.exemplars_ignored += exemplars;
        self.settle(&decoded, body.len(), refusals, stored)
    }

    /// Keeps the samples in memory.
    fn store(
        &self,
        passed: &[Passed<'_>],
        metadata: &[MetricMetadata],
        oldest: i64,
        now: SystemTime,
    ) -> Answer {
        let mut state = self.state();
        let State { store, report, forgot, .. } = &mut *state;
        let mut first_refusal = None;
        let limits = self.limits();
        let window = limits.out_of_order_window;
        for Passed { labels, series, histograms } in passed {
            if store.is_unknown(labels) && store.len() >= limits.series {
                let refused = series.samples.len() + histograms.len();
                *report.samples_refused.entry(SERIES_LIMIT).or_default() += refused as u64;
                first_refusal.get_or_insert_with(|| Answer::series_limit(limits.series));
                continue;
            }
            let samples = series.samples.iter().map(|sample| store.append(labels, sample, window));
            let mut outcomes: Vec<SampleOutcome> = samples.collect();
            outcomes.extend(histograms.iter().map(|it| store.append_histogram(labels, it, window)));
            for outcome in outcomes {
                match outcome {
                    SampleOutcome::Stored => report.samples_stored += 1,
                    SampleOutcome::Repeated => report.samples_repeated += 1,
                    SampleOutcome::Refused(reason, text) => {
                        *report.samples_refused.entry(reason).or_default() += 1;
                        first_refusal.get_or_insert_with(|| Answer::refused(text));
                    }
                }
            }
        }
        for metadata in metadata {
            store.describe(metadata, limits.metadata);
        }
        if now.duration_since(*forgot).is_ok_and(|since| since > FORGET_INTERVAL) {
            store.forget(oldest);
            *forgot = now;
        }
        report.series = store.len() as u64;
        first_refusal.unwrap_or_else(Answer::stored)
    }

    /// Lets the upstream store the samples. It takes a request whole or not at all.
    async fn relay(
        &self,
        upstream: &Upstream,
        headers: &HeaderMap,
        body: Bytes,
        passed: &[Passed<'_>],
    ) -> Answer {
        let answer = upstream.forward(headers, body).await;
        let samples = passed.iter().map(|passed| passed.samples() as u64).sum::<u64>();
        let mut state = self.state();
        if answer.status.is_success() {
            state.report.samples_stored += samples;
        } else if answer.status.is_client_error() {
            *state.report.samples_refused.entry("upstream").or_default() += samples;
        }
        answer
    }

    /// Counts, and chooses the answer: a failure of the storage first, then the first refusal.
    fn settle(
        &self,
        decoded: &Decoded,
        body_bytes: usize,
        refusals: Vec<(&'static str, String, usize)>,
        stored: Answer,
    ) -> Answer {
        let report = &mut self.state().report;
        for (reason, _, samples) in &refusals {
            *report.samples_refused.entry(reason).or_default() += *samples as u64;
        }
        if !stored.status.is_success() {
            return stored;
        }
        if let Some((_, text, _)) = refusals.into_iter().next() {
            return Answer::refused(text);
        }
        report.body_bytes += body_bytes as u64;
        report.uncompressed_bytes += decoded.uncompressed_bytes as u64;
        report.metadata += decoded.request.metadata.len() as u64;
        stored
    }
}

fn unusable(error: KeyLengthError) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidInput, format!("secret access key: {error}"))
}

/// What is taken of a request as a body of its own.
fn encode(passed: &[Passed<'_>], metadata: &[MetricMetadata]) -> Bytes {
    let taken = |passed: &Passed<'_>| TimeSeries { exemplars: Vec::new(), ..passed.series.clone() };
    let request =
        WriteRequest { timeseries: passed.iter().map(taken).collect(), metadata: metadata.to_vec() };
    let compressed = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec());
    Bytes::from(compressed.unwrap_or_default())
}
