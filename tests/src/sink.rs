//! A receiver that takes everything and stores nothing, to measure what a sender costs.

use crate::remote_write::read;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// What came to a sink.
#[derive(Debug, Default)]
pub struct Taken {
    /// Requests.
    pub requests: AtomicU64,
    /// Bytes of their bodies.
    pub bytes: AtomicU64,
    /// Samples in them, if they are looked at.
    pub samples: AtomicU64,
    /// Samples that were not newer than the one before of their series, if they are looked at.
    pub out_of_order: AtomicU64,
    /// Samples of the metric that [`of_sender`](crate::payloads::of_sender) makes, if they are looked at.
    pub of_senders: AtomicU64,
    /// Whether it answers 503 and takes nothing.
    pub is_away: AtomicBool,
    /// What else it does instead of answering 204, if anything.
    trouble: Mutex<Option<Trouble>>,
    /// By series, the time of the newest sample.
    newest: Mutex<HashMap<u64, i64>>,
}

/// What a sink does instead of taking a request.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// Takes nothing and answers this.
    Refuses(u16, &'static str),
    /// Takes it, and answers as if it had refused a part.
    TakesAndRefuses(u16, &'static str),
    /// Takes nothing and does not answer for this long.
    Hangs(Duration),
}

/// What a sink does with a request.
#[derive(Clone, Copy, Debug)]
struct Manner {
    latency: Duration,
    looks: bool,
}

/// Starts one that answers 204 after a while.
///
/// # Errors
/// When no port can be had.
pub async fn start(latency: Duration) -> std::io::Result<(SocketAddr, Arc<Taken>)> {
    start_with(Manner { latency, looks: false }).await
}

/// Starts one that answers at once, counts samples, and looks at their order.
///
/// # Errors
/// When no port can be had.
pub async fn start_looking() -> std::io::Result<(SocketAddr, Arc<Taken>)> {
    start_with(Manner { latency: Duration::ZERO, looks: true }).await
}

async fn start_with(manner: Manner) -> std::io::Result<(SocketAddr, Arc<Taken>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let taken = Arc::new(Taken::default());
    let counts = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let counts = Arc::clone(&counts);
            let serve = service_fn(move |request| answer(request, Arc::clone(&counts), manner));
            tokio::spawn(async move {
                // A connection that breaks off is the sender's business.
                let _ended = Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(connection), serve)
                    .await;
            });
        }
    });
    Ok((address, taken))
}

async fn answer(
    request: Request<hyper::body::Incoming>,
    taken: Arc<Taken>,
    manner: Manner,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
    let mut response = Response::new(Full::default());
    if taken.is_away.load(Ordering::Relaxed) {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(response);
    }
    let trouble = *taken.trouble();
    match trouble {
        None => {}
        Some(Trouble::Refuses(status, text)) => return Ok(refusal(status, text)),
        Some(Trouble::TakesAndRefuses(status, text)) => {
            taken.look(&body);
            return Ok(refusal(status, text));
        }
        Some(Trouble::Hangs(time)) => {
            tokio::time::sleep(time).await;
            return Ok(refusal(504, ""));
        }
    }
    if !manner.latency.is_zero() {
        tokio::time::sleep(manner.latency).await;
    }
    taken.requests.fetch_add(1, Ordering::Relaxed);
    taken.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
    if manner.looks {
        taken.look(&body);
    }
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn refusal(status: u16, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

impl Taken {
    /// Has the sink do something else from now on, or nothing else.
    pub fn be_in(&self, trouble: Option<Trouble>) {
        *self.trouble() = trouble;
    }

    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, body: &[u8]) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        for (labels, samples) in read(body).unwrap_or_default() {
            let mut hash = DefaultHasher::new();
            labels.hash(&mut hash);
            let is_of_sender = labels.iter().any(|(name, value)| name == "__name__" && value == "load_watts");
            self.of_senders.fetch_add(if is_of_sender { samples.len() as u64 } else { 0 }, Ordering::Relaxed);
            let newest = newest.entry(hash.finish()).or_insert(i64::MIN);
            for (time, _) in samples {
                self.samples.fetch_add(1, Ordering::Relaxed);
                self.out_of_order.fetch_add(u64::from(time <= *newest), Ordering::Relaxed);
                *newest = time.max(*newest);
            }
        }
    }
}
