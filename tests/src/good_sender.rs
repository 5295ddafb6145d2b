//! A sender that does nothing wrong, beside others that do: it says how it fared.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::payloads;

/// What each of its payloads holds: one series each.
pub const POINTS: u64 = 10;

/// How long an answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends a payload every so often, each on a new connection, until it is stopped.
pub struct GoodSender {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Fared>,
}

/// How it fared.
#[derive(Clone, Debug, Default)]
pub struct Fared {
    /// How long each answer took.
    pub took: Vec<Duration>,
    /// How often a payload was sent once more, since the connection had ended without an answer, or the answer was to
    /// come again later.
    pub again: usize,
    /// What was not taken: the answer, or why there was none.
    pub failures: Vec<String>,
}

impl GoodSender {
    /// Starts one that sends OTLP over HTTP.
    #[must_use]
    pub fn start(http: SocketAddr, pause: Duration) -> Self {
        // Each has series of its own, or they would write the same samples.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed) as usize;
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = std::thread::spawn(move || send(number, http, pause, &until));
        Self { stop, thread }
    }

    /// Stops it, and says how it fared.
    ///
    /// # Errors
    /// When it broke down.
    pub fn stop(self) -> anyhow::Result<Fared> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().ok().context("the good sender broke down")
    }
}

fn send(number: usize, http: SocketAddr, pause: Duration, stop: &AtomicBool) -> Fared {
    let mut fared = Fared::default();
    let mut time = 0;
    while !stop.load(Ordering::Relaxed) {
        time = payloads::now_ms().max(time + 1);
        let payload = payloads::of_sender(number, POINTS as usize, time, fared.took.len() as i64);
        let began = Instant::now();
        let mut answer = post(http, &payload);
        while answer.as_ref().is_err_and(is_worth_another_try) && began.elapsed() < PATIENCE {
            fared.again += 1;
            std::thread::sleep(PAUSE);
            answer = post(http, &payload);
        }
        match answer {
            Ok(()) => fared.took.push(began.elapsed()),
            Err(error) => fared.failures.push(format!("after {:?}: {error:#}", began.elapsed())),
        }
        std::thread::sleep(pause);
    }
    fared
}

/// Whether the sender of a payload tries again as every sender of OTLP does.
fn is_worth_another_try(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    let is_broken = |error: &std::io::Error| [BrokenPipe, ConnectionReset].contains(&error.kind());
    error.downcast_ref().is_some_and(is_broken) || error.to_string().contains("HTTP/1.1 503 ")
}

/// Sends a payload over a connection of its own; it must be answered 200.
///
/// # Errors
/// When it is not.
pub fn post(http: SocketAddr, payload: &[u8]) -> anyhow::Result<()> {
    let stream = TcpStream::connect_timeout(&http, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    post_on(stream, &http.to_string(), payload)
}

/// The same over a connection that is there, to a server of this name.
///
/// # Errors
/// When it is not.
pub fn post_on(mut stream: impl Read + Write, host: &str, payload: &[u8]) -> anyhow::Result<()> {
    let head = format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        payload.len()
    );
    stream.write_all(&[head.as_bytes(), payload].concat())?;
    stream.flush()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    ensure!(answer.starts_with(b"HTTP/1.1 200 "), "answered {:?}", String::from_utf8_lossy(&answer));
    Ok(())
}

impl Fared {
    /// The longest that an answer took.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.took.iter().max().copied().unwrap_or_default()
    }

    /// How long 99 of 100 answers took at most.
    #[must_use]
    pub fn p99(&self) -> Duration {
        let mut took = self.took.clone();
        took.sort();
        took.get((took.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    }

    /// Checks that everything was taken, and every answer came within so long.
    ///
    /// # Errors
    /// When that is not so.
    pub fn check(&self, most: Duration) -> anyhow::Result<()> {
        ensure!(
            self.failures.is_empty(),
            "{} of {} payloads of the good sender were not taken, the first: {}",
            self.failures.len(),
            self.failures.len() + self.took.len(),
            self.failures[0]
        );
        ensure!(!self.took.is_empty(), "the good sender never came to its turn");
        ensure!(self.longest() <= most, "a good sender waited {:?}, and may wait {most:?}", self.longest());
        Ok(())
    }
}
