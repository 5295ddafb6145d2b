//! What a gateway does with a request, whatever `wasi:http` it stands on: has the core decide, sends, waits, answers. One
//! passage for each request.
//!
//! Everything is written as futures. Those of WASI 0.3 wait; those of WASI 0.2 block, and so are ready when they are first
//! looked at ([`at_once`]).

mod exporters;
mod request;
mod target;

wit_bindgen::generate!({
    path: ["../../../wit", "../../../wit/edge"],
    world: "preamp:edge/driver",
    generate_all,
});

pub use preamp::exporter::remote_write::{Header, Outcome, Request, Response};
pub use request::{Body, Head};
pub use target::Target;

use preamp::edge::credentials;
use preamp::exporter::remote_write::{Explanation, Exporter, KeyRequest, Passage, SigningKey, Step};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// How long the receiver may take for each step of an answer, in nanoseconds.
pub const TIMEOUT_NS: u64 = 5_000_000_000;

/// How much of the body of an answer is looked at, in bytes.
pub const ANSWER_BYTES: usize = 1 << 10;

/// How long after its beginning a passage may try once more, in milliseconds. Senders wait for ten seconds as a rule, and
/// repeat what they are asked to repeat: so they hear of it, though the last try runs into [`TIMEOUT_NS`].
const PATIENCE_MS: u64 = 4_000;

/// What a gateway needs of the runtime that it runs in.
pub trait Runtime {
    /// The local time, in nanoseconds since the Unix epoch.
    fn now(&self) -> u64;

    /// Time that only goes forward, in nanoseconds.
    fn uptime(&self) -> u64;

    /// Sends a request, and returns the answer, or why there is none.
    fn send(&self, head: &Request, body: Vec<u8>) -> impl Future<Output = Result<Response, String>>;

    /// Pauses for so many milliseconds.
    fn pause(&self, milliseconds: u64) -> impl Future<Output = ()>;

    /// Writes to the standard error output, as far as there is one.
    fn log(&self, line: Vec<u8>) -> impl Future<Output = ()>;
}

/// Brings the payload of a request to its end.
pub async fn answer(runtime: &impl Runtime, head: Head, body: impl Body) -> Outcome {
    // Taken out for as long as the passage lasts: while this request waits, the instance may take others.
    let exporter = match exporters::take() {
        Ok(exporter) => exporter,
        Err(problem) => {
            log(runtime, &format!("the configuration of this gateway is wrong: {problem}")).await;
            return plain(500, "the configuration of this gateway is wrong; its log says what");
        }
    };
    let outcome = match request::receive(&head, body, exporter.limits().max_payload_bytes).await {
        Ok(payload) => pass(runtime, &exporter, &head, payload).await,
        Err((status, text)) => {
            log(runtime, &format!("a request was refused with status {status}: {text}")).await;
            plain(status, &text)
        }
    };
    exporters::put_back(exporter);
    outcome
}

/// The passage of a payload, and what an operator is told of it.
async fn pass(runtime: &impl Runtime, exporter: &Exporter, head: &Head, payload: Vec<u8>) -> Outcome {
    let passage = exporter.pass(&payload, &head.content_type, &head.content_encoding, runtime.now());
    drop(payload);
    let outcome = bring_to_its_end(runtime, &passage).await;
    let Outcome { status, delivered, partly_rejected, rejected, unsettled, .. } = outcome;
    for Explanation { reason, detail, remedy, .. } in &outcome.explanations {
        let line = format!(
            "{reason}: {detail}; {remedy} (answered {status}; points: {delivered} delivered, {partly_rejected} partly \
             rejected, {rejected} rejected, {unsettled} to be sent again)"
        );
        log(runtime, &line).await;
    }
    outcome
}

async fn bring_to_its_end(runtime: &impl Runtime, passage: &Passage) -> Outcome {
    let begun = runtime.uptime();
    loop {
        match passage.next(runtime.now()) {
            Step::Send(outgoing) => {
                let response = runtime.send(&outgoing.head, outgoing.body).await;
                let response = response.unwrap_or_else(|problem| Response {
                    status: 0,
                    headers: Vec::new(),
                    body: problem.into_bytes(),
                });
                passage.answered(&response, runtime.now());
            }
            Step::Key(wanted) => {
                let key = key(runtime, wanted).await;
                passage.give_key(key.as_ref(), runtime.now());
            }
            Step::Wait(pause) => {
                let passed = runtime.uptime().saturating_sub(begun) / 1_000_000;
                if passed.saturating_add(pause) > PATIENCE_MS {
                    return passage.give_up();
                }
                runtime.pause(pause).await;
            }
            Step::Done(outcome) => return outcome,
        }
    }
}

async fn key(runtime: &impl Runtime, wanted: KeyRequest) -> Option<SigningKey> {
    let KeyRequest { date, region, service, .. } = wanted;
    match credentials::derive(&date, &region, &service) {
        Ok(credentials::DerivedKey { access_key_id, session_token, key }) => {
            Some(SigningKey { access_key_id, session_token, derived_key: key, date, region, service })
        }
        Err(problem) => {
            log(runtime, &format!("no credentials: {problem}")).await;
            None
        }
    }
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

async fn log(runtime: &impl Runtime, text: &str) {
    let line = format!("preamp: {text}");
    // One line, free of control characters, wherever it came from.
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).chain(['\n']).collect();
    runtime.log(line.into_bytes()).await;
}

/// A header field of an answer of the receiver: its name in lower case; none if its value is no text.
pub fn header(name: &str, value: Vec<u8>) -> Option<Header> {
    Some(Header { name: name.to_ascii_lowercase(), value: String::from_utf8(value).ok()? })
}

/// What a future gives that never waits, since its runtime blocks instead; none if it does wait.
pub fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
