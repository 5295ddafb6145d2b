//! What goes on in a connection, and whether that is enough to keep it.
//!
//! Requests only count and note times. The connection looks at them when a time could be over.

use preamp_config::Serving;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The first time that anything asked for it. Times are milliseconds after it, and never 0.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Now, in milliseconds.
pub(super) fn now() -> u64 {
    u64::try_from(BEGINNING.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// How HTTP/2 begins; no method of HTTP does.
const HTTP2: &[u8] = b"PRI";

/// What goes on in a connection.
pub(super) struct Activity {
    /// Where it comes from.
    pub(super) address: IpAddr,
    /// Where it stands among the others.
    pub(super) position: AtomicUsize,
    /// Requests under way, from the end of their head to the end of their answer.
    requests: AtomicU32,
    /// Those of which the body has not arrived.
    reading: AtomicU32,
    /// Those of which the answer is being sent.
    answering: AtomicU32,
    /// When requests began to be under way, or ceased to.
    changed: AtomicU64,
    /// When the head of a request began to arrive; 0 if none has.
    head: AtomicU64,
    /// When an answer was last seen to move, if there is one.
    moved: AtomicU64,
    /// Since when nothing more can be written; 0 if it can.
    stalled: AtomicU64,
    /// Whether a request was answered.
    has_served: AtomicBool,
    version: AtomicU8,
    is_shaking: AtomicBool,
    is_ending: AtomicBool,
    ended: Notify,
}

/// What is spoken, as far as it is known.
const UNKNOWN: u8 = 0;
const HTTP_1: u8 = 1;
const HTTP_2: u8 = 2;

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The head of a request took too long.
    Head,
    /// There was no request for too long.
    Idle,
    /// Nobody read the answers.
    Unread,
    /// It is too old.
    Old,
    /// Another one needed its place.
    Displaced,
}

impl Ending {
    /// The value of the label `reason`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Head => "read-header-timeout",
            Self::Idle => "idle-timeout",
            Self::Unread => "write-timeout",
            Self::Old => "max-connection-age",
            Self::Displaced => "displaced",
        }
    }
}

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It is to be ended.
    Now(Ending),
    /// It is to be looked at again after so many milliseconds.
    In(u64),
}

impl Activity {
    /// That of a connection that was just opened.
    pub(super) fn new(address: IpAddr) -> Activity {
        Activity {
            address,
            position: AtomicUsize::new(0),
            requests: AtomicU32::new(0),
            reading: AtomicU32::new(0),
            answering: AtomicU32::new(0),
            changed: AtomicU64::new(now()),
            head: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
            has_served: AtomicBool::new(false),
            version: AtomicU8::new(UNKNOWN),
            is_shaking: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            ended: Notify::new(),
        }
    }

    /// Notes that bytes came, the first of which are these.
    pub(super) fn received(&self, bytes: &[u8]) {
        if self.requests.load(Relaxed) == 0 && self.head.load(Relaxed) == 0 {
            self.head.store(now(), Relaxed);
            if self.version.load(Relaxed) == UNKNOWN {
                let version = if bytes.starts_with(HTTP2) { HTTP_2 } else { HTTP_1 };
                self.version.store(version, Relaxed);
            }
        }
    }

    /// Notes whether bytes could be written.
    pub(super) fn wrote(&self, could_be: bool) {
        let is_stalled = self.stalled.load(Relaxed) != 0;
        if could_be == is_stalled {
            self.stalled.store(if could_be { 0 } else { now() }, Relaxed);
        }
    }

    /// Notes whether a TLS handshake is under way.
    pub(super) fn shaking(&self, is_under_way: bool) {
        self.is_shaking.store(is_under_way, Relaxed);
    }

    /// Whether a TLS handshake is under way.
    pub(super) fn is_shaking(&self) -> bool {
        self.is_shaking.load(Relaxed)
    }

