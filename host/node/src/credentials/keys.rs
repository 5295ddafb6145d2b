//! The signing keys of one exporter: credentials are fetched, renewed before their end, and exchanged
//! when the receiver refuses them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::derive::{derive, utc_date};
use super::{Credentials, CredentialsError, CredentialsSource};
use preamp_base::clock::nanos;
use preamp_contract::SigningKey;

/// Credentials are renewed between these times before they end, each process at another, so that a
/// batch signed now does not meet their end while it is on its way.
const RENEW_BEFORE_END: [Duration; 2] = [Duration::from_secs(5 * 60), Duration::from_secs(10 * 60)];

/// After a failed renewal the old credentials serve this long before the source is asked again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// No source needs longer: what does not answer by then is asked again later.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest pause before credentials that were refused are tried again, if the source has no others.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// A signing key, and which fetch of credentials it stems from.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key the component signs with.
    pub key: SigningKey,
    /// Counts the fetches of credentials; [`SigningKeys::refused`] wants it back.
    pub generation: u64,
}

/// Keeps the credentials of one source and the key derived from them, for one region and service.
/// Shared by all partitions, which therefore fetch and derive once, not once each.
#[derive(Clone)]
pub struct SigningKeys(Arc<Shared>);

struct Shared {
    source: Box<dyn CredentialsSource>,
    /// How long the source may take.
    timeout: Duration,
    region: String,
    service: String,
    held: Mutex<Held>,
    /// Held while the source is asked, which may take long: why it gave nothing the last time, if so.
    fetching: tokio::sync::Mutex<Option<CredentialsError>>,
}

#[derive(Default)]
struct Held {
    credentials: Option<Credentials>,
    /// Counts successful fetches.
    generation: u64,
    issued: Option<Arc<IssuedKey>>,
    /// When to renew, in nanoseconds since the Unix epoch.
    renew_at: Option<u64>,
    renewing: bool,
    refused: Option<Refused>,
    /// Counts the times that the source answered or did not.
    attempts: u64,
}

/// The receiver refused the credentials that are held.
#[derive(Clone, Copy)]
struct Refused {
    /// Of which generation they are.
    generation: u64,
    /// How many times in a row the same ones were refused.
    times: u32,
    /// Not to be used again before this instant, unless the source has others.
    until: u64,
}

impl SigningKeys {
    /// Derives keys for `region` and `service` from what `source` gives. Fetches nothing yet.
    #[must_use]
    pub fn new(source: Box<dyn CredentialsSource>, region: String, service: String) -> Self {
        Self::waiting(FETCH_TIMEOUT, source, region, service)
    }

