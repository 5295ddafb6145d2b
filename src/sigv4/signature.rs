//! The string to sign, the signature and the Authorization field (AWS IAM user guide, "Create a
//! signed AWS API request", steps 2 to 5).

use super::canonical::{Canonical, PathRules, Signable};
use hmac::{Hmac, KeyInit, Mac};
use preamp_contract::{Instant, SigningKey};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";

/// The time of a signature, `YYYYMMDDTHHMMSSZ`, as it stands in X-Amz-Date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp(String);

impl Timestamp {
    /// The timestamp of an instant; fractions of a second are dropped.
    pub fn new(now: Instant) -> Timestamp {
        // All of u64 fits: its end lies in the year 2554.
        let time = OffsetDateTime::UNIX_EPOCH + Duration::seconds((now / 1_000_000_000) as i64);
        let (date, (hour, minute, second)) = (time.date(), time.to_hms());
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        Timestamp(format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"))
    }

    /// Date and time, `YYYYMMDDTHHMMSSZ`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The UTC date, `YYYYMMDD`, for which the signing key must be derived.
    pub fn date(&self) -> &str {
        self.0.split('T').next().unwrap_or_default()
    }
}

/// A signature with the texts it was made from, by which a mismatch can be traced. Not for `Debug`:
/// a session token stands in the canonical request.
pub struct Signature {
    /// Step 1.
    pub canonical_request: String,
    /// Step 2.
    pub string_to_sign: String,
    /// Step 4, in hex.
    pub hex: String,
    /// Step 5: the value of the Authorization field.
    pub authorization: String,
}

impl Signature {
    /// Signs a request. `key` must be of the date of `timestamp`, and the X-Amz-Date field among
    /// the request's must hold `timestamp`, or AWS refuses the signature.
    pub fn new(request: &Signable, rules: PathRules, key: &SigningKey, timestamp: &Timestamp) -> Signature {
        let Canonical { text: canonical_request, signed_headers } = Canonical::new(request, rules);
        let scope = [timestamp.date(), &key.region, &key.service, TERMINATOR].join("/");
        let canonical_hash = hex::encode(Sha256::digest(&canonical_request));
        let string_to_sign = [ALGORITHM, timestamp.as_str(), &scope, &canonical_hash].join("\n");
        let hex = hex::encode(hmac_sha256(&key.derived_key, &string_to_sign));
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={hex}",
            key.access_key_id
        );
        Signature { canonical_request, string_to_sign, hex, authorization }
    }
}

/// Derives the key that signs for one date, region and service (step 3).
///
/// The exporter never sees a secret; this is for programs that hold one, and for tests. `date` is
/// `YYYYMMDD`, in UTC.
pub fn derive_key(secret: &str, date: &str, region: &str, service: &str) -> [u8; 32] {
    let date_key = hmac_sha256(["AWS4", secret].concat().as_bytes(), date);
    let region_key = hmac_sha256(&date_key, region);
    let service_key = hmac_sha256(&region_key, service);
    hmac_sha256(&service_key, TERMINATOR)
}

fn hmac_sha256(key: &[u8], message: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_utc_to_the_second() {
        for (now, text) in [
            (0, "19700101T000000Z"),
            (1_768_521_599_999_999_999, "20260115T235959Z"),
            (1_768_521_600_000_000_000, "20260116T000000Z"),
            (1_709_164_800_000_000_000, "20240229T000000Z"),
            (u64::MAX, "25540721T233433Z"),
        ] {
            assert_eq!(Timestamp::new(now).as_str(), text);
            assert_eq!(Timestamp::new(now).date(), &text[..8]);
        }
    }
}
