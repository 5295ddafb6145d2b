//! Who may send: senders show a token or a password before anything of their request is read.
//!
//! What is good is kept as hashes keyed by a number of this process' own, and compared as such: how long it takes
//! tells nothing, and memory holds nothing that could be shown elsewhere.

mod passwords;
mod tokens;

use arc_swap::ArcSwap;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use passwords::Passwords;
use preamp_answer::{Code, Failure};
use preamp_base::LogLimiter;
use preamp_base::files::{self, FileError};
use preamp_config::{Proof, Tokens};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokens::GoodTokens;

/// How often it is looked whether a file has changed.
const LOOK: Duration = Duration::from_secs(5);

/// Why it cannot be told who may send.
#[derive(Debug, thiserror::Error)]
pub enum SendersError {
    /// A file cannot be read.
    #[error("{} {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: FileError,
    },
    /// There is something in it, or in the configuration, that cannot be used.
    #[error("{place}: {problem}")]
    Contents {
        /// The file, or the key.
        place: String,
        /// What is wrong, and what helps; never what it holds.
        problem: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// Those who may send to a receiver.
pub(crate) struct Senders {
    extension: String,
    header: HeaderName,
    challenge: HeaderValue,
    source: Proof,
    hasher: Hasher,
    good: ArcSwap<Good>,
    log_limiter: LogLimiter,
}

/// What is good now.
struct Good {
    proofs: Proofs,
    /// The hash of the file that it was read from.
    stamp: Hash,
}

enum Proofs {
    Tokens(GoodTokens),
    Passwords(Passwords),
}

type Hash = [u8; 32];

/// Hashes by a key that nobody knows.
#[derive(Clone)]
struct Hasher([u8; 32]);

impl Hasher {
    fn new() -> Result<Self, SendersError> {
        let mut key = [0; 32];
        let provider = rustls::crypto::ring::default_provider();
        provider.secure_random.fill(&mut key).map_err(|_| SendersError::Random)?;
        Ok(Hasher(key))
    }

    fn hash(&self, parts: &[&[u8]]) -> Hash {
        let mut digest = Sha256::new_with_prefix(self.0);
        parts.iter().for_each(|part| digest.update(part));
        digest.finalize().into()
    }
}

impl Senders {
    /// Reads what is good.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or used.
    pub(crate) fn read(settings: &preamp_config::Senders) -> Result<Arc<Self>, SendersError> {
        let hasher = Hasher::new()?;
        let source = settings.proof.clone();
        let good = ArcSwap::from_pointee(read(&source, &hasher)?);
        let (header, challenge) = match &source {
            // Both were looked at when the configuration was read.
            Proof::Token { header, scheme, .. } => {
                (header.parse().unwrap_or(AUTHORIZATION), challenge(scheme))
            }
            Proof::Password { .. } => (AUTHORIZATION, challenge(passwords::SCHEME)),
        };
        let extension = settings.extension.clone();
        Ok(Arc::new(Senders {
            extension,
            header,
            challenge,
            source,
            hasher,
            good,
            log_limiter: LogLimiter::default(),
        }))
    }

    /// Looks from now on whether the file has changed, as long as this is in use.
    pub(crate) fn keep_up(self: &Arc<Self>) {
        if self.file().is_some() {
            tokio::spawn(keep_up(Arc::downgrade(self)));
        }
    }

    /// Whether a request with these fields may be sent.
    ///
    /// # Errors
    ///
    /// What the sender is told.
    pub(super) fn allow(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let shown = headers.get(&self.header).map(HeaderValue::as_bytes);
        let is_good = shown.is_some_and(|shown| match (&self.good.load().proofs, &self.source) {
            (Proofs::Tokens(tokens), Proof::Token { scheme, .. }) => {
                tokens.contain(shown, scheme.as_bytes(), &self.hasher)
            }
            (Proofs::Passwords(passwords), _) => passwords.contain(shown, &self.hasher),
            (Proofs::Tokens(_), Proof::Password { .. }) => false,
        });
        if is_good {
            return Ok(());
        }
        let Senders { extension, header, .. } = self;
        let problem = if shown.is_some() { "does not hold what is asked for" } else { "is missing" };
        if let Some(suppressed) = self.log_limiter.allow(problem, 1) {
            tracing::warn!(
                extension,
                header = header.as_str(),
                suppressed,
                "a request was refused, since it does not say who sends it (the field {problem}): configure the sender \
                 with a token or password that the extension knows"
            );
        }
        let message =
            format!("not authenticated: the field {header} {problem} (the receiver's extension {extension})");
        Err(Failure::new(Code::Unauthenticated, message))
    }

    /// What the field `WWW-Authenticate` of an answer says.
    pub(super) fn challenge(&self) -> HeaderValue {
        self.challenge.clone()
    }

    fn file(&self) -> Option<&Path> {
        match &self.source {
            Proof::Token { tokens: Tokens::File(path), .. } => Some(path),
            Proof::Password { file, .. } => file.as_deref(),
            Proof::Token { .. } => None,
        }
    }

    /// Reads the file again if it has changed. What cannot be used leaves everything as it was.
    fn look(&self) {
        match read(&self.source, &self.hasher) {
            Ok(good) if good.stamp == self.good.load().stamp => {}
            Ok(good) => {
                self.good.store(Arc::new(good));
                tracing::info!(extension = self.extension, "who may send was read again and is in use");
            }
            Err(error) => {
                if let Some(suppressed) = self.log_limiter.allow("file", 1) {
                    tracing::warn!(
                        extension = self.extension,
                        %error,
                        suppressed,
                        "who may send could not be read again, and is as it was"
                    );
                }
            }
        }
    }
}

async fn keep_up(senders: Weak<Senders>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(senders) = senders.upgrade() else { return };
        // Files may be on the network, and not answer. What went wrong in there was logged.
        let _looked = tokio::task::spawn_blocking(move || senders.look()).await;
    }
}

