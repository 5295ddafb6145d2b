//! A gateway on `wasi:http` 0.2, which blocks: one request at a time for each instance.

// The exported functions that wit-bindgen generates take raw pointers across the boundary.
#![allow(unsafe_code)]

mod exchange;
mod request;

use preamp_edge_gateway::{Request, Response, Runtime, answer, at_once};
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::exports::http::incoming_handler::Guest;
use wasi::http::types::{ErrorCode, IncomingRequest, ResponseOutparam};

struct Driver;

wasi::http::proxy::export!(Driver);

impl Guest for Driver {
    fn handle(request: IncomingRequest, reply: ResponseOutparam) {
        let (head, body) = request::open(request);
        match at_once(answer(&Blocking, head, body)) {
            Some(outcome) => request::reply(reply, &outcome),
            None => ResponseOutparam::set(reply, Err(ErrorCode::InternalError(None))),
        }
    }
}

/// WASI 0.2: whatever waits, blocks.
struct Blocking;

impl Runtime for Blocking {
    fn now(&self) -> u64 {
        let wall_clock::Datetime { seconds, nanoseconds } = wall_clock::now();
        seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds.into())
    }

    fn uptime(&self) -> u64 {
        monotonic_clock::now()
    }

    async fn send(&self, head: &Request, body: Vec<u8>) -> Result<Response, String> {
        exchange::send(head, &body)
    }

    async fn pause(&self, milliseconds: u64) {
        monotonic_clock::subscribe_duration(milliseconds.saturating_mul(1_000_000)).block();
    }

    async fn log(&self, line: Vec<u8>) {
        let stderr = wasi::cli::stderr::get_stderr();
        // The most that the function takes at a time.
        for part in line.chunks(4096) {
            if stderr.blocking_write_and_flush(part).is_err() {
                return;
            }
        }
    }
}
