//! What the passages of an exporter know of the way to its receiver.

use super::KeyRequest;
use crate::Exporter;
use crate::sigv4::Timestamp;
use crate::translate::identity;
use preamp_contract::{Instant, NANOS_PER_MILLI, Response, SigningKey};
use preamp_deliver::{Moment, Receiver};

/// What was learnt from earlier requests: it spares the next payload the same failures. It lives as long as the exporter.
#[derive(Default)]
pub struct Route {
    pub(super) receiver: Receiver,
    pub(super) key: Option<SigningKey>,
    /// Whether the receiver refused the last key.
    is_key_refused: bool,
    /// What is added to the local clock when signing, in milliseconds.
    pub(super) signing_offset_ms: i64,
    /// What the receiver's clock is ahead of the local one, in milliseconds; `None` until an answer bears its time.
    receiver_offset_ms: Option<i64>,
    /// Whether the receiver has answered, with its time or without.
    has_answered: bool,
}

/// A local clock that is off by more than this many milliseconds is not believed.
const CLOCK_OFF_MS: u64 = 5 * 60 * 1_000;

impl Route {
    /// The time of a delivery. The local clock stands in for one that never goes back: a pause that it lengthens or
    /// shortens is a pause of this payload alone.
    pub(super) fn moment(&self, now: Instant) -> Moment {
        let now = now / NANOS_PER_MILLI;
        let local = i64::try_from(now).unwrap_or(i64::MAX);
        Moment { now, receiver_now: self.receiver_offset_ms.map(|offset| local.saturating_add(offset)) }
    }

    /// The time by which points are too old or of the future: the local one, or the receiver's if that is far from it.
    pub(super) fn accepting_now(&self, now: Instant) -> Instant {
        match self.receiver_offset_ms {
            Some(offset) if offset.unsigned_abs() > CLOCK_OFF_MS => {
                now.saturating_add_signed(offset.saturating_mul(NANOS_PER_MILLI as i64))
            }
            _ => now,
        }
    }

    /// Whether the receiver has not confirmed the local clock yet.
    pub(super) fn is_time_unknown(&self) -> bool {
        !self.has_answered
    }

    /// Notes the time that an answer bears.
    pub(super) fn heard(&mut self, response: &Response, now: Instant) {
        self.has_answered |= response.status != 0;
        let date = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("date"));
        let date = date.and_then(|date| httpdate::parse_http_date(&date.value).ok());
        let date = date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
        if let Some(date) = date.and_then(|date| i64::try_from(date.as_millis()).ok()) {
            let local = i64::try_from(now / NANOS_PER_MILLI).unwrap_or(i64::MAX);
            self.receiver_offset_ms = Some(date.saturating_sub(local));
        }
    }

    pub(super) fn key_request(&self, exporter: &Exporter, signing_now: Instant) -> KeyRequest {
        let (region, service) = exporter.signing_scope().unwrap_or_default();
        let date = Timestamp::new(signing_now).date().to_owned();
        KeyRequest {
            date,
            region: region.to_owned(),
            service: service.to_owned(),
            is_refused: self.is_key_refused,
        }
    }

    pub(super) fn take_key(&mut self, key: SigningKey) {
        self.key = Some(key);
        self.is_key_refused = false;
    }

    pub(super) fn refuse_key(&mut self) {
        self.key = None;
        self.is_key_refused = true;
    }
}

/// A number from 0 to 1 that differs from call to call as the time does: pauses of many instances that failed together
/// are not to end together.
pub(super) fn jitter(now: Instant) -> f64 {
    (identity::label(now, !now) >> 11) as f64 / (1_u64 << 53) as f64
}
