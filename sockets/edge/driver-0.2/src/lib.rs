//! Takes OTLP/HTTP, has the core decide what to do, and does it: one passage for each request.

// The exported functions that wit-bindgen generates take raw pointers across the boundary.
#![allow(unsafe_code)]

mod exchange;
mod request;

wit_bindgen::generate!({
    path: ["../../../wit", "../../../wit/edge"],
    world: "preamp:edge/driver",
    generate_all,
});

use preamp::edge::{credentials, settings};
use preamp::exporter::remote_write::{
    Exporter, Explanation, Header, KeyRequest, Outcome, Passage, Response, SigningKey, Step,
};
use request::Received;
use std::cell::OnceCell;
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::exports::http::incoming_handler::Guest;
use wasi::http::types::{IncomingRequest, ResponseOutparam};

struct Driver;

wasi::http::proxy::export!(Driver);

/// How long pauses of one passage may be together, in milliseconds. Senders wait for ten seconds as a rule, and repeat
/// what they are asked to repeat.
const PATIENCE_MS: u64 = 4_000;

thread_local! {
    /// The exporter of this instance, opened at its first request.
    static EXPORTER: OnceCell<Exporter> = const { OnceCell::new() };
}

impl Guest for Driver {
    fn handle(request: IncomingRequest, reply: ResponseOutparam) {
        EXPORTER.with(|exporter| {
            let outcome = match opened(exporter) {
                Ok(exporter) => answer(exporter, request),
                Err(problem) => {
                    log(&format!("preamp: the configuration of this gateway is wrong: {problem}"));
                    plain(500, "the configuration of this gateway is wrong; its log says what")
                }
            };
            request::reply(reply, &outcome);
        });
    }
}

fn opened(exporter: &OnceCell<Exporter>) -> Result<&Exporter, String> {
    if exporter.get().is_none() {
        let opened = Exporter::open(&settings::configuration()).map_err(|problems| {
            let lines = problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message));
            lines.collect::<Vec<_>>().join("; ")
        })?;
        let _was_empty = exporter.set(opened);
    }
    exporter.get().ok_or_else(|| "it was not kept".to_owned())
}

/// Brings the payload of a request to its end.
fn answer(exporter: &Exporter, request: IncomingRequest) -> Outcome {
    let limit = exporter.limits().max_payload_bytes;
    let Received { payload, content_type, content_encoding } = match request::receive(request, limit) {
        Ok(received) => received,
        Err((status, text)) => return plain(status, &text),
    };
    let passage = exporter.pass(&payload, &content_type, &content_encoding, now());
    drop(payload);
    let outcome = bring_to_its_end(&passage);
    for Explanation { reason, detail, remedy, .. } in &outcome.explanations {
        let Outcome { delivered, partly_rejected, rejected, unsettled, .. } = outcome;
        log(&format!(
            "preamp: {reason}: {detail}; {remedy} (points: {delivered} delivered, {partly_rejected} partly rejected, \
             {rejected} rejected, {unsettled} to be sent again)"
        ));
    }
    outcome
}

fn bring_to_its_end(passage: &Passage) -> Outcome {
    let mut patience = PATIENCE_MS;
    loop {
        match passage.next(now()) {
            Step::Send(outgoing) => {
                let response = exchange::send(&outgoing.head, &outgoing.body);
                let response = response.unwrap_or_else(|problem| Response {
                    status: 0,
                    headers: Vec::new(),
                    body: problem.into_bytes(),
                });
                passage.answered(&response, now());
            }
            Step::Key(wanted) => passage.give_key(key(wanted).as_ref(), now()),
            Step::Wait(pause) => match patience.checked_sub(pause) {
                Some(left) => {
                    patience = left;
                    monotonic_clock::subscribe_duration(pause.saturating_mul(1_000_000)).block();
                }
                None => return passage.give_up(),
            },
            Step::Done(outcome) => return outcome,
        }
    }
}

fn key(KeyRequest { date, region, service, .. }: KeyRequest) -> Option<SigningKey> {
    match credentials::derive(&date, &region, &service) {
        Ok(credentials::DerivedKey { access_key_id, session_token, key }) => {
            Some(SigningKey { access_key_id, session_token, derived_key: key, date, region, service })
        }
        Err(problem) => {
            log(&format!("preamp: no credentials: {problem}"));
            None
        }
    }
}

/// The local time, in nanoseconds since the Unix epoch.
fn now() -> u64 {
    let wall_clock::Datetime { seconds, nanoseconds } = wall_clock::now();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds.into())
}

/// An answer to what is no payload.
fn plain(status: u16, text: &str) -> Outcome {
    let content_type =
        Header { name: "content-type".to_owned(), value: "text/plain; charset=utf-8".to_owned() };
    Outcome {
        status,
        headers: vec![content_type],
        body: text.as_bytes().to_vec(),
        delivered: 0,
        partly_rejected: 0,
        rejected: 0,
        unsettled: 0,
        explanations: Vec::new(),
    }
}

/// Writes a line to the standard error output, as far as there is one.
fn log(line: &str) {
    let stderr = wasi::cli::stderr::get_stderr();
    // What is printed is free of control characters, wherever it came from.
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).chain(['\n']).collect();
    for part in line.as_bytes().chunks(4096) {
        if stderr.blocking_write_and_flush(part).is_err() {
            return;
        }
    }
}
