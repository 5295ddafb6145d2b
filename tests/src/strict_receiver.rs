//! A receiver that stores samples as Prometheus does: only in their order, and a request as a whole or not at all. It can
//! be away, slow, and fail now and then.

use crate::remote_write::read;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// What it does with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Answers 503 and stores nothing.
    #[default]
    Away,
    /// Stores it, and does not answer.
    Silent,
    /// Answers after a while. Every so many requests it says 503.
    Open {
        /// How long an answer takes.
        latency: Duration,
        /// Every how many requests it fails.
        fails_every: u64,
        /// Whether it stores every other one of those.
        stores_some: bool,
    },
}

/// What came while it was open.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Requests.
    pub requests: u64,
    /// Requests answered 503.
    pub failed: u64,
    /// Requests refused because a sample is older than the newest of its series, or has another value.
    pub refused: u64,
    /// Samples that were taken although they were there.
    pub repeated: u64,
    /// When the first request came, and when the last one was answered.
    pub period: Option<(Instant, Instant)>,
}

impl Seen {
    /// From the first request to the last answer.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.period.map_or(Duration::ZERO, |(first, last)| last - first)
    }
}

#[derive(Default)]
struct State {
    manner: Manner,
    seen: Seen,
    /// By series, the values by time.
    stored: HashMap<Vec<(String, String)>, BTreeMap<i64, u64>>,
}

/// The receiver. It ends with the runtime.
pub struct StrictReceiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StrictReceiver {
    /// Starts one that is away.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let receiver = StrictReceiver { address: listener.local_addr()?, state: Arc::default() };
        let state = receiver.state.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let state = state.clone();
                let serve = service_fn(move |request| answer(request, state.clone()));
                tokio::spawn(async move {
                    // A connection that breaks off is the sender's business.
                    let _ended = Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(connection), serve)
                        .await;
                });
            }
        });
        Ok(receiver)
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/api/v1/write", self.address)
    }

    /// What it does from now on.
    pub fn set(&self, manner: Manner) {
        lock(&self.state).manner = manner;
    }

    /// What came while it was open.
    #[must_use]
    pub fn seen(&self) -> Seen {
        lock(&self.state).seen.clone()
    }

    /// How many samples are stored.
    #[must_use]
    pub fn samples(&self) -> usize {
        lock(&self.state).stored.values().map(BTreeMap::len).sum()
    }
}

async fn answer(
    request: Request<hyper::body::Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
    let manner = lock(&state).manner;
    let (status, text) = match manner {
        Manner::Away => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
        Manner::Silent => {
            let _stored = lock(&state).store(&body);
            std::future::pending().await
        }
        Manner::Open { latency, fails_every, stores_some } => {
            let begun = Instant::now();
            tokio::time::sleep(latency).await;
            let mut state = lock(&state);
            let answered = state.open(&body, fails_every, stores_some);
            let first = state.seen.period.map_or(begun, |(first, _)| first.min(begun));
            state.seen.period = Some((first, Instant::now()));
            answered
        }
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

impl State {
    fn open(&mut self, body: &[u8], fails_every: u64, stores_some: bool) -> (StatusCode, String) {
        self.seen.requests += 1;
        if self.seen.requests.is_multiple_of(fails_every) {
            self.seen.failed += 1;
            if stores_some && self.seen.failed.is_multiple_of(2) {
                let _stored = self.store(body);
            }
            return (StatusCode::SERVICE_UNAVAILABLE, "no".to_owned());
        }
        match self.store(body) {
            Ok(repeated) => {
                self.seen.repeated += repeated;
                (StatusCode::NO_CONTENT, String::new())
            }
            Err(problem) => {
                self.seen.refused += 1;
                (StatusCode::BAD_REQUEST, problem)
            }
        }
    }

    /// Stores all samples, and says how many were there; or why it stores none.
    fn store(&mut self, body: &[u8]) -> Result<u64, String> {
        let (mut repeated, mut new) = (0, HashMap::<_, BTreeMap<i64, u64>>::new());
        for (labels, samples) in read(body).unwrap_or_default() {
            let known = self.stored.get(&labels).and_then(|known| known.last_key_value());
            let mut newest = known.map(|(time, value)| (*time, *value));
            let own = new.entry(labels).or_default();
            newest = own.last_key_value().map(|(time, value)| (*time, *value)).or(newest);
            for (time, value) in samples.into_iter().map(|(time, value)| (time, value.to_bits())) {
                match newest {
                    Some((last, _)) if time < last => return Err("out of order sample".to_owned()),
                    Some((last, known)) if time == last && value != known => {
                        return Err("duplicate sample for timestamp".to_owned());
                    }
                    Some((last, _)) if time == last => repeated += 1,
                    _ => {
                        own.insert(time, value);
                    }
                }
                newest = Some((time, value));
            }
        }
        for (labels, samples) in new {
            self.stored.entry(labels).or_default().extend(samples);
        }
        Ok(repeated)
    }
}