    /// Whether a request is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.requests.load(Relaxed) > 0
    }

    /// Whether a request was answered.
    pub(super) fn has_served(&self) -> bool {
        self.has_served.load(Relaxed)
    }

    /// Asks for the end of the connection.
    pub(super) fn end(&self) {
        self.is_ending.store(true, Relaxed);
        self.ended.notify_one();
    }

    /// Waits until somebody asks for it.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// How little would be lost with the connection: the less, the more, and among equals since when. `None` if it
    /// is to be kept.
    pub(super) fn dispensability(&self) -> Option<(u8, u64)> {
        if self.is_ending.load(Relaxed) {
            return None;
        }
        let since = self.changed.load(Relaxed);
        match self.requests.load(Relaxed) {
            0 if self.has_served() => Some((1, since)),
            0 => Some((0, since)),
            // A request that is worked on is close to its end. A body may never come.
            all if all <= self.reading.load(Relaxed) => Some((2, since)),
            _ => None,
        }
    }

    /// Whether a time is over, or when it may be.
    pub(super) fn due(&self, now: u64, serving: &Serving) -> Due {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut next = u64::MAX;
        let mut is_over = |since: u64, time: Option<Duration>| {
            let Some(time) = time.map(milliseconds) else { return false };
            let end = since.saturating_add(time);
            next = next.min(end.saturating_sub(now).max(1));
            end <= now
        };
        let stalled = self.stalled.load(Relaxed);
        if is_over(if stalled == 0 { now } else { stalled }, serving.write_timeout) {
            return Due::Now(Ending::Unread);
        }
        if self.answering.load(Relaxed) > 0 && is_over(self.moved.load(Relaxed), serving.write_timeout) {
            return Due::Now(Ending::Unread);
        }
        let since = if self.is_busy() { now } else { self.changed.load(Relaxed) };
        if is_over(since, serving.idle_timeout) {
            return Due::Now(Ending::Idle);
        }
        let head = if self.is_busy() { now } else { self.awaits_head_since().unwrap_or(now) };
        if is_over(head, serving.read_header_timeout) {
            return Due::Now(Ending::Head);
        }
        Due::In(next)
    }

    /// Since when the head of a request has been due, if it is: HTTP/2 may be silent after its greeting.
    fn awaits_head_since(&self) -> Option<u64> {
        match (self.version.load(Relaxed), self.head.load(Relaxed)) {
            (HTTP_2, _) => None,
            (UNKNOWN, _) => Some(self.changed.load(Relaxed)),
            (_, 0) => None,
            (_, head) => Some(head),
        }
    }
}

/// A request under way. It ends when this is dropped.
pub(super) struct UnderWay {
    activity: Arc<Activity>,
    is_answering: bool,
}

/// A body that arrives. It has when this is dropped.
pub(crate) struct Reading(Arc<Activity>);

impl UnderWay {
    /// A request of which the head has arrived.
    pub(super) fn begin(activity: &Arc<Activity>) -> (UnderWay, Reading) {
        activity.head.store(0, Relaxed);
        activity.reading.fetch_add(1, Relaxed);
        if activity.requests.fetch_add(1, Relaxed) == 0 {
            activity.changed.store(now(), Relaxed);
        }
        (UnderWay { activity: Arc::clone(activity), is_answering: false }, Reading(Arc::clone(activity)))
    }

    /// Notes that its answer is being sent.
    pub(super) fn answer(&mut self) {
        self.is_answering = true;
        self.activity.moved.store(now(), Relaxed);
        self.activity.answering.fetch_add(1, Relaxed);
    }

    /// Notes that a part of its answer is on its way.
    pub(super) fn moved(&self) {
        self.activity.moved.store(now(), Relaxed);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let activity = &self.activity;
        if self.is_answering {
            activity.answering.fetch_sub(1, Relaxed);
            activity.has_served.store(true, Relaxed);
        }
        let now = now();
        activity.moved.store(now, Relaxed);
        if activity.requests.fetch_sub(1, Relaxed) == 1 {
            activity.changed.store(now, Relaxed);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.reading.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
#[path = "activity/tests.rs"]
mod tests;
