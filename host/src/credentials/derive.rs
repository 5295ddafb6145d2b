//! From credentials to signing keys: AWS Signature Version 4, "Derive a signing key".

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{Credentials, CredentialsError, CredentialsSource, Secret, nanos, none_given};
use crate::component::SigningKey;

/// Credentials are renewed this long before they end, so that a batch signed now does not meet
/// their end while it is on its way.
const RENEW_BEFORE_END: Duration = Duration::from_secs(5 * 60);

/// After a failed renewal the old credentials serve this long before the source is asked again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// A signing key, and which fetch of credentials it stems from.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key the component signs with.
    pub key: SigningKey,
    /// Counts the fetches of credentials; [`SigningKeys::refresh`] wants it back.
    pub generation: u64,
}

/// Keeps the credentials of one source and the key derived from them, for one region and service.
/// Shared by all partitions, which therefore fetch and derive once, not once each.
pub struct SigningKeys {
    source: Box<dyn CredentialsSource>,
    region: String,
    service: String,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    credentials: Option<Credentials>,
    /// Counts successful fetches.
    generation: u64,
    issued: Option<Arc<IssuedKey>>,
    /// No renewal before this instant, after one failed.
    renewal_not_before: u64,
}

impl SigningKeys {
    /// Derives keys for `region` and `service` from what `source` gives. Fetches nothing yet.
    #[must_use]
    pub fn new(source: Box<dyn CredentialsSource>, region: String, service: String) -> Self {
        Self { source, region, service, held: Mutex::default() }
    }

    /// The AWS region the keys are for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The AWS service the keys are for.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The key to sign with at `now`, in nanoseconds since the Unix epoch on the receiver's clock.
    ///
    /// Asks the source only when there are no credentials, or when those there are near their end;
    /// if that fails while they still hold, they are used.
    ///
    /// # Errors
    /// When the source gives no credentials, with its reason.
    pub async fn key(&self, now: u64) -> Result<Arc<IssuedKey>, CredentialsError> {
        let mut held = self.held.lock().await;
        match held.state(now) {
            State::Fresh => {}
            State::Renew => {
                if let Err(error) = self.fetch(&mut held).await {
                    tracing::warn!(%error, "cannot renew AWS credentials, the old ones still hold");
                    held.renewal_not_before = now.saturating_add(nanos(RENEWAL_PAUSE));
                }
            }
            State::Missing => self.fetch(&mut held).await?,
        }
        let date = utc_date(now);
        if let Some(issued) = held.issued.as_ref().filter(|issued| issued.key.date() == date) {
            return Ok(Arc::clone(issued));
        }
        let Some(credentials) = &held.credentials else { return Err(none_given()) };
        let derived = derive(&credentials.secret_access_key, &date, &self.region, &self.service);
        let key = SigningKey::new(
            credentials.access_key_id.as_str(),
            credentials.session_token.as_ref().map(|token| token.expose().to_owned()),
            *derived,
            date,
            self.region.as_str(),
            self.service.as_str(),
        );
        let issued = Arc::new(IssuedKey { key, generation: held.generation });
        held.issued = Some(Arc::clone(&issued));
        Ok(issued)
    }

    /// Fetches anew because the receiver refused a key of `generation`. Does nothing when newer
    /// credentials are there already: many partitions learn of an expired token at the same time.
    ///
    /// # Errors
    /// When the source gives no credentials, with its reason; the old ones stay.
    pub async fn refresh(&self, generation: u64) -> Result<(), CredentialsError> {
        let mut held = self.held.lock().await;
        if held.generation > generation { Ok(()) } else { self.fetch(&mut held).await }
    }

    async fn fetch(&self, held: &mut Held) -> Result<(), CredentialsError> {
        let credentials = self.source.fetch().await?;
        held.credentials = Some(credentials);
        held.generation += 1;
        held.issued = None;
        held.renewal_not_before = 0;
        Ok(())
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys")
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

enum State {
    Fresh,
    Renew,
    Missing,
}

impl Held {
    fn state(&self, now: u64) -> State {
        let Some(credentials) = &self.credentials else { return State::Missing };
        match credentials.expires {
            Some(end) if end <= now => State::Missing,
            Some(end) if end - now <= nanos(RENEW_BEFORE_END) && now >= self.renewal_not_before => {
                State::Renew
            }
            _ => State::Fresh,
        }
    }
}

/// The UTC date of `now` as `YYYYMMDD`.
fn utc_date(now: u64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(now))
        .ok()
        .map(|instant| instant.to_offset(UtcOffset::UTC))
        .and_then(|instant| instant.format(format_description!("[year][month][day]")).ok())
        .unwrap_or_default()
}

fn derive(secret: &Secret, date: &str, region: &str, service: &str) -> Zeroizing<[u8; 32]> {
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
mod tests;
