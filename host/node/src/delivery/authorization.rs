//! What each request shows of its sender, where nothing signs it: a user and a password, or a token. What stands in files is
//! read again while requests are sent, so that whoever changes them need not tell the process.

use crate::secret_file;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request};
use preamp_base::{LogLimiter, Secret};
use preamp_config::{Authorization as Settings, Shown};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// So often files are read again at most.
const FRESH: Duration = Duration::from_secs(1);

/// How long a file may take to be read before a request goes on with what it held: what it stands on may hang.
const PATIENCE: Duration = Duration::from_secs(1);

/// What requests show.
pub(super) struct Authorization {
    header: HeaderName,
    source: Settings,
    held: Mutex<Held>,
    /// How long what a file held is taken for what it holds.
    fresh: Duration,
    log_limiter: LogLimiter,
}

#[derive(Default)]
struct Held {
    value: Option<HeaderValue>,
    /// When the files were last read; `None` before that.
    read: Option<Instant>,
}

impl Authorization {
    /// What the configuration says. Files are read when the first request is sent.
    pub(super) fn new(source: &Settings) -> Self {
        let header = match source {
            // It was looked at when the configuration was read.
            Settings::Token { header, .. } => header.parse().unwrap_or(AUTHORIZATION),
            Settings::Basic { .. } => AUTHORIZATION,
        };
        let log_limiter = LogLimiter::default();
        Self { header, source: source.clone(), held: Mutex::default(), fresh: FRESH, log_limiter }
    }

    /// Puts it into a request.
    ///
    /// # Errors
    ///
    /// Why there is nothing to show; without what the files hold.
    pub(super) async fn show<B>(&self, request: &mut Request<B>) -> Result<(), String> {
        let value = self.value().await?;
        request.headers_mut().insert(self.header.clone(), value);
        Ok(())
    }

    async fn value(&self) -> Result<HeaderValue, String> {
        // One request at a time reads: a file system that hangs holds one thread, and not one for each request.
        let mut held = self.held.lock().await;
        let is_fresh = held.read.is_some_and(|read| !self.has_files() || read.elapsed() < self.fresh);
        if !is_fresh {
            held.read = Some(Instant::now());
            match tokio::time::timeout(PATIENCE, self.compose()).await {
                Ok(Ok(value)) => {
                    if held.value.as_ref().is_some_and(|last| *last != value) {
                        tracing::info!("what requests show of their sender was read again and is in use");
                    }
                    held.value = Some(value);
                }
                Ok(Err(problem)) => self.keep(&mut held, problem)?,
                Err(_elapsed) => self.keep(
                    &mut held,
                    "a file that requests are authenticated with takes too long".to_owned(),
                )?,
            }
        }
        held.value.clone().ok_or_else(|| "there is nothing yet to authenticate requests with".to_owned())
    }

    /// Goes on with what was read before, if there is something, and tells so.
    fn keep(&self, held: &mut Held, problem: String) -> Result<(), String> {
        if held.value.is_none() {
            held.read = None;
            return Err(problem);
        }
        if let Some(suppressed) = self.log_limiter.allow("file", 1) {
            tracing::warn!(
                problem,
                suppressed,
                "what requests show of their sender could not be read again, and is as it was"
            );
        }
        Ok(())
    }

    fn has_files(&self) -> bool {
        let is_file = |shown: &Shown| matches!(shown, Shown::File(_));
        match &self.source {
            Settings::Basic { username, password } => is_file(username) || is_file(password),
            Settings::Token { token, .. } => is_file(token),
        }
    }

    async fn compose(&self) -> Result<HeaderValue, String> {
        let text = match &self.source {
            Settings::Basic { username, password } => {
                let (username, password) = (text(username).await?, text(password).await?);
                let pair = Zeroizing::new(format!("{}:{}", username.expose(), password.expose()));
                Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
            }
            Settings::Token { scheme, token, .. } => {
                let token = text(token).await?;
                if token.expose().is_empty() {
                    return Err(format!("there is no token in {}", place(&self.source)));
                }
                let gap = if scheme.is_empty() { "" } else { " " };
                Zeroizing::new(format!("{scheme}{gap}{}", token.expose()))
            }
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            format!("what stands in {} cannot be sent: it holds a control character", place(&self.source))
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").field("source", &self.source).finish_non_exhaustive()
    }
}

/// The text that is shown: of a file the first line that holds something.
async fn text(shown: &Shown) -> Result<Secret, String> {
    match shown {
        Shown::Given(text) => Ok(text.clone()),
        Shown::File(path) => {
            let text =
                secret_file::read(path).await.map_err(|error| format!("{} {error}", path.display()))?;
            let line = text.expose().lines().map(str::trim).find(|line| !line.is_empty());
            Ok(Secret::new(line.unwrap_or_default().to_owned()))
        }
    }
}

/// Where what is shown stands.
fn place(source: &Settings) -> String {
    let file = |shown: &Shown| match shown {
        Shown::File(path) => Some(Path::display(path).to_string()),
        Shown::Given(_) => None,
    };
    let place = match source {
        Settings::Basic { username, password } => file(password).or_else(|| file(username)),
        Settings::Token { token, .. } => file(token),
    };
    place.unwrap_or_else(|| "the configuration".to_owned())
}

#[cfg(test)]
mod tests;
