//! Credentials that are known beforehand, for the demo and for tests.

use std::fmt;
use std::sync::Mutex;

use super::{Credentials, CredentialsSource, Fetch};

/// Gives the credentials it holds, which can be exchanged while it is in use.
pub struct Fixed {
    current: Mutex<Credentials>,
}

impl Fixed {
    /// Gives `credentials` until they are exchanged.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self { current: Mutex::new(credentials) }
    }

    /// Gives `credentials` from the next fetch on.
    pub fn exchange(&self, credentials: Credentials) {
        *self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = credentials;
    }
}

impl CredentialsSource for Fixed {
    fn fetch(&self) -> Fetch<'_> {
        let current = self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        Box::pin(std::future::ready(Ok(current)))
    }
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixed").finish_non_exhaustive()
    }
}
