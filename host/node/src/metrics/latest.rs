//! What happened last between an exporter and its receiver, for `preamp queue status`.

use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest text that is kept, in bytes.
const SAID_MAX: usize = 300;

/// The newest event of each kind.
#[derive(Debug, Default)]
pub struct Latest(Mutex<Events>);

/// Events of an exporter. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// The last attempt to send something.
    pub attempt: Option<LastAttempt>,
    /// When something was delivered.
    pub delivered_at: Option<i64>,
    /// When a payload was refused because the queue was full, and which limit was reached.
    pub full: Option<(i64, String)>,
}

/// An attempt to send something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAttempt {
    /// When it ended.
    pub at: i64,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// What that means for the batch, or `not_sent`.
    pub verdict: String,
    /// The receiver's words, or what kept the request from being sent; empty if all was well.
    pub said: String,
}

impl Latest {
    /// Notes an answer, or its absence.
    pub fn answered(&self, status: u16, verdict: &str, said: &str) {
        let at = now();
        let mut events = self.lock();
        if verdict == "delivered" {
            events.delivered_at = Some(at);
        }
        events.attempt =
            Some(LastAttempt { at, status, verdict: verdict.to_owned(), said: shortened(said).to_owned() });
    }

    /// Notes that nothing can be sent, and why.
    pub fn not_sent(&self, why: &str) {
        self.answered(0, "not_sent", why);
    }

    /// Notes that a payload was refused because a limit of the queue was reached.
    pub fn full(&self, limit: &str) {
        self.lock().full = Some((now(), limit.to_owned()));
    }

    /// The newest event of each kind.
    #[must_use]
    pub fn events(&self) -> Events {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970, by the clock of this machine.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn shortened(said: &str) -> &str {
    &said[..said.floor_char_boundary(SAID_MAX)]
}
