//! Payloads on their way, and what they share.
//!
//! As many are on their way as there are senders: one whose answer takes long holds up nobody else, and each sender keeps
//! its own order, for it sends the next payload when it has the answer to the last one.

use crate::configuration::Configuration;
use crate::metrics::Metrics;
use crate::teller::Teller;
use preamp_answer::{Failure, media_type, payload_encoding};
use preamp_contract::{Batch, Encoding, Explanation, Header, Instant, Response};
use preamp_core::Exporter;
use preamp_core::passage::{Outcome, Passage, Route, Step};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

/// How often payloads that pause are looked at.
const TICK: Duration = Duration::from_millis(50);

/// How much of the body of an answer is looked at, in bytes.
const ANSWER_BYTES: usize = 1 << 10;

/// An `ExportMetricsServiceResponse` with an empty `partial_success`, which is as good as none (OTLP specification,
/// "Partial Success"). Envoy takes the Content-Type from answers without a body, and its bridge for gRPC takes
/// no answer without one.
const ALL_TAKEN: &[u8] = &[0x0a, 0x00];

/// What the head of a request says of its body.
pub struct Head {
    /// The field Content-Type.
    pub content_type: String,
    /// The field Content-Encoding; empty for none.
    pub content_encoding: String,
    /// The field grpc-encoding, which a bridge leaves there; empty for none.
    pub grpc_encoding: String,
}

impl Head {
    /// How a payload is packed. A bridge takes the frame of a message of gRPC away, and with it what says whether the message
    /// is packed. No payload in protobuf begins as gzip does: that would be a field of a type that there is not.
    fn packing(&self, payload: &[u8]) -> &str {
        match (&*self.content_encoding, &*self.grpc_encoding) {
            ("", "gzip") if !payload.starts_with(&[0x1f, 0x8b]) => "",
            ("", of_message) => of_message,
            (of_body, _) => of_body,
        }
    }
}

/// A payload on its way.
struct Flight {
    passage: Passage,
    bytes: usize,
    /// How long it may still pause, in milliseconds.
    patience_ms: u64,
    /// What it waits for.
    awaits: Awaits,
}

enum Awaits {
    /// The answer to a request.
    Call(u32),
    /// The end of a pause.
    Time(Instant),
}

struct State {
    exporter: Exporter,
    route: Route,
    /// By the request that it came with.
    flights: BTreeMap<u32, Flight>,
    in_flight_bytes: usize,
    is_ticking: bool,
}

/// See the module.
pub struct Gateway {
    configuration: Configuration,
    metrics: Metrics,
    teller: Teller,
    state: RefCell<State>,
}

impl Gateway {
    /// Opens one.
    ///
    /// # Errors
    /// All problems of the options of the core, as text.
    pub fn open(configuration: Configuration) -> Result<Self, Vec<String>> {
        let exporter = Exporter::open(&configuration.exporter).map_err(|problems| {
            let told = problems.iter().map(|problem| {
                let path = problem.path.replace('/', ".");
                format!("exporter{path}: {}", problem.message)
            });
            told.collect::<Vec<_>>()
        })?;
        let state = State {
            exporter,
            route: Route::default(),
            flights: BTreeMap::new(),
            in_flight_bytes: 0,
            is_ticking: false,
        };
        Ok(Gateway {
            configuration,
            metrics: Metrics::new(),
            teller: Teller::default(),
            state: RefCell::new(state),
        })
    }

    /// Takes the payload of a request.
    pub fn begin(&self, request: u32, head: &Head, payload: &[u8]) {
        let state = &mut *self.state.borrow_mut();
        let in_flight_bytes = state.in_flight_bytes.saturating_add(payload.len());
        if state.in_flight_bytes > 0 && in_flight_bytes > self.configuration.max_in_flight_bytes {
            let limit = self.configuration.max_in_flight_bytes;
            let why = format!(
                "payloads of {limit} bytes are on their way, and max_in_flight_bytes allows no more at a time"
            );
            self.teller.warn("no-room", now(), || why.clone());
            return self.refuse(request, head, &Failure::busy(why));
        }
        state.in_flight_bytes = in_flight_bytes;
        let (content_type, packing) = (&head.content_type, head.packing(payload));
        let passage =
            Passage::begin(&mut state.exporter, &state.route, payload, content_type, packing, now());
        let flight = Flight {
            passage,
            bytes: payload.len(),
            patience_ms: self.configuration.patience_ms,
            awaits: Awaits::Time(0),
        };
        state.flights.insert(request, flight);
        self.advance(state, request);
    }