fn read(source: &Proof, hasher: &Hasher) -> Result<Good, SendersError> {
    match source {
        Proof::Token { tokens: Tokens::Given(tokens), .. } => {
            let tokens = GoodTokens::new(tokens.iter().map(|token| token.expose()), hasher);
            Ok(Good { proofs: Proofs::Tokens(tokens), stamp: Hash::default() })
        }
        Proof::Token { tokens: Tokens::File(path), .. } => {
            let text = read_file(path)?;
            let tokens = GoodTokens::new(text.lines(), hasher);
            if tokens.is_empty() {
                let problem = "no token in it: write one on each line".to_owned();
                return Err(SendersError::Contents { place: path.display().to_string(), problem });
            }
            Ok(Good { proofs: Proofs::Tokens(tokens), stamp: hasher.hash(&[text.as_bytes()]) })
        }
        Proof::Password { file, inline } => {
            let text = file.as_deref().map(read_file).transpose()?.unwrap_or_default();
            let mut passwords = Passwords::default();
            if let Some(path) = file {
                passwords.read(&text, &path.display().to_string(), hasher)?;
            }
            if let Some(inline) = inline {
                passwords.read(inline.expose(), "htpasswd.inline", hasher)?;
            }
            Ok(Good { proofs: Proofs::Passwords(passwords), stamp: hasher.hash(&[text.as_bytes()]) })
        }
    }
}

fn read_file(path: &Path) -> Result<String, SendersError> {
    files::read_text(path).map_err(|error| SendersError::File { path: path.to_owned(), error })
}

fn challenge(scheme: &str) -> HeaderValue {
    let scheme = if scheme.is_empty() { "Bearer" } else { scheme };
    // A scheme that cannot stand in a field is not one that senders can show.
    HeaderValue::try_from(format!("{scheme} realm=\"preamp\"")).unwrap_or(HeaderValue::from_static("Bearer"))
}

#[cfg(test)]
mod tests;
