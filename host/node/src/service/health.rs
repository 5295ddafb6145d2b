//! Answers whether the process is well: as the Collector's extension `health_check` does, as its second version does,
//! and as Prometheus does at `/-/healthy` and `/-/ready`.

use crate::node::Node;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use preamp_config::{Health as Settings, HealthAnswer};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Stopping,
}

/// What is known of the process' health.
pub(super) struct Health {
    started: OffsetDateTime,
    phase: Mutex<(Phase, OffsetDateTime, Instant)>,
    node: Arc<Node>,
}

impl Health {
    /// That of a process that starts.
    pub(super) fn new(node: Arc<Node>) -> Arc<Self> {
        let now = OffsetDateTime::now_utc();
        let phase = Mutex::new((Phase::Starting, now, Instant::now()));
        Arc::new(Health { started: now, phase, node })
    }

    /// It takes requests now.
    pub(super) fn ready(&self) {
        self.enter(Phase::Ready);
    }

    /// It takes no more requests.
    pub(super) fn stopping(&self) {
        self.enter(Phase::Stopping);
    }

    fn enter(&self, phase: Phase) {
        let mut current = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (phase, OffsetDateTime::now_utc(), Instant::now());
    }

    /// How long the exporter that is held the longest has been, if one is.
    fn held_for(&self) -> Option<Duration> {
        self.node.exporters().iter().filter_map(|metrics| metrics.delivery.held_for()).max()
    }

    fn current(&self) -> (Phase, OffsetDateTime, Instant) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prometheus' paths.
pub(super) fn management(health: &Arc<Health>) -> axum::Router {
    let ready = |State(health): State<Arc<Health>>| async move {
        match health.current().0 {
            Phase::Ready => (StatusCode::OK, "preamp is ready.\n"),
            Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "preamp is starting.\n"),
            Phase::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "preamp is stopping.\n"),
        }
    };
    axum::Router::new()
        .route("/-/healthy", get(|| async { "preamp is healthy.\n" }))
        .route("/-/ready", get(ready))
        .with_state(health.clone())
}

/// The Collector's paths, beside Prometheus'.
pub(super) fn router(settings: &Settings, health: &Arc<Health>) -> axum::Router {
    let shared = Arc::new((settings.answer.clone(), health.clone()));
    axum::Router::new().fallback(answer).with_state(shared).merge(management(health))
}

type Shared = Arc<(HealthAnswer, Arc<Health>)>;

/// A configured path might mean something else to a router.
async fn answer(State(shared): State<Shared>, uri: Uri, query: Query<HashMap<String, String>>) -> Response {
    let (answer, health) = &*shared;
    match answer {
        HealthAnswer::Available { path, healthy, unhealthy } if uri.path() == path => {
            available(health, healthy.as_deref(), unhealthy.as_deref())
        }
        HealthAnswer::Status { path, recovery } if uri.path() == path => {
            Status::of(health, *recovery).response(health, &query)
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The answer of `health_check`.
fn available(health: &Health, healthy: Option<&str>, unhealthy: Option<&str>) -> Response {
    let (phase, since, instant) = health.current();
    let is_ready = phase == Phase::Ready;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if let Some(body) = if is_ready { healthy } else { unhealthy } {
        return (status, body.to_owned()).into_response();
    }
    let (text, since, uptime) = if is_ready {
        ("Server available", timestamp(since), format!("{:?}", instant.elapsed()))
    } else {
        // What Go makes of a time that is not set.
        ("Server not available", "0001-01-01T00:00:00Z".to_owned(), String::new())
    };
    let body = json!({ "status": text, "upSince": since, "uptime": uptime });
    in_json(status, &body)
}

/// The status of the second version of the extension.
struct Status {
    code: StatusCode,
    name: &'static str,
    healthy: bool,
    since: OffsetDateTime,
    /// Why the exporter does not get on.
    error: Option<&'static str>,
}

impl Status {
    fn of(health: &Health, recovery: Option<Duration>) -> Status {
        let (phase, since, _) = health.current();
        let unavailable =
            |name| Status { code: StatusCode::SERVICE_UNAVAILABLE, name, healthy: false, since, error: None };
        match phase {
            Phase::Starting => return unavailable("StatusStarting"),
            Phase::Stopping => return unavailable("StatusStopping"),
            Phase::Ready => {}
        }
        match health.held_for() {
            None => Status { code: StatusCode::OK, name: "StatusOK", healthy: true, since, error: None },
            Some(held) => {
                let healthy = recovery.is_none_or(|recovery| held < recovery);
                Status {
                    code: if healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR },
                    name: "StatusRecoverableError",
                    healthy,
                    since: OffsetDateTime::now_utc() - held,
                    error: Some("batches wait for credentials or a change of the configuration: see the log"),
                }
            }
        }
    }

    fn response(&self, health: &Health, query: &HashMap<String, String>) -> Response {
        // The one pipeline there is.
        const PIPELINE: &str = "metrics";
        let mut body = self.json();
        match query.get("pipeline").map(String::as_str) {
            None => {
                body.insert("start_time".to_owned(), timestamp(health.started).into());
                if query.contains_key("verbose") {
                    let pipeline = self.json();
                    body.insert(
                        "components".to_owned(),
                        json!({ format!("pipeline:{PIPELINE}"): Value::Object(pipeline) }),
                    );
                }
            }
            Some(PIPELINE) => {}
            Some(_) => return StatusCode::NOT_FOUND.into_response(),
        }
        in_json(self.code, &body.into())
    }

    fn json(&self) -> Map<String, Value> {
        let mut body = Map::from_iter([
            ("healthy".to_owned(), self.healthy.into()),
            ("status".to_owned(), self.name.into()),
            ("status_time".to_owned(), timestamp(self.since).into()),
        ]);
        body.extend(self.error.map(|error| ("error".to_owned(), error.into())));
        body
    }
}

fn in_json(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn timestamp(time: OffsetDateTime) -> String {
    // Times of this era have a form.
    time.format(&Rfc3339).unwrap_or_default()
}