    /// Answers that nothing of a payload is taken.
    pub fn refuse(&self, request: u32, head: &Head, failure: &Failure) {
        let status = failure.code.http_status();
        self.metrics.payload(status);
        let encoding = payload_encoding(&head.content_type).unwrap_or(Encoding::Protobuf);
        let mut headers = vec![("content-type", media_type(encoding))];
        let after = failure.retry_after.map(|after| after.as_secs().max(1).to_string());
        headers.extend(after.iter().map(|after| ("retry-after", &**after)));
        reply(request, status, &headers, &failure.body(encoding));
    }

    /// The answer to a call is here. One whose sender has gone is nobody's.
    pub fn answered(&self, call: u32, fields: usize, body_bytes: usize) {
        let response = response(fields, body_bytes);
        if response.status == 0 {
            self.metrics.unanswered();
            self.teller.warn("unanswered", now(), || {
                let Configuration { cluster, .. } = &self.configuration;
                format!("the cluster {cluster} does not answer: {}", String::from_utf8_lossy(&response.body))
            });
        }
        let state = &mut *self.state.borrow_mut();
        let awaiting =
            |(_, flight): &(&u32, &mut Flight)| matches!(flight.awaits, Awaits::Call(it) if it == call);
        let Some((request, flight)) = state.flights.iter_mut().find(awaiting) else { return };
        let request = *request;
        flight.passage.answered(&mut state.exporter, &mut state.route, &response, now());
        self.advance(state, request);
    }

    /// Goes on with payloads whose pause is over.
    pub fn tick(&self) {
        let state = &mut *self.state.borrow_mut();
        let now = now();
        let is_due = |flight: &Flight| matches!(flight.awaits, Awaits::Time(until) if until <= now);
        let due: Vec<u32> =
            state.flights.iter().filter(|(_, flight)| is_due(flight)).map(|(request, _)| *request).collect();
        for request in due {
            self.advance(state, request);
        }
        if !state.flights.values().any(|flight| matches!(flight.awaits, Awaits::Time(_))) {
            state.is_ticking = false;
            let _set = hostcalls::set_tick_period(Duration::ZERO);
        }
    }

    /// A sender is gone, or has its answer.
    pub fn is_left(&self, request: u32) {
        let state = &mut *self.state.borrow_mut();
        if let Some(flight) = state.flights.remove(&request) {
            state.in_flight_bytes -= flight.bytes;
            self.metrics.abandoned();
        }
    }

    /// A request ended before a byte of its body was here.
    pub fn is_left_without_body(&self) {
        self.metrics.abandoned();
        self.teller.warn("no-body", now(), || {
            "a request ended before any of its body was here: its sender went away, or allow_on_headers_stop_iteration: \
             true is missing where Envoy is told of this filter"
                .to_owned()
        });
    }

    /// Does what a passage wants, until it has to wait for something or comes to its end.
    fn advance(&self, state: &mut State, request: u32) {
        let State { exporter, route, flights, in_flight_bytes, is_ticking } = state;
        let Some(flight) = flights.get_mut(&request) else { return };
        let outcome = loop {
            match flight.passage.next(exporter, route, now()) {
                Step::Send { request, batch } => match self.send(&request, batch.as_deref()) {
                    Ok(call) => {
                        flight.awaits = Awaits::Call(call);
                        return;
                    }
                    Err(response) => flight.passage.answered(exporter, route, &response, now()),
                },
                Step::Key(_) => {
                    self.teller.warn("no-key", now(), || {
                        "the core wants to sign, but this filter has no credentials: Envoy has to sign"
                            .to_owned()
                    });
                    flight.passage.give_key(route, None, now());
                }
                Step::Wait(pause) => match flight.patience_ms.checked_sub(pause) {
                    Some(left) => {
                        flight.patience_ms = left;
                        flight.awaits = Awaits::Time(now().saturating_add(pause.saturating_mul(1_000_000)));
                        if !std::mem::replace(is_ticking, true) {
                            let _set = hostcalls::set_tick_period(TICK);
                        }
                        return;
                    }
                    None => break flight.passage.give_up(),
                },
                Step::Done(outcome) => break outcome,
            }
        };
        *in_flight_bytes -= flight.bytes;
        flights.remove(&request);
        self.end(request, &outcome);
    }

