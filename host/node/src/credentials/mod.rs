//! AWS credentials: where they come from, and the signing keys derived from them.
//!
//! The secret access key stays in this module. What leaves it is a key derived for one date, region
//! and service, which is all that the component needs to sign.

#[cfg(feature = "aws")]
mod aws;
mod derive;
mod fixed;
mod keys;
mod words;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

#[cfg(feature = "aws")]
pub use aws::{Aws, Identity, ResolvedCredentials};
pub use fixed::Fixed;
pub use keys::{IssuedKey, SigningKeys};
use preamp_base::Secret;
pub use words::{in_words, masked};

/// What AWS gives a caller to sign with. `Debug` shows neither the secret key nor the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id; not a secret.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token, which temporary credentials have.
    pub session_token: Option<Secret>,
    /// When they end: nanoseconds since the Unix epoch; `None` if they do not.
    pub expires: Option<u64>,
}

/// Why there are no credentials: what is missing where, and what to do about it. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct CredentialsError {
    /// What is missing or wrong, and where.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// A fetch in progress.
pub type Fetch<'a> = Pin<Box<dyn Future<Output = Result<Credentials, CredentialsError>> + Send + 'a>>;

/// A place credentials come from. It is asked at the first send, before credentials end, and when
/// the receiver refuses them, so a source needs no cache and no timer of its own.
pub trait CredentialsSource: Send + Sync {
    /// Fetches the current credentials.
    fn fetch(&self) -> Fetch<'_>;
}

impl<S: CredentialsSource + ?Sized> CredentialsSource for Arc<S> {
    fn fetch(&self) -> Fetch<'_> {
        self.as_ref().fetch()
    }
}

fn none_given() -> CredentialsError {
    CredentialsError {
        problem: "the source of AWS credentials gave none".to_owned(),
        remedy: "check where credentials come from".to_owned(),
    }
}
