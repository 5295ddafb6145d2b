//! Pauses between attempts, and the two clocks: the local one and the receiver's.

use super::answer::header;
use crate::config::Backoff;
use preamp_contract::{Instant, NANOS_PER_MILLI, Response};
use std::time::UNIX_EPOCH;

/// A receiver's Retry-After is followed up to this, so that a slip of the receiver cannot halt
/// delivery for good.
const RETRY_AFTER_MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// AWS takes signatures whose time is off by five minutes; from four on, the clock is suspected.
const SKEW_MIN_MS: u64 = 4 * 60 * 1000;

/// The pause before the next attempt, in milliseconds, without jitter.
pub(super) fn backoff(backoff: Backoff, attempt: u32) -> u64 {
    let growths = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let pause = backoff.initial_ms as f64 * backoff.multiplier.powi(growths);
    // Also for an infinite pause: conversion saturates.
    (pause as u64).min(backoff.max_ms)
}

/// The Retry-After field (RFC 9110, section 10.2.3) in milliseconds from now; 0 if there is none
/// that can be read, or its date is past.
pub(super) fn retry_after(response: &Response, now: Instant) -> u64 {
    let Some(value) = header(response, "retry-after") else {
        return 0;
    };
    let pause = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // Digits that do not fit are a very long time.
        value.parse::<u64>().map_or(u64::MAX, |seconds| seconds.saturating_mul(1000))
    } else {
        http_date_ms(value).map_or(0, |date| date.saturating_sub(now / NANOS_PER_MILLI))
    };
    pause.min(RETRY_AFTER_MAX_MS)
}

/// How far the receiver's clock is ahead of the local one, in milliseconds, if it is so far off,
/// ahead or behind, that signatures can fail.
pub(super) fn clock_skew(response: &Response, now: Instant) -> Option<i64> {
    let theirs = http_date_ms(header(response, "date")?)?;
    let ours = now / NANOS_PER_MILLI;
    if theirs.abs_diff(ours) < SKEW_MIN_MS {
        return None;
    }
    i64::try_from(i128::from(theirs) - i128::from(ours)).ok()
}

/// An HTTP-date (RFC 9110, section 5.6.7) in milliseconds since the Unix epoch.
fn http_date_ms(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text).ok()?;
    u64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}