    /// Hands a request to Envoy, and returns the number of the call, or an answer that says why there is none.
    fn send(&self, request: &preamp_contract::Request, batch: Option<&Batch>) -> Result<u32, Response> {
        let Configuration { cluster, request_timeout, .. } = &self.configuration;
        let (authority, path) = split(&request.url);
        let mut headers = vec![(":method", &*request.method), (":authority", authority), (":path", path)];
        // The field `host` is the authority.
        let fields = request.headers.iter().filter(|header| header.name != "host");
        headers.extend(fields.map(|Header { name, value }| (&**name, &**value)));
        let body = batch.map(|batch| &*batch.body);
        let call = hostcalls::dispatch_http_call(cluster, headers, body, Vec::new(), *request_timeout);
        call.inspect(|_| self.metrics.sent()).map_err(|status| {
            self.metrics.unanswered();
            let why = format!(
                "Envoy does not send to the cluster {cluster} ({status:?}): is there one of this name, and is \
                 :authority {authority:?} with path {path:?} what it takes?"
            );
            self.teller.warn("not-sent", now(), || why.clone());
            no_answer(why.into_bytes())
        })
    }

    /// Answers the sender, and tells what went wrong.
    fn end(&self, request: u32, outcome: &Outcome) {
        self.metrics.ended(outcome);
        let Outcome { status, headers, body, delivered, partly_rejected, rejected, unsettled, explanations } =
            outcome;
        for Explanation { reason, detail, remedy, .. } in explanations {
            self.teller.warn(reason, now(), || {
                format!(
                    "{reason}: {detail}; {remedy} (points: {delivered} delivered, {partly_rejected} partly rejected, \
                     {rejected} rejected, {unsettled} to be sent again)"
                )
            });
        }
        let headers: Vec<_> = headers.iter().map(|Header { name, value }| (&**name, &**value)).collect();
        reply(request, *status, &headers, if body.is_empty() { ALL_TAKEN } else { body });
    }
}

/// Answers the sender of a request.
pub fn reply(request: u32, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    // At a tick, it is not yet this request that is spoken of. One that is gone takes no answer.
    if hostcalls::set_effective_context(request).is_ok() {
        let _sent = hostcalls::send_http_response(status.into(), headers.to_vec(), Some(body));
    }
}

/// The answer that is here now.
fn response(fields: usize, body_bytes: usize) -> Response {
    if fields == 0 {
        return no_answer(b"the connection broke, or there was no answer in time".to_vec());
    }
    let fields = hostcalls::get_map_bytes(MapType::HttpCallResponseHeaders).unwrap_or_default();
    let headers = fields.into_iter().filter_map(|(name, value)| {
        Some(Header { name: name.to_ascii_lowercase(), value: String::from_utf8(value).ok()? })
    });
    let headers: Vec<Header> = headers.collect();
    let field = |name: &str| headers.iter().find(|header| header.name == name);
    let status = field(":status").and_then(|status| status.value.parse().ok()).unwrap_or(0);
    let body = match body_bytes.min(ANSWER_BYTES) {
        0 => None,
        bytes => hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, bytes).ok().flatten(),
    };
    let body = body.unwrap_or_default();
    // Envoy answers 503 or 504 in place of a receiver that it could not reach, or that did not answer. Receivers say what
    // time it is.
    match status {
        503 | 504 if field("date").is_none() => no_answer(body),
        _ => Response { status, headers, body },
    }
}

/// That there was no answer, and why.
fn no_answer(why: Vec<u8>) -> Response {
    Response { status: 0, headers: Vec::new(), body: why }
}

/// Authority and path of a URL, which the core has checked.
fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    (authority, if path.is_empty() { "/" } else { path })
}

/// The local time, in nanoseconds since the Unix epoch.
fn now() -> Instant {
    let since = hostcalls::get_current_time().ok().and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}
