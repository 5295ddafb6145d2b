//! From a secret key to a signing key: AWS Signature Version 4, "Derive a signing key".

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use zeroize::Zeroizing;

use super::Secret;

/// The UTC date of `now` as `YYYYMMDD`.
pub(super) fn utc_date(now: u64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(now))
        .ok()
        .map(|instant| instant.to_offset(UtcOffset::UTC))
        .and_then(|instant| instant.format(format_description!("[year][month][day]")).ok())
        .unwrap_or_default()
}

/// The key for one date, region and service.
pub(super) fn derive(secret: &Secret, date: &str, region: &str, service: &str) -> Zeroizing<[u8; 32]> {
    let start = Zeroizing::new(format!("AWS4{}", secret.expose()));
    let mut key = mac(start.as_bytes(), date);
    for part in [region, service, "aws4_request"] {
        key = mac(key.as_slice(), part);
    }
    key
}

fn mac(key: &[u8], message: &str) -> Zeroizing<[u8; 32]> {
    // HMAC takes keys of any length (RFC 2104), so this cannot fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!());
    mac.update(message.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::{Secret, derive, utc_date};

    /// 2026-01-15T23:59:30Z, the instant of the golden vector.
    const GOLDEN_NOW: u64 = 1_768_521_570 * 1_000_000_000;
    const GOLDEN_KEY: &str = "ba26c1617434821fb537702bb495416742188c2fd344066b3790ce84b17c881b";

    #[test]
    fn the_golden_key_is_derived() {
        // The secret key of the public SigV4 test suite.
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
        let key = derive(&secret, &utc_date(GOLDEN_NOW), "eu-west-1", "aps");
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN_KEY);
    }
}
