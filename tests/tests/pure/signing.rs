//! Signing against signers that are not ours: the test suite of AWS, and botocore.

mod botocore;
mod conformance;
mod random;
mod suite;

use preamp_core::types::SigningKey;

/// What a test signs with; a program that holds such a secret never shows it.
struct Credentials {
    access_key_id: String,
    secret: String,
    token: Option<String>,
    region: String,
    service: String,
}

impl Credentials {
    /// The key for a UTC date, `YYYYMMDD`.
    fn key(&self, date: &str) -> SigningKey {
        SigningKey {
            access_key_id: self.access_key_id.clone(),
            session_token: self.token.clone().map(Into::into),
            derived_key: preamp_core::sigv4::derive_key(&self.secret, date, &self.region, &self.service)
                .to_vec()
                .into(),
            date: date.to_owned(),
            region: self.region.clone(),
            service: self.service.clone(),
        }
    }
}