    fn waiting(
        timeout: Duration,
        source: Box<dyn CredentialsSource>,
        region: String,
        service: String,
    ) -> Self {
        let (held, fetching) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Shared { source, timeout, region, service, held, fetching }))
    }

    /// The AWS region the keys are for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.0.region
    }

    /// The AWS service the keys are for.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.0.service
    }

    /// The key to sign with at `now`, in nanoseconds since the Unix epoch on the receiver's clock.
    ///
    /// Waits for the source only when there are no credentials that can be used. Those near their end
    /// are renewed meanwhile, and serve to their end if that fails. Those that were refused are not
    /// used again before the source was asked for others.
    ///
    /// # Errors
    /// When the source gives no credentials that can be used, with the reason.
    pub async fn key(&self, now: u64) -> Result<Arc<IssuedKey>, CredentialsError> {
        let (state, attempts) = self.0.state(now);
        match state {
            State::Fresh => {}
            State::Renew => self.renew_meanwhile(attempts, now),
            State::Missing => self.0.fetch_unless_done(attempts, now).await?,
        }
        self.0.issue(now).ok_or_else(super::none_given)
    }

    /// Tells that the receiver refused a key of `generation` at `now`. Many partitions learn that at the
    /// same time; all but the first change nothing.
    pub fn refused(&self, generation: u64, now: u64) {
        let mut held = self.0.held();
        if held.generation != generation {
            return;
        }
        let times = match held.refused {
            Some(refused) if refused.generation == generation => return,
            Some(refused) => refused.times.saturating_add(1),
            None => 1,
        };
        // The first time it may have been a mistake of the receiver.
        let seconds = if times == 1 { 0 } else { 2u64.saturating_pow(times.min(32) - 2) };
        let pause = Duration::from_secs(seconds).min(REFUSED_PAUSE);
        held.refused = Some(Refused { generation, times, until: now.saturating_add(nanos(pause)) });
    }

    fn renew_meanwhile(&self, attempts: u64, now: u64) {
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let renewed = shared.fetch_unless_done(attempts, now).await;
            let mut held = shared.held();
            held.renewing = false;
            if let Err(error) = renewed {
                tracing::warn!(%error, "cannot renew AWS credentials, the old ones still hold");
                held.renew_at = Some(now.saturating_add(nanos(RENEWAL_PAUSE)));
            }
        });
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while it is held; if something did, the values would still be whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What must be done before there is a key, and how many times the source was asked so far.
    fn state(&self, now: u64) -> (State, u64) {
        let mut held = self.held();
        let state = held.state(now);
        held.renewing |= matches!(state, State::Renew);
        (state, held.attempts)
    }

    /// Asks the source, unless somebody else did since it had been asked `attempts` times.
    async fn fetch_unless_done(&self, attempts: u64, now: u64) -> Result<(), CredentialsError> {
        let mut failure = self.fetching.lock().await;
        if self.held().attempts > attempts {
            return failure.clone().map_or(Ok(()), Err);
        }
        let given = tokio::time::timeout(self.timeout, self.source.fetch()).await;
        let mut held = self.held();
        held.attempts += 1;
        let taken = match given {
            Ok(given) => given.and_then(|credentials| held.take(credentials, now)),
            Err(_elapsed) => Err(CredentialsError {
                problem: format!("no AWS credentials within {} ms", self.timeout.as_millis()),
                remedy: "check what should give them: the endpoint of an instance or a container, STS, or a \
                         program"
                    .to_owned(),
            }),
        };
        *failure = taken.as_ref().err().cloned();
        taken
    }

    /// The key of this day from the credentials that are held, if any are.
    fn issue(&self, now: u64) -> Option<Arc<IssuedKey>> {
        let mut held = self.held();
        let date = utc_date(now);
        if let Some(issued) = held.issued.as_ref().filter(|issued| issued.key.date == date) {
            return Some(Arc::clone(issued));
        }
        let credentials = held.credentials.as_ref()?;
        let derived = derive(&credentials.secret_access_key, &date, &self.region, &self.service);
        let key = SigningKey {
            access_key_id: credentials.access_key_id.clone(),
            session_token: credentials.session_token.as_ref().map(|token| token.expose().to_owned().into()),
            derived_key: derived.to_vec().into(),
            date,
            region: self.region.clone(),
            service: self.service.clone(),
        };
        let issued = Arc::new(IssuedKey { key, generation: held.generation });
        held.issued = Some(Arc::clone(&issued));
        Some(issued)
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys")
            .field("region", &self.0.region)
            .field("service", &self.0.service)
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
        let is_over = credentials.expires.is_some_and(|end| end <= now);
        let is_refused = self.refused.is_some_and(|refused| refused.generation == self.generation);
        if is_over || is_refused {
            State::Missing
        } else if !self.renewing && self.renew_at.is_some_and(|at| at <= now) {
            State::Renew
        } else {
            State::Fresh
        }
    }

    /// Keeps what the source gave, if it can be used.
    fn take(&mut self, credentials: Credentials, now: u64) -> Result<(), CredentialsError> {
        if credentials.expires.is_some_and(|end| end <= now) {
            return Err(CredentialsError {
                problem: format!(
                    "the AWS credentials of {} are past their end already",
                    credentials.access_key_id
                ),
                remedy: "renew them where they come from, and check this machine's clock".to_owned(),
            });
        }
        if self.credentials.as_ref() != Some(&credentials) {
            self.refused = None;
        } else if self.refused.is_some_and(|refused| now < refused.until) {
            return Err(CredentialsError {
                problem: format!(
                    "the receiver refused the AWS credentials of {}, and their source has no others",
                    credentials.access_key_id
                ),
                remedy: "renew them where they come from; see above what the receiver said".to_owned(),
            });
        }
        self.renew_at = credentials.expires.map(|end| end - before_end(end - now));
        self.credentials = Some(credentials);
        self.generation += 1;
        self.issued = None;
        Ok(())
    }
}

/// How long before their end credentials that hold for another `left` nanoseconds are renewed. Those of an
/// instance are handed out until shortly before their end, so it is never more than half of what is left.
fn before_end(left: u64) -> u64 {
    let [least, most] = RENEW_BEFORE_END.map(nanos);
    fastrand::u64(least..=most).min(left / 2)
}

#[cfg(test)]
mod tests;
