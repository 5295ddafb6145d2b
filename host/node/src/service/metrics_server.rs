//! The self-metrics as a page.

use crate::metrics::{CONTENT_TYPE, Metrics};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;

/// Answers `GET /metrics`.
pub(super) fn router(metrics: Arc<Metrics>) -> axum::Router {
    axum::Router::new().route("/metrics", get(page)).with_state(metrics)
}

async fn page(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.encode())
}
