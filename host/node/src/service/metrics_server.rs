//! The self-metrics as a page.

use crate::metrics::CONTENT_TYPE;
use crate::node::Node;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;

/// Answers `GET /metrics`.
pub(super) fn router(node: Arc<Node>) -> axum::Router {
    axum::Router::new().route("/metrics", get(page)).with_state(node)
}

async fn page(State(node): State<Arc<Node>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], node.encode_metrics())
}
