//! The request of a sender, from its head to its end.

use crate::gateway::{Gateway, Head, reply};
use preamp_answer::{Code, Failure};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};
use std::rc::Rc;

/// The path of OTLP/HTTP for metrics (OTLP specification, "OTLP/HTTP Request").
const PATH: &[u8] = b"/v1/metrics";

/// An empty payload is never packed: no sender has a reason to send one.
const CAME_OUT_EMPTY: &str = "nothing came out of the body: it is not what Content-Encoding says, or cut off";

/// How far a request has come.
enum Stage {
    /// It is for others in the chain of filters.
    Foreign,
    /// Its head is here.
    Head(Head),
    /// Its head and a part of its body are here.
    Body(Head),
    /// The gateway has all of it, or it was answered.
    Taken,
}

/// A request, of which Envoy has one or many at a time.
pub struct Request {
    id: u32,
    gateway: Option<Rc<Gateway>>,
    stage: Stage,
}

impl Request {
    /// A request of which nothing is here yet.
    pub fn new(id: u32, gateway: Option<Rc<Gateway>>) -> Self {
        Request { id, gateway, stage: Stage::Foreign }
    }

    /// Lets the gateway have the request once all of it is here.
    fn advance(&mut self, is_complete: bool) -> Action {
        match std::mem::replace(&mut self.stage, Stage::Taken) {
            Stage::Foreign => {
                self.stage = Stage::Foreign;
                return Action::Continue;
            }
            Stage::Taken => {}
            Stage::Head(head) | Stage::Body(head) if !is_complete => self.stage = Stage::Body(head),
            Stage::Head(head) | Stage::Body(head) => {
                let body = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, usize::MAX);
                let body = body.ok().flatten().unwrap_or_default();
                if let Some(gateway) = &self.gateway {
                    gateway.begin(self.id, &head, &body);
                }
            }
        }
        Action::Pause
    }
}

/// Whether a filter in front unpacked a body and nothing came out. Envoy takes what is damaged for an end, and tells in
/// the trailers how many bytes there were before and after.
fn came_out_empty() -> bool {
    let trailers = hostcalls::get_map_bytes(MapType::HttpRequestTrailers).unwrap_or_default();
    let of_decompressor = trailers
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("x-envoy-decompressor-")?, value)));
    let mut unpacked = of_decompressor.filter(|(name, _)| name.ends_with("uncompressed-bytes"));
    unpacked.any(|(_, bytes)| bytes == b"0")
}

/// A field of the head, as text.
fn field(name: &str) -> String {
    let value = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name).ok().flatten();
    String::from_utf8(value.unwrap_or_default()).unwrap_or_else(|_| "?".to_owned())
}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _fields: usize, is_complete: bool) -> Action {
        let path = field(":path");
        if path.split('?').next().map(str::as_bytes) != Some(PATH) {
            return Action::Continue;
        }
        let refusal = match (&self.gateway, &*field(":method")) {
            (None, _) => Some((500, "this filter was not configured; the log of Envoy says why")),
            (Some(_), "POST") => None,
            (Some(_), _) => Some((405, "metrics are taken by POST")),
        };
        if let Some((status, text)) = refusal {
            self.stage = Stage::Taken;
            reply(self.id, status, &[("content-type", "text/plain; charset=utf-8")], text.as_bytes());
            return Action::Pause;
        }
        self.stage = Stage::Head(Head {
            content_type: field("content-type"),
            content_encoding: field("content-encoding"),
            grpc_encoding: field("grpc-encoding"),
        });
        if is_complete { self.advance(true) } else { Action::Pause }
    }

    fn on_http_request_body(&mut self, _bytes: usize, is_complete: bool) -> Action {
        self.advance(is_complete)
    }

    // What filters in front unpacked ends with these, and not with its body.
    fn on_http_request_trailers(&mut self, _fields: usize) -> Action {
        match (&self.stage, &self.gateway) {
            (Stage::Head(head) | Stage::Body(head), Some(gateway)) if came_out_empty() => {
                gateway.refuse(self.id, head, &Failure::new(Code::InvalidArgument, CAME_OUT_EMPTY));
                self.stage = Stage::Taken;
            }
            _ => {}
        }
        self.advance(true)
    }
}

impl Context for Request {
    fn on_http_call_response(&mut self, call: u32, fields: usize, body_bytes: usize, _trailers: usize) {
        if let Some(gateway) = &self.gateway {
            gateway.answered(call, fields, body_bytes);
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let Some(gateway) = &self.gateway else { return };
        match self.stage {
            Stage::Foreign => {}
            Stage::Head(_) => gateway.is_left_without_body(),
            Stage::Body(_) | Stage::Taken => gateway.is_left(self.id),
        }
    }
}
