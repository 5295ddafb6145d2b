//! The signing key of the contract, guarded.

use super::bindings::exports::preamp::exporter::remote_write as contract;
use std::fmt;
use zeroize::Zeroize;

/// A key that signs requests of one date, region and service (AWS Signature Version 4, "Derive a
/// signing key"). Neither the key nor the session token shows in `Debug`, and both are wiped from
/// memory when the value is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(contract::SigningKey);

impl SigningKey {
    /// A key derived for `date` (UTC, `YYYYMMDD`), `region` and `service`.
    pub fn new(
        access_key_id: impl Into<String>,
        session_token: Option<String>,
        derived_key: [u8; 32],
        date: impl Into<String>,
        region: impl Into<String>,
        service: impl Into<String>,
    ) -> SigningKey {
        SigningKey(contract::SigningKey {
            access_key_id: access_key_id.into(),
            session_token,
            derived_key: derived_key.to_vec(),
            date: date.into(),
            region: region.into(),
            service: service.into(),
        })
    }

    /// The access key id, which is no secret.
    pub fn access_key_id(&self) -> &str {
        &self.0.access_key_id
    }

    /// The UTC date the key is good for, `YYYYMMDD`.
    pub fn date(&self) -> &str {
        &self.0.date
    }

    /// The key as the component takes it.
    pub(super) fn as_contract(&self) -> &contract::SigningKey {
        &self.0
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.derived_key.zeroize();
        self.0.session_token.zeroize();
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("access_key_id", &self.0.access_key_id)
            .field("date", &self.0.date)
            .field("region", &self.0.region)
            .field("service", &self.0.service)
            .finish_non_exhaustive()
    }
}
