//! The exporter: one method for each function of the contract.

use crate::accumulate::Accumulator;
use crate::config::Config;
use crate::translate::Translator;
use crate::{batch, judge, otlp, sigv4};
use preamp_contract::*;
use std::borrow::Cow;

/// One configuration, with the caches and scratch memory that live from call to call.
pub struct Exporter {
    config: Config,
    translator: Translator,
    assembler: batch::Assembler,
}

impl Exporter {
    /// Opens an exporter from a configuration in JSON ([`crate::config::SCHEMA`]).
    ///
    /// # Errors
    ///
    /// Every problem of the configuration, each with its place.
    pub fn open(configuration: &str) -> Result<Exporter, Vec<Problem>> {
        let config = Config::read(configuration)?;
        Ok(Exporter {
            translator: Translator::new(&config),
            assembler: batch::Assembler::new(&config),
            config,
        })
    }

    /// What the receiver takes, by the profile and the options of the configuration.
    pub fn limits(&self) -> Limits {
        let Config { profile, profile_reason, partitions, max_payload_bytes, max_batch_size_bytes, .. } =
            self.config;
        let points = &self.config.translation.limits;
        Limits {
            profile: profile.name().into(),
            profile_reason: profile_reason.into(),
            max_age: points.max_age_ms,
            max_age_sent: points.max_age_sent_ms,
            max_future: points.max_future_ms,
            max_payload_bytes,
            max_batch_bytes: max_batch_size_bytes as u64,
            partitions,
        }
    }

    /// Translates one OTLP payload into batches. `now` decides which points are too old.
    ///
    /// # Errors
    ///
    /// The payload as a whole cannot be read; nothing of it was taken.
    pub fn accept(
        &mut self,
        payload: &[u8],
        encoding: Encoding,
        now: Instant,
    ) -> Result<Acceptance, Refusal> {
        if payload.len() as u64 > self.config.max_payload_bytes {
            return Err(Refusal::TooLarge(self.config.max_payload_bytes));
        }
        let given_bytes = payload.len();
        let payload = match encoding {
            Encoding::Protobuf => Cow::Borrowed(payload),
            Encoding::Json => Cow::Owned(otlp::json::transcode(payload)?),
        };
        self.assembler.begin(now);
        let rejections = match self.translator.translate(&payload, given_bytes, now, &mut self.assembler) {
            Ok(rejections) => rejections,
            Err(refusal) => {
                self.assembler.discard();
                return Err(refusal);
            }
        };
        let batches = self.assembler.finish();
        debug_assert!(
            batches.iter().map(|batch| u64::from(batch.uncompressed_size)).sum::<u64>()
                <= self.translator.counted(),
            "more was written than was counted"
        );
        let accepted_points = batches.iter().map(|batch| u64::from(batch.points)).sum();
        Ok(Acceptance { batches, accepted_points, rejections })
    }

    /// What `accept` has to remember from payload to payload; empty if the configuration keeps nothing.
    pub fn snapshot(&self) -> Vec<u8> {
        self.translator.totals().map(Accumulator::snapshot).unwrap_or_default()
    }

    /// Takes over what [`snapshot`](Self::snapshot) returned. `is_current` says that nothing was
    /// accepted since.
    ///
    /// # Errors
    ///
    /// What cannot be read, or is not for this configuration. Nothing has changed then.
    pub fn restore(&mut self, state: &[u8], is_current: bool) -> Result<(), String> {
        match self.translator.totals_mut() {
            Some(totals) => totals.restore(state, is_current),
            None if state.is_empty() => Ok(()),
            None => Err("this configuration keeps no state: set delta to accumulate".to_owned()),
        }
    }

    /// Joins batches of one partition, in order, into as few as the limits allow.
    ///
    /// # Errors
    ///
    /// Batches that do not belong together or are not this exporter's.
    pub fn merge(&self, batches: Vec<Batch>) -> Result<Vec<Batch>, BatchError> {
        batch::merge(batches, self.config.max_batch_size_bytes, &mut batch::Packer::new(self.config.digest))
    }

    /// Cuts a batch into two of nearly equal numbers of series.
    ///
    /// # Errors
    ///
    /// A single series, or a body that is not this exporter's.
    pub fn halve(&self, batch: &Batch) -> Result<(Batch, Batch), BatchError> {
        batch::halve(batch, &mut batch::Packer::new(self.config.digest))
    }

    /// Takes the samples older than `oldest` out of a batch.
    ///
    /// # Errors
    ///
    /// A body that is not this exporter's.
    pub fn prune(&self, batch: Batch, oldest: SampleTime) -> Result<Pruned, BatchError> {
        batch::prune(batch, oldest, &mut batch::Packer::new(self.config.digest))
    }

    /// Makes the request head for a batch, signed if the configuration asks for it.
    ///
    /// # Errors
    ///
    /// A key that is missing, malformed, or of another scope.
    pub fn sign(
        &self,
        digest: &[u8],
        protocol: Protocol,
        now: Instant,
        key: Option<&SigningKey>,
    ) -> Result<Request, SignError> {
        sigv4::sign(&self.config, digest, protocol, now, key)
    }

    /// Says what the answer to what was sent means.
    pub fn judge(&self, sent: &Sent, response: &Response, attempt: u32, now: Instant) -> Verdict {
        judge::judge(&self.config, sent, response, attempt, now)
    }

    /// A request that any receiver answers, with its time in the field `date`.
    pub(crate) fn time_request(&self) -> Request {
        let host = Header { name: "host".to_owned(), value: self.config.endpoint.host.clone() };
        Request { method: "GET".into(), url: self.config.endpoint.url.clone(), headers: vec![host] }
    }

    /// The region and the service that requests are signed for; `None` if they are not signed.
    pub fn signing_scope(&self) -> Option<(&str, &str)> {
        self.config.sigv4.as_ref().map(|scope| (&*scope.region, &*scope.service))
    }

    /// Writes a batch of remote write 2.0 as batches of 1.0.
    ///
    /// # Errors
    ///
    /// A batch of 1.0, or a body that is not this exporter's.
    pub fn downgrade(&self, batch: &Batch) -> Result<Vec<Batch>, BatchError> {
        let limit = self.config.max_batch_size_bytes;
        batch::downgrade(batch, limit, &mut batch::Packer::new(self.config.digest))
    }

    /// Shows a batch to people, as text.
    ///
    /// # Errors
    ///
    /// A body that is not this exporter's.
    pub fn explain(&self, batch: &Batch) -> Result<String, BatchError> {
        batch::explain(batch)
    }

    /// Shows a batch to programs, as JSON Lines.
    ///
    /// # Errors
    ///
    /// A body that is not this exporter's.
    pub fn inspect(&self, batch: &Batch) -> Result<String, BatchError> {
        batch::inspect(batch)
    }
}
