//! Serves the self-metrics.

use crate::metrics::{CONTENT_TYPE, Metrics};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers `GET /metrics`, beside other routes, until `stop` is cancelled.
pub(super) async fn serve(
    listener: TcpListener,
    routes: axum::Router,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = axum::Router::new().route("/metrics", get(page)).with_state(metrics);
    axum::serve(listener, router.merge(routes)).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn page(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.encode())
}
