//! The self-metrics as a page.

use crate::metrics::Format;
use crate::node::Node;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::get;
use preamp_config::MetricNames;
use std::sync::Arc;

/// Answers `GET /metrics`.
pub(super) fn router(node: Arc<Node>, names: MetricNames) -> axum::Router {
    axum::Router::new().route("/metrics", get(page)).with_state((node, names))
}

async fn page(
    State((node, names)): State<(Arc<Node>, MetricNames)>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|field| field.to_str().ok());
    let format = Format::accepted(accepted);
    let fields = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")];
    (fields, node.encode_metrics_as(format, names))
}
