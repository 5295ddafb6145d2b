//! A gateway on `wasi:http` 0.3, which waits: an instance takes other requests meanwhile.

// The exported functions that wit-bindgen generates take raw pointers across the boundary.
#![allow(unsafe_code)]

mod exchange;
mod request;

use preamp_edge_gateway::{Request, Response, Runtime, answer};
use wasip3::cli::stderr;
use wasip3::clocks::{monotonic_clock, system_clock};
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{self, ErrorCode};

struct Driver;

wasip3::http::service::export!(Driver);

impl Guest for Driver {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        let (head, body) = request::open(request);
        Ok(request::reply(answer(&Waiting, head, body).await))
    }
}

/// WASI 0.3.
struct Waiting;

impl Runtime for Waiting {
    fn now(&self) -> u64 {
        let system_clock::Instant { seconds, nanoseconds } = system_clock::now();
        // Before 1970 no signature is good anyway.
        let seconds = u64::try_from(seconds).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds.into())
    }

    fn uptime(&self) -> u64 {
        monotonic_clock::now()
    }

    async fn send(&self, head: &Request, body: Vec<u8>) -> Result<Response, String> {
        exchange::send(head, body).await
    }

    async fn pause(&self, milliseconds: u64) {
        monotonic_clock::wait_for(milliseconds.saturating_mul(1_000_000)).await;
    }

    async fn log(&self, line: Vec<u8>) {
        let (mut writer, reader) = wasip3::wit_stream::new();
        let written = stderr::write_via_stream(reader);
        let _left = writer.write_all(line).await;
        drop(writer);
        let _is_written = written.await;
    }
}
