//! A receiver that takes everything and does nothing, to measure what a sender costs.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// What came to a sink.
#[derive(Debug, Default)]
pub struct Taken {
    /// Requests.
    pub requests: AtomicU64,
    /// Bytes of their bodies.
    pub bytes: AtomicU64,
}

/// Starts one that answers 204 after a while.
///
/// # Errors
/// When no port can be had.
pub async fn start(latency: Duration) -> std::io::Result<(SocketAddr, Arc<Taken>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let taken = Arc::new(Taken::default());
    let counts = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let counts = Arc::clone(&counts);
            let serve = service_fn(move |request| answer(request, Arc::clone(&counts), latency));
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
    counts: Arc<Taken>,
    latency: Duration,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let bytes = request.into_body().collect().await.map_or(0, |body| body.to_bytes().len());
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    counts.requests.fetch_add(1, Ordering::Relaxed);
    counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
